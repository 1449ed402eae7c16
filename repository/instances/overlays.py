"""Overlays: one-bit planes drawn over an image, and shutters that hide what was not exposed.

Implements PS3.3 C.9.2 (overlay plane), C.7.6.11 and C.11.17 (display and bitmap shutter); retired
overlays in unused bits of the pixels (PS3.5 8.1.2). Called by `rendering.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from repository.instances.elements import Dataset
from repository.instances.header import InstanceHeader
from repository.instances.pixels import Samples

GROUPS: Final = range(0x6000, 0x6020, 2)
_MOST: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Overlay:
    """One plane of bits and the place of its first."""

    group: int
    top: int
    left: int
    bits: Samples

    def mask(self, rows: int, columns: int) -> Samples:
        """Return the plane as a mask of an image of that size."""
        made = np.zeros((rows, columns), np.bool_)
        top, left = max(0, self.top), max(0, self.left)
        below = self.bits[top - self.top :, left - self.left :]
        below = below[: max(0, rows - top), : max(0, columns - left)]
        made[top : top + below.shape[0], left : left + below.shape[1]] = below
        return made


def has_overlays(dataset: Dataset) -> bool:
    """Tell whether any overlay group is there."""
    return any(0x6000 <= tag >> 16 < 0x6020 for tag in dataset.elements)


def overlays(dataset: Dataset, number: int = 1) -> Iterator[Overlay]:
    """Yield the overlay planes of frame `number` that have data of their own."""
    for group in GROUPS:
        base = group << 16
        rows, columns = dataset.integer(base | 0x10, 0) or 0, dataset.integer(base | 0x11, 0) or 0
        data = dataset.raw(base | 0x3000)
        if not data or rows <= 0 or columns <= 0 or rows * columns > _MOST:
            continue
        frames = max(1, dataset.integer(base | 0x15, 1) or 1)
        plane = number - max(1, dataset.integer(base | 0x51, 1) or 1) if frames > 1 else 0
        size = rows * columns
        if not 0 <= plane < frames:
            continue
        if not dataset.encoding.little and dataset.elements[base | 0x3000][0] == b"OW":
            data = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").tobytes()
        octets = np.frombuffer(data, np.uint8)[plane * size // 8 : ((plane + 1) * size + 7) // 8]
        bits = np.unpackbits(octets, bitorder="little")[plane * size % 8 :][:size]
        if bits.size < size:
            continue
        top, left = _origin(dataset, base | 0x50)
        yield Overlay(group, top, left, bits.reshape(rows, columns).astype(np.bool_))


def embedded(header: InstanceHeader, octets: bytes) -> Iterator[Overlay]:
    """Yield the overlays that lie in unused bits of native 16-bit pixels."""
    dataset = header.dataset
    rows, columns = dataset.integer(0x00280010, 0) or 0, dataset.integer(0x00280011, 0) or 0
    if header.pixels is None or header.pixels.length is None:
        return
    if dataset.integer(0x00280100) != 16 or len(octets) < 2 * rows * columns:
        return
    for group in GROUPS:
        base = group << 16
        place = dataset.integer(base | 0x102, 0) or 0
        if base | 0x102 not in dataset or base | 0x3000 in dataset or not 0 < place < 16:
            continue
        order = "<" if dataset.encoding.little else ">"
        words = np.frombuffer(octets, f"{order}u2", rows * columns).reshape(rows, columns)
        top, left = _origin(dataset, base | 0x50)
        yield Overlay(group, top, left, (words >> place & 1).astype(np.bool_))


def shutter(dataset: Dataset, rows: int, columns: int) -> tuple[Samples, int] | None:
    """Return what a display shutter hides, and the 8-bit grey it is hidden by; None without one."""
    shapes = dataset.ascii(0x00181600).split("\\")
    shapes = [shape.strip() for shape in shapes if shape.strip()]
    if not shapes:
        return None
    hidden = np.zeros((rows, columns), np.bool_)
    for shape in shapes:
        if shape == "BITMAP":
            hidden |= _bitmap(dataset, rows, columns)
            continue
        seen = Image.new("1", (columns, rows), 0)
        if _opening(dataset, shape, ImageDraw.Draw(seen)):
            hidden |= ~np.asarray(seen, np.bool_)
    value = dataset.integer(0x00181622, 0) or 0
    return hidden, value >> 8


def _opening(dataset: Dataset, shape: str, pen: ImageDraw.ImageDraw) -> bool:
    """Draw what a shutter leaves open; tells whether the header describes it."""
    if shape == "RECTANGULAR":
        tags = (0x00181602, 0x00181606, 0x00181604, 0x00181608)
        left, top, right, bottom = (dataset.integer(tag, 0) or 0 for tag in tags)
        if all(tag in dataset for tag in tags) and left <= right and top <= bottom:
            pen.rectangle((left - 1, top - 1, right - 1, bottom - 1), fill=1)
            return True
    elif shape == "CIRCULAR":
        center, radius = _integers(dataset, 0x00181610), dataset.integer(0x00181612, 0) or 0
        if len(center) == 2 and 0 < radius <= 1 << 20:
            y, x = center[0] - 1, center[1] - 1
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
            return True
    elif shape == "POLYGONAL":
        corners = _integers(dataset, 0x00181620)
        if len(corners) >= 6 and len(corners) % 2 == 0:
            places = zip(corners[1::2], corners[::2], strict=True)
            pen.polygon([(x - 1, y - 1) for x, y in places], fill=1)
            return True
    return False


def _bitmap(dataset: Dataset, rows: int, columns: int) -> Samples:
    group = dataset.integer(0x00181623, 0)
    for plane in overlays(dataset):
        if plane.group == group:
            return plane.mask(rows, columns)
    return np.zeros((rows, columns), np.bool_)


def _origin(dataset: Dataset, tag: int) -> tuple[int, int]:
    raw = dataset.raw(tag)
    if len(raw) < 4:
        return 0, 0
    row, column = np.frombuffer(raw[:4], "<i2" if dataset.encoding.little else ">i2").tolist()
    return row - 1, column - 1


def _integers(dataset: Dataset, tag: int) -> list[int]:
    try:
        return [int(text) for text in dataset.ascii(tag).split("\\")]
    except ValueError:
        return []
