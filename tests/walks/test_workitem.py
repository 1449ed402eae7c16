"""From a workitem that is created over the web to a report that its watcher hears over DIMSE.

PS3.18 11 and PS3.4 CC: one archive, two protocols; what was answered survives a kill.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    UnifiedProcedureStepEvent,
    UnifiedProcedureStepPull,
    UnifiedProcedureStepPush,
)

from registry.workitems.values import GLOBAL
from tests.support.running import RunningPianku
from tests.support.websocket import WebSocket
from tests.support.workitems import (
    TRANSACTION,
    UID,
    body,
    claimed,
    commitment,
    in_state,
    new_workitem,
    performed,
)


@pytest.fixture(scope="module")
def house() -> Generator[RunningPianku]:
    settings = {"PIANKU_DIMSE__RETRY_SECONDS": "1", "PIANKU_DIMSE__LONGEST_WAIT_SECONDS": "1"}
    with RunningPianku(flags=("--no-load",), settings=settings) as running:
        yield running


def test_a_workitem_is_created_claimed_ended_and_reported(house: RunningPianku) -> None:
    heard: list[tuple[str, int, str]] = []
    watcher = AE("WATCHER")
    watcher.add_supported_context(UnifiedProcedureStepEvent, scu_role=False, scp_role=True)

    def hear(event: Any) -> tuple[int, None]:
        told = event.event_information
        state = told.get("ProcedureStepState", "")
        heard.append((str(event.request.AffectedSOPInstanceUID), event.event_type, state))
        return 0, None

    listening = watcher.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)]
    )
    house.allow_destination("WATCHER", listening.socket.getsockname()[1])
    web = httpx.Client(
        base_url=f"{house.http}/dicom-web", headers=house.token("system"), timeout=30
    )
    with web:
        for title in ("WATCHER", "ROOM"):
            assert web.post(f"/workitems/{GLOBAL}/subscribers/{title}").status_code == 201
        assert web.post(f"/workitems?workitem={UID}", content=body(new_workitem())).is_success
        # What was answered is durable.
        house.kill()
        house.start()
        perform(house)
        told = web.get(f"/workitems/{UID}").json()
        assert told["00741000"]["Value"] == ["COMPLETED"]
        # Who has no address hears on a channel, also what was before he opened it.
        path, port = "/dicom-web/subscribers/ROOM", int(house.http.rpartition(":")[2])
        with WebSocket(port, path, house.token("system")) as channel:
            reports = [channel.hear() for _ in range(4)]
        assert [one["00001002"]["Value"] for one in reports] == [[1], [5], [1], [1]]
        asked = commitment(("1.2.840.10008.5.1.4.1.1.2", "9.9"))
        judged = web.post("/commitment-requests/2.25.5", content=asked).json()
        assert judged["00081198"]["Value"][0]["00081197"]["Value"] == [0x0112]
        assert web.get("/commitment-requests/2.25.5").json() == judged

    until = time.monotonic() + 30
    while len(heard) < 4 and time.monotonic() < until:
        time.sleep(0.1)
    listening.shutdown()
    assert [state for uid, kind, state in heard if (uid, kind) == (UID, 1)] == [
        "SCHEDULED", "IN PROGRESS", "COMPLETED",
    ]  # fmt: skip


def perform(house: RunningPianku) -> None:
    """Find the workitem, claim it, tell what was performed and complete it."""
    ae = AE("MODALITY")
    ae.add_requested_context(UnifiedProcedureStepPull)
    assoc = ae.associate(house.node.host, house.node.port, ae_title=house.node.ae_title)
    assert assoc.is_established
    asked = Dataset()
    asked.ProcedureStepState, asked.SOPInstanceUID = "SCHEDULED", ""
    found = [ds for _, ds in assoc.send_c_find(asked, UnifiedProcedureStepPull) if ds]
    assert [ds.SOPInstanceUID for ds in found] == [UID]
    push, pull = UnifiedProcedureStepPush, UnifiedProcedureStepPull
    answers = [
        assoc.send_n_action(in_state("IN PROGRESS"), 1, push, UID, meta_uid=pull)[0],
        assoc.send_n_set(claimed(performed(), TRANSACTION), push, UID, meta_uid=pull)[0],
        assoc.send_n_action(in_state("COMPLETED"), 1, push, UID, meta_uid=pull)[0],
    ]
    assoc.release()
    assert [answer.Status for answer in answers] == [0, 0, 0]
