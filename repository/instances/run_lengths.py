"""RLE lossless: one frame as runs of octets, and back.

Implements PS3.5 G (PackBits by byte plane, every row by itself, at most 15 segments).
Called by `compression.py` and `pixels.py`. Our own: pydicom's is a loop over octets, and GDCM's
encoder aborts the process on images of odd size.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repository.instances.refusals import NotRenderable

_HEAD: Final = struct.Struct("<16I")
_LONGEST: Final = 128
_SEGMENTS: Final = 15


def pack(planes: NDArray[np.uint8]) -> bytes:
    """Return byte planes of the form (planes, rows, columns) as one RLE frame."""
    if not 0 < len(planes) <= _SEGMENTS:
        raise NotRenderable("RLE takes at most 15 octets a pixel", planes=len(planes))
    segments = [_packed(plane) for plane in planes]
    offsets, at = [], _HEAD.size
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    head = _HEAD.pack(len(segments), *offsets, *[0] * (_SEGMENTS - len(segments)))
    return b"".join((head, *segments))


def unpack(octets: bytes, planes: int, size: int) -> NDArray[np.uint8]:
    """Return the byte planes of a frame, (planes, size); raises NotRenderable.

    A plane that ends early is refused; octets beyond its size are padding.
    """
    if len(octets) < _HEAD.size:
        raise NotRenderable("the RLE frame has no header")
    count, *offsets = _HEAD.unpack_from(octets)
    ends = [*offsets[1:count], len(octets)] if 0 < count <= _SEGMENTS else []
    if count != planes or any(a > b for a, b in zip(offsets, ends, strict=False)):
        raise NotRenderable("the RLE frame has not the segments that the header tells")
    made = np.empty((planes, size), np.uint8)
    for number, (begin, end) in enumerate(zip(offsets, ends, strict=False)):
        made[number] = np.frombuffer(_unpacked(octets[begin:end], size), np.uint8)
    return made


def _unpacked(segment: bytes, size: int) -> bytes:
    pieces: list[bytes] = []
    at = made = 0
    length = len(segment)
    while made < size and at + 1 < length:
        control = segment[at]
        if control < 128:
            piece = segment[at + 1 : at + 2 + control]
            at += 2 + control
        elif control > 128:
            piece = segment[at + 1 : at + 2] * (257 - control)
            at += 2
        else:
            at += 1
            continue
        pieces.append(piece)
        made += len(piece)
    if made < size:
        raise NotRenderable("an RLE segment ends early")
    return b"".join(pieces)[:size]


def _packed(plane: NDArray[np.uint8]) -> bytes:
    """Return one byte plane: runs of three and more repeated, what lies between them literal."""
    columns = plane.shape[1]
    flat = plane.ravel()
    fresh = np.empty(flat.size, np.bool_)
    fresh[0] = True
    np.not_equal(flat[1:], flat[:-1], out=fresh[1:])
    fresh[::columns] = True  # a row begins with a run of its own
    starts = np.flatnonzero(fresh)
    lengths = np.diff(starts, append=flat.size)
    repeated = lengths >= 3
    # Literal pieces: neighbouring short runs of one row, put together.
    first = np.empty(starts.size, np.bool_)
    first[0] = True
    first[1:] = repeated[1:] | repeated[:-1]
    first |= starts % columns == 0
    begins = starts[first]
    sizes = np.diff(begins, append=flat.size)
    replicate = repeated[first]
    # No piece is longer than 128.
    parts = -(-sizes // _LONGEST)
    which = np.repeat(np.arange(parts.size), parts)
    rank = np.arange(which.size) - np.repeat(np.cumsum(parts) - parts, parts)
    begins = begins[which] + rank * _LONGEST
    sizes = np.minimum(sizes[which] - rank * _LONGEST, _LONGEST)
    replicate = replicate[which] & (sizes > 1)
    payload = np.where(replicate, 1, sizes)
    places = np.cumsum(payload + 1) - (payload + 1)
    out = np.empty(int((payload + 1).sum()), np.uint8)
    out[places] = np.where(replicate, 257 - sizes, sizes - 1).astype(np.uint8)
    total = int(payload.sum())
    inside = np.arange(total) - np.repeat(np.cumsum(payload) - payload, payload)
    out[np.repeat(places + 1, payload) + inside] = flat[np.repeat(begins, payload) + inside]
    packed = out.tobytes()
    return packed + b"\x00" * (len(packed) & 1)
