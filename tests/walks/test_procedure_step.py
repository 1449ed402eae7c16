"""From the order over the performed procedure step to a complete study that others hear of.

IHE RAD TF-2 4.5 to 4.8 and 4.49: worklist, MPPS, storage, availability; the modality and the
information system are pynetdicom. The quiet period is an hour here: it is the step that completes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    InstanceAvailabilityNotification,
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
)

from tests.support import ct, modality
from tests.support.peers import free_port
from tests.support.running import RunningPianku
from tests.support.steps import ended_step, new_step

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.tender("R-6.2.4.2")]
ORDER = {
    "local_id": "MPPS-1", "name": "Wang^Xiaoming=王^小明", "birth_date": "19700102", "sex": "M",
    "accession": "MPPS-ACC", "procedure": "Chest CT", "modality": "CT", "station_ae": "CT1",
    "starts": "20260301093000",
}  # fmt: skip


@pytest.fixture(scope="module")
def house() -> Generator[RunningPianku]:
    settings = {
        "PIANKU_STUDY__QUIET_SECONDS": "3600",
        "PIANKU_DIMSE__AVAILABILITY_RECIPIENTS": "RIS",
        "PIANKU_DIMSE__RETRY_SECONDS": "1",
        "PIANKU_DIMSE__LONGEST_WAIT_SECONDS": "1",
    }
    with RunningPianku(flags=("--no-load",), settings=settings) as running:
        yield running


def test_from_the_order_to_the_notification(house: RunningPianku, tmp_path: Path) -> None:
    at, heard = free_port(), list[Dataset]()
    house.allow_destination("RIS", at)
    path = tmp_path / "order.json"
    path.write_text(json.dumps(ORDER), encoding="utf-8")
    study_uid = house.cli("orders", "add", str(path)).stdout.strip()
    series = ct.Series(patient_id="MPPS-1", accession="MPPS-ACC", study_uid=study_uid)
    files = ct.write(tmp_path / "ct", series, 3, size=64)
    uids = list(modality.by_uid(files))

    assert worklist(house) == [f"{study_uid} SCHEDULED"]
    step = new_step(PatientID="MPPS-1", PatientName=ORDER["name"])
    step.ScheduledStepAttributesSequence[0].StudyInstanceUID = study_uid
    step.ScheduledStepAttributesSequence[0].AccessionNumber = "MPPS-ACC"
    assert (
        told(house, lambda a: a.send_n_create(step, ModalityPerformedProcedureStep, "1.2.7")) == 0
    )
    # What was answered is durable.
    house.kill()
    house.start()
    assert worklist(house) == [f"{study_uid} STARTED"]
    modality.store(house.node, files[:2])
    end = ended_step(*uids)
    end.PerformedSeriesSequence[0].SeriesInstanceUID = series.series_uid
    assert told(house, lambda a: a.send_n_set(end, ModalityPerformedProcedureStep, "1.2.7")) == 0
    assert worklist(house) == []
    (listed,) = steps(house, accession="MPPS-ACC")
    assert (listed["status"], listed["instance_count"]) == ("COMPLETED", 3)
    assert listed["missing"] == uids[2:]
    assert status_of(house, study_uid) == "receiving"
    # An administrator of the system sees no patients, and so no steps (P-5).
    for path in ("procedure-steps", f"studies/{study_uid}/availability"):
        administrator = house.token("system_admin")
        assert httpx.get(f"{house.http}/api/v1/{path}", headers=administrator).status_code == 403

    with listening(at, heard):
        modality.store(house.node, files[2:])
        soon(lambda: status_of(house, study_uid) == "published")
        soon(lambda: bool(heard))
    (notice,) = heard
    assert notice.StudyInstanceUID == study_uid
    assert notice.ReferencedPerformedProcedureStepSequence[0].ReferencedSOPInstanceUID == "1.2.7"
    named = [
        (item.ReferencedSOPInstanceUID, item.InstanceAvailability, item.RetrieveAETitle)
        for one in notice.ReferencedSeriesSequence
        for item in one.ReferencedSOPSequence
    ]
    assert sorted(named) == sorted((uid, "ONLINE", "PIANKU") for uid in uids)
    assert steps(house, study=study_uid, status="COMPLETED")[0]["missing_count"] == 0
    soon(lambda: availability(house, study_uid)["told"] != [] and
         availability(house, study_uid)["told"][0]["state"] == "told")  # fmt: skip


def test_the_same_from_the_command_line(house: RunningPianku, tmp_path: Path) -> None:
    series = ct.Series(patient_id="MPPS-2", accession="MPPS-CLI")
    files = [str(path) for path in ct.write(tmp_path / "ct", series, 2, size=64)]
    at = ("127.0.0.1", str(house.dimse_port))
    keys = {
        "StudyInstanceUID": series.study_uid, "AccessionNumber": "MPPS-CLI",
        "PatientID": "MPPS-2", "Modality": "CT",
    }  # fmt: skip
    options = [word for k, v in keys.items() for word in ("-k", f"{k}={v}")]

    uid = house.cli("dimse", "mpps", "create", *at, *options).stdout.strip()
    house.cli("dimse", "store", *at, *files)
    house.cli("dimse", "mpps", "complete", *at, uid, *files)
    again = house.cli("dimse", "mpps", "discontinue", *at, uid, check=False)
    house.cli("dimse", "ian", *at, *files, "--retrieve", "PACS")

    soon(lambda: status_of(house, series.study_uid) == "published")
    (listed,) = steps(house, accession="MPPS-CLI")
    assert (listed["sop_uid"], listed["missing_count"]) == (uid, 0)
    assert again.returncode == 1
    assert "0110" in again.stderr
    (noted,) = availability(house, series.study_uid)["noted"]
    assert (noted["retrieve_ae_titles"], noted["instance_count"]) == (["PACS"], 2)


def told(house: RunningPianku, send: Callable[[Any], tuple[Dataset, Any]]) -> int:
    ae = AE("CT1")
    ae.add_requested_context(ModalityPerformedProcedureStep)
    association = ae.associate("127.0.0.1", house.dimse_port, ae_title="PIANKU")
    assert association.is_established
    answer, _ = send(association)
    association.release()
    return int(answer.Status)


def worklist(house: RunningPianku) -> list[str]:
    step = Dataset()
    step.ScheduledStationAETitle, step.ScheduledProcedureStepStatus = "CT1", ""
    asked = Dataset()
    asked.AccessionNumber, asked.StudyInstanceUID = "MPPS-ACC", ""
    asked.ScheduledProcedureStepSequence = [step]
    ae = AE("CT1")
    ae.add_requested_context(ModalityWorklistInformationFind)
    association = ae.associate("127.0.0.1", house.dimse_port, ae_title="PIANKU")
    assert association.is_established
    answers = list(association.send_c_find(asked, ModalityWorklistInformationFind))
    association.release()
    assert answers[-1][0].Status == 0
    return [
        f"{one.StudyInstanceUID} "
        f"{one.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus}"
        for _, one in answers
        if one is not None
    ]


def ask(house: RunningPianku, path: str, **query: str) -> Any:
    answer = httpx.get(f"{house.http}/api/v1/{path}", params=query, headers=house.token())
    assert answer.status_code in {200, 404}, answer.text
    return answer.json()


def steps(house: RunningPianku, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = ask(house, "procedure-steps", **query)["items"]
    return items


def availability(house: RunningPianku, study_uid: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(house, f"studies/{study_uid}/availability")
    return found


def status_of(house: RunningPianku, study_uid: str) -> str:
    return str(ask(house, f"studies/{study_uid}").get("study", {}).get("status"))


class listening:  # noqa: N801 - reads as a word of the test
    """An information system that hears of what is available."""

    def __init__(self, port: int, heard: list[Dataset]) -> None:
        def take(event: evt.Event) -> tuple[int, None]:
            heard.append(event.attribute_list)
            return 0, None

        ae = AE("RIS")
        ae.add_supported_context(InstanceAvailabilityNotification)
        self._server = ae.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_CREATE, take)]
        )

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()


def soon(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)
