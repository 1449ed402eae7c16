"""A modality asks what is to be done, makes it, and finds it done.

PS3.4 K by dcmtk's findscu; orders by `pianku orders`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support import ct, modality
from tests.support.running import RunningPianku

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.tender("R-6.2.4.1")]


def scheduled(pianku: RunningPianku, accession: str) -> list[str]:
    """Return the states of what the worklist of a CT has under an accession number."""
    found = modality.find(
        pianku.node,
        [f"AccessionNumber={accession}", "PatientName", "PatientID", "StudyInstanceUID",
         "ScheduledProcedureStepSequence[0].Modality=CT",
         "ScheduledProcedureStepSequence[0].ScheduledStationAETitle=CT1",
         "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus"],
        model="-W",
    )  # fmt: skip
    return [
        f"{one.StudyInstanceUID} {one.PatientName} "
        f"{one.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus}"
        for one in found
    ]


def test_from_the_order_to_the_images(pianku: RunningPianku, tmp_path: Path) -> None:
    accession = f"W{time.monotonic_ns() % 10**12}"
    order = {
        "local_id": f"P{accession}", "name": "Wang^Xiaoming=王^小明", "birth_date": "19700102",
        "sex": "M", "accession": accession, "procedure": "Chest CT", "modality": "CT",
        "station_ae": "CT1", "starts": "20260301093000",
    }  # fmt: skip
    path = tmp_path / "order.json"
    path.write_text(json.dumps(order), encoding="utf-8")

    study_uid = pianku.cli("orders", "add", str(path)).stdout.strip()
    again = pianku.cli("orders", "add", str(path), "--study-uid", study_uid).stdout.strip()
    ordered = scheduled(pianku, accession)
    listed = json.loads(pianku.cli("orders", "list", "--json").stdout)
    series = ct.Series(patient_id=f"P{accession}", accession=accession, study_uid=study_uid)
    modality.store(pianku.node, ct.write(tmp_path / "ct", series, 2, size=64))

    assert again == study_uid
    assert ordered == [f"{study_uid} Wang^Xiaoming=王^小明 SCHEDULED"]
    assert study_uid in {one["study_uid"] for one in listed}
    # Complete after a quiet second in a demo: under way, then done.
    deadline = time.monotonic() + 60
    states = []
    while found := scheduled(pianku, accession):
        states.append(found[0].rpartition(" ")[2])
        assert time.monotonic() < deadline, "the step is never done"
        time.sleep(0.2)
    assert set(states) <= {"STARTED"}


def test_a_cancelled_order_is_gone_and_a_bad_one_is_refused(
    pianku: RunningPianku, tmp_path: Path
) -> None:
    accession = f"X{time.monotonic_ns() % 10**12}"
    order = {"local_id": "P9", "name": "Test^Nine", "accession": accession, "modality": "CT",
             "station_ae": "CT1", "starts": "20260301093000"}  # fmt: skip
    path = tmp_path / "order.json"
    path.write_text(json.dumps(order), encoding="utf-8")
    study_uid = pianku.cli("orders", "add", str(path)).stdout.strip()
    assert len(scheduled(pianku, accession)) == 1
    pianku.cli("orders", "cancel", study_uid)
    assert scheduled(pianku, accession) == []
    twice = pianku.cli("orders", "cancel", study_uid, check=False)
    path.write_text(json.dumps(order | {"starts": "tomorrow"}), encoding="utf-8")
    bad = pianku.cli("orders", "add", str(path), check=False)
    path.write_text("{", encoding="utf-8")
    broken = pianku.cli("orders", "add", str(path), check=False)
    for done in (twice, bad, broken):
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert "Nine" not in done.stderr
