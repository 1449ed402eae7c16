"""Conversations with a DIMSE receiver, damaged by a seed: PDUs, items, fragments, command sets.

PS3.8 9.3 and D.1 (PDU structure), E.2 (fragments), PS3.7 6.3 and E (command sets). Equal seeds give
equal octets. Called by tests/adapters/dimse and tests/soak.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.dimse import encode
from adapters.dimse.decode import ProposedContext, UserInformation
from tests.support.archive import instance, octets
from tests.support.dimse import CT, ECHO, EXPLICIT, pdata

FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
COMMIT: Final = "1.2.840.10008.1.20.1"
_ABSTRACT: Final = (CT, ECHO, FIND, MOVE, GET, COMMIT)
_FIELDS: Final = (0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0FFF, 0x0100, 0x0110, 0x0120, 0x0130,
                  0x0140, 0x0150, 0x8001, 0x8020, 0x8100, 0, 0xFFFF)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a peer says, PDU by PDU, whatever he is answered."""

    name: str
    pdus: tuple[bytes, ...]
    waits: bool = False
    """Whether he keeps his end open and says no more."""


def conversation(seed: int) -> Conversation:
    """Return a conversation with one to three things wrong with it."""
    chance = random.Random(seed)
    kind = chance.choice((_storing, _storing, _echoing, _asking, _moving, _getting, _committing))
    messages = kind(chance, seed)
    pdus = [_request(chance), *messages, encode.RELEASE_RQ]
    names = [kind.__name__.strip("_")]
    for _ in range(chance.choice((1, 1, 2, 3))):
        accident = chance.choice(_ACCIDENTS)
        pdus = accident(chance, pdus)
        names.append(accident.__name__.strip("_"))
    return Conversation(f"{seed}: {', '.join(names)}", tuple(pdus), chance.random() < 0.1)


# -- what is said -----------------------------------------------------------------------------


def _request(chance: random.Random) -> bytes:
    contexts = [
        ProposedContext(2 * number + 1, uid, (EXPLICIT,)) for number, uid in enumerate(_ABSTRACT)
    ]
    most = chance.choice((0, 0, 16384, 1, 7, 1 << 20, 0xFFFFFFFF))
    roles = ((CT, True, True),) if chance.random() < 0.5 else ()
    user = UserInformation(most, "1.2.3", "RAW", roles)
    return encode.associate_request("PIANKU", "RAW", contexts, user)


def _message(
    chance: random.Random, context: int, elements: dict[int, int | str], data: bytes = b""
) -> list[bytes]:
    """Return a message in fragments of a size that is anybody's choice."""
    pdus = _fragments(chance, context, 1, encode.command(elements))
    return pdus + (_fragments(chance, context, 0, data) if data else [])


def _fragments(chance: random.Random, context: int, kind: int, octets_: bytes) -> list[bytes]:
    size = chance.choice((len(octets_), len(octets_), 16000, 1000, 40)) or 1
    if len(octets_) / size > 300:
        size = 1000
    starts = range(0, max(len(octets_), 1), size)
    return [
        pdata(
            context,
            kind | (2 if start + size >= len(octets_) else 0),
            octets_[start : start + size],
        )
        for start in starts
    ]


def _storing(chance: random.Random, seed: int) -> list[bytes]:
    image = instance(seed, study="PDU", size=chance.choice((2, 16, 128)))
    file = octets(image)
    data = file[144 + int.from_bytes(file[140:144], "little") :]
    uid = str(image.SOPInstanceUID)
    return _message(chance, 1, {
        0x0002: CT, 0x0100: 1, 0x0110: seed % 65536, 0x0700: 0, 0x0800: 0, 0x1000: uid,
    }, data)  # fmt: skip


def _echoing(chance: random.Random, _seed: int) -> list[bytes]:
    return _message(chance, 3, {0x0002: ECHO, 0x0100: 0x30, 0x0110: 1, 0x0800: 0x0101})


def _identifier(chance: random.Random) -> bytes:
    pairs = [
        (0x00080005, b"CS", chance.choice((b"ISO_IR 192", b"GB18030 ", b"\xff\xff", b""))),
        (0x00080020, b"DA", chance.choice((b"", b"20260101-", b"-", b"junk", b"*", b"20260101-2026"))),
        (0x00080050, b"SH", chance.choice((b"", b"*", b"\\\\", b"A\x00", b"?" * 16))),
        (0x00080052, b"CS", chance.choice((b"STUDY ", b"SERIES", b"IMAGE ", b"PATIENT ", b"", b"X "))),
        (0x00100010, b"PN", chance.choice((b"", b"*", b"W*", b"^^^^", b"\xc4\xe3", b"*" * 64, b"=="))),
        (0x00100020, b"LO", chance.choice((b"", b"*", b"%_", b"'--"))),
        (0x0020000D, b"UI", chance.choice((b"", b"1.2.3\0", b"*", b"1.2\\1.3\\", b"../etc"))),
        (0x0020000E, b"UI", chance.choice((b"", b"1.2", b"1.2\\\\"))),
        (0x00201208, b"IS", chance.choice((b"", b"-1", b"9" * 12, b"1e9 "))),
    ]  # fmt: skip
    chosen = [pair for pair in pairs if chance.random() < 0.8]
    return b"".join(
        struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value) + len(value) % 2)
        + value + b" " * (len(value) % 2)
        for tag, vr, value in chosen
    )  # fmt: skip


def _asking(chance: random.Random, _seed: int) -> list[bytes]:
    asked = _message(chance, 5, {
        0x0002: FIND, 0x0100: 0x20, 0x0110: 9, 0x0700: 0, 0x0800: 0,
    }, _identifier(chance))  # fmt: skip
    if chance.random() < 0.3:
        asked += _message(chance, 5, {0x0100: 0x0FFF, 0x0120: 9, 0x0800: 0x0101})
    return asked


def _moving(chance: random.Random, _seed: int) -> list[bytes]:
    title = chance.choice(("", "NOBODY", "X" * 16, "PIANKU", "\\", "A B"))
    return _message(chance, 7, {
        0x0002: MOVE, 0x0100: 0x21, 0x0110: 9, 0x0600: title, 0x0700: 0, 0x0800: 0,
    }, _identifier(chance))  # fmt: skip


def _getting(chance: random.Random, _seed: int) -> list[bytes]:
    return _message(chance, 9, {
        0x0002: GET, 0x0100: 0x10, 0x0110: 9, 0x0700: 0, 0x0800: 0,
    }, _identifier(chance))  # fmt: skip


def _committing(chance: random.Random, _seed: int) -> list[bytes]:
    return _message(chance, 11, {
        0x0003: COMMIT, 0x0100: 0x0130, 0x0110: 9, 0x0800: 0, 0x1001: COMMIT + ".1", 0x1008: 1,
    }, _identifier(chance))  # fmt: skip


# -- what goes wrong --------------------------------------------------------------------------


def _flipped(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(pdus))
    pdu = bytearray(pdus[at])
    for _ in range(chance.choice((1, 1, 2, 10))):
        if pdu:
            # Heads and items are the first octets of a PDU.
            most = min(len(pdu), chance.choice((6, 12, 100, len(pdu))))
            pdu[chance.randrange(most)] ^= 1 << chance.randrange(8)
    return [*pdus[:at], bytes(pdu), *pdus[at + 1 :]]


def _cut(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(pdus))
    return [*pdus[:at], pdus[at][: chance.randrange(len(pdus[at]) + 1)]]


def _hole(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(pdus))
    start = chance.randrange(len(pdus[at]) + 1)
    rest = pdus[at][start + chance.choice((1, 2, 6, 50)) :]
    return [*pdus[:at], pdus[at][:start] + rest, *pdus[at + 1 :]]


def _lost(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(pdus))
    return [*pdus[:at], *pdus[at + 1 :]] or [b""]


def _again(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(pdus))
    return [*pdus[:at], *[pdus[at]] * chance.choice((2, 2, 5)), *pdus[at + 1 :]]


def _disordered(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    mixed = pdus[:]
    one, other = chance.randrange(len(mixed)), chance.randrange(len(mixed))
    mixed[one], mixed[other] = mixed[other], mixed[one]
    return mixed


def _pdu_length(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(pdus))
    true = max(len(pdus[at]) - 6, 0)
    lie = chance.choice((0, 1, 5, 6, true + 1, max(true - 1, 0), true + 6, 1 << 17, (1 << 17) + 1,
                         1 << 20, (1 << 20) + 1, 0x7FFFFFFF, 0xFFFFFFFF))  # fmt: skip
    told = pdus[at][:2] + struct.pack(">L", lie) + pdus[at][6:]
    return [*pdus[:at], told, *pdus[at + 1 :]]


def _fragment_head(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    """Lie in the head of a fragment: its length, its context, its control octet."""
    data = [n for n, pdu in enumerate(pdus) if pdu[:1] == b"\x04" and len(pdu) >= 12]
    if not data:
        return pdus
    at = chance.choice(data)
    pdu = bytearray(pdus[at])
    what = chance.randrange(3)
    if what == 0:
        true = len(pdu) - 10
        lie = chance.choice((0, 1, 2, 3, true + 1, true - 1, 0x7FFFFFFF, 0xFFFFFFFF))
        pdu[6:10] = struct.pack(">L", lie)
    elif what == 1:
        pdu[10] = chance.choice((0, 1, 2, 3, 5, 7, 9, 99, 255))
    else:
        pdu[11] = chance.choice((0, 1, 2, 3, 4, 0x80, 0xFF))
    return [*pdus[:at], bytes(pdu), *pdus[at + 1 :]]


def _intruder(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    """Put a PDU where none belongs."""
    at = chance.randrange(len(pdus) + 1)
    other = chance.choice((
        encode.RELEASE_RQ, encode.RELEASE_RP, encode.abort(0, 0), encode.abort(2, 6),
        encode.associate_reject(1, 1, 1), b"\x02" + _request(chance)[1:], _request(chance),
        struct.pack(">BBL", chance.randrange(256), 0, 4) + bytes(4), b"\x04\0\0\0\0\0",
        pdata(1, 3, b""), pdata(1, 2, b""), b"GET / HTTP/1.1\r\n\r\n",
        chance.randbytes(chance.choice((1, 6, 100, 5000))), b"\x16\x03\x01\x02\x00\x01\x00",
    ))  # fmt: skip
    return [*pdus[:at], other, *pdus[at:]]


def _junk_command(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    """Replace what was asked by a command set nobody would write."""
    elements = {
        element: value
        for element, value in (
            (0x0000, chance.randbytes(chance.choice((0, 4, 4)))),
            (0x0002, chance.choice((CT.encode(), b"\xff" * 64, b"", b"1" * 5000, FIND.encode()))),
            (0x0100, chance.choice(_FIELDS).to_bytes(2, "little")),
            (0x0110, chance.randbytes(chance.choice((0, 1, 2, 2, 2, 4)))),
            (0x0600, chance.choice((b"", b"\xe4\xb8\xad", b"X" * 3000))),
            (0x0700, chance.randbytes(2)),
            (0x0800, chance.choice((b"\1\1", b"\0\0", b"", b"\xff\xff"))),
            (0x0900, b"\0\0"),
            (0x1000, chance.choice((b"1.2.3\0", b"", b"../..", b"\xff" * 70, b"1." * 2000))),
            (0x1001, b"\0" * 70),
            (0x1008, chance.randbytes(2)),
        )
        if chance.random() < 0.8
    }
    body = b"".join(
        struct.pack("<HHL", chance.choice((0, 0, 0, 0, 0, 0, 0, 8)), element, len(value)) + value
        for element, value in elements.items()
    )
    lie = chance.choice((None, None, None, -1, -9))
    context = chance.choice((1, 3, 5, 7, 9, 11))
    parts = _fragments(chance, context, 1, body[:lie])
    return [pdus[0], *parts, *chance.choice(([], pdus[1:], pdus[2:]))]


def _many_fragments(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    """Send a message in fragments of no octet, or of one."""
    piece = chance.choice((b"", b"\0"))
    kind = chance.choice((0, 1))
    return [pdus[0], *pdus[1:2], pdata(1, kind, piece) * chance.choice((100, 3000)), *pdus[2:]]


def _junk_items(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    """Fill an A-ASSOCIATE-RQ with items that are too long, too many or not known."""
    body = bytearray(_request(chance)[6:74])
    for _ in range(chance.choice((1, 5, 200))):
        inner = chance.choice((
            b"", b"\1\0\0\0", b"\x30\0\0\1\x31", b"\xff" * 300, chance.randbytes(40),
            struct.pack(">BBH", 0x30, 0, 40_000) + b"\xff" * 40_000,
        ))  # fmt: skip
        kind = chance.choice((0x10, 0x20, 0x20, 0x20, 0x50, 0x21, 0x00, 0xFF))
        head = struct.pack(">BBH", kind, 0, len(inner))
        if len(body) + len(head) + len(inner) < 120_000:
            body += head + inner
    long_syntax = struct.pack(">BBH", 0x40, 0, 30_000) + b"\xff" * 30_000
    long_class = struct.pack(">BBH", 0x30, 0, 30_000) + b"\xfe" * 30_000
    inner = bytes((1, 0, 0, 0)) + long_class + long_syntax
    if chance.random() < 0.5:
        body = body[:68] + struct.pack(">BBH", 0x10, 0, 21) + b"1.2.840.10008.3.1.1.1"
        body += struct.pack(">BBH", 0x20, 0, len(inner)) + inner
    return [struct.pack(">BBL", 1, 0, len(body)) + bytes(body), *pdus[1:]]


def _strange_titles(chance: random.Random, pdus: list[bytes]) -> list[bytes]:
    pdu = bytearray(pdus[0])
    if len(pdu) >= 42:
        start = chance.choice((10, 26))
        pdu[start : start + 16] = chance.choice((
            bytes(16), b" " * 16, b"\xff" * 16, b"PIANKU\\X        ", b"PIANKU\n         ",
        ))  # fmt: skip
    return [bytes(pdu), *pdus[1:]]


_ACCIDENTS: Final[tuple[Callable[[random.Random, list[bytes]], list[bytes]], ...]] = (
    _flipped, _flipped, _flipped, _cut, _hole, _lost, _again, _disordered, _pdu_length,
    _fragment_head, _fragment_head, _intruder, _intruder, _junk_command, _junk_command,
    _many_fragments, _junk_items, _strange_titles,
)  # fmt: skip
