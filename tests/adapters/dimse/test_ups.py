"""Workitems over sockets: create, find, claim, change, end; performers that race or err.

PS3.4 CC.2; the SCU is pynetdicom.
"""

from __future__ import annotations

import threading

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from registry.workitems import events as facts
from tests.support.ups import (
    PUSH,
    QUERY,
    WATCH,
    act,
    associated,
    change,
    create,
    find,
    get,
    serve_ups,
    state,
)
from tests.support.workitems import UID, claimed, in_state, new_workitem, performed, progress


@pytest.fixture
def port(serve, archive):
    return serve_ups(serve, archive)


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


def test_what_names_a_person_lies_sealed_in_the_ledger(port, archive, tmp_path):
    with associated(port) as assoc:
        create(assoc, new_workitem(PatientName="Zephyr^Person", PatientID="ZEPHYR-1"))
        state(assoc, "IN PROGRESS")
        performer = Dataset()
        performer.HumanPerformerName = "Zephyr^Performer"
        told = performed()
        item = told.UnifiedProcedureStepPerformedProcedureSequence[0]
        item.ActualHumanPerformersSequence = [performer]
        assert change(assoc, claimed(told)) == 0
        asked = Dataset()
        asked.ContactDisplayName = "Zephyr^Contact"
        assert act(assoc, 2, asked, through=WATCH) == 0
    files = [path for path in tmp_path.rglob("facts.db*") if path.is_file()]
    octets = b"".join(path.read_bytes() for path in files)
    assert b"workitem.created:v1" in octets
    assert b"zephyr" not in octets.lower()


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


def test_who_may_not_is_refused(port, guard):
    guard.denied = {"store"}
    with associated(port) as assoc:
        assert create(assoc).Status == 0x0124
        assert state(assoc, "IN PROGRESS") == 0x0124
        assert get(assoc)[0] == 0xC307
