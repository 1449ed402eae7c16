"""Multipart bodies in pieces of any size, and everything that may be wrong with them (RFC 2046)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.soap.faults import SoapFault
from adapters.soap.multipart import Limits, MultipartReader

BOUNDARY = "b-1"
LIMITS = Limits(part_bytes=1000, parts=4, header_bytes=200, total_bytes=10_000)


class Collected:
    """Keeps every part whole."""

    def __init__(self) -> None:
        self.headers: list[Mapping[str, str]] = []
        self.parts: list[bytearray] = []

    def open(self, headers: Mapping[str, str]):
        self.headers.append(dict(headers))
        self.parts.append(bytearray())
        return self, LIMITS.part_bytes

    def write(self, chunk: memoryview) -> None:
        self.parts[-1] += chunk


def read(body: bytes, step: int = 1 << 20, boundary: str = BOUNDARY) -> Collected:
    found = Collected()
    reader = MultipartReader(boundary, found.open, LIMITS)
    for start in range(0, len(body), step):
        reader.feed(body[start : start + step])
    reader.finish()
    return found


def body_of(parts: list[bytes], header: bytes = b"Content-ID: <x>\r\n") -> bytes:
    return (
        b"".join(b"--b-1\r\n" + header + b"\r\n" + part + b"\r\n" for part in parts)
        + b"--b-1--\r\n"
    )


PIECES = st.lists(
    st.sampled_from(
        [b"\r\n", b"--", b"\r", b"\n", b"-", b"b-1", b"--b-", b"\r\n--b", b"x", b"\0" * 40]
    )
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=3), st.integers(1, 40))
def test_parts_arrive_whole_whatever_the_pieces(parts: list[bytes], step: int) -> None:
    parts = [p for p in parts if b"\r\n--b-1" not in b"\r\n" + p + b"\r\n"] or [b"x"]
    assert read(body_of(parts), step).parts == parts


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_preamble_epilogue_padding_and_folded_headers(step: int) -> None:
    body = (
        b"This is a preamble\r\n--b-1 \t\r\nContent-Type: a/b;\r\n c=d\r\nX: y\r\n\r\nA\r\n--b-1\r\n"
        b"\r\nB\r\n--b-1--\r\nan epilogue --b-1\r\n"
    )
    found = read(body, step)
    assert found.parts == [b"A", b"B"]
    assert found.headers == [{"content-type": "a/b; c=d", "x": "y"}, {}]


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
@pytest.mark.parametrize("before", [b"", b"\n", b"\r\n\n"])
def test_bare_line_feeds_are_understood_when_all_lines_end_so(step: int, before: bytes) -> None:
    body = b"--b-1\nContent-ID: <x>\nX: y\n\nA\n\r\nA\n\n--b-1\n\nB\n--b-1x\n--b-1\n\n\n--b-1--\n\n"
    found = read(before + body, step)
    assert found.parts == [b"A\n\r\nA\n", b"B\n--b-1x", b""]
    assert found.headers == [{"content-id": "<x>", "x": "y"}, {}, {}]


def test_line_feeds_alone_end_no_line_of_a_body_that_began_right() -> None:
    assert read(body_of([b"x\n--b-1\ny\n--b-1--\n"])).parts == [b"x\n--b-1\ny\n--b-1--\n"]


def test_a_body_of_blank_lines_is_not_held() -> None:
    found = Collected()
    reader = MultipartReader(BOUNDARY, found.open, LIMITS)
    for _ in range(100):
        reader.feed(b"\r\n" * 40)
    with pytest.raises(SoapFault):
        reader.finish()
    assert len(reader._buffer) < 100


def test_a_line_that_only_begins_like_the_boundary_is_content() -> None:
    assert read(body_of([b"x\r\n--b-10\r\ny\r\n--b-1x"])).parts == [b"x\r\n--b-10\r\ny\r\n--b-1x"]


def test_an_empty_part() -> None:
    assert read(body_of([b""])).parts == [b""]
    assert read(b"--b-1\r\nA: b\r\n\r\n--b-1--").parts == [b""]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--b-1\r\nContent-ID: <x>\r\n",
        b"--b-1\r\nContent-ID: <x>\r\n\r\nhalf a par",
        b"--b-1\r\nContent-ID: <x>\r\n\r\nwhole\r\n--b-1",
        b"--b-1\r\nContent-ID: <x>\r\n\r\nwhole\r\n--b-1\r\n",
        b"--b-1\r\nno colon\r\n\r\nx\r\n--b-1--",
        b"--b-1\r\nA: 1\r\nA: 2\r\n\r\nx\r\n--b-1--",
        b"--b-1\r\nA: " + b"x" * 300,
        b"--b-1\r\nA: " + b"x" * 300 + b"\r\n\r\nx\r\n--b-1--",
        body_of([b"x" * 1001]),
        body_of([b"x"] * 5),
        body_of([b"x" * 900] * 2) + b"y" * 10_000,
    ],
)
@pytest.mark.parametrize("step", [1, 11, 1 << 20])
def test_what_is_cut_short_or_too_large_is_a_fault(body: bytes, step: int) -> None:
    with pytest.raises(SoapFault):
        read(body, step)


@pytest.mark.parametrize("boundary", ["", "x" * 71, "b\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_boundary_is_checked(boundary: str) -> None:
    with pytest.raises(SoapFault):
        read(b"", boundary=boundary)
