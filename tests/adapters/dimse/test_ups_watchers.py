"""Who watches workitems is told over sockets, in order, later if he was away, and not for ever.

PS3.4 CC.2.3 and CC.2.4; SCU and watcher are pynetdicom.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydicom.dataset import Dataset

from adapters.dimse.ups_event_report import WorkitemReport
from projections.workitems.view import Workitems
from registry.workitems import events as facts
from registry.workitems.values import FILTERED, GLOBAL, Patience
from tests.support.dimse import quick
from tests.support.ups import (
    PUSH,
    WATCH,
    Watcher,
    act,
    associated,
    change,
    create,
    get,
    serve_ups,
    state,
    watching,
)
from tests.support.workitems import UID, claimed, code, new_workitem, progress
from workflows.report_workitems import WorkitemReporter, WorkitemReports


@pytest.fixture
def port(serve, archive):
    return serve_ups(serve, archive)


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
