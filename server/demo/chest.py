"""The chest of the demo: an analytic phantom cut by CT and PET, with vessels and a nodule.

No standard; HU as in PS3.3 C.11.1 (rescale), axes as in PS3.3 C.7.6.2 (x to the patient's
left, y to the back), z counted downwards from the apex of the lungs in millimetres.
Called by `cross_sections` (CT, PT) and `objects` (SEG of the nodule).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.demo.painting import Canvas, Picture, branches, clouds, generator

HEIGHT_MM: Final = 300.0
"""Length of the phantom from the apex of the lungs to below the diaphragm."""

NODULE: Final = (-62.0, -18.0, 105.0)
"""Centre of the nodule (x, y, z), in the right upper lobe."""

NODULE_RADIUS_MM: Final = 9.0

_LUNG: Final = -870.0
_BLOOD: Final = 165.0


class Chest:
    """One person's chest; `seed` moves the vessels, ribs and noise."""

    def __init__(self, seed: int, *, nodule: bool = True) -> None:
        random = generator("chest", seed)
        self.nodule = nodule
        self._rib_phase = float(random.uniform(0, 1))
        self._vessels = np.concatenate([_vessel_tree(random, side) for side in (-1, 1)])

    def slice_hu(self, z: float, size: int, pixel_mm: float) -> Picture:
        """Return the slice at `z`, in HU, without noise."""
        canvas = Canvas(size, size, pixel_mm, background=-1000.0)
        level = z / HEIGHT_MM
        girth = 1.0 - 0.22 * max(0.0, 0.35 - level) / 0.35
        self._wall(canvas, z, level, girth)
        _lungs(canvas, level)
        self._draw_vessels(canvas, z)
        _mediastinum(canvas, level)
        _abdomen(canvas, level)
        _spine(canvas, z)
        if self.nodule:
            _nodule(canvas, z)
        return canvas.image

    def _wall(self, canvas: Canvas, z: float, level: float, girth: float) -> None:
        a, b = 165 * girth, 112 * girth
        _table(canvas)
        canvas.ellipse((0, 0), (a, b), -95.0)
        if level < 0.3:
            for side in (-1, 1):
                canvas.ellipse((side * a * 0.86, 12), (46, 44), -95.0)
                canvas.ellipse((side * a * 0.86, 12), (40, 37), 50.0)
        canvas.ellipse((0, 0), (a - 14, b - 12), 52.0)
        canvas.ellipse((0, 2), (a - 24, b - 20), -60.0)
        canvas.ellipse((0, 3), (a - 27, b - 22), 45.0)
        self._ribs(canvas, z, (a - 27, b - 22))
        if level < 0.45:
            for side in (-1, 1):
                centre = (side * (96 + 22 * level), 62 + 10 * level)
                canvas.ellipse(centre, (38, 5.5), 620.0, angle=side * -0.55)
                canvas.ellipse(centre, (34, 3.2), 280.0, angle=side * -0.55)
        if 0.15 < level < 0.62:
            canvas.ellipse((0, -b + 24), (17, 6), 520.0)
            canvas.ellipse((0, -b + 24), (14, 3.6), 190.0)

    def _ribs(self, canvas: Canvas, z: float, radii: tuple[float, float]) -> None:
        x, y = canvas.x / np.float32(radii[0]), (canvas.y - 3) / np.float32(radii[1])
        ring = (np.sqrt(x * x + y * y) - 1) * np.float32(min(radii))
        turn = np.arctan2(np.abs(x), y) / np.float32(np.pi)
        phase = (np.float32(z / 27) - turn * np.float32(2.9) + np.float32(self._rib_phase)) % 1
        along = (np.abs(phase - 0.5) * np.float32(27) - 5.5) / np.float32(5.5)
        across = np.abs(ring) / np.float32(5.0)
        inside = np.sqrt(np.clip(along + 1, 0, None) ** 2 + across**2)
        bone = np.clip((1.0 - inside) * 6, 0, 1) * (turn < 0.86)
        core = np.clip((0.62 - inside) * 6, 0, 1) * (turn < 0.86)
        canvas.over(bone.astype(np.float32), 640.0)
        canvas.over(core.astype(np.float32), 230.0)

    def _draw_vessels(self, canvas: Canvas, z: float) -> None:
        reach = self._vessels[:, 3] + 1.5
        near = self._vessels[np.abs(self._vessels[:, 2] - z) < reach]
        for x, y, _, radius in near.tolist():
            canvas.spot((x, y), max(0.75, radius), 60.0 + 9 * radius)


def activity(z: float, size: int, pixel_mm: float) -> Picture:
    """Return the FDG uptake (SUV) of the slice at `z`, before blurring."""
    canvas = Canvas(size, size, pixel_mm)
    level = z / HEIGHT_MM
    girth = 1.0 - 0.22 * max(0.0, 0.35 - level) / 0.35
    canvas.ellipse((0, 0), (165 * girth, 112 * girth), 0.35)
    canvas.ellipse((0, 0), (150 * girth, 98 * girth), 0.75)
    grow = _lung_size(level)
    if grow > 0:
        for side in (-1, 1):
            canvas.ellipse((side * 68, 0), (52 * grow, 78 * grow), 0.35)
    heart = 1 - ((z - 195) / 55) ** 2
    if heart > 0:
        scale = float(np.sqrt(heart))
        canvas.ellipse((30, -24), (48 * scale, 40 * scale), 1.6)
        canvas.ellipse((42, -16), (30 * scale, 26 * scale), 6.5)
        canvas.ellipse((40, -16), (18 * scale, 15 * scale), 1.7)
    if level > 0.72:
        dome = min(1.0, ((level - 0.72) / 0.14) ** 0.5)
        canvas.ellipse((-70, -4), (62 * dome + 1, 66 * dome + 1), 2.2)
        canvas.ellipse((92, 42), (26 * dome + 1, 34 * dome + 1), 1.9)
    canvas.ellipse((0, 66), (19, 16), 1.5)
    for centre, radius, uptake in ((NODULE, 11.0, 9.5), ((-14.0, -2.0, 118.0), 8.0, 6.0)):
        rest = radius**2 - (z - centre[2]) ** 2
        if rest > 0:
            canvas.ellipse((centre[0], centre[1]), (rest**0.5, rest**0.5), uptake)
    return canvas.image


def nodule_mask(z: float, size: int, pixel_mm: float) -> NDArray[np.bool_]:
    """Return where the slice at `z` cuts the nodule."""
    canvas = Canvas(size, size, pixel_mm)
    _nodule(canvas, z)
    mask: NDArray[np.bool_] = canvas.image > 12.0
    return mask


def _vessel_tree(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    tips: list[tuple[float, ...]] = []
    while len(tips) < 85:
        x, y, z = random.uniform((-52, -78, 14), (52, 78, 262))
        size = _lung_size(z / HEIGHT_MM)
        if size > 0 and (x / (52 * size)) ** 2 + (y / (78 * size)) ** 2 < 0.85:
            tips.append((side * 70 + float(x), float(y), float(z)))
    root = (side * 22.0, 6.0, 130.0)
    return branches(random, root, tips, 150, lambda t: 4.6 * (1 - t) ** 1.4 + 0.7)


def _lung_size(level: float) -> float:
    if not 0.02 < level < 0.93:
        return 0.0
    return float(min(1.0, (max(0.0, level - 0.02) / 0.38) ** 0.45))


def _lungs(canvas: Canvas, level: float) -> None:
    size = _lung_size(level)
    if size <= 0:
        return
    for side in (-1, 1):
        # The diaphragm pushes up from the middle of each lung: the lower slices keep a rim.
        radii = (57 * size, 84 * size)
        canvas.ellipse((side * (70 + 6 * (1 - size)), 0), radii, _LUNG, angle=side * 0.1)
        onset = 0.66 if side < 0 else 0.72
        dome = (level - onset) / (0.95 - onset)
        if dome > 0:
            rise = float(min(1.0, dome**0.5)) * 0.97
            value = 115.0 if side < 0 else 70.0
            canvas.ellipse((side * 68, -6), (57 * rise, 84 * rise), value, angle=side * 0.1)


def _mediastinum(canvas: Canvas, level: float) -> None:
    z = level * HEIGHT_MM
    canvas.ellipse((0, -8), (24, 62), -70.0)
    canvas.ellipse((2, 10), (24, 42), 20.0, alpha=0.75)
    heart = 1 - ((z - 195) / 62) ** 2
    if heart > 0:
        scale = float(np.sqrt(heart))
        canvas.ellipse((22, -22), (64 * scale, 50 * scale), -80.0, angle=0.35)
        canvas.ellipse((22, -22), (60 * scale, 46 * scale), 75.0, angle=0.35)
        canvas.ellipse((40, -10), (27 * scale, 22 * scale), _BLOOD, angle=0.6)
        canvas.ellipse((-4, -34), (26 * scale, 21 * scale), _BLOOD + 25, angle=0.2)
        canvas.ellipse((-8, 2), (24 * scale, 15 * scale), _BLOOD - 5)
    canvas.ellipse((22, 44), (12.5, 12.5), _BLOOD)
    if 70 < z < 175:
        canvas.ellipse((-12 + 0.05 * z, -30), (15.5, 15.5), _BLOOD + 5)
        canvas.ellipse((-36, -24), (9, 9), _BLOOD + 60)
    if 78 < z < 96:
        canvas.ellipse((12, 6), (17, 44), _BLOOD, angle=0.42)
    if 112 < z < 142:
        canvas.ellipse((20, -18), (15, 12), _BLOOD + 30)
        canvas.ellipse((-6, 2), (36, 10.5), _BLOOD + 30, angle=-0.25)
    if z <= 70:
        for x, y, r in ((-20, -6, 6), (17, -8, 5), (30, 4, 5.5), (-30, -22, 8)):
            canvas.ellipse((x, y), (r, r), _BLOOD)
    if z < 120:
        canvas.ellipse((0, 14), (10.5, 10), 55.0)
        canvas.ellipse((0, 14), (8.6, 8.4), -995.0)
    elif z < 165:
        spread = 8 + (z - 120) * 0.75
        for side in (-1, 1):
            canvas.ellipse((side * spread, 18), (7.6, 6.4), 40.0)
            canvas.ellipse((side * spread, 18), (6.0, 5.0), -990.0)
    canvas.ellipse((7, 36), (7, 5), 48.0)
    canvas.ellipse((7, 36), (2.0, 1.4), -200.0)


def _abdomen(canvas: Canvas, level: float) -> None:
    if level < 0.9:
        return
    canvas.ellipse((-52, -12), (78, 76), 112.0, angle=-0.2)
    canvas.ellipse((96, 30), (28, 40), 125.0, angle=0.3)
    canvas.ellipse((48, -40), (48, 30), 60.0, angle=0.3)
    canvas.ellipse((48, -46), (40, 20), -940.0, angle=0.3)
    for x, y in ((-60, -20), (-40, 8), (-80, 14), (-30, -30)):
        canvas.ellipse((x, y), (5, 4), 190.0)
    canvas.ellipse((8, 46), (12, 12), _BLOOD)


def _spine(canvas: Canvas, z: float) -> None:
    disc = (z / 24.0) % 1.0 < 0.2
    canvas.ellipse((0, 66), (20, 16.5), 120.0 if disc else 560.0)
    canvas.ellipse((0, 65.5), (17.8, 14.4), 95.0 if disc else 210.0)
    canvas.ellipse((0, 89), (13, 11), 30.0 if disc else 520.0)
    canvas.ellipse((0, 87), (9.2, 8.2), -40.0)
    canvas.ellipse((0, 87), (5.4, 4.6), 35.0)
    if not disc:
        for side in (-1, 1):
            canvas.ellipse((side * 24, 90), (17, 5), 480.0, angle=side * 0.35)
            canvas.ellipse((side * 24, 90), (14, 2.8), 220.0, angle=side * 0.35)
        canvas.ellipse((0, 103), (4, 9), 470.0)


def _nodule(canvas: Canvas, z: float) -> None:
    rest = NODULE_RADIUS_MM**2 - (z - NODULE[2]) ** 2
    if rest <= 0:
        return
    radius = rest**0.5
    for turn in np.linspace(0, 2 * np.pi, 9, endpoint=False):
        x, y = float(np.cos(turn + z)), float(np.sin(turn + z))
        canvas.ellipse(
            (NODULE[0] + x * radius * 0.9, NODULE[1] + y * radius * 0.9),
            (radius * 0.55, 1.1),
            5.0,
            angle=float(turn + z),
            alpha=0.8,
        )
    canvas.ellipse((NODULE[0], NODULE[1]), (radius, radius * 0.92), 38.0)


def _table(canvas: Canvas) -> None:
    curve = 120 - canvas.x**2 / 2900
    edge = np.abs(canvas.y - curve)
    canvas.over(np.clip(1.6 - edge, 0, 1).astype(np.float32), -180.0)
    shell = np.clip(1.6 - np.abs(canvas.y - curve - 22), 0, 1)
    canvas.over(shell.astype(np.float32), -180.0)
    filling = ((canvas.y > curve) & (canvas.y < curve + 22)).astype(np.float32)
    canvas.over(filling * np.float32(0.9), -960.0)


def texture(random: np.random.Generator, size: int) -> Picture:
    """Return CT noise (HU): mottle over a fine grain."""
    grain = random.standard_normal((size, size)).astype(np.float32) * np.float32(9)
    mottled = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1)) * np.float32(0.62)
    return mottled + clouds(random, size, size, [(size // 6, 5.0)])
