"""The frame table: which octets of the stored file are frame n.

Implements PS3.5 8 and A.4 (native, Basic and Extended Offset Table, fragments) and PS3.3 C.7.6.3.
Made once per instance by projections/storage_map, so that a frame is one `pread` ever after.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from repository.instances.header import InstanceHeader, PixelData
from repository.instances.refusals import (
    MalformedInstance,
    NoPixelData,
    NoSuchFrame,
    TruncatedInstance,
)

Reader: TypeAlias = Callable[[int, int], bytes]
"""`read(offset, length)` of the stored file."""
Range: TypeAlias = "tuple[int, int]"

_NATIVE: Final = 1
_WHOLE: Final = 2
_SPLIT: Final = 3
_HEAD: Final = struct.Struct("<BIQQ")
_ENTRY: Final = struct.Struct("<QI")
_MAX_FRAMES: Final = 4_000_000
_VIDEO: Final = "1.2.840.10008.1.2.4.10"
"""What the UIDs of MPEG2, MPEG-4 and HEVC begin with (.100 to .108, PS3.6 A-1)."""
_MAX_FRAGMENTS: Final = 1 << 20
"""Pictures have one each, videos one for some megabytes; items of no octet cost eight."""


@dataclass(frozen=True, slots=True)
class FrameTable:
    """Where the frames of one file lie."""

    count: int
    start: int
    """Native: offset of the first frame."""
    frame_bits: int
    """Native: bits of one frame (1-bit pixels are packed across frames, PS3.5 8.1.1)."""
    parts: tuple[tuple[Range, ...], ...] = ()
    """Encapsulated: the fragments of each frame."""

    def ranges(self, number: int) -> tuple[Range, ...]:
        """Return the octet ranges of frame `number` (from 1); raises NoSuchFrame."""
        if not 1 <= number <= self.count:
            raise NoSuchFrame("the instance has no such frame", frame=number)
        if self.parts:
            return self.parts[number - 1]
        first = self.frame_bits * (number - 1)
        last = first + self.frame_bits
        begin = first // 8
        return ((self.start + begin, (last + 7) // 8 - begin),)

    def shift(self, number: int) -> int:
        """Return how many bits of the first octet belong to the frame before."""
        return 0 if self.parts else self.frame_bits * (number - 1) % 8

    def read(self, number: int, read: Reader) -> bytes:
        """Return the octets of one frame, bits packed from the first on."""
        octets = b"".join([read(offset, length) for offset, length in self.ranges(number)])
        shift = self.shift(number)
        if not shift:
            return octets
        size = (self.frame_bits + 7) // 8
        value = int.from_bytes(octets, "little") >> shift
        return (value & ((1 << self.frame_bits) - 1)).to_bytes(size, "little")

    def pack(self) -> bytes:
        """Return the table as octets for a row of the storage map."""
        if not self.parts:
            return _HEAD.pack(_NATIVE, self.count, self.start, self.frame_bits)
        if all(len(part) == 1 for part in self.parts):
            head = _HEAD.pack(_WHOLE, self.count, 0, 0)
            return head + b"".join(_ENTRY.pack(*part[0]) for part in self.parts)
        body = b"".join(
            struct.pack("<I", len(part)) + b"".join(_ENTRY.pack(*piece) for piece in part)
            for part in self.parts
        )
        return _HEAD.pack(_SPLIT, self.count, 0, 0) + body

    @classmethod
    def unpack(cls, octets: bytes) -> FrameTable:
        """Return the table of `pack`; no octets stand for an instance without frames."""
        if not octets:
            return cls(0, 0, 0)
        kind, count, start, bits = _HEAD.unpack_from(octets)
        if kind == _NATIVE:
            return cls(count, start, bits)
        body = memoryview(octets)[_HEAD.size :]
        if kind == _WHOLE:
            return cls(count, 0, 0, tuple((entry,) for entry in _ENTRY.iter_unpack(body)))
        parts, at = [], 0
        for _ in range(count):
            pieces = int.from_bytes(body[at : at + 4], "little")
            at += 4
            end = at + pieces * _ENTRY.size
            parts.append(tuple(_ENTRY.iter_unpack(body[at:end])))
            at = end
        return cls(count, 0, 0, tuple(parts))


NO_FRAMES: Final = FrameTable(0, 0, 0)


def frame_table(header: InstanceHeader, read: Reader, size: int) -> FrameTable:
    """Return the frame table of a file of `size` octets.

    A deflated file and one without pixel data have no addressable frames. Raises
    MalformedInstance and TruncatedInstance when the pixel data are not what the header tells.
    """
    if header.pixels is None or header.deflated:
        return NO_FRAMES
    if header.pixels.length is None:
        return _encapsulated(header, header.pixels, read, size)
    return native_table(header, min(size, header.pixels.offset + header.pixels.length))


def native_table(header: InstanceHeader, end: int) -> FrameTable:
    """Return the table of uncompressed pixel data that end at octet `end`."""
    if header.pixels is None:
        raise NoPixelData("the instance has no pixel data")
    bits = frame_bits(header)
    count = header.number_of_frames
    if not bits or count > _MAX_FRAMES:
        raise MalformedInstance("the header does not tell the size of a frame")
    available = (end - header.pixels.offset) * 8
    if bits * count > available:
        raise TruncatedInstance("the pixel data are shorter than the header tells")
    return FrameTable(count, header.pixels.offset, bits)


def frame_bits(header: InstanceHeader) -> int:
    """Return the bits of one uncompressed frame (PS3.5 8.1.1, PS3.3 C.7.6.3.1)."""
    dataset = header.dataset
    rows = dataset.integer(0x00280010, 0) or 0
    columns = dataset.integer(0x00280011, 0) or 0
    samples = dataset.integer(0x00280002, 1) or 1
    allocated = dataset.integer(0x00280100, 0) or 0
    if header.pixels is not None and not allocated:
        allocated = {0x7FE00008: 32, 0x7FE00009: 64}.get(header.pixels.tag, 0)
    bits = rows * columns * samples * allocated
    if dataset.ascii(0x00280004) in {"YBR_FULL_422", "YBR_PARTIAL_422"} and samples == 3:
        return bits * 2 // 3
    return bits


def _encapsulated(header: InstanceHeader, pixels: PixelData, read: Reader, size: int) -> FrameTable:
    pieces = list(islice(_fragments(read, pixels.offset, size), _MAX_FRAGMENTS + 1))
    if len(pieces) > _MAX_FRAGMENTS:
        raise MalformedInstance("the pixel data lie in more fragments than are looked at")
    if not pieces:
        raise TruncatedInstance("the pixel data hold no Basic Offset Table item")
    (table_offset, table_length), pieces = pieces[0], pieces[1:]
    count = header.number_of_frames
    if not pieces:
        raise TruncatedInstance("the pixel data hold no fragment")
    if header.transfer_syntax.startswith(_VIDEO):
        # PS3.5 8.2.5: however many pictures it shows, a video is one bit stream.
        return FrameTable(1, 0, 0, (tuple(pieces),))
    if len(pieces) == count:
        return FrameTable(count, 0, 0, tuple((piece,) for piece in pieces))
    if count == 1:
        return FrameTable(1, 0, 0, (tuple(pieces),))
    starts = _starts(header, read, (table_offset, table_length), count)
    if not starts:
        starts = _markers(pieces, read, count)
    if not starts:
        raise MalformedInstance("fragments cannot be assigned to frames")
    return FrameTable(count, 0, 0, _grouped(pieces, starts))


def _starts(header: InstanceHeader, read: Reader, table: Range, count: int) -> list[int]:
    """Return the frames' first fragment values by the offset tables, or nothing (PS3.5 A.4)."""
    extended = header.dataset.raw(0x7FE00001)
    offset, length = table
    if len(extended) == 8 * count:
        relative = list(struct.unpack(f"<{count}Q", extended))
    elif length == 4 * count:
        relative = list(struct.unpack(f"<{count}I", read(offset, length)))
    else:
        return []
    first_item = offset + length
    return [first_item + at + 8 for at in relative]


def _markers(pieces: list[Range], read: Reader, count: int) -> list[int]:
    """Return the fragments that begin a bit stream, if there is one for each frame."""
    starts = [
        offset
        for offset, length in pieces
        if length >= 4 and read(offset, 4)[:3] in {b"\xff\xd8\xff", b"\xff\x4f\xff"}
    ]
    return starts if len(starts) == count else []


def _grouped(pieces: list[Range], starts: list[int]) -> tuple[tuple[Range, ...], ...]:
    wanted = set(starts)
    frames: list[list[Range]] = []
    for piece in pieces:
        if piece[0] in wanted:
            frames.append([])
        if not frames:
            raise MalformedInstance("the offset table does not begin with the first fragment")
        frames[-1].append(piece)
    if len(frames) != len(starts):
        raise MalformedInstance("the offset table names octets that are no fragment")
    return tuple(tuple(frame) for frame in frames)


def _fragments(read: Reader, position: int, size: int) -> Iterator[Range]:
    """Yield the value range of every fragment item, the Basic Offset Table first."""
    while position + 8 <= size:
        head = read(position, 8)
        tag, length = head[:4], int.from_bytes(head[4:], "little")
        if tag == b"\xfe\xff\xdd\xe0":
            return
        position += 8
        if tag != b"\xfe\xff\x00\xe0":
            raise MalformedInstance("encapsulated pixel data hold something else than fragments")
        if position + length > size:
            raise TruncatedInstance("the last fragment is cut off")
        yield position, length
        position += length
    # A sequence delimiter that is missing at the very end loses no pixels.
    if position != size:
        raise TruncatedInstance("the pixel data have no end")
