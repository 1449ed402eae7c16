"""Ultrasound of the demo: a beating heart in colour Doppler, liver and kidney in grey.

Implements the Ultrasound Multi-frame Image IOD (PS3.3 A.7) with region calibration (C.8.5.5)
and cine (C.7.6.5); JPEG baseline frames. Called by `studies.generate`.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.uid import UltrasoundMultiFrameImageStorage

from server.demo.attributes import Exam, Series, colour_frames, header, instance, put
from server.demo.painting import Canvas, Picture, blur, generator, to_bytes

_FAN_HALF_ANGLE: Final = 0.66
_US_SHAPE: Final = (480, 640)


def jpeg(picture: NDArray[np.uint8], quality: int = 88) -> bytes:
    """Return an RGB picture as JPEG baseline, 4:2:2."""
    out = io.BytesIO()
    Image.fromarray(picture, "RGB").save(out, "JPEG", quality=quality, subsampling="4:2:2")
    return out.getvalue()


def us_heart(exam: Exam, *, frames: int = 30, seed: int = 0) -> list[Dataset]:
    """Return a colour Doppler cine of a beating heart, four chambers, JPEG baseline."""
    random = generator("us", seed)
    template = header(
        exam,
        Series(
            modality="US",
            number=1,
            description="心脏四腔心 彩色多普勒",
            sop_class=UltrasoundMultiFrameImageStorage,
            device="Phantom US",
        ),
    )
    put(
        template,
        {
            "ImageType": ["ORIGINAL", "PRIMARY", "", "0011"],
            "PatientOrientation": "",
            "FrameTime": 33.3,
            "RecommendedDisplayFrameRate": 30,
            "CineRate": 30,
            "StartTrim": 1,
            "StopTrim": frames,
            "FrameDelay": 0,
            "HeartRate": 60,
            "NumberOfFrames": frames,
            "FrameIncrementPointer": 0x00181063,
            "UltrasoundColorDataPresent": 1,
            "TransducerData": ["Phantom 3MHz", "", ""],
            "BurnedInAnnotation": "NO",
            "SequenceOfUltrasoundRegions": _us_region(),
        },
    )
    pictures = []
    speckle = _Speckle(random)
    for index in range(frames):
        beat = 0.5 - 0.5 * float(np.cos(2 * np.pi * index / frames))
        pictures.append(jpeg(_sector(speckle, _heart_echo(beat), _flow(beat))))
    return [colour_frames(instance(template, 1), pictures, _US_SHAPE)]


def us_abdomen(exam: Exam, *, frames: int = 24, seed: int = 0) -> list[Dataset]:
    """Return a grey cine through liver and kidney while the patient breathes."""
    random = generator("us abdomen", seed)
    template = header(
        exam,
        Series(
            modality="US",
            number=1,
            description="肝肾切面",
            device="Phantom US",
            sop_class=UltrasoundMultiFrameImageStorage,
        ),
    )
    put(
        template,
        {
            "ImageType": ["ORIGINAL", "PRIMARY", "", "0001"],
            "PatientOrientation": "",
            "FrameTime": 50,
            "RecommendedDisplayFrameRate": 20,
            "CineRate": 20,
            "StartTrim": 1,
            "StopTrim": frames,
            "FrameDelay": 0,
            "NumberOfFrames": frames,
            "FrameIncrementPointer": 0x00181063,
            "UltrasoundColorDataPresent": 0,
            "TransducerData": ["Phantom 3MHz", "", ""],
            "BurnedInAnnotation": "NO",
            "SequenceOfUltrasoundRegions": _us_region(),
        },
    )
    speckle = _Speckle(random)
    pictures = []
    for index in range(frames):
        breath = float(np.sin(2 * np.pi * index / frames))
        pictures.append(jpeg(_sector(speckle, _liver_echo(breath * 6), None)))
    return [colour_frames(instance(template, 1), pictures, _US_SHAPE)]


class _Speckle:
    """The grain of a sector scan: fixed to the tissue, a little alive from frame to frame."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        rows, columns = _US_SHAPE
        y = np.arange(rows, dtype=np.float32)[:, None] + 18
        x = np.arange(columns, dtype=np.float32)[None, :] - columns / 2
        depth, angle = np.hypot(x, y), np.arctan2(x, y)
        self.fan = (np.abs(angle) < _FAN_HALF_ANGLE) & (depth > 46) & (depth < 470)
        self._depth = np.clip(depth, 0, 511).astype(np.intp)
        self._line = np.clip((angle / _FAN_HALF_ANGLE + 1) * 90, 0, 179).astype(np.intp)
        self.gain = np.clip(1.1 - depth / 900, 0.3, 1).astype(np.float32)
        self._still = self._field()

    def frame(self) -> Picture:
        polar = np.hypot(self._still * np.float32(0.92), self._field() * np.float32(0.4))
        picture: Picture = polar[self._depth, self._line]
        return blur(picture, 0.7)

    def _field(self) -> Picture:
        noise = self._random.standard_normal((2, 512, 180)).astype(np.float32)
        spread = (noise + np.roll(noise, 1, 1) + np.roll(noise, 2, 1) + np.roll(noise, 1, 2)) / 2
        field: Picture = np.hypot(spread[0], spread[1]).astype(np.float32)
        return field


def _sector(speckle: _Speckle, echo: Picture, flow: Picture | None) -> NDArray[np.uint8]:
    grain = speckle.frame()
    level = np.log1p(np.clip(echo, 0, None) * grain * speckle.gain * 9) / np.log(30)
    grey = np.clip(level, 0, 1) * speckle.fan
    colour = np.repeat((grey * 235)[..., None], 3, axis=2)
    if flow is not None:
        flow = flow * (echo < 0.1)
        strength = (
            np.clip(np.abs(flow) * (0.6 + 0.3 * grain), 0, 1)[..., None] * (speckle.fan[..., None])
        )
        shade = np.where(flow[..., None] > 0, [235.0, 70.0, 20.0], [30.0, 80.0, 235.0])
        mask = strength > 0.16
        colour = np.where(mask, colour * 0.15 + shade * (0.35 + 0.65 * strength), colour)
    canvas = Image.fromarray(to_bytes(colour.astype(np.float32)), "RGB")
    draw = ImageDraw.Draw(canvas)
    for row in range(0, 470, 47):
        draw.line([(612, 20 + row), (620 if row % 94 else 626, 20 + row)], fill=(150, 150, 150))
    for row in range(150):
        shade_now = int(230 * (1 - row / 150))
        draw.line([(14, 30 + row), (24, 30 + row)], fill=(shade_now,) * 3)
    draw.text((14, 8), "PIANKU DEMO   MI 0.9   TIS 0.6", fill=(190, 190, 190))
    return np.asarray(canvas)


def _heart_echo(beat: float) -> Picture:
    canvas = Canvas(_US_SHAPE[1], _US_SHAPE[0], 0.36, background=0.16)
    squeeze = 1 - 0.26 * beat
    canvas.ellipse((2, 8), (50, 66), 0.62, angle=0.08)
    canvas.ellipse((19, -12), (17 * squeeze, 37 * (1 - 0.12 * beat)), 0.03, angle=0.1)
    canvas.ellipse((-20, -10), (13 * squeeze, 31 * (1 - 0.12 * beat)), 0.03, angle=0.3)
    stretch = 1 + 0.18 * beat
    canvas.ellipse((20, 50), (16 * stretch, 15 * stretch), 0.03)
    canvas.ellipse((-17, 50), (15 * stretch, 14 * stretch), 0.03)
    opened = 1 - beat
    for side, x in ((1, 20.0), (-1, -18.0)):
        hinge = 17.0
        for sign in (-1, 1):
            tip = (x + sign * (3 + 8 * opened), 27.0 - 13 * opened)
            leaf = canvas.tube([(x + sign * hinge * 0.85, 29.0), tip], [1.7, 1.2])
            canvas.over(np.clip(leaf * 1.5, 0, 1), 1.5 if side > 0 else 1.3)
    canvas.ellipse((2, 84), (46, 3.4), 1.5)
    return canvas.image


def _flow(beat: float) -> Picture:
    canvas = Canvas(_US_SHAPE[1], _US_SHAPE[0], 0.36)
    filling = max(0.0, 1 - 1.7 * beat)
    canvas.blob((20, 14), (7, 20), 1.0 * filling, angle=0.05)
    canvas.blob((-18, 14), (6, 16), 0.8 * filling, angle=-0.05)
    canvas.blob((12, -18), (6, 17), -1.0 * max(0.0, beat - 0.35) * 1.5, angle=-0.3)
    canvas.blob((25, 44), (3.5, 11), -0.9 * max(0.0, beat - 0.3) * 1.5, angle=0.1)
    return canvas.image


def _liver_echo(shift: float) -> Picture:
    canvas = Canvas(_US_SHAPE[1], _US_SHAPE[0], 0.36, background=0.4)
    canvas.ellipse((-6, -6 + shift), (86, 60), 0.62)
    for x, y, r in ((-34, -22, 4.5), (10, -34, 3.4), (-10, 4, 5.6), (-52, 6, 3.2), (26, -12, 3)):
        canvas.ellipse((x, y + shift), (r * 2.1, r), 1.2, angle=0.6)
        canvas.ellipse((x, y + shift), (r * 1.7, r * 0.66), 0.03, angle=0.6)
    canvas.ellipse((34, 32 + shift), (38, 20), 1.2, angle=0.35)
    canvas.ellipse((34, 32 + shift), (36, 18), 0.36, angle=0.35)
    canvas.ellipse((34, 32 + shift), (20, 7.5), 1.1, angle=0.35)
    for turn in (-0.9, -0.3, 0.3, 0.9):
        canvas.ellipse((34 + 24 * turn, 24 + 9 * turn + shift), (4.4, 3.2), 0.14)
    canvas.ellipse((-38, 22 + shift), (15, 8.5), 0.02, angle=-0.4)
    canvas.ellipse((-40, 43 + shift), (13, 14), 1.05, alpha=0.45)
    dome = Canvas(_US_SHAPE[1], _US_SHAPE[0], 0.36)
    line = dome.tube(
        [(-90.0, 40.0 + shift), (-50.0, 66.0 + shift), (0.0, 70.0 + shift), (60.0, 58.0 + shift)],
        [1.6, 1.8, 1.8, 1.6],
    )
    canvas.over(np.clip(line * 1.4, 0, 1), 2.2)
    return canvas.image


def _us_region() -> dict[str, Any]:
    return {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": 30,
        "RegionLocationMinY0": 20,
        "RegionLocationMaxX1": 609,
        "RegionLocationMaxY1": 459,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.036,
        "PhysicalDeltaY": 0.036,
    }
