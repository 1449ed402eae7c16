"""From stored values to what is seen: modality LUT, VOI LUT or window, presentation LUT.

Implements PS3.3 C.11.1, C.11.2, C.11.4, C.11.6 and the order of PS3.4 N.2. Called by
`rendering.py`; what is decided once for a frame is a `GreyTransform`, a table for 16-bit values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from repository.instances.elements import Dataset
from repository.instances.pixels import Samples
from repository.instances.refusals import NotRenderable

RESCALE_INTERCEPT: Final = 0x00281052
RESCALE_SLOPE: Final = 0x00281053
MODALITY_LUT_SEQUENCE: Final = 0x00283000
VOI_LUT_SEQUENCE: Final = 0x00283010
LUT_DATA: Final = 0x00283006
WINDOW_FUNCTIONS: Final = frozenset(("LINEAR", "LINEAR_EXACT", "SIGMOID"))
_LABELS: Final = 64
"""Octets below this are labels or counts rather than grey: they are spread."""
_OUTLIERS: Final = 0.002
"""The part of the pixels at either end that may be outliers of a picture without a window."""


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A lookup table: `entries` are 16-bit words of this machine, `first` is the first input."""

    first: int
    bits: int
    entries: bytes

    def through(self, values: Samples) -> Samples:
        """Return the entries for values; those outside get the first or the last."""
        table = np.frombuffer(self.entries, np.uint16)
        if values.dtype.kind == "f":
            values = np.nan_to_num(values)
        found: Samples = table[np.clip(values.astype(np.int64) - self.first, 0, table.size - 1)]
        return found

    @property
    def most(self) -> int:
        """Return the largest value that an entry can have."""
        return (1 << min(max(self.bits, 1), 16)) - 1

    @property
    def count(self) -> int:
        """Return how many entries there are."""
        return len(self.entries) // 2


@dataclass(frozen=True, slots=True)
class GreyTransform:
    """How stored values of one frame become 8-bit grey."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: LookupTable | None = None
    voi: Window | LookupTable | None = None
    presentation: LookupTable | None = None
    inverse: bool = False

    def shown(self, samples: Samples) -> Samples:
        """Return the grey of every sample as octets."""
        if samples.dtype.kind in "iu" and samples.dtype.itemsize <= 2:
            table = _table(self, samples.dtype.str)
            return table.take(samples.view(f"u{samples.dtype.itemsize}"))
        return self._eight_bits(samples)

    def modality_values(self, samples: Samples) -> Samples:
        """Return what the modality measured (Hounsfield units and the like)."""
        if self.modality is not None:
            return self.modality.through(samples)
        if self.slope == 1.0 and self.intercept == 0.0:
            return samples
        values: Samples = samples * np.float64(self.slope) + np.float64(self.intercept)
        return values

    def _eight_bits(self, samples: Samples) -> Samples:
        values = self.modality_values(samples)
        if isinstance(self.voi, LookupTable):
            part = self.voi.through(np.rint(values)) / np.float32(self.voi.most)
        elif self.voi is not None:
            part = _windowed(values, self.voi)
        else:
            raise NotRenderable("no window is decided for the frame")
        if self.presentation is not None:
            index = np.rint(part * (self.presentation.count - 1))
            table = LookupTable(0, self.presentation.bits, self.presentation.entries)
            part = table.through(index) / np.float32(table.most)
        eight: Samples = (np.minimum(part, 1.0) * 255 + 0.5).astype(np.uint8)
        return 255 - eight if self.inverse else eight


@lru_cache(maxsize=128)
def _table(transform: GreyTransform, dtype: str) -> Samples:
    """Return the grey of every possible stored value, indexed by its unsigned bit pattern."""
    kind = np.dtype(dtype).newbyteorder("=")
    unsigned = np.arange(2 ** (8 * kind.itemsize), dtype=f"u{kind.itemsize}")
    return transform._eight_bits(unsigned.view(kind))  # noqa: SLF001 - of this module


def _windowed(values: Samples, window: Window) -> Samples:
    """Return values from 0 to 1 (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    center, width = np.float64(window.center), np.float64(max(window.width, 1e-9))
    values = values.astype(np.float64)
    if window.function == "SIGMOID":
        shown = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -60, 60)))
    elif window.function == "LINEAR_EXACT":
        shown = (values - center) / width + 0.5
    elif width <= 1:
        shown = np.where(values <= center - 0.5, 0.0, 1.0)
    else:
        shown = (values - (center - 0.5)) / (width - 1) + 0.5
    return np.nan_to_num(np.clip(shown, 0.0, 1.0))


def full_range(dataset: Dataset, samples: Samples, transform: GreyTransform) -> Window:
    """Return a window over what the frame holds, without its padding and a few outliers."""
    if samples.dtype == np.uint8 and int(samples.max()) >= _LABELS:
        # Photographed or rendered: the values are the grey, and films must not flicker.
        ends = transform.modality_values(np.array([0, 255], np.uint8)).astype(np.float64)
        return Window(float(ends.mean()), max(float(np.ptp(ends)), 1e-6), "LINEAR_EXACT")
    shown = samples[np.isfinite(samples)] if samples.dtype.kind == "f" else samples
    padding = dataset.integer(0x00280120)
    if padding is not None and samples.dtype.kind in "iu":
        limit = dataset.integer(0x00280121, padding)
        low, high = sorted((_as_sample(padding, samples), _as_sample(limit or 0, samples)))
        kept = samples[(samples < low) | (samples > high)]
        shown = kept if kept.size else samples
    if not shown.size:
        return Window(0.5, 1.0, "LINEAR_EXACT")
    ends = transform.modality_values(np.array(_ends(shown.ravel()), dtype=shown.dtype))
    least, most = float(ends.min()), float(ends.max())
    if transform.modality is not None:
        every = transform.modality_values(shown)
        least, most = float(every.min()), float(every.max())
    if not np.isfinite([least, most]).all():
        return Window(0.5, 1.0, "LINEAR_EXACT")
    return Window((least + most) / 2, max(most - least, 1e-6), "LINEAR_EXACT")


def _as_sample(value: int, samples: Samples) -> int:
    """Return a padding value as the samples have it, whatever sign its VR gives it."""
    size = samples.dtype.itemsize
    pattern = value & ((1 << 8 * size) - 1)
    signed = samples.dtype.kind == "i" and pattern >> (8 * size - 1)
    return pattern - (1 << 8 * size) if signed else pattern


def _ends(values: Samples) -> tuple[float, float]:
    """Return the least and greatest value; without outliers where these fill most of the range."""
    least, most = values.min(), values.max()
    if values.size >= 1024 and values.dtype.itemsize >= 2:
        skip = int(values.size * _OUTLIERS)
        parted = np.partition(values, (skip, values.size - 1 - skip))
        low, high = parted[skip], parted[values.size - 1 - skip]
        if high > low and float(most) - float(least) > 4 * (float(high) - float(low)):
            return low, high
    return least, most


def window_of(dataset: Dataset) -> Window | None:
    """Return the first window of a data set that can be used."""
    centers, widths = decimals(dataset, 0x00281050), decimals(dataset, 0x00281051)
    function = dataset.ascii(0x00281056) or "LINEAR"
    for center, width in zip(centers, widths, strict=False):
        if width > 0:
            return Window(center, width, function if function in WINDOW_FUNCTIONS else "LINEAR")
    return None


def rescale_of(dataset: Dataset) -> tuple[float, float] | None:
    """Return rescale slope and intercept of a data set that has them."""
    slope, intercept = decimals(dataset, RESCALE_SLOPE), decimals(dataset, RESCALE_INTERCEPT)
    if not slope and not intercept:
        return None
    return (slope or [1.0])[0] or 1.0, (intercept or [0.0])[0]


def table_of(dataset: Dataset, sequence: int) -> LookupTable | None:
    """Return the lookup table in the first item of a sequence, if it has one."""
    items = dataset.items(sequence)
    if not items or not items[0].raw(LUT_DATA):
        return None
    count, first, bits = descriptor(items[0], 0x00283002)
    words = entries(items[0], LUT_DATA, count, bits)
    if not words.size:
        raise NotRenderable("a lookup table is empty")
    return LookupTable(first, bits, words.astype(np.uint16).tobytes())


def decimals(dataset: Dataset, tag: int) -> list[float]:
    """Return the values of a DS attribute, none if one of them is no number."""
    found = []
    for text in dataset.ascii(tag).split("\\"):
        try:
            value = float(text)
        except ValueError:
            return []
        if not np.isfinite(value):
            return []
        found.append(value)
    return found


def descriptor(dataset: Dataset, tag: int) -> tuple[int, int, int]:
    """Return count of entries, first input value and bits of a lookup table (C.11.1.1)."""
    raw = dataset.raw(tag)
    order = "<" if dataset.encoding.little else ">"
    if len(raw) < 6:
        raise NotRenderable("a lookup table has no descriptor")
    count, _first_value, bits = np.frombuffer(raw[:6], dtype=f"{order}u2").tolist()
    vr = dataset.elements[tag][0]
    signed = vr == b"SS" or (vr == b"US or SS" and _signed(dataset))
    (first,) = np.frombuffer(raw[2:4], dtype=f"{order}{'i' if signed else 'u'}2").tolist()
    return count or 65536, first, bits


def entries(dataset: Dataset, tag: int, count: int, bits: int) -> Samples:
    """Return the entries of a lookup table: words, or octets where they are packed."""
    raw = dataset.raw(tag)
    little = dataset.encoding.little
    if bits <= 8 and len(raw) < 2 * count:
        octets = np.frombuffer(raw, dtype=np.uint8)
        if not little and dataset.elements[tag][0] != b"OB":
            octets = octets[: octets.size // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
        return octets[:count]
    words = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=f"{'<' if little else '>'}u2")
    return words[:count].astype(np.uint16)


def _signed(dataset: Dataset) -> bool:
    place: Dataset | None = dataset
    while place is not None:
        if 0x00280103 in place:
            return place.integer(0x00280103) == 1
        place = place.parent
    return False
