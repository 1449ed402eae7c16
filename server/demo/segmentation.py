"""A segmentation of the demo: the nodule on the slices of the chest CT.

Implements the Segmentation IOD, binary (PS3.3 A.51, C.8.20.2), with its functional groups.
Called by `studies.generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import SegmentationStorage

from kernel.identifiers import stable_uid
from server.demo import chest
from server.demo.attributes import Exam, Series, code, header, instance, put
from server.demo.objects import reference


def seg_nodule(exam: Exam, images: Sequence[Dataset]) -> list[Dataset]:
    """Return a binary segmentation of the nodule on the chest CT `images`."""
    first = images[0]
    size, pixel = int(first.Rows), float(first.PixelSpacing[0])
    step = chest.HEIGHT_MM / len(images)
    cut = [
        (image, chest.nodule_mask((index + 0.5) * step, size, pixel))
        for index, image in enumerate(images)
    ]
    cut = [(image, mask) for image, mask in cut if mask.any()]
    dimensions = stable_uid(exam.study_uid, "seg dimensions")
    template = header(
        exam,
        Series(modality="SEG", number=93, description="结节分割", sop_class=SegmentationStorage),
    )
    put(
        template,
        {
            "ImageType": ["DERIVED", "PRIMARY"],
            "ContentLabel": "NODULE",
            "ContentDescription": "nodule",
            "ContentCreatorName": exam.reader,
            "FrameOfReferenceUID": first.FrameOfReferenceUID,
            "PositionReferenceIndicator": "",
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "Rows": size,
            "Columns": size,
            "BitsAllocated": 1,
            "BitsStored": 1,
            "HighBit": 0,
            "PixelRepresentation": 0,
            "LossyImageCompression": "00",
            "NumberOfFrames": len(cut),
            "SegmentationType": "BINARY",
            "SegmentSequence": _segment(),
            "DimensionOrganizationSequence": {"DimensionOrganizationUID": dimensions},
            "DimensionIndexSequence": {
                "DimensionOrganizationUID": dimensions,
                "DimensionIndexPointer": 0x00200032,
                "FunctionalGroupPointer": 0x00209113,
            },
            "SharedFunctionalGroupsSequence": {
                "PixelMeasuresSequence": {
                    "PixelSpacing": list(first.PixelSpacing),
                    "SliceThickness": first.SliceThickness,
                },
                "PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
                "SegmentIdentificationSequence": {"ReferencedSegmentNumber": 1},
            },
            "PerFrameFunctionalGroupsSequence": [
                _frame(index, image) for index, (image, _) in enumerate(cut, start=1)
            ],
            "ReferencedSeriesSequence": {
                "SeriesInstanceUID": first.SeriesInstanceUID,
                "ReferencedInstanceSequence": [reference(image) for image, _ in cut],
            },
        },
    )
    ds = instance(template, 1)
    masks = np.stack([mask for _, mask in cut]).astype(np.uint8)
    ds.add_new(0x7FE00010, "OB", pack_bits(masks))
    return [ds]


def _segment() -> dict[str, Any]:
    return {
        "SegmentNumber": 1,
        "SegmentLabel": "Nodule",
        "SegmentAlgorithmType": "AUTOMATIC",
        "SegmentAlgorithmName": "Phantom",
        "SegmentedPropertyCategoryCodeSequence": code(
            "49755003", "SCT", "Morphologically Altered Structure"
        ),
        "SegmentedPropertyTypeCodeSequence": code("27925004", "SCT", "Nodule"),
        "RecommendedDisplayCIELabValue": [38000, 48000, 44000],
    }


def _frame(index: int, image: Dataset) -> dict[str, Any]:
    return {
        "FrameContentSequence": {"DimensionIndexValues": [index]},
        "PlanePositionSequence": {"ImagePositionPatient": list(image.ImagePositionPatient)},
        "DerivationImageSequence": {
            "DerivationCodeSequence": code("113076", "DCM", "Segmentation"),
            "SourceImageSequence": {
                **reference(image),
                "PurposeOfReferenceCodeSequence": code(
                    "121322", "DCM", "Source image for image processing operation"
                ),
            },
        },
    }
