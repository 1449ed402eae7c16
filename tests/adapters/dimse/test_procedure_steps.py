"""Performed procedure steps over sockets: N-CREATE, N-SET, N-GET, and modalities that misbehave.

PS3.4 F.7 and F.8; the modality is pynetdicom.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from adapters.dimse import encode
from adapters.dimse.contexts import MPPS, MPPS_RETRIEVE, Operation
from adapters.dimse.n_create import StepCreateScp
from adapters.dimse.n_get import StepGetScp
from adapters.dimse.n_set import StepSetScp
from adapters.dimse.normalised import write
from kernel.context import Envelope
from kernel.refusals import Unavailable
from projections.procedure_steps.view import ProcedureSteps
from projections.worklist.view import Worklist
from registry.orders.values import Order
from registry.procedure_steps import events as facts
from tests.support.archive import AUTHORITY, instance, octets, stable
from tests.support.dimse import EXPLICIT, pdata, raw_peer, status_of
from tests.support.steps import ended_step, new_step, reason
from workflows.account_for_steps import StepAccountant, StepAccounts
from workflows.identify_patient import PatientPolicy
from workflows.perform_procedure_steps import PerformProcedureSteps
from workflows.place_orders import PlaceOrders

IMAGES = [stable("A", "1", n) for n in (1, 2)]
NO_LONGER = 0xA710


@pytest.fixture
def port(serve, archive):
    steps = PerformProcedureSteps(archive.ledger, archive.patient_keys, PatientPolicy(AUTHORITY))
    return serve(
        worklist=Worklist(archive.views.database),
        more={
            (0x0110, Operation.MPPS): StepGetScp(steps),
            (0x0120, Operation.MPPS): StepSetScp(steps),
            (0x0140, Operation.MPPS): StepCreateScp(steps),
        },
    ).port


@contextmanager
def associated(port, *, syntax=ExplicitVRLittleEndian, title="CT1"):
    ae = AE(title)
    for uid in (MPPS, MPPS_RETRIEVE):
        ae.add_requested_context(uid, syntax)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert assoc.is_established
    try:
        yield assoc
    finally:
        assoc.release()


def create(assoc, ds=None, uid="1.2.3"):
    answer, _ = assoc.send_n_create(new_step() if ds is None else ds, MPPS, uid)
    return answer


def change(assoc, ds, uid="1.2.3"):
    answer, _ = assoc.send_n_set(ds, MPPS, uid)
    return answer


def get(assoc, uid="1.2.3", tags=()):
    answer, ds = assoc.send_n_get(list(tags), MPPS_RETRIEVE, uid)
    return answer.Status, ds


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_step_from_its_beginning_to_its_end(port, archive, guard, syntax):
    with associated(port, syntax=syntax) as assoc:
        assert create(assoc).Status == 0
        assert change(assoc, ended_step(*IMAGES)).Status == 0
        status, told = get(assoc)
    assert status == 0
    assert told.PerformedProcedureStepStatus == "COMPLETED"
    assert (told.PatientName, told.PatientID) == ("Test^Archive", "PAT-A")
    assert told.PerformedProcedureStepStartTime == "101500.25"
    (series,) = told.PerformedSeriesSequence
    assert [i.ReferencedSOPInstanceUID for i in series.ReferencedImageSequence] == IMAGES
    assert series.OperatorsName == "Test^Operator"
    started, completed = archive.facts((facts.ProcedureStepStarted, facts.ProcedureStepCompleted))
    assert started.patient_key == completed.patient_key
    read = [r for r in guard.recorded if r["transaction"] == "MPPS N-GET"]
    assert [r["patient_keys"] for r in read] == [(started.patient_key,)]


def test_the_patient_is_the_one_of_the_images(port, archive):
    archive.intake.store_many([archive.offer(octets(instance(1)))], Envelope())
    with associated(port) as assoc:
        assert create(assoc).Status == 0
    (stored,) = [f for f in archive.facts() if type(f).__name__ == "InstancesStored"]
    (started,) = archive.facts(facts.ProcedureStepStarted)
    assert started.patient_key == stored.patient_key


@pytest.mark.parametrize("charset", ["GB18030", "ISO_IR 192", "ISO 2022 IR 6\\ISO 2022 IR 58"])
def test_chinese_comes_back_as_it_went_in(port, charset):
    told = new_step(
        SpecificCharacterSet=charset.split("\\"), PatientName="Wang^Xiaoming=王^小明",
        PerformedProcedureStepDescription="胸部平扫",
    )  # fmt: skip
    later = ended_step(*IMAGES, SpecificCharacterSet="GB18030")
    later.PerformedSeriesSequence[0].SeriesDescription = "轴位"
    with associated(port) as assoc:
        assert create(assoc, told).Status == 0
        assert change(assoc, later).Status == 0
        _, back = get(assoc)
    assert back.SpecificCharacterSet == ("GB18030" if charset == "GB18030" else "ISO_IR 192")
    assert back.PatientName == "Wang^Xiaoming=王^小明"
    assert back.PerformedProcedureStepDescription == "胸部平扫"
    assert back.PerformedSeriesSequence[0].SeriesDescription == "轴位"


def test_only_the_attributes_that_are_asked_for_come_back(port):
    with associated(port) as assoc:
        create(assoc)
        status, told = get(assoc, tags=[0x00400252, 0x00400253, 0x00189999])
        assert status == 0
        assert {e.keyword for e in told} == {
            "PerformedProcedureStepStatus", "PerformedProcedureStepID",
        }  # fmt: skip
        assert get(assoc, "9.9.9")[0] == 0x0112


def test_who_names_no_instance_gets_one(port, archive):
    with associated(port) as assoc:
        answer, _ = assoc.send_n_create(new_step(), MPPS, None)
        assert answer.Status == 0
        (started,) = archive.facts(facts.ProcedureStepStarted)
        assert change(assoc, ended_step(), started.sop_uid).Status == 0


@pytest.mark.parametrize(
    ("changes", "status", "tag"),
    [
        ({"Modality": None}, 0x0120, "00080060"),
        ({"Modality": ""}, 0x0121, "00080060"),
        ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106, "00400252"),
        ({"PerformedProcedureStepStartDate": "20261301"}, 0x0106, "00400244"),
        ({"ScheduledStepAttributesSequence": []}, 0x0121, "00400270"),
    ],
)
def test_a_bad_beginning_is_refused_and_the_attribute_named(port, archive, changes, status, tag):
    with associated(port) as assoc:
        answer = create(assoc, new_step(**changes))
        assert answer.Status == status
        assert f"({tag[:4]},{tag[4:]})" in answer.ErrorComment
        # The association goes on.
        assert create(assoc).Status == 0
    assert len(archive.facts(facts.ProcedureStepStarted)) == 1


def test_twice_the_same_instance_and_none_at_all(port):
    with associated(port) as assoc:
        assert create(assoc).Status == 0
        assert create(assoc).Status == 0x0111
        assert change(assoc, ended_step(*IMAGES), "1.2.4").Status == 0x0112


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_a_final_state_is_final(port, status):
    with associated(port) as assoc:
        create(assoc)
        assert change(assoc, ended_step(*IMAGES, status=status)).Status == 0
        answer = change(assoc, ended_step(*IMAGES))
        assert (answer.Status, answer.ErrorID) == (0x0110, NO_LONGER)
        assert change(assoc, new_step()).Status == 0x0110
        assert get(assoc)[1].PerformedProcedureStepStatus == status


def test_an_end_without_a_series_is_refused_and_may_be_told_again(port):
    with associated(port) as assoc:
        create(assoc)
        assert change(assoc, ended_step(PerformedSeriesSequence=[])).Status == 0x0121
        assert change(assoc, new_step(PatientID="PAT-B")).Status == 0x0106
        assert change(assoc, new_step(PerformedProcedureStepStatus="DONE")).Status == 0x0106
        assert change(assoc, ended_step(*IMAGES)).Status == 0


def test_who_may_not_store_may_not_begin_a_step(port, guard, archive):
    guard.denied = {"store", "find"}
    with associated(port) as assoc:
        assert create(assoc).Status == 0x0124
        assert change(assoc, ended_step()).Status == 0x0124
        assert get(assoc)[0] == 0x0124
    assert archive.facts(facts.ProcedureStepStarted) == []


def test_each_operation_has_its_own_sop_class(port):
    with associated(port) as assoc:
        answer, _ = assoc.send_n_create(new_step(), MPPS_RETRIEVE, generate_uid())
        assert answer.Status == 0x0118
        answer, _ = assoc.send_n_get([], MPPS, "1.2.3")
        assert answer.Status == 0x0118


@pytest.mark.parametrize(
    ("tag", "vr", "value", "told"),
    [
        (0x00181110, "DS", b"abc ", "abc"),
        (0x00181110, "DS", b"1e999 ", "1e999"),
        (0x00200013, "IS", b"x ", "x"),
        (0x00280010, "US", b"\1", ""),
        (0x00080064, "CS", b"\xc4\xd6", ""),
    ],
)
def test_what_no_value_may_be_ends_no_association(port, tag, vr, value, told):
    ds = new_step()
    odd = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    body = write(ds[:tag], EXPLICIT) + odd + write(ds[tag:], EXPLICIT)
    head = {0x0002: MPPS, 0x0100: 0x0140, 0x0110: 1, 0x0800: 0, 0x1000: "1.2.3"}
    with raw_peer(port) as peer:
        peer.associate(MPPS)
        peer.send(pdata(1, 3, encode.command(head)) + pdata(1, 2, body))
        assert status_of(peer.pdu()) == 0
    with associated(port) as assoc:
        status, answer = get(assoc)
        assert (status, answer.PatientID) == (0, "PAT-A")
        raw = answer.get_item(tag).value or b""
        assert (raw if isinstance(raw, str) else raw.decode()).strip() == told


def test_a_ledger_that_is_away_is_told_and_the_association_goes_on(port, archive, monkeypatch):
    def away(_batch):
        raise Unavailable

    with associated(port) as assoc:
        monkeypatch.setattr(archive.ledger, "append", away)
        assert create(assoc).Status == 0x0213
        monkeypatch.undo()
        assert create(assoc).Status == 0
        monkeypatch.setattr(archive.ledger, "append", away)
        assert change(assoc, ended_step(*IMAGES)).Status == 0x0213
        monkeypatch.undo()
        assert change(assoc, ended_step(*IMAGES)).Status == 0


def test_an_attribute_list_that_is_cut_off_is_refused(port, archive):
    command = encode.command({0x0002: MPPS, 0x0100: 0x0140, 0x0110: 1, 0x0800: 0, 0x1000: "1.2.3"})
    with raw_peer(port) as peer:
        peer.associate(MPPS)
        peer.send(pdata(1, 3, command) + pdata(1, 2, b"\x08\x00\x60\x00CS\x40\x00CT"))
        assert peer.pdu()[:1] == b"\x04"
    with raw_peer(port) as peer:
        peer.associate(MPPS)
        # The modality goes away in the middle of its data set.
        peer.send(pdata(1, 3, command) + pdata(1, 0, b"\x08\x00\x60\x00CS"))
    with associated(port) as assoc:
        assert create(assoc).Status == 0
    assert len(archive.facts(facts.ProcedureStepStarted)) == 1


def states(archive, **wanted):
    found = Worklist(archive.views.database).open(**wanted)
    return [step.state for step in found]


@pytest.fixture
def ordered(archive):
    order = Order(
        local_id="PAT-A", authority=AUTHORITY, name="Test^A", modality="CT", station_ae="CT1",
        starts="20260301093000", step_id="SPS-1", procedure_id="RP-1", accession="ACC-A",
    )  # fmt: skip
    PlaceOrders(archive.ledger, archive.patient_keys).place(stable("A"), order)


def test_the_worklist_follows_until_the_step_is_completed(port, archive, ordered):
    assert states(archive) == ["scheduled"]
    with associated(port) as assoc:
        create(assoc)
        assert states(archive) == ["started"]
        change(assoc, ended_step(*IMAGES))
    assert states(archive) == []
    assert states(archive, states=("done",)) == ["done"]


@pytest.mark.parametrize(("code", "state"), [("110513", "discontinued"), ("110514", "scheduled")])
def test_what_is_given_up_leaves_the_worklist_unless_it_was_the_wrong_entry(
    port, archive, ordered, code, state
):
    told = ended_step(status="DISCONTINUED")
    told.PerformedProcedureStepDiscontinuationReasonCodeSequence = reason(code)
    with associated(port) as assoc:
        create(assoc)
        assert change(assoc, told).Status == 0
        every = ("scheduled", "started", "done", "discontinued")
        assert states(archive, states=every) == [state]
        # The same order taken up again.
        assert create(assoc, uid="1.2.4").Status == 0
    assert states(archive) == ["started"]


@pytest.mark.parametrize("second", ["COMPLETED", "DISCONTINUED"])
def test_of_two_modalities_at_one_order_the_last_takes_it_off(port, archive, ordered, second):
    told = ended_step(status=second)
    told.PerformedProcedureStepDiscontinuationReasonCodeSequence = reason("110514")
    with associated(port) as assoc:
        create(assoc)
        create(assoc, new_step(Modality="PT", PerformedStationAETitle="PT1"), uid="1.2.4")
        assert change(assoc, ended_step(*IMAGES)).Status == 0
        assert states(archive) == ["started"]
        assert change(assoc, told, uid="1.2.4").Status == 0
    # What one of them completed is done, whatever became of the other.
    assert states(archive, states=("scheduled", "started", "done", "discontinued")) == ["done"]


@pytest.fixture
def accountant(archive):
    completed = []

    def publish(row):
        completed.append((row.study_uid, row.held_count))
        return True

    views = archive.views
    steps, accounts = ProcedureSteps(views.database), StepAccounts(views.map)
    made = StepAccountant(archive.ledger, steps, accounts, views.index, publish)
    made.completed, made.accounts, made.steps = completed, accounts, steps
    made._clock = lambda: made.steps.by_uid("1.2.3").changed  # looks again at once
    return made


def store(archive, *numbers):
    offers = [archive.offer(octets(instance(n))) for n in numbers]
    archive.intake.store_many(offers, Envelope())


def test_a_study_is_complete_when_all_that_the_step_lists_is_here(port, archive, accountant):
    with associated(port) as assoc:
        create(assoc)
        store(archive, 1)
        assert accountant.account_due() == 0
        change(assoc, ended_step(*IMAGES))
    step = accountant.steps.by_uid("1.2.3")
    assert accountant.account_due() == 0
    assert list(accountant.accounts.missing(step)) == IMAGES[1:]
    store(archive, 2)
    assert accountant.account_due() == 1
    assert accountant.completed == [(stable("A"), 2)]
    (accounted,) = archive.facts(facts.ProcedureStepAccounted)
    assert accounted.instance_count == 2
    step = accountant.steps.by_uid("1.2.3")
    assert not step.is_owing
    assert accountant.accounts.missing(step) == ()
    assert accountant.account_due() == 0


def test_a_study_waits_for_its_other_step(port, archive, accountant):
    store(archive, 1, 2)
    with associated(port) as assoc:
        create(assoc)
        create(assoc, uid="1.2.4")
        change(assoc, ended_step(*IMAGES))
        accountant.steps.by_uid("1.2.3")
        assert accountant.account_due() == 1
        assert accountant.completed == []
        change(assoc, ended_step(status="DISCONTINUED"), "1.2.4")
    accountant.steps.by_uid("1.2.4")
    assert accountant.account_due() == 1
    assert accountant.completed == [(stable("A"), 2)]
