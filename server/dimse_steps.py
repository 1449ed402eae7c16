"""What `pianku dimse mpps` and `pianku dimse ian` do: the SCU of procedure steps and availability.

PS3.4 F.7.2 and R.3.2 on pynetdicom, like `server.dimse_client`. Called by `server.cli.dimse_steps`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid

from server.dimse_client import NoInstances, Peer, associated, identifier, status_of

_MPPS: Final = "1.2.840.10008.3.1.2.3.3"
_AVAILABILITY: Final = "1.2.840.10008.5.1.4.33"
_NEEDED: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesDescription",
    "ProtocolName", "Rows",
)  # fmt: skip
_OF_ORDER: Final = frozenset(
    {
        "StudyInstanceUID", "ReferencedStudySequence", "AccessionNumber", "RequestedProcedureID",
        "RequestedProcedureDescription", "ScheduledProcedureStepID",
        "ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence",
    }
)  # fmt: skip
_MEANINGS: Final = {
    "110500": "Doctor canceled procedure",
    "110513": "Discontinued for unspecified reason",
    "110514": "Incorrect worklist entry selected",
}


def create(peer: Peer, keys: Sequence[str], uid: str) -> tuple[str, int]:
    """Begin a step; returns its SOP Instance UID and the status."""
    step, made = _new_step(peer.calling, identifier(keys)), uid or str(generate_uid())
    with associated(peer, [(_MPPS, ())]) as association:
        answer, _ = association.send_n_create(step, _MPPS, made)
    return made, status_of(answer)


def end(peer: Peer, uid: str, paths: Iterable[Path], *, reason: str = "") -> int:
    """End a step that made these files, discontinued if a reason is given; returns the status."""
    moment, told = datetime.now().astimezone(), Dataset()
    told.PerformedProcedureStepStatus = "DISCONTINUED" if reason else "COMPLETED"
    told.PerformedProcedureStepEndDate = moment.strftime("%Y%m%d")
    told.PerformedProcedureStepEndTime = moment.strftime("%H%M%S")
    told.PerformedSeriesSequence = list(_performed(paths))
    if reason:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = reason, "DCM"
        code.CodeMeaning = _MEANINGS.get(reason, "Discontinued")
        told.PerformedProcedureStepDiscontinuationReasonCodeSequence = [code]
    with associated(peer, [(_MPPS, ())]) as association:
        answer, _ = association.send_n_set(told, _MPPS, uid)
    return status_of(answer)


def notify(peer: Peer, paths: Iterable[Path], retrieve_ae: str) -> Iterator[tuple[str, int]]:
    """Tell of files, one notification a study; yields study and status."""
    studies: dict[str, dict[str, list[Dataset]]] = defaultdict(lambda: defaultdict(list))
    for one in _headers(paths):
        studies[str(one.StudyInstanceUID)][str(one.SeriesInstanceUID)].append(one)
    if not studies:
        raise NoInstances
    with associated(peer, [(_AVAILABILITY, ())]) as association:
        for study_uid, series in studies.items():
            told = _notice(study_uid, series, retrieve_ae)
            answer, _ = association.send_n_create(told, _AVAILABILITY, generate_uid())
            yield study_uid, status_of(answer)


def _new_step(ae_title: str, keys: Dataset) -> Dataset:
    moment, order, step = datetime.now().astimezone(), Dataset(), Dataset()
    order.StudyInstanceUID = generate_uid()
    order.ReferencedStudySequence = []
    order.ScheduledProtocolCodeSequence = []
    for keyword in _OF_ORDER - {"StudyInstanceUID"}:
        if keyword not in order:
            setattr(order, keyword, "")
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID",
                    "PerformedStationName", "PerformedLocation",
                    "PerformedProcedureStepDescription", "PerformedProcedureTypeDescription",
                    "PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime"):  # fmt: skip
        setattr(step, keyword, "")
    for keyword in ("ReferencedPatientSequence", "ProcedureCodeSequence", "PerformedSeriesSequence",
                    "PerformedProtocolCodeSequence"):  # fmt: skip
        setattr(step, keyword, [])
    step.PerformedProcedureStepID = moment.strftime("%H%M%S")
    step.PerformedStationAETitle = ae_title
    step.PerformedProcedureStepStartDate = moment.strftime("%Y%m%d")
    step.PerformedProcedureStepStartTime = moment.strftime("%H%M%S")
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    step.Modality = "OT"
    for element in keys:
        (order if element.keyword in _OF_ORDER else step).add(element)
    step.ScheduledStepAttributesSequence = [order]
    return step


def _performed(paths: Iterable[Path]) -> Iterator[Dataset]:
    by_series: dict[str, list[Dataset]] = defaultdict(list)
    for one in _headers(paths):
        by_series[str(one.SeriesInstanceUID)].append(one)
    # There must be a series, if only an empty one (PS3.4 F.7.2, note 2).
    for uid, instances in (by_series or {generate_uid(): []}).items():
        series, first = Dataset(), instances[0] if instances else Dataset()
        series.SeriesInstanceUID = uid
        series.ProtocolName = first.get("ProtocolName") or "UNKNOWN"
        series.SeriesDescription = first.get("SeriesDescription", "")
        series.PerformingPhysicianName = series.OperatorsName = series.RetrieveAETitle = ""
        series.ReferencedImageSequence = [_reference(o) for o in instances if "Rows" in o]
        series.ReferencedNonImageCompositeSOPInstanceSequence = [
            _reference(o) for o in instances if "Rows" not in o
        ]
        yield series


def _notice(study_uid: str, series: dict[str, list[Dataset]], retrieve_ae: str) -> Dataset:
    told = Dataset()
    told.ReferencedPerformedProcedureStepSequence = []
    told.StudyInstanceUID = study_uid
    told.ReferencedSeriesSequence = []
    for uid, instances in series.items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedSOPSequence = [_available(one, retrieve_ae) for one in instances]
        told.ReferencedSeriesSequence.append(item)
    return told


def _available(instance: Dataset, retrieve_ae: str) -> Dataset:
    item = _reference(instance)
    item.InstanceAvailability, item.RetrieveAETitle = "ONLINE", retrieve_ae
    return item


def _reference(instance: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.SOPClassUID
    item.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    return item


def _headers(paths: Iterable[Path]) -> Iterator[Any]:
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_file():
                continue
            try:
                yield pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[*_NEEDED])
            except (InvalidDicomError, EOFError):
                continue
