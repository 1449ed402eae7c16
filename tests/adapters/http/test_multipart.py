"""multipart/related: whatever the chunks, the parts come out whole; broken bodies are refused."""

import contextlib
import random
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http.media_types import parse
from adapters.http.multipart import (
    MultipartParser,
    MultipartWriter,
    PartBegins,
    PartData,
    PartEnds,
    boundary_of,
)
from adapters.http.refusals import BadMultipart, BodyTooLarge


def parts_of(body, boundary, cuts=(), **limits):
    parser = MultipartParser(boundary, **limits)
    found, position = [], 0
    for cut in [*sorted(cuts), len(body)]:
        for event in parser.feed(body[position:cut]):
            match event:
                case PartBegins(headers):
                    found.append((dict(headers), bytearray()))
                case PartData(octets):
                    found[-1][1].extend(octets)
                case PartEnds():
                    found[-1] = (found[-1][0], bytes(found[-1][1]))
        position = cut
    parser.finish()
    return found


def body_of(parts, boundary):
    writer = MultipartWriter(boundary)
    out = b""
    for part in parts:
        out += writer.head("application/dicom", length=len(part)) + part
    return out + writer.tail


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.lists(
                st.sampled_from([b"\r\n", b"--", b"-", b"\r", b"\n", b"bound", b"x"]), max_size=30
            ).map(b"".join),
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.integers(0, 1500), max_size=12),
)
def test_what_is_written_is_read_however_it_is_cut(parts, cuts):
    boundary = "bound-7c1f"
    parts = [part.replace(b"bound-", b"b") for part in parts]
    body = body_of(parts, boundary)
    found = parts_of(body, boundary, [cut for cut in cuts if cut < len(body)])
    assert [octets for _, octets in found] == parts
    assert all(headers["content-length"] == str(len(octets)) for headers, octets in found)


def test_one_octet_at_a_time():
    body = b"preamble\r\n" + body_of([b"a\r\n--boun", b"", b"\r\n"], "bound")
    assert [o for _, o in parts_of(body, "bound", range(len(body)))] == [
        b"a\r\n--boun",
        b"",
        b"\r\n",
    ]


def test_forms_that_real_clients_send():
    body = (
        b"--B  \r\nContent-Type: application/dicom;\r\n\ttransfer-syntax=1.2\r\n\r\nx\r\n--B\r\n"
        b"\r\nno headers\r\n--B\r\nA: b\r\n\r\n--B--\r\nepilogue"
    )
    assert parts_of(body, "B") == [
        ({"content-type": "application/dicom; transfer-syntax=1.2"}, b"x"),
        ({}, b"no headers"),
        ({"a": "b"}, b""),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B",
        b"--B\r\n",
        b"--B\r\n\r\n",
        b"--B\r\nA: b\r\n\r\ndata",
        b"--B\r\n\r\ndata\r\n--B",
        b"no boundary at all",
        b"x" * 40_000,
        b"--Bx\r\n\r\ndata\r\n--B--",
        b"--B\r\nno colon\r\n\r\nx\r\n--B--",
        b"--B" + b" " * 300 + b"\r\n\r\nx\r\n--B--",
    ],
)
def test_broken_bodies_are_refused(body):
    with pytest.raises(BadMultipart):
        parts_of(body, "B")


def test_limits_are_kept():
    with pytest.raises(BodyTooLarge):
        parts_of(b"--B\r\nA: " + b"x" * 20_000 + b"\r\n\r\n\r\n--B--", "B")
    with pytest.raises(BodyTooLarge):
        parts_of(body_of([b""] * 4, "B"), "B", max_parts=3)


@pytest.mark.parametrize("seed", [3, 11, 97])
def test_mutated_bodies_end_in_parts_or_a_refusal(seed):
    chance = random.Random(seed)
    good = body_of([b"abc" * 50, b"\r\n--x\r\n" * 9], "B0")
    for _ in range(400):
        body = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(body))
            if chance.random() < 0.5:
                body[at] = chance.randrange(256)
            else:
                del body[at : at + chance.randint(1, 20)]
            if not body:
                break
        with contextlib.suppress(BadMultipart, BodyTooLarge):
            parts_of(bytes(body), "B0", [len(body) // 2])


def test_another_writer_is_understood():
    message = EmailMessage()
    message.make_mixed()
    message.add_attachment(b"\x00\x01\x02", maintype="application", subtype="dicom", cte="8bit")
    raw = message.as_bytes().partition(b"\n\n")[2].replace(b"\n", b"\r\n")
    assert len(parts_of(raw, message.get_boundary())) == 1


def test_the_boundary_is_taken_from_the_content_type():
    assert (
        boundary_of(parse('multipart/related; type="application/dicom"; boundary="a b"')) == "a b"
    )
    for bad in ("multipart/related", "", "multipart/related; boundary="):
        with pytest.raises(BadMultipart):
            boundary_of(parse(bad))
    for bad in ("x" * 201, "ends with blank ", "umläut", 'quo"te'):
        with pytest.raises(BadMultipart):
            MultipartParser(bad)


def test_a_boundary_of_two_uuids_is_read_though_the_standard_allows_seventy():
    # Orthanc 1.10 sends such ones.
    boundary = "-".join(["41ec7bb3-da93-4919-8940-41a855f8f6bb"] * 2)
    body = f"--{boundary}\r\n\r\nx\r\n--{boundary}--\r\n".encode()

    assert len(boundary) == 73
    assert [part for _, part in parts_of(body, boundary)] == [b"x"]
