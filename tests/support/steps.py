"""Performed procedure steps as modalities tell them: attribute lists in DICOM JSON and pydicom.

PS3.4 Table F.7.2-1. Called by tests of MPPS; the names are invented.
"""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from tests.support.archive import stable

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def new_step(study: str = "A", **changes: Any) -> Dataset:
    """Return the attribute list of an N-CREATE; a change to None leaves an attribute out."""
    order = Dataset()
    order.StudyInstanceUID = stable(study)
    order.ReferencedStudySequence = []
    order.AccessionNumber = f"ACC-{study}"
    order.RequestedProcedureID, order.RequestedProcedureDescription = "RP-1", "Chest CT"
    order.ScheduledProcedureStepID, order.ScheduledProcedureStepDescription = "SPS-1", "Chest"
    order.ScheduledProtocolCodeSequence = []
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ScheduledStepAttributesSequence = [order]
    ds.PatientName, ds.PatientID = "Test^Archive", f"PAT-{study}"
    ds.PatientBirthDate, ds.PatientSex = "19700102", "O"
    ds.ReferencedPatientSequence = []
    ds.PerformedProcedureStepID, ds.PerformedStationAETitle = "PPS-1", "CT1"
    ds.PerformedStationName, ds.PerformedLocation = "ct-a", ""
    ds.PerformedProcedureStepStartDate = "20260301"
    ds.PerformedProcedureStepStartTime = "101500.25"
    ds.PerformedProcedureStepEndDate = ds.PerformedProcedureStepEndTime = ""
    ds.PerformedProcedureStepStatus = "IN PROGRESS"
    ds.PerformedProcedureStepDescription, ds.PerformedProcedureTypeDescription = "Chest", ""
    ds.ProcedureCodeSequence = []
    ds.Modality, ds.StudyID = "CT", "1"
    ds.PerformedProtocolCodeSequence, ds.PerformedSeriesSequence = [], []
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def ended_step(*sop_uids: str, status: str = "COMPLETED", study: str = "A", **changes: Any) -> Any:
    """Return the attribute list of an N-SET that ends a step, which made these CT images."""
    series = Dataset()
    series.PerformingPhysicianName, series.OperatorsName = "", "Test^Operator"
    series.ProtocolName, series.SeriesDescription = "Chest", "Axial"
    series.SeriesInstanceUID, series.RetrieveAETitle = stable(study, "1"), ""
    series.ReferencedImageSequence = [_reference(uid) for uid in sop_uids]
    series.ReferencedNonImageCompositeSOPInstanceSequence = []
    ds = Dataset()
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20260301", "102500"
    ds.PerformedSeriesSequence = [series]
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def reason(value: str = "110514") -> list[Dataset]:
    """Return a discontinuation reason (PS3.16 CID 9300)."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", "Reason"
    return [code]


def json_of(ds: Dataset) -> dict[str, Any]:
    """Return an attribute list as commands take it."""
    told: dict[str, Any] = _without_empty(ds.to_json_dict())
    told.pop("00080005", None)
    return told


def _without_empty(told: Any) -> Any:
    """Return JSON as PS3.18 F.2.5 has it: what is empty has no Value."""
    if isinstance(told, list):
        return [_without_empty(one) for one in told]
    if isinstance(told, dict):
        return {k: _without_empty(v) for k, v in told.items() if k != "Value" or v != []}
    return "".join(told) if isinstance(told, str) else told  # pydicom has a class for UIDs


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT_IMAGE, uid
    return item
