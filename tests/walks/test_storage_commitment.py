"""A modality frees its disk only when we said that we keep its images, whatever happens meanwhile.

PS3.4 J (Storage Commitment Push Model): asked by Orthanc, which listens, and by pynetdicom, which
does not; the report survives kill -9.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from tests.support import ct, modality
from tests.support.orthanc import Orthanc, orthanc
from tests.support.peers import free_port
from tests.support.running import RunningPianku

WELL_KNOWN = "1.2.840.10008.1.20.1.1"


@pytest.fixture(scope="module")
def archive() -> Generator[Orthanc]:
    with orthanc("ASKER") as running:
        yield running


def stored(pianku: RunningPianku, folder: Path) -> Sequence[Path]:
    series = ct.Series(patient_id=f"SC{time.monotonic_ns()}")
    files = ct.write(folder, series, 4, size=64)
    modality.store(pianku.node, files)
    return files


@pytest.mark.peer("orthanc", "dcmtk")
@pytest.mark.tender("R-6.2.4.2")
def test_another_archive_asks_and_is_told(
    pianku: RunningPianku, archive: Orthanc, tmp_path: Path
) -> None:
    files = stored(pianku, tmp_path / "ct")
    archive.knows("pianku", "PIANKU", pianku.dimse_port)
    pianku.allow_destination("ASKER", archive.dimse_port)
    named = [[str(d.SOPClassUID), u] for u, d in modality.by_uid(files).items()]
    lost = [named[0][0], "1.2.826.0.1.3680043.10.99.404"]

    kept = ask_by_orthanc(archive, named)
    mixed = ask_by_orthanc(archive, [*named, lost])

    assert kept["Status"] == "Success"
    assert len(kept["Success"]) == len(files)
    assert mixed["Status"] == "Failure"
    assert len(mixed["Success"]) == len(files)
    assert [one["SOPInstanceUID"] for one in mixed["Failures"]] == [lost[1]]


@pytest.mark.peer("dcmtk")
@pytest.mark.tender("R-6.2.4.2")
def test_the_report_survives_kill_9(engine_dsn: str | None, tmp_path: Path) -> None:
    at, reports = free_port(), list[Dataset]()
    settings = {"PIANKU_DIMSE__RETRY_SECONDS": "1", "PIANKU_DIMSE__LONGEST_WAIT_SECONDS": "1"}
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",), settings=settings) as running:
        files = stored(running, tmp_path / "ct")
        running.allow_destination("CT9", at)  # where nobody listens yet
        transaction = ask("CT9", running.dimse_port, files)
        running.kill()
        running.start()
        with listening("CT9", at, reports):
            soon(lambda: bool(reports))
    (told,) = reports
    assert told.TransactionUID == transaction
    assert {i.ReferencedSOPInstanceUID for i in told.ReferencedSOPSequence} == set(
        modality.by_uid(files)
    )


def ask_by_orthanc(archive: Orthanc, named: Sequence[Sequence[str]]) -> dict[str, Any]:
    made = archive.call("/modalities/pianku/storage-commitment", {"DicomInstances": named})
    found: dict[str, Any] = {}

    def is_told() -> bool:
        found.update(archive.call(f"/storage-commitment/{made['ID']}"))
        return bool(found["Status"] != "Pending")

    soon(is_told)
    return found


def ask(title: str, port: int, files: Sequence[Path]) -> str:
    """Ask and hang up at once, as a modality does that listens elsewhere."""
    wanted = Dataset()
    wanted.TransactionUID = generate_uid()
    wanted.ReferencedSOPSequence = []
    for uid, dataset in modality.by_uid(files).items():
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, uid
        wanted.ReferencedSOPSequence.append(item)
    ae = AE(title)
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert association.is_established
    status, _ = association.send_n_action(wanted, 1, StorageCommitmentPushModel, WELL_KNOWN)
    association.release()
    assert status.Status == 0
    return str(wanted.TransactionUID)


class listening:  # noqa: N801 - reads as a word of the test
    """An AE that takes reports of commitment."""

    def __init__(self, title: str, port: int, reports: list[Dataset]) -> None:
        def take(event: evt.Event) -> tuple[int, None]:
            reports.append(event.event_information)
            return 0, None

        ae = AE(title)
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        self._server = ae.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)]
        )

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()


def soon(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        threading.Event().wait(0.1)
