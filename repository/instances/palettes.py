"""Palettes: index values as colours, with tables that may be written in segments.

Implements PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 (palette colour lookup tables) and C.7.9 (segmented).
Called by `rendering.py` for PALETTE COLOR images and pseudo-colour presentation states.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repository.instances.elements import Dataset
from repository.instances.grey import descriptor, entries
from repository.instances.pixels import Samples
from repository.instances.refusals import NotRenderable


def coloured(dataset: Dataset, values: Samples) -> Samples:
    """Return the 8-bit RGB of index values, by the palette in a data set."""
    channels = []
    for first, table in (_channel(dataset, colour) for colour in (1, 2, 3)):
        channels.append(table[np.clip(values.astype(np.int64) - first, 0, table.size - 1)])
    return np.stack(channels, axis=-1)


def pseudo_coloured(dataset: Dataset, grey: Samples) -> Samples:
    """Return the 8-bit RGB of 8-bit grey, spread over the whole palette (PS3.3 A.33.3)."""
    channels = []
    for _first, table in (_channel(dataset, colour) for colour in (1, 2, 3)):
        spread = np.rint(np.arange(256) * (table.size - 1) / 255).astype(np.int64)
        channels.append(table[spread].take(grey))
    return np.stack(channels, axis=-1)


def has_palette(dataset: Dataset) -> bool:
    """Tell whether a data set holds a palette."""
    return 0x00281101 in dataset


def _channel(dataset: Dataset, colour: int) -> tuple[int, Samples]:
    """Return first index and 8-bit entries of one colour."""
    count, first, bits = descriptor(dataset, 0x00281100 + colour)
    segmented = dataset.raw(0x00281220 + colour)
    if segmented:
        order = "<" if dataset.encoding.little else ">"
        kind = "u1" if bits <= 8 else f"{order}u2"
        words = np.frombuffer(segmented[: len(segmented) // 2 * 2], kind).tolist()
        table = expand(words, count, octets=bits <= 8, little=dataset.encoding.little)
    else:
        table = entries(dataset, 0x00281200 + colour, count, bits)
    if not table.size:
        raise NotRenderable("the palette is empty")
    if bits > 8 and table.dtype != np.uint8:
        # 16-bit entries are shown by their high octet.
        table = table >> 8
    return first, np.minimum(table, 255).astype(np.uint8)


def expand(words: Sequence[int], count: int, *, octets: bool, little: bool = True) -> Samples:
    """Expand a segmented palette (C.7.9.2): discrete, linear and indirect segments."""
    out: list[int] = []

    def run(at: int, segments: int, *, nested: bool) -> None:
        while at + 2 <= len(words) and segments and len(out) < count:
            code, length = words[at], words[at + 1]
            segments -= 1
            if code == 0:
                out.extend(words[at + 2 : at + 2 + length])
                at += 2 + length
            elif code == 1 and at + 2 < len(words):
                start, end = out[-1] if out else 0, words[at + 2]
                step = (end - start) / max(length, 1)
                out.extend(round(start + step * (n + 1)) for n in range(length))
                at += 3
            elif code == 2 and not nested and at + (5 if octets else 3) < len(words):
                target, after = _target(words, at + 2, octets=octets, little=little)
                run(target, length, nested=True)
                at = after
            else:
                raise NotRenderable("the segmented palette is malformed")

    run(0, len(words), nested=False)
    return np.array(out[:count], dtype=np.uint16)


def _target(words: Sequence[int], at: int, *, octets: bool, little: bool) -> tuple[int, int]:
    """Return the place that an indirect segment names, and the place after the segment."""
    if not octets:
        return words[at] | words[at + 1] << 16, at + 2
    places = (0, 1, 2, 3) if little else (1, 0, 3, 2)
    return sum(words[at + place] << 8 * n for n, place in enumerate(places)), at + 4
