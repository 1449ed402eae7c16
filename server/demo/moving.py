"""An angiogram and a bone scan of the demo: frames over time and over detectors.

Implements the X-Ray Angiographic (PS3.3 A.14) and Nuclear Medicine (A.5) Image IODs; cine as
in C.7.6.5. Called by `studies.generate`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import NuclearMedicineImageStorage, XRayAngiographicImageStorage

from server.demo.attributes import Exam, Series, code, grey_pixels, header, instance, put
from server.demo.painting import Canvas, Picture, blur, branches, clouds, generator, taper, to_bytes


def xa_coronary(exam: Exam, *, frames: int = 30, size: int = 512, seed: int = 0) -> list[Dataset]:
    """Return an angiogram of the left coronary artery: contrast runs in, fills, washes out."""
    random = generator("xa", seed)
    template = header(
        exam,
        Series(
            modality="XA",
            number=1,
            description="左冠状动脉 RAO 30",
            device="Phantom XA",
            sop_class=XRayAngiographicImageStorage,
        ),
    )
    put(
        template,
        {
            "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
            "AcquisitionNumber": 1,
            "PatientOrientation": "",
            "PixelIntensityRelationship": "LIN",
            "KVP": 82,
            "Exposure": 6,
            "XRayTubeCurrent": 600,
            "ExposureTime": 8,
            "RadiationSetting": "GR",
            "ImagerPixelSpacing": [0.28, 0.28],
            "PositionerMotion": "STATIC",
            "PositionerPrimaryAngle": -30,
            "PositionerSecondaryAngle": 20,
            "FrameTime": 66.7,
            "FrameIncrementPointer": 0x00181063,
            "RecommendedDisplayFrameRate": 15,
            "CineRate": 15,
            "LossyImageCompression": "00",
            "WindowCenter": 128,
            "WindowWidth": 230,
        },
    )
    tree = _coronary_tree(random)
    ground = _fluoroscopy_ground(random, size)
    pixels = np.empty((frames, size, size), np.uint8)
    for index in range(frames):
        phase = 2 * np.pi * index / 12
        canvas = Canvas(size, size, 140.0 / size)
        arrived = (index - 3) / 9
        washed = max(0.0, (index - frames * 0.62) / (frames * 0.45))
        swing = 2.6 * float(np.sin(phase))
        for x, y, radius, distance in tree.tolist():
            if distance < arrived:
                move = 0.4 + distance
                density = (1 - washed) * (0.42 + 0.26 * radius)
                canvas.spot((x + swing * move, y - 0.8 * swing * move), radius, density)
        canvas.spot((-34 + swing * 0.2, -50), 1.6, 0.5)
        frame = ground * np.exp(-1.15 * blur(canvas.image, 0.8))
        frame += random.standard_normal((size, size)).astype(np.float32) * np.float32(5.5)
        pixels[index] = to_bytes(frame)
    return [grey_pixels(instance(template, 1), pixels, bits=8)]


def _coronary_tree(random: np.random.Generator) -> NDArray[np.float32]:
    rows = []
    trunk = ((-34, -50), (-12, -42))
    mains = (
        ((-12, -42), ((36, 52), (20, 56), (8, 40)), 3.0),
        ((-12, -42), ((-34, 44), (-46, 26), (-20, 52)), 2.6),
        ((6, -10), ((44, -4), (52, 18)), 1.9),
        ((18, 14), ((52, 36), (2, 44)), 1.6),
        ((-26, -4), ((-56, -4), (-58, 14)), 1.7),
        ((-32, 16), ((-10, 34),), 1.4),
    )
    catheter = branches(random, (-62.0, -80.0), [trunk[0]], 60, lambda _: 1.0)
    rows.append(np.column_stack([catheter, np.full(len(catheter), -1.0, np.float32)]))
    stem = branches(random, trunk[0], [trunk[1]], 40, lambda _: 1.7)
    rows.append(np.column_stack([stem, np.linspace(0, 0.15, len(stem), dtype=np.float32)]))
    for root, tips, wide in mains:
        steps = 130
        part = branches(random, root, list(tips), steps, taper(0.52 * wide, 0.7, 0.4))
        offset = float(np.hypot(root[0] + 12, root[1] + 42)) / 110
        along = np.tile(np.linspace(0.15, 0.9, steps, dtype=np.float32), len(tips)) + offset
        rows.append(np.column_stack([part, along]))
    result: NDArray[np.float32] = np.concatenate(rows).astype(np.float32)
    narrow = np.hypot(result[:, 0] - 12, result[:, 1] - 2) < 3.2
    result[narrow, 2] *= 0.45
    return result


def _fluoroscopy_ground(random: np.random.Generator, size: int) -> Picture:
    canvas = Canvas(size, size, 140.0 / size, background=172.0)
    canvas.image += clouds(random, size, size, [(3, 16.0), (8, 7.0)])
    canvas.blob((52, 8), (20, 42), -58.0)
    diaphragm = np.clip((canvas.y - 44 + (canvas.x + 22) ** 2 / 190) / 5, 0, 1)
    canvas.image *= 1 - np.float32(0.3) * diaphragm
    for rib in range(6):
        y = -78 + rib * 30
        points = [
            (float(x), y + 0.004 * float(x) ** 2 + 0.16 * float(x))
            for x in np.linspace(-76, 76, 12)
        ]
        canvas.add(canvas.tube(points, [5.5] * 12, hollow=0.75), -22.0)
    return blur(canvas.image, 1.5)


def nm_bone_scan(exam: Exam, *, seed: int = 0) -> list[Dataset]:
    """Return a whole-body bone scan: two frames, anterior and posterior."""
    random = generator("nm", seed)
    template = header(
        exam,
        Series(
            modality="NM",
            number=1,
            description="全身骨显像",
            sop_class=NuclearMedicineImageStorage,
            device="Phantom Gamma",
        ),
    )
    start = {"DetectorVector": [1, 2], "EnergyWindowVector": [1, 1]}
    put(
        template,
        {
            "ImageType": ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"],
            "AcquisitionNumber": 1,
            "PatientOrientationCodeSequence": {
                **code("102538003", "SCT", "recumbent"),
                "PatientOrientationModifierCodeSequence": code("40199007", "SCT", "supine"),
            },
            "PatientGantryRelationshipCodeSequence": code("102540008", "SCT", "headfirst"),
            "NumberOfEnergyWindows": 1,
            "NumberOfDetectors": 2,
            **start,
            "FrameIncrementPointer": [0x00540010, 0x00540020],
            "PixelSpacing": [2.4, 2.4],
            "CountsAccumulated": 1_500_000,
            "ActualFrameDuration": 900000,
            "WholeBodyTechnique": "1PS",
            "ScanVelocity": 2.2,
            "ScanLength": 2000,
            "EnergyWindowInformationSequence": {
                "EnergyWindowName": "Tc99m",
                "EnergyWindowRangeSequence": {
                    "EnergyWindowLowerLimit": 126,
                    "EnergyWindowUpperLimit": 154,
                },
            },
            "RadiopharmaceuticalInformationSequence": {
                "RadionuclideCodeSequence": code("72454001", "SCT", "^99m^Technetium"),
                "RadiopharmaceuticalRoute": "IV",
                "Radiopharmaceutical": "Tc-99m MDP",
                "RadionuclideTotalDose": 740,
            },
            "DetectorInformationSequence": [
                {
                    "CollimatorType": "PARA",
                    "FocalDistance": 0,
                    "CollimatorGridName": "LEHR",
                    "StartAngle": angle,
                    "ImageOrientationPatient": None,
                    "ImagePositionPatient": None,
                    "ViewCodeSequence": {**code(*view), "ViewModifierCodeSequence": []},
                }
                for angle, view in (
                    (0, ("399350006", "SCT", "antero-posterior")),
                    (180, ("399348003", "SCT", "postero-anterior")),
                )
            ],
            "WindowCenter": 20,
            "WindowWidth": 40,
        },
    )
    frames = [_skeleton_counts(random, back=back) for back in (False, True)]
    return [grey_pixels(instance(template, 1), np.stack(frames), bits=16)]


def _skeleton_counts(random: np.random.Generator, *, back: bool) -> NDArray[np.uint16]:
    canvas = Canvas(256, 832, 2.4, background=0.02)
    side_weight = 1.35 if back else 0.8
    canvas.ellipsoid((0, -890), (68, 96), 8.0)
    canvas.ellipsoid((0, -430), (150, 330), 2.2)
    canvas.ellipsoid((0, -80), (150, 130), 2.6)
    for index in range(22):
        y = -770 + index * 29
        canvas.ellipsoid((0, y), (19 + index * 0.5, 13), 9.5 * side_weight)
    for side in (-1, 1):
        for rib in range(10):
            wide = 78 + min(rib, 5) * 13
            points = [
                (
                    side * (18 + wide * float(np.sin(t))),
                    -720 + rib * 36 + 22 * (1 - float(np.cos(t * 1.7))),
                )
                for t in np.linspace(0.05, 1.5, 9)
            ]
            canvas.add(canvas.tube(points, [7.0] * 9), 4.6)
        canvas.add(canvas.tube([(side * 22, -752), (side * 140, -766)], [9, 10]), 6.0 / side_weight)
        canvas.ellipsoid((side * 158, -742), (22, 22), 10)
        canvas.add(
            canvas.tube([(side * 176, -740), (side * 200, -470), (side * 206, -190)], [13, 12, 9]),
            4.0,
        )
        canvas.ellipsoid((side * 201, -470), (14, 14), 6)
        canvas.ellipsoid((side * 208, -130), (16, 40), 4)
        canvas.add(
            canvas.tube(
                [(side * 30, -120), (side * 96, -150), (side * 78, -40), (side * 30, 0)],
                [20, 24, 20, 14],
            ),
            6.4,
        )
        canvas.ellipsoid((side * 100, -20), (24, 24), 7)
        canvas.add(canvas.tube([(side * 100, -10), (side * 72, 350)], [18, 19]), 4.4)
        canvas.ellipsoid((side * 70, 388), (28, 30), 8.5)
        canvas.add(canvas.tube([(side * 68, 420), (side * 60, 770)], [17, 12]), 4.0)
        canvas.ellipsoid((side * 62, 820), (24, 46), 5)
        if back:
            canvas.add(
                canvas.tube(
                    [(side * 60, -700), (side * 120, -720), (side * 70, -590)], [14, 12, 10]
                ),
                4.4,
            )
            canvas.ellipsoid((side * 62, -330), (27, 46), 7.5)
    if not back:
        canvas.ellipsoid((0, -30), (34, 28), 22)
        canvas.add(canvas.tube([(0, -730), (0, -560)], [13, 10]), 7.0)
    canvas.blob((-126 if not back else 126, -560), (11, 9), 26)
    canvas.blob((10 if not back else -10, -310), (14, 11), 20)
    expected = blur(canvas.image, 1.7)
    return random.poisson(np.clip(expected, 0, None)).astype(np.uint16)
