"""Workitems over sockets: create, find, claim, change, end, watch; performers that race or err.

PS3.4 CC.2; the SCU and the watcher are pynetdicom.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from adapters.dimse.contexts import UPS_EVENT as EVENT
from adapters.dimse.contexts import UPS_PULL as PULL
from adapters.dimse.contexts import UPS_PUSH as PUSH
from adapters.dimse.contexts import UPS_QUERY as QUERY
from adapters.dimse.contexts import UPS_WATCH as WATCH
from adapters.dimse.contexts import Operation
from adapters.dimse.ups import UpsCreateScp, UpsGetScp, UpsSetScp
from adapters.dimse.ups_action import UpsActionScp
from adapters.dimse.ups_event_report import WorkitemReport
from adapters.dimse.ups_find import UpsFindScp
from projections.workitems.view import Workitems
from registry.workitems import events as facts
from registry.workitems.values import FILTERED, GLOBAL, Patience
from tests.support.archive import AUTHORITY
from tests.support.dimse import quick
from tests.support.workitems import (
    TRANSACTION,
    UID,
    claimed,
    code,
    in_state,
    new_workitem,
    performed,
    progress,
)
from workflows.identify_patient import PatientPolicy
from workflows.perform_workitems import PerformWorkitems
from workflows.report_workitems import WorkitemReporter, WorkitemReports


@pytest.fixture
def port(serve, archive):
    perform = PerformWorkitems(archive.ledger, archive.patient_keys, PatientPolicy(AUTHORITY))
    return serve(
        more={
            (0x0020, Operation.UPS): UpsFindScp(Workitems(archive.views.database)),
            (0x0110, Operation.UPS): UpsGetScp(perform),
            (0x0120, Operation.UPS): UpsSetScp(perform),
            (0x0130, Operation.UPS): UpsActionScp(perform),
            (0x0140, Operation.UPS): UpsCreateScp(perform),
        }
    ).port


@contextmanager
def associated(port, *, syntax=ExplicitVRLittleEndian, title="WS1"):
    ae = AE(title)
    for uid in (PUSH, PULL, WATCH, QUERY):
        ae.add_requested_context(uid, syntax)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert assoc.is_established
    assert len(assoc.accepted_contexts) == 4
    try:
        yield assoc
    finally:
        assoc.release()


def create(assoc, ds=None, uid=UID):
    answer, _ = assoc.send_n_create(ds or new_workitem(), PUSH, uid)
    return answer


def change(assoc, ds, uid=UID):
    answer, _ = assoc.send_n_set(ds, PUSH, uid, meta_uid=PULL)
    return answer.Status


def act(assoc, action, ds, uid=UID, through=PULL):
    answer, _ = assoc.send_n_action(ds, action, PUSH, uid, meta_uid=through)
    return answer.Status


def state(assoc, wanted, transaction=TRANSACTION, uid=UID):
    return act(assoc, 1, in_state(wanted, transaction), uid)


def get(assoc, uid=UID, tags=(), through=PULL):
    answer, ds = assoc.send_n_get(list(tags), PUSH, uid, meta_uid=through)
    return answer.Status, ds


def find(assoc, through=PULL, **keys):
    asked = Dataset()
    asked.SOPInstanceUID = ""
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    answers = list(assoc.send_c_find(asked, through))
    *pending, (last, _) = answers
    assert all(one.Status == 0xFF00 for one, _ in pending)
    return last.Status, [ds for _, ds in pending]


def watching(receiver="WATCHER", *, lock=False, **keys):
    ds = Dataset()
    ds.ReceivingAE, ds.DeletionLock = receiver, "TRUE" if lock else "FALSE"
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_workitem_from_its_beginning_to_its_end(port, archive, guard, syntax):
    with associated(port, syntax=syntax) as assoc:
        assert create(assoc).Status == 0
        assert state(assoc, "IN PROGRESS") == 0
        assert change(assoc, claimed(progress())) == 0
        assert state(assoc, "COMPLETED") == 0xC304
        assert change(assoc, claimed(performed())) == 0
        assert state(assoc, "COMPLETED") == 0
        assert state(assoc, "COMPLETED") == 0xB306
        assert state(assoc, "CANCELED") == 0xC300
        assert change(assoc, claimed(progress("60"))) == 0xC300
        status, told = get(assoc)
    assert status == 0
    assert told.ProcedureStepState == "COMPLETED"
    assert (told.PatientName, told.PatientID) == ("Test^Archive", "PAT-A")
    assert (told.SOPClassUID, told.SOPInstanceUID) == (PUSH, UID)
    assert "TransactionUID" not in told
    assert told.ProcedureStepProgressInformationSequence[0].ProcedureStepProgress == 50
    (created,) = archive.facts(facts.WorkitemCreated)
    read = [r for r in guard.recorded if r["transaction"] == "UPS N-GET"]
    assert [r["patient_keys"] for r in read] == [(created.patient_key,)]


def test_the_words_of_the_state_machine(port):
    with associated(port) as assoc:
        assert state(assoc, "IN PROGRESS") == 0xC307
        assert change(assoc, progress()) == 0xC307
        assert create(assoc, new_workitem(ProcedureStepState="IN PROGRESS")).Status == 0xC309
        assert create(assoc, new_workitem(WorklistLabel=None)).Status == 0xB300
        assert create(assoc).Status == 0x0111
        assert state(assoc, "COMPLETED") == 0xC310
        assert state(assoc, "SCHEDULED") == 0xC303
        assert state(assoc, "IN PROGRESS", "") == 0xC301
        assert state(assoc, "BEGUN") == 0x0115
        assert change(assoc, claimed(progress())) == 0xC310
        assert change(assoc, progress()) == 0
        assert state(assoc, "IN PROGRESS") == 0
        assert state(assoc, "IN PROGRESS") == 0xC302
        assert state(assoc, "COMPLETED", "2.25.1") == 0xC301
        assert change(assoc, progress("60")) == 0xC301
        assert state(assoc, "CANCELED") == 0
        assert state(assoc, "CANCELED") == 0xB304
        assert act(assoc, 2, None, through=WATCH) == 0xB304
        assert act(assoc, 2, None, "9.9.9", through=WATCH) == 0xC307
        _, told = get(assoc, tags=[0x00741000, 0x00741002])
    assert {e.keyword for e in told} == {
        "ProcedureStepState", "ProcedureStepProgressInformationSequence",
    }  # fmt: skip
    (item,) = told.ProcedureStepProgressInformationSequence
    assert item.ProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110513"
    assert item.ProcedureStepCancellationDateTime


def test_what_is_missing_or_wrong_is_named(port):
    with associated(port) as assoc:
        assert create(assoc, new_workitem(ProcedureStepLabel=None)).Status == 0x0120
        assert create(assoc, new_workitem(InputReadinessState="")).Status == 0x0121
        assert create(assoc, new_workitem(ScheduledProcedureStepPriority="SOON")).Status == 0x0106
        assert create(assoc, new_workitem(TransactionUID="2.25.1")).Status == 0x0106
        assert create(assoc).Status == 0
        other = Dataset()
        other.PatientID = "SOMEONE-ELSE"
        assert change(assoc, other) == 0x0106
        assert act(assoc, 9, None) == 0x0123
        assert act(assoc, 1, in_state("IN PROGRESS"), through=WATCH) == 0x0211
        assert change_through(assoc, QUERY) == 0x0211


def change_through(assoc, abstract):
    answer, _ = assoc.send_n_set(progress(), PUSH, UID, meta_uid=abstract)
    return answer.Status


def test_workitems_are_found_by_what_they_say(port):
    with associated(port) as assoc:
        create(assoc, new_workitem(PatientName="Wang^Xiaoming=王^小明"), "1.1")
        later = "20260305080000"
        create(assoc, new_workitem("B", ScheduledProcedureStepStartDateTime=later), "1.2")
        state(assoc, "IN PROGRESS", uid="1.2")

        def uids(**keys):
            status, found = find(assoc, **keys)
            assert status == 0
            return [ds.SOPInstanceUID for ds in found]

        assert uids() == ["1.1", "1.2"]
        assert uids(ProcedureStepState="SCHEDULED") == ["1.1"]
        assert uids(PatientID="PAT-B", PatientName="") == ["1.2"]
        assert uids(ScheduledProcedureStepStartDateTime="20260302-") == ["1.2"]
        assert uids(ScheduledProcedureStepStartDateTime="20260301-20260301") == ["1.1"]
        station = Dataset()
        station.CodeValue = "WS-1"
        assert uids(ScheduledStationNameCodeSequence=[station]) == ["1.1", "1.2"]
        station.CodeValue = "WS-2"
        assert uids(ScheduledStationNameCodeSequence=[station]) == []
        assert uids(SpecificCharacterSet="GB18030", PatientName="*小*") == ["1.1"]
        _, (told,) = find(assoc, QUERY, PatientName="wang*", TransactionUID="")
        assert told.PatientName == "Wang^Xiaoming=王^小明"
        assert told.TransactionUID == ""


def test_of_two_claimers_one_wins(port):
    with associated(port) as assoc:
        create(assoc)
    answers = []
    barrier = threading.Barrier(4)

    def claim(number):
        with associated(port, title=f"WS{number}") as own:
            barrier.wait(10)
            answers.append(state(own, "IN PROGRESS", f"2.25.{number}"))

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [0, 0xC301, 0xC301, 0xC301]


class Watcher:
    """An AE that is told, and keeps what it was told."""

    def __init__(self):
        self.heard, self.status = [], 0
        ae = AE("WATCHER")
        ae.add_supported_context(EVENT, scu_role=False, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.hear)]
        self.server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.address = ("127.0.0.1", self.server.socket.getsockname()[1])

    def hear(self, event):
        request = event.request
        self.heard.append(
            (str(request.AffectedSOPInstanceUID), event.event_type, event.event_information)
        )
        return self.status, None

    def states(self, uid):
        return [ds.ProcedureStepState for sop, kind, ds in self.heard if sop == uid and kind == 1]


@pytest.fixture
def watcher(guard):
    made = Watcher()
    guard.destinations["WATCHER"] = made.address
    yield made
    made.server.shutdown()


@pytest.fixture
def reporter(archive, guard):
    patience = Patience(timedelta(0), timedelta(0), timedelta(hours=1))
    reports = WorkitemReports(archive.ledger, Workitems(archive.views.database), patience=patience)
    made = WorkitemReporter(reports, guard, WorkitemReport("PIANKU", quick()))

    def settle():
        # The cheap look does not wait for the view: the exact one does.
        Workitems(archive.views.database).due("WATCHER")
        return made.report_due()

    return settle


def test_a_watcher_is_told_in_order(port, watcher, reporter, archive):
    with associated(port) as assoc:
        assert act(assoc, 3, watching(), GLOBAL, WATCH) == 0
        create(assoc)
        state(assoc, "IN PROGRESS")
        change(assoc, claimed(progress("20")))
        asked = Dataset()
        asked.ReasonForCancellation, asked.ContactDisplayName = "not needed", "Test^Person"
        assert act(assoc, 2, asked, through=PUSH) == 0
        state(assoc, "CANCELED")
    assert reporter() == 6
    assert [(uid, kind) for uid, kind, _ in watcher.heard] == [
        (UID, 1), (UID, 5), (UID, 1), (UID, 3), (UID, 2), (UID, 1),
    ]  # fmt: skip
    assert watcher.states(UID) == ["SCHEDULED", "IN PROGRESS", "CANCELED"]
    request = watcher.heard[4][2]
    assert (request.RequestingAE, request.ReasonForCancellation) == ("WS1", "not needed")
    assert watcher.heard[3][2].ProcedureStepProgressInformationSequence[0].ProcedureStepProgress
    assert reporter() == 0
    assert [one.ae_title for one in archive.facts(facts.WorkitemReportsTaken)] == ["WATCHER"]


def test_what_nobody_took_is_canceled_by_request(port, watcher, reporter):
    with associated(port) as assoc:
        create(assoc)
        assert act(assoc, 3, watching(lock=True), through=WATCH) == 0
        asked = Dataset()
        asked.ProcedureStepDiscontinuationReasonCodeSequence = [code("110510", "DCM", "Wrong")]
        assert act(assoc, 2, asked, through=WATCH) == 0
        assert get(assoc)[1].ProcedureStepState == "CANCELED"
        create(assoc, uid="1.2")
    reporter()
    assert watcher.states(UID) == ["SCHEDULED", "IN PROGRESS", "CANCELED"]
    assert watcher.states("1.2") == []
    last = watcher.heard[-1][2]
    assert last.ProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110510"


def test_filters_and_suspension_and_the_end_of_a_subscription(port, watcher, reporter):
    with associated(port) as assoc:
        create(assoc, uid="1.0")
        filtered = watching(WorklistLabel="Workstations")
        assert act(assoc, 3, filtered, FILTERED, WATCH) == 0
        create(assoc, uid="1.1")
        create(assoc, new_workitem(WorklistLabel="Elsewhere"), "1.2")
        assert act(assoc, 5, watching(), FILTERED, WATCH) == 0
        create(assoc, uid="1.3")
        state(assoc, "IN PROGRESS", uid="1.0")
        state(assoc, "IN PROGRESS", uid="1.1")
        assert act(assoc, 4, watching(), "1.1", WATCH) == 0
        state(assoc, "CANCELED", uid="1.1")
        assert act(assoc, 4, watching(), GLOBAL, WATCH) == 0
        state(assoc, "CANCELED", uid="1.0")
        assert act(assoc, 3, watching(), FILTERED, WATCH) == 0xC314
        assert act(assoc, 3, watching(PatientID="PAT-A"), FILTERED, WATCH) == 0x0115
        assert act(assoc, 3, watching("NOBODY"), through=WATCH, uid="1.0") == 0xC308
        assert act(assoc, 3, watching(), "9.9", WATCH) == 0xC307
        assert act(assoc, 5, watching(), "1.0", WATCH) == 0xC314
    reporter()
    assert watcher.states("1.0") == ["IN PROGRESS"]
    assert watcher.states("1.1") == ["SCHEDULED", "IN PROGRESS"]
    assert watcher.states("1.2") == watcher.states("1.3") == []


def test_who_is_away_is_told_later_and_who_refuses_only_once(
    port, watcher, reporter, guard, archive
):
    guard.destinations["WATCHER"] = ("127.0.0.1", 1)
    with associated(port) as assoc:
        act(assoc, 3, watching(), GLOBAL, WATCH)
        create(assoc)
    assert reporter() == 0
    assert [f.attempt for f in archive.facts(facts.WorkitemReportsDelayed)] == [1]
    guard.destinations["WATCHER"] = watcher.address
    watcher.status = 0x0110
    assert reporter() == 2
    assert reporter() == 0
    assert watcher.states(UID) == ["SCHEDULED"]


@pytest.mark.parametrize("address", [None, ("127.0.0.1", 1)])
def test_what_waited_too_long_is_given_up_together(port, watcher, guard, archive, address):
    with associated(port) as assoc:
        act(assoc, 3, watching(), GLOBAL, WATCH)
        create(assoc)
        create(assoc, uid="1.2")
    if address is None:
        del guard.destinations["WATCHER"]
    else:
        guard.destinations["WATCHER"] = address
    view = Workitems(archive.views.database)
    owed = view.due("WATCHER")
    patience = Patience(timedelta(0), timedelta(0), timedelta(0))
    reports = WorkitemReports(archive.ledger, view, patience=patience)
    assert WorkitemReporter(reports, guard, WorkitemReport("PIANKU", quick())).report_due() == 0
    (abandoned,) = archive.facts(facts.WorkitemReportsAbandoned)
    assert (abandoned.through, len(owed)) == (owed[-1].number, 4)
    assert view.due("WATCHER") == []


def test_who_may_not_is_refused(port, guard):
    guard.denied = {"store"}
    with associated(port) as assoc:
        assert create(assoc).Status == 0x0124
        assert state(assoc, "IN PROGRESS") == 0x0124
        assert get(assoc)[0] == 0xC307
