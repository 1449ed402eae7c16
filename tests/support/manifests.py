"""Key Object Selection manifests as another vendor's imaging document source writes them.

PS3.3 A.35.4, RAD TF-2 4.68.4.1.2.2, made with pydicom and nothing of the product.
Called by tests and walks of RAD-68.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ImplicitVRLittleEndian, generate_uid

KOS: Final = "1.2.840.10008.5.1.4.1.1.88.59"
_MANIFEST: Final = ("113030", "DCM", "Manifest")


def foreign_kos(
    study_uid: str,
    series: Mapping[str, Iterable[str]],
    *,
    sop_uid: str = "",
    location: str = "1.2.250.99.77",
    title: tuple[str, str, str] = _MANIFEST,
    syntax: UID = ImplicitVRLittleEndian,
    **attributes: Any,
) -> bytes:
    """Return a manifest of series (UID -> SOP Instance UIDs) as a Part 10 file."""
    ds = Dataset()
    ds.SpecificCharacterSet = "GB18030"
    ds.SOPClassUID, ds.SOPInstanceUID = KOS, sop_uid or generate_uid()
    ds.StudyDate, ds.StudyTime, ds.ContentDate, ds.ContentTime = (
        "20260401",
        "0930",
        "20260402",
        "11",
    )
    ds.AccessionNumber, ds.Modality, ds.Manufacturer = "ACC-77", "KO", "Somebody Else"
    ds.ReferringPhysicianName = ""
    ds.PatientName, ds.PatientID = "Test=测试", "P-1001"
    ds.PatientBirthDate, ds.PatientSex = "19800101", "F"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, generate_uid()
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 99, 1
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.ConceptNameCodeSequence = [coded(*title)]
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ContentTemplateSequence = [_item(MappingResource="DCMR", TemplateIdentifier="2010")]
    evidence = []
    content = []
    for uid, sops in series.items():
        references = [
            _item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=sop)
            for sop in sops
        ]
        content += [
            _item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[one])
            for one in references
        ]
        place = (
            {"RetrieveLocationUID": location, "RetrieveAETitle": "ELSEWHERE"} if location else {}
        )
        evidence.append(_item(SeriesInstanceUID=uid, ReferencedSOPSequence=references, **place))
    ds.CurrentRequestedProcedureEvidenceSequence = [
        _item(StudyInstanceUID=study_uid, ReferencedSeriesSequence=evidence)
    ]
    ds.ContentSequence = content
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a code sequence item."""
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
