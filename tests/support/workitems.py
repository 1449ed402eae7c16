"""Workitems as their creators and performers tell them: pydicom data sets and DICOM JSON.

PS3.4 Table CC.2.5-3. Called by tests of UPS and UPS-RS; the names are invented.
"""

from __future__ import annotations

import json
from typing import Any

from pydicom.dataset import Dataset

from tests.support.archive import stable
from tests.support.steps import json_of

UID = "1.2.826.0.1.3680043.10.99.7.1"
TRANSACTION = "2.25.4711"


def code(value: str, scheme: str = "99TEST", meaning: str = "Test") -> Dataset:
    """Return an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def new_workitem(study: str = "A", **changes: Any) -> Dataset:
    """Return the attribute list of an N-CREATE; a change to None leaves an attribute out."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ProcedureStepState = "SCHEDULED"
    ds.ScheduledProcedureStepPriority = "MEDIUM"
    ds.ProcedureStepLabel, ds.WorklistLabel = "Reconstruct", "Workstations"
    ds.ScheduledProcedureStepStartDateTime = "20260301101500"
    ds.InputReadinessState = "READY"
    ds.ScheduledWorkitemCodeSequence = [code("110005", "DCM", "Interpretation")]
    ds.ScheduledStationNameCodeSequence = [code("WS-1")]
    ds.ScheduledProcessingParametersSequence, ds.InputInformationSequence = [], []
    ds.StudyInstanceUID = stable(study)
    ds.PatientName, ds.PatientID = "Test^Archive", f"PAT-{study}"
    ds.PatientBirthDate, ds.PatientSex = "19700102", "O"
    ds.ProcedureStepProgressInformationSequence = []
    ds.UnifiedProcedureStepPerformedProcedureSequence = []
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def progress(percent: str = "50", **told: Any) -> Dataset:
    """Return the attribute list of an N-SET that tells of progress."""
    item = Dataset()
    item.ProcedureStepProgress = percent
    for keyword, value in told.items():
        setattr(item, keyword, value)
    ds = Dataset()
    ds.ProcedureStepProgressInformationSequence = [item]
    return ds


def performed() -> Dataset:
    """Return the attribute list of an N-SET that meets the final state requirements."""
    item = Dataset()
    item.PerformedStationNameCodeSequence = [code("WS-1")]
    item.PerformedProcedureStepStartDateTime = "20260301101600"
    item.PerformedWorkitemCodeSequence = [code("110005", "DCM", "Interpretation")]
    item.PerformedProcedureStepEndDateTime = "20260301102600"
    item.OutputInformationSequence = []
    ds = Dataset()
    ds.UnifiedProcedureStepPerformedProcedureSequence = [item]
    return ds


def in_state(state: str, transaction_uid: str = TRANSACTION) -> Dataset:
    """Return the action information of Change UPS State."""
    ds = Dataset()
    ds.ProcedureStepState = state
    if transaction_uid:
        ds.TransactionUID = transaction_uid
    return ds


def claimed(ds: Dataset, transaction_uid: str = TRANSACTION) -> Dataset:
    """Return an attribute list with the Transaction UID of who claimed the workitem."""
    ds.TransactionUID = transaction_uid
    return ds


def body(ds: Dataset) -> bytes:
    """Return a data set as a DICOM JSON payload."""
    return json.dumps([json_of(ds)]).encode()


def commitment(*references: tuple[str, str]) -> bytes:
    """Return the payload that asks for a commitment to instances: (class, instance)."""
    ds = Dataset()
    ds.ReferencedSOPSequence = []
    for sop_class, sop_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
        ds.ReferencedSOPSequence.append(item)
    return json.dumps(json_of(ds)).encode()
