"""The head of the demo: a phantom whose tissues shine as on T1 and T2 weighted MR.

Axes as in PS3.3 C.7.6.2 (image plane); z in millimetres upwards, 0 in the middle of the ventricles.
Called by `cross_sections.mr_brain`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from server.demo.painting import Canvas, Picture, blur, clouds, generator

_SIGNAL: Final = {
    "T1": {
        "fat": 780.0,
        "bone": 40.0,
        "csf": 110.0,
        "grey": 400.0,
        "white": 590.0,
        "lesion": 300.0,
        "muscle": 300.0,
        "vessel": 60.0,
    },
    "T2": {
        "fat": 430.0,
        "bone": 30.0,
        "csf": 920.0,
        "grey": 500.0,
        "white": 360.0,
        "lesion": 800.0,
        "muscle": 180.0,
        "vessel": 40.0,
    },
}


class Head:
    """One person's head; `seed` moves the gyri."""

    def __init__(self, seed: int) -> None:
        self._random = generator("brain", seed)
        self._phases = self._random.uniform(0, 2 * np.pi, 12)

    def slice_signal(
        self, z: float, size: int, pixel_mm: float, weighting: str
    ) -> NDArray[np.uint16]:
        """Return the stored values of the axial slice at `z`."""
        tissue = _SIGNAL[weighting]
        canvas = Canvas(size, size, pixel_mm)
        curve = 1 - ((z - 2) / 86.0) ** 2
        scale = float(np.sqrt(max(curve, 0.04)))
        wide, long = 76 * scale, 94 * scale
        canvas.ellipse((0, 0), (wide + 7, long + 7), tissue["fat"])
        canvas.ellipse((0, 0), (wide + 4.2, long + 4.2), tissue["muscle"])
        canvas.ellipse((0, 0), (wide + 3.4, long + 3.4), tissue["bone"])
        canvas.ellipse((0, 0), (wide - 3.6, long - 3.6), tissue["csf"])
        self._cerebrum(canvas, z, (wide - 6, long - 6), tissue)
        if z < 24:
            _ventricles(canvas, z, tissue)
        if z < -18:
            _skull_base(canvas, z, tissue)
        if -6 < z < 22:
            rest = float(np.sqrt(max(0.05, 1 - ((z - 8) / 14) ** 2)))
            canvas.ellipse((-30, 22), (8.5 * rest, 6.5 * rest), tissue["lesion"], angle=0.4)
        bias = 1 + np.float32(0.1) * clouds(self._random, size, size, [(3, 1.0)])
        signal = blur(canvas.image * bias, 0.55)
        real = signal + self._random.normal(0, 13, signal.shape).astype(np.float32)
        imaginary = self._random.normal(0, 13, signal.shape).astype(np.float32)
        return np.clip(np.hypot(real, imaginary), 0, 4095).astype(np.uint16)

    def _cerebrum(
        self, canvas: Canvas, z: float, radii: tuple[float, float], tissue: dict[str, float]
    ) -> None:
        x, y = canvas.x / np.float32(radii[0]), canvas.y / np.float32(radii[1])
        radius = np.hypot(x, y)
        turn = np.arctan2(y, x)
        folds = np.zeros_like(radius)
        for order, phase in zip((9, 14, 19, 23, 31, 37), self._phases, strict=False):
            folds += np.sin(order * turn + np.float32(phase + z * 0.11 * (order % 3 - 1.2))) / 6
        deep = np.clip(np.abs(folds) * 2.0, 0, 1)
        brain_edge = 1 - 0.075 * (1 - deep) ** 3
        white_edge = 0.88 - 0.16 * (1 - deep) ** 1.6
        cover = _step(brain_edge - radius, 40)
        cleft = np.where(radius > 0.62, np.float32(1.4), np.float32(0.9))
        cover *= _step(np.abs(canvas.x) - cleft, 1.4) * np.float32(0.75) + np.float32(0.25)
        canvas.over(cover, tissue["grey"])
        canvas.over(
            _step(white_edge - radius, 34) * _step(np.abs(canvas.x) - 4.2, 0.7), tissue["white"]
        )
        if -14 < z < 16:
            for side in (-1, 1):
                canvas.ellipse((side * 13, 12), (8, 13), tissue["grey"], angle=side * -0.5)
                canvas.ellipse((side * 25, -4), (5.5, 17), tissue["grey"], angle=side * -0.25)
                canvas.ellipse((side * 14, -20), (6, 11), tissue["grey"], angle=side * 0.3)
        if -8 < z < 26:
            canvas.ellipse((0, -22), (13, 4.5), tissue["white"])
            canvas.ellipse((0, 34), (15, 4.5), tissue["white"])


def _step(distance: NDArray[Any], sharpness: float) -> Picture:
    edge: Picture = np.clip(distance * sharpness + 0.5, 0, 1).astype(np.float32)
    return edge


def _ventricles(canvas: Canvas, z: float, tissue: dict[str, float]) -> None:
    if z > -12:
        size = float(np.sqrt(max(0.03, 1 - ((z - 6) / 19) ** 2)))
        for side in (-1, 1):
            canvas.ellipse(
                (side * 9, -17), (4.6 * size, 16 * size), tissue["csf"], angle=side * 0.28
            )
            canvas.ellipse(
                (side * 17, 28), (5 * size, 17 * size), tissue["csf"], angle=side * -0.42
            )
            canvas.ellipse((side * 19, 24), (2.2 * size, 5 * size), tissue["white"])
        canvas.ellipse((0, 4), (2.0, 10), tissue["csf"])
    elif z > -34:
        canvas.ellipse((0, 42), (8, 6), tissue["csf"])


def _skull_base(canvas: Canvas, z: float, tissue: dict[str, float]) -> None:
    canvas.ellipse((0, 56), (46, 30), tissue["csf"])
    for side in (-1, 1):
        canvas.ellipse((side * 23, 56), (22, 26), tissue["grey"])
        canvas.ellipse((side * 23, 56), (15, 17), tissue["white"])
    canvas.ellipse((0, 58), (6, 20), tissue["grey"])
    canvas.ellipse((0, 18), (18, 15), tissue["csf"])
    canvas.ellipse((0, 20), (14, 13), tissue["white"])
    canvas.ellipse((0, 4), (2.6, 2.6), tissue["vessel"])
    canvas.ellipse((0, 37), (7, 4.5), tissue["csf"])
    if z < -34:
        for side in (-1, 1):
            canvas.ellipse((side * 30, -62), (16, 17), tissue["fat"])
            canvas.ellipse((side * 30, -66), (12, 12), tissue["csf"])
            canvas.ellipse((side * 30, -48), (2.4, 12), tissue["muscle"], angle=side * 0.3)
            canvas.ellipse((side * 52, 12), (14, 9), tissue["bone"], angle=side * 0.6)
        canvas.ellipse((0, -56), (12, 26), tissue["bone"])
