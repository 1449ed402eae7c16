"""CT, MR and PT series of the demo.

Implements the CT Image (PS3.3 A.3), MR Image (A.4) and PET Image (A.21) IODs.
Called by `studies.generate` and `studies.ct_series`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage

from kernel.identifiers import stable_uid
from server.demo import brain, chest
from server.demo.attributes import Exam, Series, code, fresh, grey_pixels, header, instance, put
from server.demo.painting import blur, generator

_FIELD_MM: Final = 360.0
_TABLE_TOP_MM: Final = 1200.0
_KINDS_OF_CUT: Final = 24
"""Different anatomies drawn for a long series; the noise differs in every slice."""


def ct_chest(
    exam: Exam,
    *,
    count: int = 60,
    size: int = 512,
    seed: int = 0,
    number: int = 2,
    detailed: bool = True,
    nodule: bool = True,
) -> list[Dataset]:
    """Return a contrast chest CT from the apex down, `count` slices of `size` squared.

    With `detailed` off, a few cuts are drawn and repeated under fresh noise: fast, for loads.
    """
    person = chest.Chest(seed, nodule=nodule)
    random = generator("ct", seed)
    pixel, step = _FIELD_MM / size, chest.HEIGHT_MM / count
    template = header(
        exam,
        Series(
            modality="CT",
            number=number,
            description="胸部增强 纵隔窗",
            sop_class=CTImageStorage,
            device="Phantom CT 64",
        ),
    )
    put(
        template,
        {
            **_CT_VALUES,
            "FrameOfReferenceUID": frame_of_reference(exam),
            "SliceThickness": f"{step:.4f}".rstrip("0").rstrip("."),
            "PixelSpacing": [pixel, pixel],
        },
    )
    noise = [chest.texture(random, size) for _ in range(5)]
    drawn: dict[int, Any] = {}
    corner = -(size - 1) / 2 * pixel
    result = []
    for index in range(count):
        which = index if detailed else index * _KINDS_OF_CUT // count
        if which not in drawn:
            depth = (which + 0.5) * (step if detailed else chest.HEIGHT_MM / _KINDS_OF_CUT)
            drawn = {which: person.slice_hu(depth, size, pixel)}
        shift = int(random.integers(0, size * size))
        grain = np.roll(noise[index % len(noise)].reshape(-1), shift).reshape(size, size)
        stored = np.clip(drawn[which] + grain + np.float32(1024.5), 0, 4095).astype(np.uint16)
        z = _TABLE_TOP_MM - (index + 0.5) * step
        ds = instance(template, index + 1)
        fresh(ds, "ImagePositionPatient", "DS", [f"{corner:.4f}", f"{corner:.4f}", f"{z:.3f}"])
        fresh(ds, "SliceLocation", "DS", f"{z:.3f}")
        result.append(grey_pixels(ds, stored, bits=12))
    return result


def frame_of_reference(exam: Exam) -> str:
    """Return the Frame of Reference UID all cross sections of an exam share."""
    return stable_uid(exam.study_uid, "frame of reference")


def mr_brain(exam: Exam, *, count: int = 24, size: int = 256, seed: int = 0) -> list[Dataset]:
    """Return axial T1 and T2 series of a brain, `count` slices each."""
    head = brain.Head(seed)
    pixel, step = 230.0 / size, 132.0 / count
    corner = -(size - 1) / 2 * pixel
    result = []
    for number, weighting in ((2, "T1"), (3, "T2")):
        template = header(
            exam,
            Series(
                modality="MR",
                number=number,
                description=f"头颅轴位 {weighting}WI",
                sop_class=MRImageStorage,
                device="Phantom MR 3T",
            ),
        )
        put(
            template,
            {
                "ImageType": ["ORIGINAL", "PRIMARY", "M", "SE"],
                "ScanningSequence": "SE",
                "SequenceVariant": "SK",
                "ScanOptions": "",
                "MRAcquisitionType": "2D",
                "SequenceName": f"tse_{weighting.lower()}",
                "MagneticFieldStrength": 3,
                "RepetitionTime": 500 if weighting == "T1" else 4200,
                "EchoTime": 9 if weighting == "T1" else 96,
                "EchoTrainLength": 7,
                "FlipAngle": 90,
                "AcquisitionNumber": 1,
                "SliceThickness": step - 0.5,
                "SpacingBetweenSlices": step,
                "ProtocolName": f"Head {weighting}",
                "FrameOfReferenceUID": frame_of_reference(exam),
                "PositionReferenceIndicator": "",
                "PatientPosition": "HFS",
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "PixelSpacing": [pixel, pixel],
                "InPlanePhaseEncodingDirection": "ROW",
                "WindowCenter": 420 if weighting == "T1" else 520,
                "WindowWidth": 820 if weighting == "T1" else 1040,
            },
        )
        for index in range(count):
            z = -58.0 + index * step
            ds = instance(template, index + 1)
            fresh(ds, "ImagePositionPatient", "DS", [f"{corner:.4f}", f"{corner:.4f}", f"{z:.3f}"])
            fresh(ds, "SliceLocation", "DS", f"{z:.3f}")
            pixels = head.slice_signal(z, size, pixel, weighting)
            result.append(grey_pixels(ds, pixels, bits=12))
    return result


def pt_chest(exam: Exam, *, count: int = 60, size: int = 128, seed: int = 0) -> list[Dataset]:
    """Return an FDG PET of the chest, attenuation corrected, in BQML."""
    random = generator("pt", seed)
    pixel, step = 512.0 / size, chest.HEIGHT_MM / count
    corner = -(size - 1) / 2 * pixel
    template = header(
        exam,
        Series(
            modality="PT",
            number=3,
            description="PET 全身 衰减校正",
            sop_class=PositronEmissionTomographyImageStorage,
            device="Phantom PET",
        ),
    )
    put(
        template,
        {
            **_PT_VALUES,
            "NumberOfSlices": count,
            "RadiopharmaceuticalInformationSequence": _fdg(exam.when),
            "FrameOfReferenceUID": frame_of_reference(exam),
            "PixelSpacing": [pixel, pixel],
            "SliceThickness": step,
        },
    )
    per_suv = 370000000 * 0.675 / 68000
    result = []
    for index in range(count):
        suv = blur(chest.activity((index + 0.5) * step, size, pixel), 1.1)
        suv = suv + blur(random.standard_normal((size, size)).astype(np.float32), 0.9) * (
            np.float32(0.22) * np.sqrt(suv + np.float32(0.02))
        )
        activity = np.clip(suv, 0, None) * np.float32(per_suv)
        slope = max(float(activity.max()) / 32000, 0.01)
        ds = instance(template, index + 1, {"ImageIndex": index + 1})
        z = _TABLE_TOP_MM - (index + 0.5) * step
        fresh(ds, "ImagePositionPatient", "DS", [f"{corner:.4f}", f"{corner:.4f}", f"{z:.3f}"])
        fresh(ds, "SliceLocation", "DS", f"{z:.3f}")
        fresh(ds, "RescaleSlope", "DS", f"{slope:.6f}")
        stored = np.rint(activity / float(f"{slope:.6f}")).astype(np.int16)
        result.append(grey_pixels(ds, stored, bits=16))
    return result


_CT_VALUES: Final = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "AcquisitionNumber": 1,
    "PositionReferenceIndicator": "",
    "PatientPosition": "HFS",
    "KVP": 120,
    "XRayTubeCurrent": 210,
    "ExposureTime": 500,
    "Exposure": 105,
    "DataCollectionDiameter": 500,
    "ReconstructionDiameter": _FIELD_MM,
    "ConvolutionKernel": "B31f",
    "GantryDetectorTilt": 0,
    "ContrastBolusAgent": "Iohexol",
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "RescaleIntercept": -1024,
    "RescaleSlope": 1,
    "RescaleType": "HU",
    "WindowCenter": [40, -550],
    "WindowWidth": [400, 1500],
    "WindowCenterWidthExplanation": ["MEDIASTINUM", "LUNG"],
}
_PT_VALUES: Final = {
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "SeriesType": ["WHOLE BODY", "IMAGE"],
    "Units": "BQML",
    "CountsSource": "EMISSION",
    "DecayCorrection": "START",
    "CorrectedImage": ["DECY", "ATTN", "SCAT", "DTIM", "NORM"],
    "CollimatorType": "NONE",
    "FrameReferenceTime": 0,
    "ActualFrameDuration": 150000,
    "DecayFactor": 1.02,
    "PatientWeight": 68,
    "PatientSize": 1.72,
    "RandomsCorrectionMethod": "DLYD",
    "AttenuationCorrectionMethod": "CT",
    "ScatterCorrectionMethod": "Model",
    "ReconstructionMethod": "OSEM",
    "AcquisitionNumber": 1,
    "PatientOrientationCodeSequence": {
        **code("102538003", "SCT", "recumbent"),
        "PatientOrientationModifierCodeSequence": code("40199007", "SCT", "supine"),
    },
    "PatientGantryRelationshipCodeSequence": code("102540008", "SCT", "headfirst"),
    "PositionReferenceIndicator": "",
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "RescaleIntercept": 0,
    "WindowCenter": 15000,
    "WindowWidth": 30000,
}


def _fdg(scanned: datetime) -> dict[str, Any]:
    injected = scanned - timedelta(minutes=62)
    return {
        "Radiopharmaceutical": "FDG",
        "RadiopharmaceuticalStartTime": f"{injected:%H%M%S}",
        "RadionuclideTotalDose": 370000000,
        "RadionuclideHalfLife": 6586.2,
        "RadionuclidePositronFraction": 0.967,
        "RadionuclideCodeSequence": code("77004003", "SCT", "^18^Fluorine"),
        "RadiopharmaceuticalCodeSequence": code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),
    }
