"""Corrections as facts: what the workflow of corrections records, without it.

Called by tests of the doors that give instances out with corrected headers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kernel.ledger.ledger import EventLedger
from kernel.ledger.ports import Append, StreamAppend
from projections.study_index.view import StudyIndex
from registry.studies.commands import study_stream
from registry.studies.events import InstancesAdopted, InstancesMoved, StudyCorrected

CHINESE_NAME = {"Alphabetic": "Li^Si", "Ideographic": "李^四"}
RENAMED = {
    "00100010": {"vr": "PN", "Value": [CHINESE_NAME]},
    "00100020": {"vr": "LO", "Value": ["RIGHT-1"]},
}


def correct(
    facts: EventLedger, index: StudyIndex, study_uid: str, changes: Mapping[str, Any] = RENAMED
) -> None:
    """Record that a study is to be told with other values."""
    key = _patient(index, study_uid)
    fact = StudyCorrected(
        study_uid=study_uid,
        patient_key=key,
        tags=tuple(changes),
        values=json.dumps(changes),
        reason="wrong worklist entry",
    )
    facts.append(Append((StreamAppend(study_stream(study_uid), (fact,), patient_key=key),)))


def move(
    facts: EventLedger, index: StudyIndex, study_uid: str, to: str, series: tuple[str, ...]
) -> None:
    """Record that all of a study belongs to another."""
    key = _patient(index, study_uid)
    count = len(index.instances_of(study_uid))
    left = InstancesMoved(
        study_uid=study_uid,
        patient_key=key,
        to_study_uid=to,
        whole=True,
        series_uids=series,
        to_series_uids=series,
        whole_series=(True,) * len(series),
        instance_count=count,
    )
    came = InstancesAdopted(
        study_uid=to, patient_key=key, from_study_uid=study_uid, instance_count=count
    )
    facts.append(
        Append(
            (
                StreamAppend(study_stream(study_uid), (left,), patient_key=key),
                StreamAppend(study_stream(to), (came,), patient_key=key),
            )
        )
    )


def _patient(index: StudyIndex, study_uid: str) -> Any:
    study = index.study(study_uid)
    assert study is not None
    return study.patient_key
