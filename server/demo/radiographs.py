"""Radiographs of the demo: a chest (DX), a hand (CR) and a breast (MG).

Implements the Digital X-Ray (PS3.3 A.26), Computed Radiography (A.2) and Digital Mammography
(A.27) IODs, for presentation. The pictures are path lengths, so that they look like X-rays.
Called by `studies.generate`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
)

from server.demo.attributes import Exam, Series, code, grey_pixels, header, instance, put
from server.demo.painting import Canvas, Picture, blur, clouds, generator, resize, to_unsigned

_WHITE: Final = 4095


def dx_chest(exam: Exam, *, seed: int = 0, inverse: bool = False, number: int = 1) -> list[Dataset]:
    """Return a PA chest radiograph, 2048 x 2320, 12 bits; `inverse` stores MONOCHROME1."""
    random = generator("dx", seed)
    stored = _expose(random, _chest_thickness(random), (2320, 2048), 0.011)
    template = header(
        exam,
        Series(
            modality="DX",
            number=number,
            description="胸部正位",
            sop_class=DigitalXRayImageStorageForPresentation,
            device="Phantom DR",
        ),
    )
    put(
        template,
        {
            **_projection_values(0.18),
            "PatientOrientation": ["L", "F"],
            "ImageLaterality": "U",
            "ViewPosition": "PA",
            "KVP": 120,
            "Exposure": 2,
            "Grid": "FOCUSED",
            "AnatomicRegionSequence": code("51185008", "SCT", "Chest"),
            "ViewCodeSequence": code("399348003", "SCT", "postero-anterior"),
        },
    )
    return [_projected(template, 1, stored, inverse=inverse)]


def cr_hand(exam: Exam, *, seed: int = 0, scale: float = 1.0) -> list[Dataset]:
    """Return a CR of the left hand, MONOCHROME1 as such devices store it."""
    random = generator("cr", seed)
    stored = _expose(random, _hand_thickness(scale), (1220, 1020), 0.02)
    template = header(
        exam,
        Series(
            modality="CR",
            number=1,
            description="左手正位",
            sop_class=ComputedRadiographyImageStorage,
            device="Phantom CR",
        ),
    )
    put(
        template,
        {
            "ImageType": ["ORIGINAL", "PRIMARY"],
            "ViewPosition": "AP",
            "Laterality": "L",
            "PatientOrientation": ["L", "F"],
            "ImagerPixelSpacing": [0.2, 0.2],
            "AcquisitionNumber": 1,
            "KVP": 50,
            "CassetteOrientation": "PORTRAIT",
            "WindowCenter": 2000,
            "WindowWidth": 3400,
        },
    )
    ds = instance(template, 1)
    return [
        grey_pixels(ds, (_WHITE - stored).astype(np.uint16), bits=12, photometric="MONOCHROME1")
    ]


def mg_screening(exam: Exam, *, seed: int = 0) -> list[Dataset]:
    """Return the four views of a screening mammography (R/L CC and MLO), 1280 x 1664."""
    result = []
    for number, (side, view) in enumerate(
        (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")), start=1
    ):
        random = generator(f"mg{side}{view}", seed)
        template = header(
            exam,
            Series(
                modality="MG",
                number=number,
                description=f"{side} {view}",
                sop_class=DigitalMammographyXRayImageStorageForPresentation,
                device="Phantom MG",
            ),
        )
        put(template, _mammography_values(side, view))
        ds = _projected(template, number, _breast(random, side, view))
        put(ds, {"WindowCenter": 1900, "WindowWidth": 3400})
        result.append(ds)
    return result


def _projected(
    template: Dataset, number: int, stored: NDArray[np.uint16], *, inverse: bool = False
) -> Dataset:
    ds = instance(template, number)
    put(
        ds,
        {
            "WindowCenter": 2048,
            "WindowWidth": 4096,
            "PresentationLUTShape": "INVERSE" if inverse else "IDENTITY",
        },
    )
    if not inverse:
        return grey_pixels(ds, stored, bits=12)
    flipped = (_WHITE - stored).astype(np.uint16)
    return grey_pixels(ds, flipped, bits=12, photometric="MONOCHROME1")


def _projection_values(pixel_mm: float) -> dict[str, Any]:
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "PresentationIntentType": "FOR PRESENTATION",
        "AcquisitionNumber": 1,
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": -1,
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RescaleType": "US",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "DetectorType": "SCINTILLATOR",
        "DetectorConfiguration": "AREA",
        "ImagerPixelSpacing": [pixel_mm, pixel_mm],
        "PositionerType": "NONE",
        "AcquisitionContextSequence": [],
        "DetectorTemperature": 30,
    }


def _mammography_values(side: str, view: str) -> dict[str, Any]:
    codes = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
    return {
        **_projection_values(0.1),
        "PatientOrientation": _breast_orientation(side, view),
        "ImageLaterality": side,
        "OrganExposed": "BREAST",
        "KVP": 28,
        "Exposure": 90,
        "PositionerType": "MAMMOGRAPHIC",
        "ViewPosition": view,
        "BodyPartThickness": 52,
        "CompressionForce": 90,
        "AnodeTargetMaterial": "TUNGSTEN",
        "FilterMaterial": "RHODIUM",
        "BreastImplantPresent": "NO",
        "PositionerPrimaryAngle": 0 if view == "CC" else 45,
        "AnatomicRegionSequence": code("76752008", "SCT", "Breast"),
        "ViewCodeSequence": {
            **code(codes[view][0], "SCT", codes[view][1]),
            "ViewModifierCodeSequence": [],
        },
    }


def _breast_orientation(side: str, view: str) -> list[str]:
    first = "P" if side == "R" else "A"
    second = {"CC": {"R": "L", "L": "R"}[side], "MLO": "FL" if side == "R" else "FR"}[view]
    return [first, second]


def _expose(
    random: np.random.Generator, thickness: Picture, shape: tuple[int, int], grain: float
) -> NDArray[np.uint16]:
    """Turn a thickness map into a presentable 12-bit radiograph of `shape`."""
    large = resize(thickness, *shape)
    low, high = np.percentile(thickness, (1.0, 99.7))
    level = np.clip((large - low) / (high - low), 0, 1.05)
    level = level ** np.float32(0.82)
    level = level + random.standard_normal(shape, np.float32) * np.float32(grain)
    return to_unsigned(level * np.float32(3900) + np.float32(60), _WHITE)


def _chest_thickness(random: np.random.Generator) -> Picture:
    canvas = Canvas(1024, 1160, 0.37)
    canvas.ellipsoid((0, 60), (172, 330), 1.5)
    canvas.ellipsoid((0, -150), (62, 95), 0.55)
    for side in (-1, 1):
        canvas.ellipsoid((side * 168, -92), (62, 66), 0.55)
    lungs = Canvas(1024, 1160, 0.37)
    for side in (-1, 1):
        lungs.ellipsoid((side * 76, -20), (62, 150), 1.25, angle=side * -0.13)
        lungs.ellipsoid((side * 88, 25), (54, 105), 0.5)
    _diaphragm(lungs)
    canvas.image -= blur(lungs.image, 1.6)
    canvas.ellipsoid((28, 62), (64, 62), 0.95, angle=0.5)
    canvas.ellipsoid((22, 22), (40, 70), 0.35, angle=-0.2)
    canvas.ellipsoid((30, -58), (17, 18), 0.34)
    canvas.ellipsoid((-24, -20), (22, 72), 0.3)
    canvas.ellipsoid((0, -70), (34, 90), 0.35)
    trachea = canvas.tube([(0, -190), (-2, -100), (-1, -62)], [8, 8, 8])
    canvas.add(trachea, -0.3)
    for side in (-1, 1):
        canvas.add(canvas.tube([(-1, -64), (side * 26, -38)], [7, 5]), -0.2)
        _hilum(canvas, random, side)
        _cage(canvas, side)
    for index in range(16):
        y = -190 + index * 24
        canvas.ellipsoid((0, y), (18, 12), 0.30)
        canvas.ellipsoid((0, y + 3), (3, 7), 0.12)
    canvas.ellipsoid((-58, -62), (9, 9), 0.24)
    return blur(canvas.image, 0.9) + clouds(random, 1160, 1024, [(60, 0.012), (160, 0.01)])


def _diaphragm(lungs: Canvas) -> None:
    for side, top in ((-1, 92.0), (1, 104.0)):
        dome = top + ((lungs.x - side * 76) / 66) ** 2 * 34
        below = np.clip((lungs.y - dome) / 3, 0, 1) * (lungs.x * side > 0)
        lungs.over(below.astype(np.float32), 0.0)


def _hilum(canvas: Canvas, random: np.random.Generator, side: int) -> None:
    for _ in range(46):
        turn = random.uniform(-1.5, 1.5)
        reach = random.uniform(35, 105)
        start = (side * 24.0, -18.0 + float(random.uniform(-12, 22)))
        end = (
            start[0] + side * reach * float(np.cos(turn)) * 0.75,
            start[1] + reach * float(np.sin(turn)),
        )
        middle = (
            (start[0] + end[0]) / 2 + float(random.normal(0, 4)),
            (start[1] + end[1]) / 2 + float(random.normal(0, 6)),
        )
        canvas.add(canvas.tube([start, middle, end], [3.4, 1.9, 0.7]), 0.1)


def _cage(canvas: Canvas, side: int) -> None:
    for rib in range(10):
        top = -172 + rib * 27
        wide = 62 + min(rib, 6) * 12
        turns = np.linspace(-1.35, 1.45, 16)
        back = [
            (side * (14 + wide * float(np.cos(t)) ** 0.9), top + 26 * float(np.sin(t)) + 18)
            for t in turns
        ]
        canvas.add(canvas.tube(back, [4.6] * 16, hollow=0.72), 0.34)
        front = [
            (side * (wide + 12 - s * 0.72 * wide), top + 44 + s * 34)
            for s in np.linspace(0, 0.8, 8)
        ]
        if rib < 7:
            canvas.add(canvas.tube(front, [4.8] * 8, hollow=0.72), 0.22)
    clavicle = [
        (side * 14.0, -122.0),
        (side * 60.0, -132.0),
        (side * 100.0, -146.0),
        (side * 140.0, -148.0),
    ]
    canvas.add(canvas.tube(clavicle, [7, 5.5, 5.5, 7], hollow=0.7), 0.34)
    blade = [(side * 142.0, -128.0), (side * 128.0, -60.0), (side * 112.0, 4.0)]
    canvas.add(canvas.tube(blade, [9, 6, 3], hollow=0.85), 0.2)
    arm = [(side * 172.0, -128.0), (side * 184.0, -60.0), (side * 190.0, 60.0)]
    canvas.add(canvas.tube(arm, [20, 12, 11], hollow=0.7), 0.42)


def _hand_thickness(scale: float) -> Picture:
    canvas = Canvas(510, 610, 0.4)
    soft, bone = np.zeros_like(canvas.image), np.zeros_like(canvas.image)
    start: tuple[float, float]
    fingers: tuple[
        tuple[tuple[float, float], float, tuple[float, ...]], ...
    ] = (  # base of the metacarpal, direction (degrees from up), lengths of the four bones
        ((-28, 42), -46, (34, 26, 0, 19)),
        ((-15, 36), -13, (54, 33, 20, 14)),
        ((-3, 34), -2, (52, 36, 23, 15)),
        ((9, 37), 8, (47, 33, 22, 15)),
        ((20, 42), 19, (43, 27, 16, 13)),
    )
    for base, degrees, lengths in fingers:
        x, y = base[0] * scale, base[1] * scale
        turn = np.deg2rad(degrees)
        dx, dy = float(np.sin(turn)), -float(np.cos(turn))
        start = (x, y)
        for index, unscaled in enumerate(lengths):
            if not unscaled:
                continue
            length = unscaled * scale
            end = (x + dx * length, y + dy * length)
            middle = ((x + end[0]) / 2, (y + end[1]) / 2)
            thick = (4.6 - 0.75 * index) * scale
            shape = [thick * 1.15, thick * 0.72, thick]
            np.maximum(bone, canvas.tube([(x, y), middle, end], shape, hollow=0.68), out=bone)
            x, y = end[0] + dx * 2.2 * scale, end[1] + dy * 2.2 * scale
        tip = (x + dx * 3, y + dy * 3)
        np.maximum(soft, canvas.tube([start, tip], [11 * scale, 7.5 * scale]), out=soft)
    palm = canvas.tube(
        [(-6 * scale, 26 * scale), (2 * scale, -2 * scale)], [35 * scale, 33 * scale]
    )
    wrist = canvas.tube([(-2 * scale, 30 * scale), (-2, 122)], [29 * scale, 24 * scale])
    soft = np.maximum(np.maximum(soft, palm * np.float32(0.9)), wrist)
    for cx, cy, r in (
        (-20, 50, 7),
        (-8, 47, 7),
        (3, 47, 7),
        (14, 50, 6.5),
        (-13, 61, 7.5),
        (-1, 61, 7),
        (10, 61, 6.5),
        (17, 59, 4),
    ):
        part = Canvas(510, 610, 0.4)
        part.ellipsoid((cx * scale, cy * scale), (r * scale, r * scale * 0.9), 1.0)
        np.maximum(bone, part.image * np.float32(0.85), out=bone)
    for x0, wide in ((-13, 11.0), (12, 7.0)):
        shaft = [(x0 * scale, 76 * scale), (x0 * 0.85 * scale, 96 * scale), (x0 * 0.8, 125)]
        radii = [wide * scale, wide * 0.68 * scale, wide * 0.6 * scale]
        np.maximum(bone, canvas.tube(shaft, radii, hollow=0.7), out=bone)
    random = generator("hand", 1)
    grain = clouds(random, 610, 510, [(90, 0.05), (200, 0.05)])
    return blur(soft * np.float32(0.55) + bone * (np.float32(1.0) + grain), 0.7)


def _breast(random: np.random.Generator, side: str, view: str) -> NDArray[np.uint16]:
    rows, columns = 832, 640
    canvas = Canvas(columns, rows, 0.2)
    wall = -64.0
    droop = 14.0 if view == "MLO" else 0.0
    reach = np.hypot((canvas.x - wall) / 92, (canvas.y - droop) / 66)
    inside = np.clip((1 - reach) * 30, 0, 1)
    thick = np.clip((1 - reach**4), 0, 1) ** np.float32(0.5) * inside
    fat = 0.36 * thick
    gland_reach = np.hypot((canvas.x - wall - 20) / 62, (canvas.y - droop) / 42)
    density = clouds(random, rows, columns, [(5, 0.5), (10, 0.5), (24, 0.35), (60, 0.22)])
    gland = np.clip((1.05 - gland_reach) * 1.7, 0, 1) * np.clip(0.55 + density, 0, 1.6)
    strands = np.abs(clouds(random, rows, columns, [(9, 0.6), (20, 0.5)]))
    fibres = np.exp(-strands * 16) * np.clip(1.15 - reach, 0, 1)
    image = fat + thick * (0.34 * gland + 0.14 * fibres)
    canvas.image = (image + 0.18 * np.exp(-(((1 - reach) * 60) ** 2)) * inside).astype(np.float32)
    canvas.blob((wall + 88, droop), (3.0, 4.0), 0.15)
    if view == "MLO":
        muscle = (canvas.x - wall) / 48 + (canvas.y + 84) / 108
        canvas.add((np.clip((1 - muscle) * 9, 0, 1)).astype(np.float32), 0.42)
    if side == "L":
        canvas.blob((wall + 42, droop - 16), (4.6, 4.0), 0.3)
        for _ in range(16):
            x, y = random.normal((wall + 44, droop - 16), 3.4)
            canvas.spot((float(x), float(y)), 0.34, 1.05)
    large = resize(blur(canvas.image, 0.6), rows * 2, columns * 2)
    large += random.standard_normal(large.shape, np.float32) * np.float32(0.012) * (large > 0.02)
    if side == "R":
        large = large[:, ::-1]
    return to_unsigned(large * np.float32(3600), _WHITE)
