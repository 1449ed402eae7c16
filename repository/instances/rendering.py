"""A frame as a picture: modality LUT, VOI window, presentation, palette, then JPEG or PNG.

Implements PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT), C.7.6.3.1.5 (palette) and PS3.18 9.5
and 10.4.1.1.3 (rendered resources). Pure functions; called by adapters in a worker thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from repository.instances.elements import Dataset
from repository.instances.header import InstanceHeader
from repository.instances.pixels import Samples, decode
from repository.instances.refusals import NoPixelData, NotRenderable

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
GIF: Final = "image/gif"
FORMATS: Final = {JPEG: "JPEG", PNG: "PNG", GIF: "GIF"}
THUMBNAIL_SIDE: Final = 128


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class Rendering:
    """What picture is asked for (PS3.18 8.3.5)."""

    media_type: str = JPEG
    quality: int = 90
    window: Window | None = None
    viewport: tuple[int, int] | None = None
    """The most columns and rows of the picture; it keeps its aspect."""
    region: tuple[int, int, int, int] | None = None
    """Left, top, width, height in source pixels to cut out before scaling."""


def render(header: InstanceHeader, octets: bytes, number: int, wanted: Rendering) -> bytes:
    """Return frame `number`, whose stored octets are given, as a picture."""
    image = Image.fromarray(grey_or_rgb(header, octets, number, wanted.window))
    if wanted.region is not None:
        left, top, width, height = wanted.region
        image = image.crop((left, top, left + width, top + height))
    if wanted.viewport is not None:
        image.thumbnail(wanted.viewport, Image.Resampling.BILINEAR, reducing_gap=2.0)
    target = BytesIO()
    if wanted.media_type == JPEG:
        image.save(target, "JPEG", quality=wanted.quality)
    elif wanted.media_type in FORMATS:
        image.save(target, FORMATS[wanted.media_type])
    else:
        raise NotRenderable("no such media type", media_type=wanted.media_type)
    return target.getvalue()


def grey_or_rgb(
    header: InstanceHeader, octets: bytes, number: int, window: Window | None = None
) -> Samples:
    """Return a frame as 8-bit grey or RGB samples, ready to look at."""
    samples, photometric = decode(header, octets)
    if photometric == "PALETTE COLOR":
        return _palette(header.dataset, samples)
    if samples.ndim == 3:
        return _eight_bit_colour(header.dataset, samples)
    return _grey(header, samples, number, window)


def document(header: InstanceHeader) -> tuple[str, bytes]:
    """Return media type and octets of an encapsulated document (PS3.3 C.24)."""
    body = header.dataset.raw(0x00420011)
    if not body:
        raise NoPixelData("the instance holds neither image nor document")
    length = header.dataset.integer(0x00420015, 0) or 0
    if 0 < length <= len(body):
        body = body[:length]
    return header.dataset.ascii(0x00420012) or "application/octet-stream", body


def _eight_bit_colour(dataset: Dataset, samples: Samples) -> Samples:
    stored = dataset.integer(0x00280101, 8) or 8
    if samples.dtype == np.uint8:
        return np.ascontiguousarray(samples[..., :3])
    return (samples[..., :3] >> max(0, stored - 8)).astype(np.uint8)


def _grey(header: InstanceHeader, samples: Samples, number: int, window: Window | None) -> Samples:
    dataset = header.dataset
    slope, intercept = _rescale(dataset, number)
    inverted = (dataset.ascii(0x00280004) == "MONOCHROME1") != (
        dataset.ascii(0x20500020) == "INVERSE"
    )
    if (dataset.integer(0x00280101, 8) or 8) == 1:
        mask: Samples = ((samples != 0) ^ inverted).astype(np.uint8) * 255
        return mask
    lut = _first(dataset, 0x00283000)
    if lut is not None:
        samples, slope, intercept = _through(lut, samples), 1.0, 0.0
    voi = window or _window(dataset, number)
    voi_lut = _first(dataset, 0x00283010) if voi is None else None
    if voi_lut is not None:
        values = samples * slope + intercept
        samples = _through(voi_lut, values.astype(np.int64))
        # The table's entries have their own depth: show the whole of it.
        low, high = 0.0, float(2 ** (_descriptor(voi_lut)[2] or 16) - 1)
        voi, slope, intercept = Window((low + high + 1) / 2, high - low + 1), 1.0, 0.0
    if voi is None:
        voi = _full_range(dataset, samples, slope, intercept)
    if samples.dtype.kind in "iu" and samples.dtype.itemsize <= 2:
        table = _table(samples.dtype.str, slope, intercept, voi, inverted)
        found: Samples = table[samples.view(f"u{samples.dtype.itemsize}")]
        return found
    return _windowed(samples * slope + intercept, voi, inverted=inverted)


@lru_cache(maxsize=64)
def _table(dtype: str, slope: float, intercept: float, window: Window, inverted: bool) -> Samples:
    """Return the grey of every possible stored value, indexed by its unsigned bit pattern."""
    kind = np.dtype(dtype).newbyteorder("=")
    unsigned = np.arange(2 ** (8 * kind.itemsize), dtype=f"u{kind.itemsize}")
    values = unsigned.view(kind).astype(np.float32) * slope + intercept
    return _windowed(values, window, inverted=inverted)


def _windowed(values: Samples, window: Window, *, inverted: bool) -> Samples:
    center, width = window.center, max(window.width, 1e-9)
    if window.function == "SIGMOID":
        shown = 255.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -60, 60)))
    elif window.function == "LINEAR_EXACT":
        shown = ((values - center) / width + 0.5) * 255.0
    elif width <= 1:
        shown = np.where(values <= center - 0.5, 0.0, 255.0)
    else:
        shown = ((values - (center - 0.5)) / (width - 1) + 0.5) * 255.0
    shown = np.nan_to_num(np.clip(shown, 0, 255)) + 0.5
    if inverted:
        shown = 256.0 - shown
    eight: Samples = np.minimum(shown, 255.0).astype(np.uint8)
    return eight


def _full_range(dataset: Dataset, samples: Samples, slope: float, intercept: float) -> Window:
    shown = samples
    padding = dataset.integer(0x00280120)
    if padding is not None and samples.dtype.kind in "iu":
        kept = samples[samples != np.asarray(padding).astype(samples.dtype)]
        shown = kept if kept.size else samples
    ends = sorted(
        (float(np.nanmin(shown)) * slope + intercept, float(np.nanmax(shown)) * slope + intercept)
    )
    if not all(np.isfinite(ends)):
        return Window(0.5, 1.0, "LINEAR_EXACT")
    return Window((ends[0] + ends[1]) / 2, max(ends[1] - ends[0], 1e-6), "LINEAR_EXACT")


def _groups(dataset: Dataset, number: int) -> list[Dataset]:
    """Return the functional groups of a frame, its own before the shared ones (C.7.6.16)."""
    own = dataset.items(0x52009230)
    found = [own[number - 1]] if 0 < number <= len(own) else []
    return [*found, *dataset.items(0x52009229)[:1]]


def _rescale(dataset: Dataset, number: int) -> tuple[float, float]:
    places = [dataset] + [
        item for group in _groups(dataset, number) for item in group.items(0x00289145)
    ]
    for place in places:
        slope, intercept = _decimals(place, 0x00281053), _decimals(place, 0x00281052)
        if slope or intercept:
            return (slope or [1.0])[0] or 1.0, (intercept or [0.0])[0]
    return 1.0, 0.0


def _window(dataset: Dataset, number: int) -> Window | None:
    places = [dataset] + [
        item for group in _groups(dataset, number) for item in group.items(0x00289132)
    ]
    for place in places:
        centers, widths = _decimals(place, 0x00281050), _decimals(place, 0x00281051)
        if centers and widths and widths[0] > 0:
            return Window(centers[0], widths[0], place.ascii(0x00281056) or "LINEAR")
    return None


def _decimals(dataset: Dataset, tag: int) -> list[float]:
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


def _first(dataset: Dataset, tag: int) -> Dataset | None:
    items = dataset.items(tag)
    return items[0] if items and items[0].raw(0x00283006) else None


def _descriptor(dataset: Dataset, tag: int = 0x00283002) -> tuple[int, int, int]:
    raw = dataset.raw(tag)
    order = "<" if dataset.encoding.little else ">"
    if len(raw) < 6:
        raise NotRenderable("a lookup table has no descriptor")
    entries, _first_value, bits = np.frombuffer(raw[:6], dtype=f"{order}u2").tolist()
    vr = dataset.elements[tag][0]
    signed = vr == b"SS" or (vr == b"US or SS" and _signed(dataset))
    (first,) = np.frombuffer(raw[2:4], dtype=f"{order}{'i' if signed else 'u'}2").tolist()
    return entries or 65536, first, bits


def _signed(dataset: Dataset) -> bool:
    place: Dataset | None = dataset
    while place is not None:
        if 0x00280103 in place:
            return place.integer(0x00280103) == 1
        place = place.parent
    return False


def _entries(dataset: Dataset, tag: int, count: int, bits: int) -> Samples:
    raw = dataset.raw(tag)
    order = "<" if dataset.encoding.little else ">"
    if bits <= 8 and len(raw) < 2 * count:
        return np.frombuffer(raw, dtype=np.uint8)[:count]
    return np.frombuffer(raw[: len(raw) // 2 * 2], dtype=f"{order}u2")[:count]


def _through(lut: Dataset, values: Samples) -> Samples:
    count, first, bits = _descriptor(lut)
    table = _entries(lut, 0x00283006, count, bits)
    if not table.size:
        raise NotRenderable("a lookup table is empty")
    found: Samples = table[np.clip(values.astype(np.int64) - first, 0, table.size - 1)]
    return found.astype(np.uint16)


def _palette(dataset: Dataset, samples: Samples) -> Samples:
    channels = []
    for colour in (1, 2, 3):
        count, first, bits = _descriptor(dataset, 0x00281100 + colour)
        segmented = dataset.raw(0x00281220 + colour)
        if segmented:
            table = _segments(np.frombuffer(segmented, dtype="<u2").tolist(), count)
        else:
            table = _entries(dataset, 0x00281200 + colour, count, bits)
        if not table.size:
            raise NotRenderable("the palette is empty")
        shown = table[np.clip(samples.astype(np.int64) - first, 0, table.size - 1)]
        # PS3.3 C.7.6.3.1.5: 16-bit entries are shown by their high octet.
        channels.append(shown >> 8 if bits > 8 and table.dtype != np.uint8 else shown)
    return np.stack(channels, axis=-1).astype(np.uint8)


def _segments(words: list[int], count: int) -> Samples:
    """Expand a segmented palette (PS3.3 C.7.9.2): discrete, linear and indirect segments."""
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
            elif code == 2 and not nested and at + 3 < len(words):
                run(words[at + 2] | words[at + 3] << 16, length, nested=True)
                at += 4
            else:
                raise NotRenderable("the segmented palette is malformed")

    run(0, len(words), nested=False)
    return np.array(out[:count], dtype=np.uint16)
