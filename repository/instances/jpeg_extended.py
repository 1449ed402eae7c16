"""JPEG Extended with 12 bits a sample: the sequential DCT that libjpeg-turbo's 8-bit build lacks.

Implements ISO 10918-1 F.2 (sequential Huffman decoding), A.3.3 (inverse DCT); PS3.5 8.2.1 process
4. Called by `pixels.py`. The only other free decoders are GPL, see docs/decisions/0025.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repository.instances.refusals import NotRenderable

MAX_SAMPLES: Final = 1 << 25
"""The most samples we decode: this is Python, a million takes about two seconds."""
_ORDER: Final = np.array(
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48,
        41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22,
        15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55,
        62, 63,
    ]
)  # fmt: skip
"""The zigzag of A.3.6, by place in the stream."""


@dataclass(slots=True)
class _Component:
    quantisation: int
    dc: int = 0
    ac: int = 0
    blocks: list[list[int]] = field(default_factory=list)


@dataclass(slots=True)
class _Tables:
    quantisation: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    huffman: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    """By class and place: for every 16 bits ahead, the length of the code and its value."""
    restart: int = 0


def decode_extended(octets: bytes) -> NDArray[np.uint16]:
    """Return the samples of a sequential JPEG of 12 (or 8) bits, (rows, columns[, components]).

    Components must not be subsampled. Raises NotRenderable.
    """
    try:
        return _decoded(octets)
    except (IndexError, KeyError, ValueError, OverflowError) as problem:
        raise NotRenderable("the JPEG Extended frame cannot be decoded") from problem


def _decoded(octets: bytes) -> NDArray[np.uint16]:
    tables = _Tables()
    components: dict[int, _Component] = {}
    size = (0, 0, 0)
    at = 2
    while True:
        if octets[at] != 0xFF:
            raise ValueError("no marker")
        marker = octets[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        length = octets[at + 2] << 8 | octets[at + 3]
        body = octets[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in {0xC0, 0xC1}:
            size = _frame(body, components)
        elif marker == 0xDA:
            blocks = -(-size[1] // 8) * -(-size[2] // 8)
            _scan(octets[at:], tables, _scanned(body, components), blocks)
            if all(len(one.blocks) == blocks for one in components.values()):
                break
            at = _next_marker(octets, at)
        elif marker == 0xD9:
            raise ValueError("no scan")
        else:
            _table(marker, body, tables)
    made = [_plane(one, tables, *size) for one in components.values()]
    return made[0] if len(made) == 1 else np.stack(made, axis=-1)


def _table(marker: int, body: bytes, tables: _Tables) -> None:
    if marker == 0xDB:
        _quantisation(body, tables)
    elif marker == 0xC4:
        _huffman(body, tables)
    elif marker == 0xDD:
        tables.restart = body[0] << 8 | body[1]


def _frame(body: bytes, components: dict[int, _Component]) -> tuple[int, int, int]:
    """Read a frame header (B.2.2); return precision, rows, columns."""
    precision, rows, columns = body[0], body[1] << 8 | body[2], body[3] << 8 | body[4]
    if not 0 < rows * columns * body[5] <= MAX_SAMPLES:
        raise NotRenderable("the JPEG Extended frame is too large to decode")
    for number in range(body[5]):
        name, sampling, place = body[6 + 3 * number : 9 + 3 * number]
        if body[5] > 1 and sampling != 0x11:
            raise NotRenderable("subsampled JPEG Extended is not decoded")
        components[name] = _Component(place)
    return precision, rows, columns


def _scanned(body: bytes, components: dict[int, _Component]) -> list[_Component]:
    """Return the components of a scan, each with its Huffman tables (B.2.3)."""
    scanned = []
    for number in range(body[0]):
        name, places = body[1 + 2 * number], body[2 + 2 * number]
        component = components[name]
        component.dc, component.ac = places >> 4, places & 15
        scanned.append(component)
    return scanned


def _next_marker(octets: bytes, at: int) -> int:
    while True:
        at = octets.index(b"\xff", at)
        if octets[at + 1] not in {0, *range(0xD0, 0xD8)}:
            return at
        at += 2


def _quantisation(body: bytes, tables: _Tables) -> None:
    at = 0
    while at < len(body):
        wide, place = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        values = np.frombuffer(body[at + 1 : at + 1 + size], ">u2" if wide else "u1")
        if values.size != 64:
            raise ValueError("a quantisation table is short")
        tables.quantisation[place] = values.astype(np.int32)
        at += 1 + size


def _huffman(body: bytes, tables: _Tables) -> None:
    at = 0
    while at < len(body):
        kind = body[at] >> 4, body[at] & 15
        counts = body[at + 1 : at + 17]
        at += 17
        ahead: list[tuple[int, int]] = [(0, 0)] * 65536
        code = 0
        for length in range(1, 17):
            for _ in range(counts[length - 1]):
                span = 1 << (16 - length)
                begin = code << (16 - length)
                if begin + span > 65536:
                    raise ValueError("a Huffman table is overfull")
                ahead[begin : begin + span] = [(length, body[at])] * span
                code += 1
                at += 1
            code <<= 1
        tables.huffman[kind] = ahead


def _scan(octets: bytes, tables: _Tables, scanned: list[_Component], blocks: int) -> None:
    """Read the coefficients of all blocks of a scan (F.2.2)."""
    pieces = _intervals(octets)
    every = tables.restart or blocks
    done = 0
    for piece in pieces:
        bits = _Bits(piece)
        before = [0] * len(scanned)
        for _ in range(min(every, blocks - done)):
            for number, component in enumerate(scanned):
                block = bits.block(tables.huffman[0, component.dc], tables.huffman[1, component.ac])
                block[0] += before[number]
                before[number] = block[0]
                component.blocks.append(block)
            done += 1
        if done == blocks:
            return
    raise ValueError("the scan ends early")


def _intervals(octets: bytes) -> list[bytes]:
    """Return the entropy coded segments between restart markers, without stuffed zeros."""
    found, begin, at = [], 0, 0
    while True:
        at = octets.find(b"\xff", at)
        following = octets[at + 1] if 0 <= at < len(octets) - 1 else 0xD9
        if at >= 0 and following == 0:
            at += 2
            continue
        end = at if at >= 0 else len(octets)
        found.append(octets[begin:end].replace(b"\xff\x00", b"\xff"))
        if not 0xD0 <= following < 0xD8:
            return found
        begin = at = at + 2


class _Bits:
    """The bits of one entropy coded segment."""

    __slots__ = ("_held", "_left", "_octets", "_place")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._place = self._held = self._left = 0

    def block(self, dc: list[tuple[int, int]], ac: list[tuple[int, int]]) -> list[int]:
        """Return one block in zigzag order, its first coefficient as a difference."""
        found = [0] * 64
        size = self._symbol(dc)
        if size:
            found[0] = self._value(size)
        at = 1
        while at < 64:
            symbol = self._symbol(ac)
            run, size = symbol >> 4, symbol & 15
            if size:
                at += run
                found[at] = self._value(size)
                at += 1
            elif run == 15:
                at += 16
            else:
                break
        return found

    def _fill(self) -> None:
        octets, place = self._octets, self._place
        if place > len(octets) + 8:
            raise ValueError("the segment ends early")
        piece = octets[place : place + 6]
        # Beyond the end stand ones, as encoders pad (F.1.2.3).
        held = int.from_bytes(piece + b"\xff" * (6 - len(piece)), "big")
        self._held = self._held << 48 | held
        self._left += 48
        self._place = place + 6

    def _symbol(self, table: list[tuple[int, int]]) -> int:
        if self._left < 16:
            self._fill()
        length, value = table[self._held >> (self._left - 16)]
        if not length:
            raise ValueError("no such Huffman code")
        self._left -= length
        self._held &= (1 << self._left) - 1
        return value

    def _value(self, size: int) -> int:
        if self._left < size:
            self._fill()
        self._left -= size
        value = self._held >> self._left
        self._held &= (1 << self._left) - 1
        return value if value >> (size - 1) else value - (1 << size) + 1


def _plane(
    component: _Component, tables: _Tables, precision: int, rows: int, columns: int
) -> NDArray[np.uint16]:
    """Return the samples of one component: dequantised, inverse DCT, level shifted."""
    down, across = -(-rows // 8), -(-columns // 8)
    stream = np.array(component.blocks, np.int32) * tables.quantisation[component.quantisation]
    blocks: NDArray[Any] = np.zeros_like(stream)
    blocks[:, _ORDER] = stream
    place, frequency = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    basis = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    basis[:, 0] /= np.sqrt(2)
    shown = basis @ blocks.reshape(-1, 8, 8).astype(np.float64) @ basis.T
    shown = np.clip(np.rint(shown) + (1 << (precision - 1)), 0, (1 << precision) - 1)
    plane = shown.reshape(down, across, 8, 8).swapaxes(1, 2).reshape(down * 8, across * 8)
    return np.ascontiguousarray(plane[:rows, :columns]).astype(np.uint16)
