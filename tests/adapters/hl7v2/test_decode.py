"""The codec: delimiters, escapes, repetitions, character sets; framing in any pieces."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.decode import Delimiters, decode
from adapters.hl7v2.encode import escaped
from adapters.hl7v2.framing import Deframer, Oversize, framed
from adapters.hl7v2.refusals import CharsetRefused, MessageRefused, UnreadableMessage
from tests.adapters.hl7v2.messages import adt


def pid(text: str, number: int, charset: str = "utf-8") -> str:
    message = decode(text.encode(charset))
    segment = message.first("PID")
    assert segment is not None
    return segment.value(number).text()


def test_fields_are_numbered_as_in_the_standard() -> None:
    header = decode(adt().encode()).header
    assert header.raw(1) == "|"
    assert header.raw(2) == "^~\\&"
    assert header.value(3).text() == "HIS"
    assert header.value(9).text(2) == "A04"
    assert header.value(10).text() == "MSG1"
    assert header.raw(99) == ""


def test_other_delimiters() -> None:
    text = adt().replace("|", "#").replace("^", "*").replace("~", "@").replace("&", "%")
    message = decode(text.encode())
    segment = message.first("PID")
    assert segment is not None
    assert segment.value(3).text(4, 2) == "1.2.156.999.1"
    assert [v.text(2) for v in segment.repetitions(5)] == ["San", "三"]


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_line_ends(ending: str) -> None:
    assert pid(adt().replace("\r", ending), 8) == "F"


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        (r"a\F\b", "a|b"), (r"a\S\b", "a^b"), (r"a\T\b", "a&b"), (r"a\R\b", "a~b"),
        (r"a\E\b", "a\\b"), (r"a\.br\b", "a\nb"), (r"\H\a\N\b", "ab"), (r"\X4142\c", "ABc"),
        (r"\XE5BCA0\c", "张c"), (r"\XZZ\c", "c"), (r"\X00\c", "c"), (r"\Zxy\c", "c"),
        (r"a\b", r"a\b"), (r"\E\F\E\ ", r"\F\ ".strip()),
    ],
)  # fmt: skip
def test_escapes(raw: str, meant: str) -> None:
    assert pid(adt(telephone=raw), 13) == meant


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"))))
def test_what_is_escaped_comes_back(text: str) -> None:
    written = escaped(text, Delimiters())
    assert pid(adt(telephone=written), 13) == text


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("UNICODE UTF-8", "utf-8"), ("GB18030", "gb18030"), ("GB 18030-2000", "gb18030"),
        ("GBK", "gbk"), ("", "utf-8"), ("UNICODE UTF-8~GB18030", "utf-8"),
    ],
)  # fmt: skip
def test_character_sets(declared: str, codec: str) -> None:
    assert pid(adt(charset=declared), 13, codec) == "010-5550"
    message = decode(adt(charset=declared).encode(codec))
    segment = message.first("PID")
    assert segment is not None
    assert segment.repetitions(5)[1].text(1) == "张"


def test_the_second_octet_of_a_character_is_no_delimiter() -> None:
    # In GBK these end in 7C (|), 5E (^), 7E (~) and 5C (\).
    tricky = "".join(b.decode("gbk") for b in (b"\x81\x7c", b"\x81\x5e", b"\x81\x7e", b"\x81\x5c"))
    assert pid(adt(charset="GBK", telephone=tricky), 13, "gbk") == tricky


@pytest.mark.parametrize(
    ("declared", "octets"),
    [
        ("ASCII", "utf-8"),
        ("UNICODE UTF-8", "gb18030"),
        ("", "gb18030"),
        ("EBCDIC", "utf-8"),
        ("UNICODE UTF-16", "utf-8"),
    ],
)
def test_a_wrong_character_set_is_refused(declared: str, octets: str) -> None:
    with pytest.raises(CharsetRefused):
        decode(adt(charset=declared).encode(octets))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"MSH", b"MSH|", b"PID|1\r", b"MSH|^^\\&|\r", b"MSH|^~|\r", b"MSHAAAAAA\r", b"\xff" * 90,
        b"MSH|^~\\&|HIS\rpid|1\r", b"MSH|^~\\&|HIS\rPI\r", b"MSH|^~\\&|H\x00IS|a|b|c\r",
    ],
)  # fmt: skip
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        decode(data)


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for octets in (data, b"MSH|^~\\&|" + data):
        with contextlib.suppress(MessageRefused):
            decode(octets)


PLAIN = st.binary(min_size=1, max_size=40).map(
    lambda b: b.replace(b"\x0b", b"-").replace(b"\x1c", b"-")
)


@given(st.lists(PLAIN, max_size=6), st.lists(st.integers(1, 30), min_size=1))
def test_frames_come_in_any_pieces(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framed(m) for m in messages)
    deframer, found, at, turn = Deframer(1000), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        found += deframer.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == messages
    assert not deframer.half


def test_a_frame_begun_anew_replaces_the_half_one() -> None:
    assert Deframer(100).feed(b"\x0bhalf" + framed(b"whole")) == [b"whole"]


def test_an_oversize_frame_is_told_by_its_beginning() -> None:
    (found,) = Deframer(100).feed(b"\x0b" + b"x" * 200)
    assert isinstance(found, Oversize)
    assert found.startswith(b"xxx")


def test_garbage_is_counted() -> None:
    deframer = Deframer(100)
    assert deframer.feed(b"\r\n\r\nGET / HTTP/1.1\r\n") == []
    assert deframer.garbage > 0
    assert not deframer.half
