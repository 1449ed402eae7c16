"""What a compressed frame tells of itself: size, depth, components, whether it loses anything.

Implements the markers of ISO 10918-1 B.2 (JPEG), ISO 14495-1 C (JPEG-LS), ISO 15444-1 A (JPEG
2000, also HTJ2K) and PS3.5 G.5 (RLE). Called by `pixels.py` before any codec sees the octets: a
codec allocates what the stream claims, and the header, not the stream, says how much that may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repository.instances.refusals import NotRenderable

_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xF7))
_STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
_SOC_SIZ: Final = b"\xff\x4f\xff\x51"
_JP2: Final = b"\x00\x00\x00\x0cjP  "
JPEG_LS: Final = 0xF7
JPEG_2000: Final = 0x51
SEQUENTIAL_8: Final = 0xC0
SEQUENTIAL_12: Final = 0xC1


@dataclass(frozen=True, slots=True)
class Codestream:
    """The header of one compressed frame."""

    process: int
    """The marker: SOF0 to SOF11 of JPEG, SOF55 of JPEG-LS, SIZ of JPEG 2000."""
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    transformed: bool = False
    """JPEG 2000: a multiple component transform was applied (the codec takes it back)."""


def codestream(octets: bytes) -> Codestream | None:
    """Return what a JPEG, JPEG-LS or JPEG 2000 stream tells of itself, None for anything else.

    Raises NotRenderable when the stream begins like one and breaks off.
    """
    try:
        if octets[:2] == b"\xff\xd8":
            return _jpeg(octets)
        if octets[:8] == _JP2:
            at = octets.find(_SOC_SIZ)
            return _j2k(octets[at:]) if at >= 0 else None
        if octets[:4] == _SOC_SIZ:
            return _j2k(octets)
    except IndexError:
        raise NotRenderable("the compressed frame breaks off in its header") from None
    return None


def _jpeg(octets: bytes) -> Codestream:
    at = 2
    while True:
        if octets[at] != 0xFF:
            raise NotRenderable("the JPEG frame is malformed")
        marker = octets[at + 1]
        if marker == 0xFF:  # fill octets may stand before any marker (B.1.1.2)
            at += 1
            continue
        at += 2
        if marker in _STANDALONE:
            continue
        length = octets[at] << 8 | octets[at + 1]
        if marker in _FRAMES:
            return Codestream(
                process=marker,
                precision=octets[at + 2],
                rows=octets[at + 3] << 8 | octets[at + 4],
                columns=octets[at + 5] << 8 | octets[at + 6],
                components=octets[at + 7],
            )
        if length < 2 or marker in {0xDA, 0xD9}:
            raise NotRenderable("the JPEG frame has no frame header")
        at += length


def _j2k(octets: bytes) -> Codestream:
    def number(at: int, size: int) -> int:
        if at + size > len(octets):
            raise IndexError
        return int.from_bytes(octets[at : at + size], "big")

    columns = number(8, 4) - number(16, 4)
    rows = number(12, 4) - number(20, 4)
    components = number(40, 2)
    depth = number(42, 1)
    at = 4 + number(4, 2)
    transformed = False
    while number(at, 2) & 0xFF00 == 0xFF00 and number(at, 2) != 0xFF90:
        if number(at, 2) == 0xFF52:
            transformed = number(at + 8, 1) == 1
            break
        at += 2 + max(2, number(at + 2, 2))
    return Codestream(
        process=JPEG_2000,
        rows=rows,
        columns=columns,
        components=components,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        transformed=transformed,
    )
