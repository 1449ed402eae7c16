"""How a DICOM file is damaged: injuries of its data set, tricks with its File Meta Information.

PS3.5 7 and A (elements, sequences, fragments), PS3.10 7.1. Called by `damaged_files.py`, which
chooses by a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

IMPLICIT: Final = "1.2.840.10008.1.2"
BIG: Final = "1.2.840.10008.1.2.2"
UNDEFINED: Final = 0xFFFFFFFF
LONG: Final = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR",
               b"UT", b"UV")  # fmt: skip
_VRS: Final = (*LONG, b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO",
               b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US")  # fmt: skip
_JUNK_VRS: Final = (b"XX", b"\0\0", b"  ", b"??", b"--", b"ox", b"\xff\xff", b"OX", b"sq")
_MANDATORY: Final = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100020, 0x00280010,
                     0x00280011, 0x00280100, 0x00280002, 0x00280004, 0x00280008)  # fmt: skip
_SETS: Final = (b"ISO_IR 192", b"GB18030", b"GBK", b"ISO 2022 IR 87\\ISO 2022 IR 159", b"ISO_IR 13",
                b"\\ISO 2022 IR 58", b"\\ISO 2022 IR 149", b"ISO_IR 999", b"\\\\\\", b"\xff\xfe",
                b"utf-8", b"rot13", b"idna", b"punycode", b"undefined", b"zlib")  # fmt: skip
_BAD_UIDS: Final = (b"", b"1", b"..", b"../../etc/passwd", b"1.2.3\n4", b"1." * 40, b"1.2.\x003",
                    b"%2e%2e", b"1.2.3'--", b"\xe4\xb8\xad", b"1.02.3", b" 1.2.3 ")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """One element, item or fragment of a data set."""

    tag: int
    at: int
    vr_at: int
    """-1: there is none."""
    length_at: int
    length_size: int
    value_at: int
    end: int


@dataclass(frozen=True, slots=True)
class Base:
    """A sound file: its meta information and its data set, inflated."""

    name: str
    meta: bytes
    data: bytes
    sop_class: str
    sop_uid: str
    syntax: str
    places: tuple[Place, ...]

    @property
    def little(self) -> bool:
        return self.syntax != BIG

    @property
    def explicit(self) -> bool:
        return self.syntax != IMPLICIT

    def numbered(self, number: int) -> Base:
        """Return the file under a SOP Instance UID of its own, of the same length."""
        length = len(self.sop_uid)
        uid = f"1.9.{number}.".ljust(length, "7")[:length]
        old, new = self.sop_uid.encode(), uid.encode()
        return replace(
            self, meta=self.meta.replace(old, new), data=self.data.replace(old, new), sop_uid=uid
        )


@dataclass(slots=True)
class Work:
    chance: random.Random
    base: Base
    data: bytearray
    places: Sequence[Place]

    def number(self, value: int, size: int) -> bytes:
        value &= (1 << 8 * size) - 1
        return value.to_bytes(size, "little" if self.base.little else "big")

    def element(self, tag: int, vr: bytes, value: bytes, *, length: int | None = None) -> bytes:
        told = len(value) if length is None else length
        head = self.number(tag >> 16, 2) + self.number(tag, 2)
        if not self.base.explicit:
            return head + self.number(told, 4) + value
        if vr in LONG:
            return head + vr + b"\0\0" + self.number(told, 4) + value
        return head + vr + self.number(told, 2) + value

    def item(self, value: bytes, *, length: int | None = None) -> bytes:
        told = len(value) if length is None else length
        return self.number(0xFFFE, 2) + self.number(0xE000, 2) + self.number(told, 4) + value

    def end(self, number: int) -> bytes:
        return self.number(0xFFFE, 2) + self.number(number, 2) + bytes(4)

    def before(self, tag: int) -> int:
        """Return where an element of `tag` would stand at the top level."""
        return next((p.at for p in self.places if p.tag > tag), len(self.data))

    def put(self, tag: int, octets: bytes) -> None:
        at = self.before(tag)
        self.data[at:at] = octets

    def set(self, tag: int, vr: bytes, value: bytes) -> None:
        """Replace a value, or add the element."""
        for place in self.places:
            if place.tag == tag:
                self.data[place.at : place.end] = self.element(tag, vr, value)
                return
        self.put(tag, self.element(tag, vr, value))


def _flip_bits(work: Work) -> None:
    for _ in range(work.chance.choice((1, 1, 2, 8, 64))):
        if work.data:
            # Mostly in the header: pixels may be anything.
            most = min(len(work.data), work.chance.choice((600, 3000, len(work.data))))
            work.data[work.chance.randrange(most)] ^= 1 << work.chance.randrange(8)


def _cut(work: Work) -> None:
    del work.data[work.chance.randrange(len(work.data) + 1) :]


def _cut_at_an_element(work: Work) -> None:
    place = work.chance.choice(work.places)
    del work.data[work.chance.choice((place.at, place.length_at, place.value_at, place.end)) :]


def _lose_a_run(work: Work) -> None:
    start = work.chance.randrange(len(work.data) + 1)
    del work.data[start : start + work.chance.choice((1, 2, 4, 8, 100, 2000))]


def _repeat_a_run(work: Work) -> None:
    start = work.chance.randrange(len(work.data) + 1)
    run = work.data[start : start + work.chance.choice((1, 8, 300))]
    work.data[start:start] = run * work.chance.choice((1, 2, 50))


def _insert_noise(work: Work) -> None:
    start = work.chance.randrange(len(work.data) + 1)
    work.data[start:start] = work.chance.randbytes(work.chance.choice((1, 2, 8, 64)))


def _all_noise(work: Work) -> None:
    work.data[:] = work.chance.randbytes(work.chance.choice((0, 1, 7, 8, 132, 5000)))


def _lie_about_a_length(work: Work) -> None:
    place = work.chance.choice(work.places)
    true = place.end - place.value_at
    lies = (0, 1, true + 1, true - 1, true + 2, true * 2, len(work.data), 0x7FFFFFFF, 0x80000000,
            0xFFFFFFFE, UNDEFINED, 0xFFFF, 0xFFFE, work.chance.getrandbits(32))  # fmt: skip
    lie = work.chance.choice(lies)
    work.data[place.length_at : place.length_at + place.length_size] = work.number(
        lie, place.length_size
    )


def _wrong_vr(work: Work) -> None:
    named = [place for place in work.places if place.vr_at >= 0]
    for place in work.chance.sample(named, min(len(named), work.chance.choice((1, 1, 3)))):
        vr = work.chance.choice((*_VRS, *_JUNK_VRS))
        work.data[place.vr_at : place.vr_at + 2] = vr


def _wrong_tag(work: Work) -> None:
    place = work.chance.choice(work.places)
    tag = work.chance.choice((0, 0xFFFFFFFF, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0x7FE00010,
                              0x00020010, 0x00080005, work.chance.getrandbits(32)))  # fmt: skip
    work.data[place.at : place.at + 4] = work.number(tag >> 16, 2) + work.number(tag, 2)


def _lose_an_element(work: Work) -> None:
    wanted = [place for place in work.places if place.tag in _MANDATORY]
    place = work.chance.choice(wanted or work.places)
    del work.data[place.at : place.end]


def _repeat_an_element(work: Work) -> None:
    place, other = work.chance.choice(work.places), work.chance.choice(work.places)
    element = work.data[place.at : place.end]
    work.data[other.at : other.at] = element * work.chance.choice((1, 2, 300))


def _swap_elements(work: Work) -> None:
    one, other = sorted(work.chance.choices(work.places, k=2), key=lambda place: place.at)
    if one.end <= other.at:
        first, second = work.data[one.at : one.end], work.data[other.at : other.end]
        work.data[other.at : other.end] = first
        work.data[one.at : one.end] = second


def _nest_deep(work: Work) -> None:
    depth = work.chance.choice((31, 32, 33, 100, 1500, 20_000))
    bounded = work.chance.random() < 0.5 and depth <= 1500
    inner = b""
    if bounded:
        for _ in range(depth):
            inner = work.element(0x00081140, b"SQ", work.item(inner))
    else:
        opening = work.element(0x00081140, b"SQ", b"", length=UNDEFINED)
        opening += work.item(b"", length=UNDEFINED)
        closing = work.end(0xE00D) + work.end(0xE0DD)
        inner = opening * depth + closing * (depth if work.chance.random() < 0.5 else 0)
    work.put(0x00081140, inner)


def _many_items(work: Work) -> None:
    count = work.chance.choice((10, 5000, 60_000))
    items = work.item(b"") * count
    bounded = work.chance.random() < 0.5
    value = items if bounded else items + work.end(0xE0DD)
    length = None if bounded else UNDEFINED
    work.put(0x00081140, work.element(0x00081140, b"SQ", value, length=length))


def _many_values(work: Work) -> None:
    tag, vr = work.chance.choice(((0x00080008, b"CS"), (0x00100010, b"PN"), (0x00201208, b"IS"),
                                  (0x00280301, b"CS"), (0x00080061, b"CS")))  # fmt: skip
    work.set(tag, vr, (b"\\" * work.chance.choice((10, 1000, 32_766))).ljust(2)[:32_766])


def _huge_numbers(work: Work) -> None:
    value = work.chance.choice((b"2147483647", b"-1", b"0", b"99999999999999999999", b"1e999",
                                b"9" * 4000, b"NaN", b"1.5", b"0x10", b"\xd9\xa3"))  # fmt: skip
    tag = work.chance.choice((0x00280008, 0x00200013, 0x00200011, 0x00281050, 0x00281051,
                              0x00281052, 0x00281053))  # fmt: skip
    work.set(tag, b"DS" if tag > 0x00281000 else b"IS", value.ljust(len(value) + len(value) % 2))


def _strange_image(work: Work) -> None:
    tag = work.chance.choice((0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101,
                              0x00280102, 0x00280103, 0x00280006))  # fmt: skip
    value = work.chance.choice((0, 1, 2, 3, 4, 7, 8, 12, 16, 24, 32, 64, 255, 0x7FFF, 0xFFFF))
    work.set(tag, b"US", work.number(value, 2) * work.chance.choice((1, 1, 1, 0, 3)))


def _strange_colour(work: Work) -> None:
    names = (b"RGB ", b"YBR_FULL", b"YBR_FULL_422", b"PALETTE COLOR ", b"MONOCHROME1 ", b"CMYK",
             b"", b"YBR_RCT ", b"YBR_ICT ", b"HSV ", b"\xff\xff", b"YBR_PARTIAL_420 ")  # fmt: skip
    work.set(0x00280004, b"CS", work.chance.choice(names))


def _strange_texts(work: Work) -> None:
    work.set(0x00080005, b"CS", _even(work.chance.choice(_SETS)))
    pieces = (b"\x1b$B", b"\x1b(B", b"\x1b)I", b"\x1b$)C", b"\x1b$)A", b"\x1b%/", b"\x1b", b"^", b"=",
              b"\\", b"\xff", b"\xc4\xe3", b"\x00", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"*", b"?",
              b"Wang", b"\n", b"\x81\x30\x81\x30", b"\xef\xbb\xbf", b"'", b'"', b"%")  # fmt: skip
    # The last element first, so that the places before it stay where they are.
    for tag, vr in ((0x00321060, b"LO"), (0x00200010, b"SH"), (0x00104000, b"LT"),
                    (0x00100020, b"LO"), (0x00100010, b"PN"), (0x0008103E, b"LO"),
                    (0x00081030, b"LO"), (0x00080050, b"SH"), (0x00080020, b"DA")):  # fmt: skip
        if work.chance.random() < 0.5:
            value = b"".join(work.chance.choices(pieces, k=work.chance.choice((1, 4, 20))))
            work.put(tag, work.element(tag, vr, _even(value)))


def _odd_length(work: Work) -> None:
    work.set(work.chance.choice((0x00100010, 0x00081030, 0x00080018, 0x0020000D)), b"LO", b"odd")


def _bad_uid(work: Work) -> None:
    tag = work.chance.choice((0x00080016, 0x00080018, 0x0020000D, 0x0020000E))
    work.set(tag, b"UI", work.chance.choice(_BAD_UIDS))


def _strange_fragments(work: Work) -> None:
    """Put encapsulated pixel data where the file has others, or none."""
    for place in reversed(work.places):
        if place.tag >= 0x7FE00000:
            del work.data[place.at :]
    picture = work.chance.choice((b"", b"\xff\xd8\xff\xe0" + bytes(60), b"\xff\x4f\xff\x51" * 20,
                                  work.chance.randbytes(400)))  # fmt: skip
    table = work.chance.choice((b"", bytes(4), b"\xff" * 4, b"\xff" * 400, bytes(400), b"\1"))
    items = work.item(table)
    for _ in range(work.chance.choice((0, 1, 2, 50, 20_000))):
        items += work.item(picture)
    lie = work.chance.choice((None, None, 0xFFFFFFFE, UNDEFINED, 0))
    items += work.item(picture, length=lie) + work.end(work.chance.choice((0xE0DD, 0xE00D)))
    vr = work.chance.choice((b"OB", b"OW", b"UN"))
    work.data += work.element(0x7FE00010, vr, items[: work.chance.choice((None, -8, -9))],
                              length=UNDEFINED)  # fmt: skip


def _much_private_data(work: Work) -> None:
    octets = work.chance.randbytes(64) * work.chance.choice((1, 1000, 20_000))
    work.put(0x00090010, work.element(0x00090010, b"LO", b"TEST")
             + work.element(0x00091001, b"OB", octets))  # fmt: skip


def _many_elements(work: Work) -> None:
    count = work.chance.choice((100, 5000, 30_000))
    work.put(0x00090010, b"".join(
        work.element(0x00090000 | number & 0xFFFF, b"LO", b"") for number in range(count)
    ))  # fmt: skip


def _strange_tables(work: Work) -> None:
    """Lookup tables, overlays and windows that do not fit."""
    few = work.number(work.chance.choice((0, 1, 255, 0xFFFF)), 2)
    for tag, vr, value in (
        (0x60003000, b"OW", bytes(work.chance.choice((0, 2, 100)))),
        (0x60000010, b"US", few),
        (0x00281201, b"OW", bytes(work.chance.choice((0, 2, 512)))),
        (0x00281101, b"US", few * 3),
        (0x00283010, b"SQ", work.item(work.element(0x00283002, b"US", few * 3)
                                      + work.element(0x00283006, b"OW", bytes(6)))),
        (0x00281050, b"DS", b"a\\b\\c "),
    ):  # fmt: skip
        if work.chance.random() < 0.6:
            work.put(tag, work.element(tag, vr, value))


def _even(value: bytes) -> bytes:
    return value + b" " * (len(value) % 2)


INJURIES: Final[tuple[Callable[[Work], None], ...]] = (
    _flip_bits, _cut, _cut_at_an_element, _lose_a_run, _repeat_a_run, _insert_noise, _all_noise,
    _lie_about_a_length, _lie_about_a_length, _lie_about_a_length, _wrong_vr, _wrong_vr, _wrong_tag,
    _lose_an_element, _repeat_an_element, _swap_elements, _nest_deep, _many_items, _many_values,
    _huge_numbers, _strange_image, _strange_image, _strange_colour, _strange_texts, _strange_texts,
    _odd_length, _bad_uid, _strange_fragments, _strange_fragments, _much_private_data,
    _many_elements, _strange_tables, _strange_tables,
)  # fmt: skip


# -- tricks with preamble and File Meta Information -------------------------------------------


def _no_preamble(_chance: random.Random, meta: bytes) -> bytes:
    return meta[132:]


def _no_meta(_chance: random.Random, meta: bytes) -> bytes:
    return meta[:132]


def _neither(_chance: random.Random, _meta: bytes) -> bytes:
    return b""


def _twice(_chance: random.Random, meta: bytes) -> bytes:
    return meta + meta


def _other_preamble(chance: random.Random, meta: bytes) -> bytes:
    """Another format's beginning: a TIFF, an executable, a page, a script, noise."""
    other = chance.choice(
        (b"II*\0\x08\0\0\0", b"MZ", b"<html>", b"#!/bin/sh\n", chance.randbytes(128))
    )
    return other.ljust(128, b"\0") + meta[128:]


def _other_magic(chance: random.Random, meta: bytes) -> bytes:
    return meta[:128] + chance.choice((b"dicm", b"DICN", b"\0\0\0\0")) + meta[132:]


def _group_length(chance: random.Random, meta: bytes) -> bytes:
    true = int.from_bytes(meta[140:144], "little")
    lie = chance.choice((0, 1, true - 2, true + 2, true + 100, 0x7FFFFFFF, 0xFFFFFFFF))
    return meta[:140] + lie.to_bytes(4, "little") + meta[144:]


def _other_syntax(chance: random.Random, meta: bytes) -> bytes:
    """Name another transfer syntax of the same length, where the file has one."""
    for old in (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.", b"1.2.840.10008.1.2.2\0"):
        if old in meta:
            new = chance.choice((b"1.2.840.10008.1.2.2\0", b"1.2.840.10008.1.2.5\0",
                                 b"1.2.840.10008.1.2\0\0\0", b"9.9.999.99999.9.9.9\0",
                                 bytes(20)))  # fmt: skip
            return meta.replace(old, new)
    return meta


def _shaken_meta(chance: random.Random, meta: bytes) -> bytes:
    shaken = bytearray(meta)
    for _ in range(chance.choice((1, 3, 20))):
        shaken[chance.randrange(132, len(shaken))] = chance.randrange(256)
    return bytes(shaken)


def _short_meta(chance: random.Random, meta: bytes) -> bytes:
    return meta[: chance.randrange(len(meta))]


TRICKS: Final = (
    _no_preamble, _no_meta, _neither, _twice, _other_preamble, _other_magic, _group_length,
    _other_syntax, _shaken_meta, _short_meta,
)  # fmt: skip
CRUDE: Final = (_flip_bits, _cut, _lose_a_run, _repeat_a_run, _insert_noise)
"""What may follow another injury: it needs no places."""
