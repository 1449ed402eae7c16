"""Objects without pictures of their own: ECG, SR, KO, PR and encapsulated PDF.

Implements 12-Lead ECG (PS3.3 A.34.3), Basic Text SR (A.35.1), Key Object Selection (A.35.4),
Grayscale Softcopy Presentation State (A.33.1), Encapsulated PDF (A.45.1).
Called by `studies.generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    TwelveLeadECGWaveformStorage,
)

from kernel.identifiers import stable_uid
from server.demo.attributes import Exam, Series, code, header, instance, put
from server.demo.painting import generator

_LEADS: Final = (  # name, SCPECG code, how strongly it sees P, Q, R, S, T
    ("Lead I", "2:1", (0.10, -0.05, 0.70, -0.12, 0.22)),
    ("Lead II", "2:2", (0.15, -0.08, 1.10, -0.18, 0.30)),
    ("Lead III", "2:61", (0.06, -0.06, 0.45, -0.10, 0.10)),
    ("aVR", "2:62", (-0.12, 0.06, -0.90, 0.14, -0.26)),
    ("aVL", "2:63", (0.03, -0.02, 0.20, -0.05, 0.08)),
    ("aVF", "2:64", (0.10, -0.07, 0.78, -0.14, 0.20)),
    ("V1", "2:3", (0.05, 0.00, 0.22, -0.95, -0.06)),
    ("V2", "2:4", (0.06, 0.00, 0.42, -1.40, 0.42)),
    ("V3", "2:5", (0.07, -0.02, 0.85, -0.90, 0.48)),
    ("V4", "2:6", (0.08, -0.07, 1.45, -0.50, 0.45)),
    ("V5", "2:7", (0.08, -0.10, 1.25, -0.22, 0.36)),
    ("V6", "2:8", (0.08, -0.10, 0.95, -0.10, 0.28)),
)
_WAVES: Final = ((-0.17, 0.022), (-0.030, 0.009), (0.0, 0.011), (0.032, 0.011), (0.26, 0.055))


def ecg_twelve_leads(
    exam: Exam, *, seconds: int = 10, rate: float = 72.0, seed: int = 0
) -> list[Dataset]:
    """Return a resting 12-lead ECG at 500 Hz, 1 microvolt a step."""
    random = generator("ecg", seed)
    template = header(
        exam,
        Series(
            modality="ECG",
            number=1,
            description="静息十二导联心电图",
            sop_class=TwelveLeadECGWaveformStorage,
            device="Phantom ECG",
        ),
    )
    moment = exam.when.strftime("%Y%m%d%H%M%S")
    put(
        template,
        {
            "AcquisitionContextSequence": [],
            "AcquisitionDateTime": moment,
            "SynchronizationTrigger": "NO TRIGGER",
            "AcquisitionTimeSynchronized": "N",
            "SynchronizationFrameOfReferenceUID": stable_uid(exam.study_uid, "clock"),
        },
    )
    samples = _heartbeats(random, seconds * 500, rate)
    channels: list[dict[str, Any]] = [
        {
            "ChannelSampleSkew": 0,
            "WaveformBitsStored": 16,
            "ChannelLabel": name,
            "ChannelSensitivity": 1,
            "ChannelSensitivityCorrectionFactor": 1,
            "ChannelBaseline": 0,
            "ChannelSensitivityUnitsSequence": code("uV", "UCUM", "microvolt"),
            "ChannelSourceSequence": code(scp, "SCPECG", name),
            "FilterLowFrequency": 0.05,
            "FilterHighFrequency": 150,
        }
        for name, scp, _ in _LEADS
    ]
    for channel in channels:
        channel["ChannelSourceSequence"]["CodingSchemeVersion"] = "1.3"
    ds = instance(
        template,
        1,
        {
            "WaveformSequence": {
                "WaveformOriginality": "ORIGINAL",
                "NumberOfWaveformChannels": len(channels),
                "NumberOfWaveformSamples": len(samples),
                "SamplingFrequency": 500,
                "MultiplexGroupLabel": "RHYTHM",
                "ChannelDefinitionSequence": channels,
                "WaveformBitsAllocated": 16,
                "WaveformSampleInterpretation": "SS",
            }
        },
    )
    ds.WaveformSequence[0].add_new(0x54001010, "OW", samples.astype("<i2").tobytes())
    return [ds]


def _heartbeats(random: np.random.Generator, count: int, rate: float) -> NDArray[np.int16]:
    time = np.arange(count) / 500.0
    shapes = np.zeros((len(_WAVES), count))
    beat = 0.35
    while beat < count / 500 + 0.3:
        for index, (offset, width) in enumerate(_WAVES):
            shapes[index] += np.exp(-0.5 * ((time - beat - offset) / width) ** 2)
        beat += 60 / rate * float(random.normal(1, 0.025))
    leads = np.array([weights for _, _, weights in _LEADS])
    millivolts = leads @ shapes
    millivolts += 0.03 * np.sin(2 * np.pi * 0.25 * time + np.arange(len(_LEADS))[:, None])
    millivolts += random.normal(0, 0.012, millivolts.shape)
    return np.clip(millivolts.T * 1000, -32000, 32000).astype(np.int16)


def sr_report(
    exam: Exam, *, findings: str, impression: str, evidence: Sequence[Dataset] = ()
) -> list[Dataset]:
    """Return a verified Basic Text SR with findings and impression."""
    template = header(
        exam, Series(modality="SR", number=90, description="诊断报告", sop_class=BasicTextSRStorage)
    )
    items = [
        _text_item(code("121071", "DCM", "Finding"), findings),
        _text_item(code("121073", "DCM", "Impression"), impression),
    ]
    put(
        template,
        {
            **_document_values(code("18748-4", "LN", "Diagnostic imaging report")),
            "CompletionFlag": "COMPLETE",
            "VerificationFlag": "VERIFIED",
            "VerifyingObserverSequence": {
                "VerifyingOrganization": exam.campus,
                "VerifyingObserverName": exam.reader,
                "VerificationDateTime": exam.when.strftime("%Y%m%d%H%M%S"),
                "VerifyingObserverIdentificationCodeSequence": [],
            },
            "PerformedProcedureCodeSequence": [],
            "ContentSequence": items,
        },
    )
    if evidence:
        put(template, {"CurrentRequestedProcedureEvidenceSequence": _evidence(exam, evidence)})
    return [instance(template, 1)]


def ko_key_images(exam: Exam, images: Sequence[Dataset], *, remark: str = "") -> list[Dataset]:
    """Return a Key Object Selection that points at some images of the study."""
    template = header(
        exam,
        Series(
            modality="KO",
            number=91,
            description="关键图像",
            sop_class=KeyObjectSelectionDocumentStorage,
        ),
    )
    items: list[dict[str, Any]] = [
        {
            "RelationshipType": "CONTAINS",
            "ValueType": "IMAGE",
            "ReferencedSOPSequence": reference(image),
        }
        for image in images
    ]
    if remark:
        items.insert(0, _text_item(code("113012", "DCM", "Key Object Description"), remark))
    put(
        template,
        {
            **_document_values(code("113000", "DCM", "Of Interest")),
            "ContentTemplateSequence": {"MappingResource": "DCMR", "TemplateIdentifier": "2010"},
            "CurrentRequestedProcedureEvidenceSequence": _evidence(exam, images),
            "ContentSequence": items,
        },
    )
    return [instance(template, 1)]


def pr_arrow(exam: Exam, image: Dataset, *, at: tuple[float, float], text: str) -> list[Dataset]:
    """Return a presentation state: lung window, a circle and a word beside a finding."""
    template = header(
        exam,
        Series(
            modality="PR",
            number=92,
            description="标注",
            sop_class=GrayscaleSoftcopyPresentationStateStorage,
        ),
    )
    column, row = at
    pointed = {"ReferencedImageSequence": reference(image)}
    circle = [column + 22, row, column - 22, row, column, row + 22, column, row - 22]
    put(
        template,
        {
            "ContentLabel": "NODULE",
            "ContentDescription": "nodule",
            "ContentCreatorName": exam.reader,
            "PresentationCreationDate": exam.when.strftime("%Y%m%d"),
            "PresentationCreationTime": exam.when.strftime("%H%M%S"),
            "ReferencedSeriesSequence": {"SeriesInstanceUID": image.SeriesInstanceUID, **pointed},
            "SoftcopyVOILUTSequence": {"WindowCenter": -550, "WindowWidth": 1500},
            "PresentationLUTShape": "IDENTITY",
            "RescaleIntercept": image.RescaleIntercept,
            "RescaleSlope": image.RescaleSlope,
            "RescaleType": "HU",
            "DisplayedAreaSelectionSequence": {
                **pointed,
                "DisplayedAreaTopLeftHandCorner": [1, 1],
                "DisplayedAreaBottomRightHandCorner": [image.Columns, image.Rows],
                "PresentationSizeMode": "SCALE TO FIT",
                "PresentationPixelAspectRatio": [1, 1],
            },
            "GraphicLayerSequence": {"GraphicLayer": "LAYER1", "GraphicLayerOrder": 1},
            "GraphicAnnotationSequence": {
                **pointed,
                "GraphicLayer": "LAYER1",
                "GraphicObjectSequence": {
                    "GraphicAnnotationUnits": "PIXEL",
                    "GraphicDimensions": 2,
                    "NumberOfGraphicPoints": 4,
                    "GraphicData": circle,
                    "GraphicType": "ELLIPSE",
                    "GraphicFilled": "N",
                },
                "TextObjectSequence": {
                    "AnchorPointAnnotationUnits": "PIXEL",
                    "UnformattedTextValue": text,
                    "AnchorPoint": [column + 26, row - 26],
                    "AnchorPointVisibility": "N",
                },
            },
        },
    )
    return [instance(template, 1)]


def encapsulated_pdf(exam: Exam, pdf: bytes, *, title: str) -> list[Dataset]:
    """Return a PDF as a DICOM instance."""
    template = header(
        exam,
        Series(modality="DOC", number=95, description="报告 PDF", sop_class=EncapsulatedPDFStorage),
    )
    put(
        template,
        {
            "ConversionType": "WSD",
            "BurnedInAnnotation": "YES",
            "DocumentTitle": title,
            "MIMETypeOfEncapsulatedDocument": "application/pdf",
            "ConceptNameCodeSequence": code("18748-4", "LN", "Diagnostic imaging report"),
            "AcquisitionDateTime": exam.when.strftime("%Y%m%d%H%M%S"),
            "EncapsulatedDocumentLength": len(pdf),
        },
    )
    ds = instance(template, 1)
    ds.add_new(0x00420011, "OB", pdf + b"\0" * (len(pdf) % 2))
    return [ds]


def reference(image: Dataset) -> dict[str, Any]:
    """Return the item that points at an instance."""
    return {
        "ReferencedSOPClassUID": image.SOPClassUID,
        "ReferencedSOPInstanceUID": image.SOPInstanceUID,
    }


def _document_values(title: dict[str, Any]) -> dict[str, Any]:
    return {
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": title,
        "ReferencedPerformedProcedureStepSequence": [],
    }


def _text_item(name: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "RelationshipType": "CONTAINS",
        "ValueType": "TEXT",
        "ConceptNameCodeSequence": name,
        "TextValue": text,
    }


def _evidence(exam: Exam, images: Sequence[Dataset]) -> dict[str, Any]:
    by_series: dict[str, list[dict[str, Any]]] = {}
    for image in images:
        by_series.setdefault(str(image.SeriesInstanceUID), []).append(reference(image))
    return {
        "StudyInstanceUID": exam.study_uid,
        "ReferencedSeriesSequence": [
            {"SeriesInstanceUID": uid, "ReferencedSOPSequence": listed}
            for uid, listed in by_series.items()
        ],
    }
