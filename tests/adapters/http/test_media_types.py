"""Accept negotiation and byte ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.media_types import accepted, parse, parse_accept
from adapters.http.ranges import byte_range, content_range
from adapters.http.refusals import BadRange


def test_parameters_and_qualities_are_read():
    found = parse_accept(
        'text/*;q=0.3, multipart/related; type="application/octet-stream"; transfer-syntax=*, '
        "application/dicom+json;q=0.9"
    )
    assert [m.essence for m in found] == ["multipart/related", "application/dicom+json", "text/*"]
    assert found[0].get("type") == "application/octet-stream"
    assert found[0].get("transfer-syntax") == "*"


def test_more_special_ranges_go_before_wider_ones_of_the_same_quality():
    assert [m.essence for m in parse_accept("*/*, image/*, image/png")] == [
        "image/png",
        "image/*",
        "*/*",
    ]


def test_the_query_goes_before_the_header_and_nothing_means_anything():
    assert accepted("text/html", ["image/png"])[0].essence == "image/png"
    assert accepted(None)[0].covers("a/b")
    assert accepted(" ")[0].covers("a/b")
    assert accepted("image/png;q=0") == ()


def test_malformed_entries_are_left_out():
    assert [m.essence for m in parse_accept("nonsense, ;, a/b; x, c/d;e=f;q=x y, image/png")] == [
        "image/png"
    ]
    assert parse("text") is None
    assert parse("a/b c") is None


@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text):
    parse_accept(text)
    parse(text)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 10)),
        ("bytes=-5", (95, 5)),
        ("bytes=-500", (0, 100)),
        ("bytes=5-1000", (5, 95)),
        ("bytes=9-5", None),
        ("items=0-1", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
    ],
)
def test_ranges(header, expected):
    assert byte_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_ranges_outside_are_refused(header):
    with pytest.raises(BadRange):
        byte_range(header, 100)


def test_content_range():
    assert content_range(10, 5, 100) == "bytes 10-14/100"
