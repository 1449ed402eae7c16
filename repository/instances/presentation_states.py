"""Softcopy presentation states: how somebody wanted images to be seen.

Implements PS3.3 A.33 (grayscale, colour, pseudo-colour), C.11.8, C.11.10, C.10.4, C.10.6 and the
order of PS3.4 N.2. Called by `rendering.py` to show, and by WADO to find the images of a state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kernel.identifiers import dicom_uid
from kernel.refusals import Invalid
from repository.instances.elements import Dataset
from repository.instances.grey import (
    MODALITY_LUT_SEQUENCE,
    VOI_LUT_SEQUENCE,
    GreyTransform,
    Window,
    rescale_of,
    table_of,
    window_of,
)
from repository.instances.header import InstanceHeader

_SOFTCOPY: Final = "1.2.840.10008.5.1.4.1.1.11."
PSEUDO_COLOUR: Final = _SOFTCOPY + "3"
SOP_CLASSES: Final = frozenset((_SOFTCOPY + "1", _SOFTCOPY + "2", PSEUDO_COLOUR))
"""Grayscale, colour and pseudo-colour; blending and the later ones are not shown."""
PRESENTATION_LUT_SEQUENCE: Final = 0x20500010
_MOST_REFERENCES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that a presentation state is for."""

    series_uid: str
    sop_uid: str
    frames: tuple[int, ...]
    """Empty for all of them."""


@dataclass(frozen=True, slots=True)
class Area:
    """The part of an image to be seen, in its pixels before it is turned."""

    left: int
    top: int
    width: int
    height: int
    aspect: float = 1.0
    """How much higher than wide a pixel is."""


def references(state: InstanceHeader) -> tuple[Reference, ...]:
    """Return the images that a state is for, in its order (PS3.3 C.11.11)."""
    found: list[Reference] = []
    for series in state.dataset.items(0x00081115):
        for image in series.items(0x00081140):
            try:
                uids = dicom_uid(series.ascii(0x0020000E)), dicom_uid(image.ascii(0x00081155))
            except Invalid:
                continue
            found.append(Reference(*uids, _numbers(image, 0x00081160)))
            if len(found) >= _MOST_REFERENCES:
                return tuple(found)
    return tuple(found)


def applies(item: Dataset, sop_uid: str, number: int) -> bool:
    """Tell whether an item of a state is for a frame; one that names no image is for all."""
    images = item.items(0x00081140)
    if not images:
        return True
    for image in images:
        frames = _numbers(image, 0x00081160)
        if image.ascii(0x00081155) == sop_uid and (not frames or number in frames):
            return True
    return False


def grey_of(
    state: InstanceHeader, image: InstanceHeader, number: int, window: Window | None
) -> GreyTransform:
    """Return how a state wants a frame shown; what it does not tell is left as it is (N.2)."""
    dataset = state.dataset
    modality = table_of(dataset, MODALITY_LUT_SEQUENCE)
    slope, intercept = rescale_of(dataset) or (1.0, 0.0)
    voi = window
    table = None
    for item in dataset.items(0x00283110):
        if voi is None and applies(item, image.sop_uid, number):
            table = table_of(item, VOI_LUT_SEQUENCE)
            voi = window_of(item) if table is None else None
            break
    transform = GreyTransform(
        slope=slope,
        intercept=intercept,
        modality=modality,
        voi=voi or table,
        presentation=table_of(dataset, PRESENTATION_LUT_SEQUENCE),
        inverse=dataset.ascii(0x20500020) == "INVERSE",
    )
    if transform.voi is not None:
        return transform
    return replace(transform, voi=_identity(image, transform))


def area_of(state: InstanceHeader, image: InstanceHeader, number: int) -> Area | None:
    """Return the displayed area of a frame, None when the state tells none (PS3.3 C.10.4)."""
    for item in state.dataset.items(0x0070005A):
        if not applies(item, image.sop_uid, number):
            continue
        corners = [_pair(item, tag) for tag in (0x00700052, 0x00700053)]
        if None in corners:
            return None
        (x1, y1), (x2, y2) = (corner or (0, 0) for corner in corners)
        left, right = sorted((x1, x2))
        top, bottom = sorted((y1, y2))
        if max(map(abs, (left, right, top, bottom))) > 1 << 16:
            return None
        return Area(left - 1, top - 1, right - left + 1, bottom - top + 1, _aspect(item))
    return None


def turn_of(state: InstanceHeader) -> tuple[int, bool]:
    """Return degrees clockwise and whether it is flipped after that (PS3.3 C.10.6)."""
    degrees = (state.dataset.integer(0x00700042, 0) or 0) % 360
    return (degrees if degrees in {90, 180, 270} else 0), state.dataset.ascii(0x00700041) == "Y"


def active_overlays(state: InstanceHeader) -> frozenset[int]:
    """Return the overlay groups that a state puts on a layer (PS3.3 C.11.7)."""
    dataset = state.dataset
    return frozenset(
        group for group in range(0x6000, 0x6020, 2) if dataset.ascii(group << 16 | 0x1001)
    )


def _identity(image: InstanceHeader, transform: GreyTransform) -> Window:
    """Return the window that shows all that the pixels, or the modality LUT, can be."""
    if transform.modality is not None:
        low, high = 0.0, float(transform.modality.most)
    else:
        stored = image.dataset.integer(0x00280101, 8) or 8
        signed = image.dataset.integer(0x00280103, 0) == 1
        low = float(-(1 << (stored - 1))) if signed else 0.0
        ends = np.array([low, low + (1 << stored) - 1]) * transform.slope + transform.intercept
        low, high = float(ends.min()), float(ends.max())
    return Window((low + high) / 2, max(high - low, 1e-6), "LINEAR_EXACT")


def _aspect(item: Dataset) -> float:
    """Return height by width of a pixel, from its ratio or its spacing."""
    for tag in (0x00700102, 0x00700101):
        parts = item.ascii(tag).split("\\")
        try:
            vertical, horizontal = (float(part) for part in parts)
        except ValueError:
            continue
        if vertical > 0 and horizontal > 0 and 0.05 < vertical / horizontal < 20:
            return vertical / horizontal
    return 1.0


def _pair(item: Dataset, tag: int) -> tuple[int, int] | None:
    raw = item.raw(tag)
    if len(raw) < 8:
        return None
    x, y = np.frombuffer(raw[:8], "<i4" if item.encoding.little else ">i4").tolist()
    return x, y


def _numbers(dataset: Dataset, tag: int) -> tuple[int, ...]:
    try:
        return tuple(int(text) for text in dataset.ascii(tag).split("\\"))
    except ValueError:
        return ()
