"""What is drawn over a picture: graphic annotations of presentation states, burnt-in text.

Implements PS3.3 C.10.5 (graphic annotation), C.10.7 (graphic layer) and PS3.18 8.3.5.1.1
(annotation=patient, technique). Called by `rendering.py` when the picture has its final size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from repository.instances import charsets
from repository.instances.elements import Dataset
from repository.instances.header import InstanceHeader
from repository.instances.presentation_states import applies

Point: TypeAlias = "tuple[float, float]"
Place: TypeAlias = "Callable[[float, float, bool], Point]"
"""From (x, y, is it in DISPLAY units) to the pixel of the picture."""

PATIENT: Final = "patient"
TECHNIQUE: Final = "technique"
_MOST_OBJECTS: Final = 2000
_MOST_POINTS: Final = 100_000
_STEPS: Final = 72
_HAN_FONTS: Final = (
    "NotoSansCJK",
    "NotoSansSC",
    "SourceHanSans",
    "wqy",
    "DroidSansFallback",
    "uming",
)
_FONT_FOLDERS: Final = ("/usr/share/fonts", "/usr/local/share/fonts")


def draw_graphics(
    image: Image.Image, state: InstanceHeader, sop_uid: str, number: int, place: Place
) -> None:
    """Draw the graphic annotations of a state for one frame, layer by layer."""
    layers = {
        item.ascii(0x00700002): (item.integer(0x00700062, 0) or 0, _grey(item))
        for item in state.dataset.items(0x00700060)
    }
    shown = [
        (layers.get(item.ascii(0x00700002), (0, 255)), item)
        for item in state.dataset.items(0x00700001)
        if applies(item, sop_uid, number)
    ]
    pen = ImageDraw.Draw(image)
    left = _MOST_OBJECTS
    for (_order, grey), item in sorted(shown, key=lambda one: one[0][0]):
        for thing in item.items(0x00700009)[:left]:
            _graphic(pen, thing, place, _colour(image, grey))
        left -= len(item.items(0x00700009))
        for text in item.items(0x00700008)[: max(left, 0)]:
            _text(image, pen, state, text, place=place, colour=_colour(image, grey))
        left = max(0, left - len(item.items(0x00700008)))


def burn_in(image: Image.Image, header: InstanceHeader, number: int, kinds: Sequence[str]) -> None:
    """Write who and how into the upper corners (PS3.18 8.3.5.1.1)."""
    pen = ImageDraw.Draw(image)
    size = max(9, min(24, image.height // 28))
    if PATIENT in kinds:
        _lines(image, pen, _patient(header), size, right=False)
    if TECHNIQUE in kinds:
        _lines(image, pen, _technique(header, number), size, right=True)


def _patient(header: InstanceHeader) -> list[str]:
    born, sex = header.patient_birth_date, header.patient_sex
    study = header.text(0x00080020)
    lines = [_name(header), header.patient_id, f"{born} {sex}".strip(), study]
    return [line for line in lines if line]


def _name(header: InstanceHeader) -> str:
    """Return the name in the characters that can be written."""
    alphabetic, _, others = header.patient_name.partition("=")
    ideographic = others.split("=")[0]
    chosen = ideographic if ideographic and _han_font() else alphabetic or ideographic
    return " ".join(chosen.replace("^", " ").split())


def _technique(header: InstanceHeader, number: int) -> list[str]:
    told = [(header.text(0x00080060), ""), (header.text(0x0008103E), "")]
    told += [
        (header.text(tag), unit)
        for tag, unit in (
            (0x00180060, " kVp"), (0x00181151, " mA"), (0x00181152, " mAs"),
            (0x00180050, " mm"), (0x00180080, " ms TR"), (0x00180081, " ms TE"),
        )
    ]  # fmt: skip
    lines = [f"{text}{unit}" for text, unit in told if text]
    place = header.text(0x00200013)
    lines.append(f"{place}/{number}" if header.number_of_frames > 1 else place)
    return [line for line in lines if line]


def _lines(
    image: Image.Image, pen: ImageDraw.ImageDraw, lines: Sequence[str], size: int, *, right: bool
) -> None:
    margin = size // 2
    for number, line in enumerate(lines):
        text, font = _writable(line[:128], size)
        width = pen.textlength(text, font=font)
        x = image.width - margin - width if right else margin
        _write(image, pen, (x, margin + number * size * 1.2), text, font=font)


def _write(
    image: Image.Image,
    pen: ImageDraw.ImageDraw,
    at: Point,
    text: str,
    *,
    font: Any,
    grey: int = 255,
) -> None:
    """Write light text with a dark rim, so that it is read on any ground."""
    pen.text(
        at, text, font=font, fill=_colour(image, grey), stroke_width=1,
        stroke_fill=_colour(image, 0 if grey >= 128 else 255),
    )  # fmt: skip


def _text(
    image: Image.Image,
    pen: ImageDraw.ImageDraw,
    state: InstanceHeader,
    item: Dataset,
    *,
    place: Place,
    colour: Any,
) -> None:
    written = charsets.decode(item.raw(0x00700006), state.codecs)
    lines = [line.rstrip() for line in written.replace("\r", "\n").split("\n") if line.strip()][:64]
    anchor = _floats(item, 0x00700014)
    corners = [_floats(item, tag) for tag in (0x00700010, 0x00700011)]
    size = max(10, min(32, image.height // 28))
    if all(len(corner) == 2 for corner in corners):
        in_display = item.ascii(0x00700003) == "DISPLAY"
        first, second = (place(corner[0], corner[1], in_display) for corner in corners)
        at = min(first[0], second[0]), min(first[1], second[1])
        height = abs(first[1] - second[1]) / max(1, len(lines))
        size = int(max(8, min(size * 2, height))) if height else size
    elif len(anchor) == 2:
        at = place(anchor[0], anchor[1], item.ascii(0x00700004) == "DISPLAY")
    else:
        return
    if len(anchor) == 2 and item.ascii(0x00700015) == "Y":
        pen.line(
            [place(anchor[0], anchor[1], item.ascii(0x00700004) == "DISPLAY"), at], fill=colour
        )
    for number, line in enumerate(lines):
        text, font = _writable(line[:256], size)
        grey = colour if isinstance(colour, int) else colour[0]
        _write(image, pen, (at[0], at[1] + number * size * 1.2), text, font=font, grey=grey)


def _graphic(pen: ImageDraw.ImageDraw, item: Dataset, place: Place, colour: Any) -> None:
    data = _floats(item, 0x00700022)
    if len(data) < 2 or len(data) % 2 or len(data) > 2 * _MOST_POINTS:
        return
    points = list(zip(data[::2], data[1::2], strict=True))
    kind = item.ascii(0x00700023)
    closed = False
    if kind == "CIRCLE" and len(points) == 2:
        (x, y), (u, v) = points
        points, closed = _ring((x, y), (u - x, v - y), (y - v, u - x)), True
    elif kind == "ELLIPSE" and len(points) == 4:
        (a, b), (c, d), (e, f), (g, h) = points
        axes = ((c - a) / 2, (d - b) / 2), ((g - e) / 2, (h - f) / 2)
        points, closed = _ring(((a + c) / 2, (b + d) / 2), *axes), True
    elif kind == "INTERPOLATED" and len(points) > 2:
        points = _curve(points)
    elif kind not in {"POINT", "POLYLINE", "INTERPOLATED"}:
        return
    shown = [place(x, y, item.ascii(0x00700005) == "DISPLAY") for x, y in points]
    if kind == "POINT":
        x, y = shown[0]
        pen.line((x - 4, y, x + 4, y), fill=colour)
        pen.line((x, y - 4, x, y + 4), fill=colour)
        return
    if item.ascii(0x00700024) == "Y" and (closed or points[0] == points[-1]):
        pen.polygon(shown, fill=colour, outline=colour)
        return
    pen.line([*shown, shown[0]] if closed else shown, fill=colour)


def _ring(center: Point, one: Point, other: Point) -> list[Point]:
    turns = [2 * math.pi * n / _STEPS for n in range(_STEPS)]
    return [
        (
            center[0] + one[0] * math.cos(t) + other[0] * math.sin(t),
            center[1] + one[1] * math.cos(t) + other[1] * math.sin(t),
        )
        for t in turns
    ]


def _curve(points: list[Point]) -> list[Point]:
    """Return points on a smooth curve through the given ones (Catmull and Rom's)."""
    ends = np.array([points[0], *points, points[-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        pieces.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                   + (3 * b - a - 3 * c + d) * t**3)
        )  # fmt: skip
    return [(float(x), float(y)) for x, y in np.concatenate([*pieces, ends[-1:]])]


def _floats(item: Dataset, tag: int) -> list[float]:
    raw = item.raw(tag)
    values = np.frombuffer(raw[: len(raw) // 4 * 4], "<f4" if item.encoding.little else ">f4")
    return values.tolist() if np.isfinite(values).all() and (abs(values) < 1e7).all() else []


def _grey(layer: Dataset) -> int:
    """Return the recommended grey of a layer, white when it tells none."""
    value = layer.integer(0x00700066)
    return 255 if value is None else value >> 8


def _colour(image: Image.Image, grey: int) -> Any:
    return grey if image.mode == "L" else (grey, grey, grey)


def _writable(text: str, size: int) -> tuple[str, Any]:
    """Return the text as it can be written, and the font for it."""
    if all(character < "\u0100" for character in text):
        return text, _font("", size)
    path = _han_font()
    if path:
        return text, _font(path, size)
    return text.encode("latin-1", "replace").decode("latin-1"), _font("", size)


@lru_cache(maxsize=32)
def _font(path: str, size: int) -> Any:
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


@lru_cache(maxsize=1)
def _han_font() -> str:
    """Return a font of this machine that has Chinese characters, empty when there is none."""
    for folder in _FONT_FOLDERS:
        for path in sorted(Path(folder).rglob("*.tt[fc]")) + sorted(Path(folder).rglob("*.otf")):
            if path.name.startswith(_HAN_FONTS):
                return str(path)
    return ""
