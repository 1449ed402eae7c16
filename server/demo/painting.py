"""Brushes for phantoms: soft ellipses, tubes, path lengths, noise; numpy alone.

No standard: the pictures are invented, the geometry is in millimetres as in PS3.3 C.7.6.2.
Called by the picture modules of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Point = tuple[float, float]

_EDGE_PIXELS: Final = 1.0


def generator(kind: str, seed: int) -> np.random.Generator:
    """Return the random numbers of one thing: the same for the same kind and seed."""
    return np.random.default_rng([seed, *kind.encode()])


class Canvas:
    """A picture whose brushes are measured in millimetres from its centre (x right, y down)."""

    def __init__(
        self, width: int, height: int, pixel_mm: float, *, background: float = 0.0
    ) -> None:
        self.pixel_mm = pixel_mm
        self.image: Picture = np.full((height, width), background, np.float32)
        self._x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * np.float32(pixel_mm)
        self._y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) * np.float32(pixel_mm)

    @property
    def x(self) -> Picture:
        """Return the x of every column, one row high."""
        return self._x[None, :]

    @property
    def y(self) -> Picture:
        """Return the y of every row, one column wide."""
        return self._y[:, None]

    def ellipse(
        self, centre: Point, radii: Point, value: float, *, angle: float = 0.0, alpha: float = 1.0
    ) -> None:
        """Paint an ellipse over what is there, its edge one pixel soft."""
        window = self._window(centre, max(radii), max(radii))
        if window is None:
            return
        radius = self._radius(window, centre, radii, angle)
        sharpness = min(radii) / (self.pixel_mm * _EDGE_PIXELS)
        cover = np.clip((1 - radius) * sharpness + 0.5, 0, 1) * np.float32(alpha)
        part = self.image[window]
        part += cover * (np.float32(value) - part)

    def ellipsoid(self, centre: Point, radii: Point, value: float, *, angle: float = 0.0) -> None:
        """Add the path length through an ellipsoid (1 in its middle) times `value`."""
        window = self._window(centre, max(radii), max(radii))
        if window is None:
            return
        radius = self._radius(window, centre, radii, angle)
        depth = np.sqrt(np.clip(1 - radius * radius, 0, 1))
        self.image[window] += depth * np.float32(value)

    def blob(self, centre: Point, radii: Point, value: float, *, angle: float = 0.0) -> None:
        """Add a Gaussian hill; `radii` are its standard deviations."""
        reach = 3.2 * max(radii)
        window = self._window(centre, reach, reach)
        if window is None:
            return
        radius = self._radius(window, centre, radii, angle)
        self.image[window] += np.exp(-0.5 * radius * radius) * np.float32(value)

    def tube(
        self, points: Sequence[Point], radii: Sequence[float], *, hollow: float = 0.0
    ) -> Picture:
        """Return the layer (0..1) of a bent rod through `points`; `hollow` thins its core.

        The value is the path length through the rod, so that adding the layer looks like a
        bone on a radiograph; `hollow` near 1 leaves the cortex only.
        """
        layer = np.zeros_like(self.image)
        for start, end, r0, r1 in zip(points, points[1:], radii, radii[1:], strict=False):
            self._capsule(layer, start, end, (r0, r1), hollow)
        return layer

    def over(self, layer: Picture, value: float) -> None:
        """Paint `value` where the layer is 1, in part where it is less."""
        self.image += layer * (np.float32(value) - self.image)

    def add(self, layer: Picture, value: float) -> None:
        """Add the layer times `value`."""
        self.image += layer * np.float32(value)

    def spot(self, centre: Point, radius: float, value: float) -> None:
        """Paint a small disc where it is brighter than what is there."""
        window = self._window(centre, radius + self.pixel_mm, radius + self.pixel_mm)
        if window is None:
            return
        distance = self._radius(window, centre, (1.0, 1.0), 0.0)
        cover = np.clip((radius - distance) / self.pixel_mm + 0.5, 0, 1)
        part = self.image[window]
        part += cover * np.maximum(np.float32(value) - part, 0)

    def _window(
        self, centre: Point, half_width: float, half_height: float
    ) -> tuple[slice, slice] | None:
        pad = 2 * self.pixel_mm
        left, right = np.searchsorted(
            self._x, [centre[0] - half_width - pad, centre[0] + half_width + pad]
        )
        top, bottom = np.searchsorted(
            self._y, [centre[1] - half_height - pad, centre[1] + half_height + pad]
        )
        if left == right or top == bottom:
            return None
        return slice(int(top), int(bottom)), slice(int(left), int(right))

    def _radius(
        self, window: tuple[slice, slice], centre: Point, radii: Point, angle: float
    ) -> Picture:
        dx = self._x[window[1]][None, :] - np.float32(centre[0])
        dy = self._y[window[0]][:, None] - np.float32(centre[1])
        if angle:
            cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
        dx, dy = dx / np.float32(radii[0]), dy / np.float32(radii[1])
        radius: Picture = np.sqrt(dx * dx + dy * dy)
        return radius

    def _capsule(
        self, layer: Picture, start: Point, end: Point, radii: tuple[float, float], hollow: float
    ) -> None:
        reach = max(radii)
        centre = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        window = self._window(
            centre, abs(start[0] - end[0]) / 2 + reach, abs(start[1] - end[1]) / 2 + reach
        )
        if window is None:
            return
        dx, dy = end[0] - start[0], end[1] - start[1]
        px = self._x[window[1]][None, :] - np.float32(start[0])
        py = self._y[window[0]][:, None] - np.float32(start[1])
        step = np.float32(max(dx * dx + dy * dy, 1e-6))
        along = np.clip((px * np.float32(dx) + py * np.float32(dy)) / step, 0, 1)
        distance = np.hypot(px - along * np.float32(dx), py - along * np.float32(dy))
        radius = np.float32(radii[0]) + along * np.float32(radii[1] - radii[0])
        depth = rod_depth((distance / radius).astype(np.float32), hollow)
        np.maximum(layer[window], depth, out=layer[window])


def rod_depth(radius: Picture, hollow: float = 0.0) -> Picture:
    """Return the path length through a rod at a distance of `radius` (1 = its surface)."""
    outer: Picture = np.sqrt(np.clip(1 - radius * radius, 0, 1)).astype(np.float32)
    if hollow:
        inner = np.sqrt(np.clip(hollow * hollow - radius * radius, 0, 1))
        outer -= np.float32(0.75) * inner.astype(np.float32)
    return outer


def resize(image: Picture, height: int, width: int) -> Picture:
    """Return the picture at another size, bilinear."""
    rows = np.linspace(0, image.shape[0] - 1, height, dtype=np.float32)
    columns = np.linspace(0, image.shape[1] - 1, width, dtype=np.float32)
    top = np.minimum(rows.astype(np.intp), image.shape[0] - 2)
    left = np.minimum(columns.astype(np.intp), image.shape[1] - 2)
    down = (rows - top)[:, None]
    across = (columns - left)[None, :]
    lines = image[top] * (1 - down) + image[top + 1] * down
    result: Picture = lines[:, left] * (1 - across) + lines[:, left + 1] * across
    return result.astype(np.float32)


def clouds(
    random: np.random.Generator, height: int, width: int, cells: Sequence[tuple[int, float]]
) -> Picture:
    """Return smooth noise: for every (cells across, weight) one octave, about -1..1 each."""
    image = np.zeros((height, width), np.float32)
    for across, weight in cells:
        down = max(2, round(across * height / width))
        grid = random.standard_normal((down + 1, max(2, across) + 1)).astype(np.float32)
        image += np.float32(weight * 0.7) * resize(grid, height, width)
    return image


def blur(image: Picture, sigma_pixels: float) -> Picture:
    """Return the picture blurred by a Gaussian (edges are repeated)."""
    reach = max(1, int(3 * sigma_pixels))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_pixels) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(0, 0)] * image.ndim
        pad[axis] = (reach, reach)
        wide = np.pad(image, pad, mode="edge")
        length = image.shape[axis]
        total = np.zeros_like(image)
        for offset, weight in enumerate(kernel):
            total += weight * wide.take(range(offset, offset + length), axis)
        image = total
    return image


def branches(
    random: np.random.Generator,
    root: tuple[float, ...],
    tips: Sequence[tuple[float, ...]],
    steps: int,
    radius: Callable[[float], float],
) -> NDArray[np.float32]:
    """Return rows (coordinates..., radius) along bent paths from `root` to every tip."""
    start = np.asarray(root, np.float32)
    along = np.linspace(0, 1, steps, dtype=np.float32)
    widths = np.array([radius(float(t)) for t in along], np.float32)
    rows = []
    for tip in tips:
        end = np.asarray(tip, np.float32)
        bend = random.normal(0, 0.12, (2, start.size)).astype(np.float32)
        bend *= np.float32(np.linalg.norm(end - start))
        wave = np.sin(np.pi * along)[:, None] * bend[0] + np.sin(2 * np.pi * along)[:, None] * (
            bend[1] * np.float32(0.4)
        )
        path = start + along[:, None] * (end - start) + wave
        rows.append(np.column_stack([path, widths]))
    result: NDArray[np.float32] = np.concatenate(rows).astype(np.float32)
    return result


def taper(wide: float, power: float, least: float) -> Callable[[float], float]:
    """Return how wide a vessel is along its path (0..1)."""
    return lambda t: wide * (1 - t) ** power + least


def to_unsigned(image: Picture, top: int) -> NDArray[np.uint16]:
    """Return the picture rounded and clipped to 0..top."""
    return np.clip(np.rint(image), 0, top).astype(np.uint16)


def to_bytes(image: Picture) -> NDArray[np.uint8]:
    """Return the picture rounded and clipped to 8 bits."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
