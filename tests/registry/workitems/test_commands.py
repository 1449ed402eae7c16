"""Workitems decided: given what happened, when more is asked, then these facts or that no.

PS3.4 Table CC.1.1-2 (state transitions), CC.2.5.1.1 (final state), CC.2.3 (subscriptions).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import BadIdentifier
from registry.workitems import attributes as rules
from registry.workitems import commands, refusals
from registry.workitems.events import (
    WorkitemCanceled,
    WorkitemCancelRequested,
    WorkitemChanged,
    WorkitemClaimed,
    WorkitemCompleted,
    WorkitemCreated,
    WorkitemReportsAbandoned,
    WorkitemReportsDelayed,
    WorkitemReportsTaken,
    WorkitemsSuspended,
    WorkitemSubscribed,
    WorkitemUnsubscribed,
)
from registry.workitems.values import FILTERED, GLOBAL, UPS_PUSH, Note, Patience, State
from tests.support.steps import json_of
from tests.support.workitems import TRANSACTION, UID, code, new_workitem, performed, progress

KEY, MOMENT, AT = uuid4(), "20260301101500+0000", datetime(2026, 3, 1, tzinfo=UTC)
KEPT, _ = rules.new(json_of(new_workitem()), UID, MOMENT)
NAMES: dict[str, Any] = {"sop_uid": UID, "patient_key": KEY}
CREATED = WorkitemCreated(**NAMES, attributes=KEPT)
CLAIMED = WorkitemClaimed(**NAMES, transaction_uid=TRANSACTION)
PERFORMED = WorkitemChanged(**NAMES, attributes=json_of(performed()))
COMPLETED, CANCELED = WorkitemCompleted(**NAMES), WorkitemCanceled(**NAMES)


def recorded(facts: tuple[Fact, ...], *, shredded: bool = False) -> list[Recorded]:
    return [
        Recorded(
            stream=uuid4(), version=version, position=version, at=AT, topic=fact.TOPIC,
            fact=fact, envelope=Envelope(), shredded=shredded,
        )
        for version, fact in enumerate(facts, 1)
    ]  # fmt: skip


def given(*facts: Fact, shredded: bool = False) -> commands.WorkitemState:
    state = commands.UNKNOWN
    for one in recorded(facts, shredded=shredded):
        state = commands.fold(state, one)
    return state


def facts_of(decided: commands.Decided, version: int) -> tuple[Fact, ...]:
    assert decided.batch is not None
    (stream,) = decided.batch.streams
    assert stream.stream == commands.workitem_stream(UID)
    assert (stream.expected_version, stream.patient_key) == (version, KEY)
    return tuple(stream.facts)


def create(*past: Fact, **changes: Any) -> commands.Decided:
    return commands.create(
        given(*past), sop_uid=UID, patient_key=KEY, attributes=json_of(new_workitem(**changes)),
        moment=MOMENT, envelope=Envelope(),
    )  # fmt: skip


def change(*past: Fact, transaction: str = "", told: Any = None) -> commands.Decided:
    return commands.change(
        given(*past), len(past), sop_uid=UID, transaction_uid=transaction,
        attributes=json_of(progress() if told is None else told), moment=MOMENT,
        envelope=Envelope(),
    )  # fmt: skip


def become(state: str, *past: Fact, transaction: str = TRANSACTION) -> commands.Decided:
    return commands.change_state(
        given(*past), len(past), sop_uid=UID, wanted=State(state), transaction_uid=transaction,
        moment=MOMENT, envelope=Envelope(),
    )  # fmt: skip


def request_cancel(*past: Fact, **asked: Any) -> commands.Decided:
    return commands.request_cancel(
        given(*past), len(past), sop_uid=UID, requester="DOCTOR", attributes=asked,
        own_transaction_uid="2.25.1", moment=MOMENT, envelope=Envelope(),
    )  # fmt: skip


def test_a_workitem_is_created_with_what_its_server_adds():
    (fact,) = facts_of(create(), 0)
    assert isinstance(fact, WorkitemCreated)
    assert rules.text(fact.attributes, rules.SOP_CLASS) == UPS_PUSH
    assert rules.text(fact.attributes, rules.SOP_INSTANCE) == UID
    assert rules.text(fact.attributes, rules.MODIFIED) == MOMENT
    assert create().note is Note.NONE
    assert create(WorklistLabel="").note is Note.MODIFIED


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"ProcedureStepState": "COMPLETED"}, refusals.WorkitemNotScheduled),
        ({"ProcedureStepState": None}, refusals.WorkitemAttributeMissing),
        ({"ProcedureStepLabel": None}, refusals.WorkitemAttributeMissing),
        ({"ScheduledProcedureStepPriority": ""}, refusals.WorkitemAttributeEmpty),
        ({"ScheduledProcedureStepPriority": "STAT"}, refusals.WorkitemAttributeInvalid),
        ({"InputReadinessState": "MAYBE"}, refusals.WorkitemAttributeInvalid),
        ({"ScheduledProcedureStepStartDateTime": "20261301"}, refusals.WorkitemAttributeInvalid),
        ({"TransactionUID": "2.25.1"}, refusals.WorkitemAttributeInvalid),
        ({"UnifiedProcedureStepPerformedProcedureSequence": [code("1")]},
         refusals.WorkitemAttributeInvalid),
    ],
)  # fmt: skip
def test_a_workitem_that_breaks_the_rules_is_not_created(changes, refusal):
    with pytest.raises(refusal):
        create(**changes)


def test_no_workitem_is_created_twice():
    for past in ((CREATED,), (CREATED, CLAIMED, COMPLETED)):
        with pytest.raises(refusals.WorkitemExists):
            create(*past)


PASTS = {
    "none": (),
    "scheduled": (CREATED,),
    "in progress": (CREATED, CLAIMED, PERFORMED),
    "completed": (CREATED, CLAIMED, PERFORMED, COMPLETED),
    "canceled": (CREATED, CLAIMED, CANCELED),
}
TABLE: list[tuple[str, str, list[Any]]] = [
    # Asked for, Transaction UID, and what comes of it in the order of PASTS.
    ("IN PROGRESS", TRANSACTION, [
        refusals.WorkitemNotKnown, WorkitemClaimed, refusals.WorkitemInProgress,
        refusals.WorkitemEnded, refusals.WorkitemEnded,
    ]),
    ("IN PROGRESS", "", [
        refusals.WorkitemNotKnown, *[refusals.TransactionUidMissing] * 4,
    ]),
    ("IN PROGRESS", "2.25.9", [
        refusals.WorkitemNotKnown, WorkitemClaimed, *[refusals.TransactionUidWrong] * 3,
    ]),
    ("SCHEDULED", TRANSACTION, [
        refusals.WorkitemNotKnown, *[refusals.ScheduledByCreation] * 4,
    ]),
    ("COMPLETED", TRANSACTION, [
        refusals.WorkitemNotKnown, refusals.WorkitemNotClaimed, WorkitemCompleted,
        Note.ALREADY_COMPLETED, refusals.WorkitemEnded,
    ]),
    ("COMPLETED", "2.25.9", [
        refusals.WorkitemNotKnown, refusals.WorkitemNotClaimed,
        *[refusals.TransactionUidWrong] * 3,
    ]),
    ("CANCELED", TRANSACTION, [
        refusals.WorkitemNotKnown, refusals.WorkitemNotClaimed, WorkitemCanceled,
        refusals.WorkitemEnded, Note.ALREADY_CANCELED,
    ]),
    ("CANCELED", "", [
        refusals.WorkitemNotKnown, *[refusals.TransactionUidMissing] * 4,
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "transaction", "past", "outcome"),
    [
        (state, transaction, past, outcome)
        for state, transaction, outcomes in TABLE
        for past, outcome in zip(PASTS, outcomes, strict=True)
    ],
)
def test_the_table_of_state_transitions(state, transaction, past, outcome):
    def ask() -> commands.Decided:
        return become(state, *PASTS[past], transaction=transaction)

    if isinstance(outcome, Note):
        assert ask() == commands.Decided(None, outcome)
    elif issubclass(outcome, Fact):
        (fact,) = facts_of(ask(), len(PASTS[past]))
        assert isinstance(fact, outcome)
    else:
        with pytest.raises(outcome):
            ask()


def test_a_transaction_uid_is_a_uid():
    with pytest.raises(BadIdentifier):
        become("IN PROGRESS", CREATED, transaction="mine")


def test_nothing_is_completed_that_does_not_say_what_was_performed():
    with pytest.raises(refusals.WorkitemUnfinished) as caught:
        become("COMPLETED", CREATED, CLAIMED)
    assert caught.value.details["tag"] == rules.PERFORMED
    told = performed()
    del told.UnifiedProcedureStepPerformedProcedureSequence[0].OutputInformationSequence
    partly = WorkitemChanged(**NAMES, attributes=json_of(told))
    with pytest.raises(refusals.WorkitemUnfinished) as caught:
        become("COMPLETED", CREATED, CLAIMED, partly)
    assert caught.value.details["tag"] == "00404033"


def test_who_cancels_without_a_reason_is_given_one():
    told = progress("10", ProcedureStepDiscontinuationReasonCodeSequence=[code("110510", "DCM")])
    for said, reason in ((progress("10"), "110513"), (told, "110510")):
        changed = WorkitemChanged(**NAMES, attributes=json_of(said))
        (fact,) = facts_of(become("CANCELED", CREATED, CLAIMED, changed), 3)
        assert isinstance(fact, WorkitemCanceled)
        (item,) = rules.items(fact.attributes, rules.PROGRESS)
        (why,) = rules.items(item, rules.DISCONTINUATION_REASON)
        assert rules.text(why, "00080100") == reason
        assert rules.text(item, rules.CANCELLATION_MOMENT) == MOMENT


def test_what_is_asked_to_be_canceled():
    with pytest.raises(refusals.WorkitemNotKnown):
        request_cancel()
    told = {rules.REASON_FOR_CANCELLATION: {"vr": "LT", "Value": ["not needed"]}}
    requested, claimed, canceled = facts_of(request_cancel(CREATED, **told), 1)
    assert isinstance(requested, WorkitemCancelRequested)
    assert requested.requester == "DOCTOR"
    assert isinstance(claimed, WorkitemClaimed)
    assert isinstance(canceled, WorkitemCanceled)
    assert claimed.transaction_uid == "2.25.1"
    (item,) = rules.items(canceled.attributes, rules.PROGRESS)
    assert rules.text(item, rules.REASON_FOR_CANCELLATION) == "not needed"
    (alone,) = facts_of(request_cancel(CREATED, CLAIMED), 2)
    assert isinstance(alone, WorkitemCancelRequested)
    with pytest.raises(refusals.WorkitemDone):
        request_cancel(CREATED, CLAIMED, COMPLETED)
    assert request_cancel(CREATED, CLAIMED, CANCELED).note is Note.ALREADY_CANCELED


def test_a_workitem_is_changed_by_who_may():
    (fact,) = facts_of(change(CREATED), 1)
    assert isinstance(fact, WorkitemChanged)
    assert set(fact.attributes) == {rules.PROGRESS, rules.MODIFIED}
    with pytest.raises(refusals.WorkitemNotClaimed):
        change(CREATED, transaction=TRANSACTION)
    with pytest.raises(refusals.TransactionUidMissing):
        change(CREATED, CLAIMED)
    with pytest.raises(refusals.TransactionUidWrong):
        change(CREATED, CLAIMED, transaction="2.25.1")
    facts_of(change(CREATED, CLAIMED, transaction=TRANSACTION), 2)
    for end in (COMPLETED, CANCELED):
        with pytest.raises(refusals.WorkitemEnded):
            change(CREATED, CLAIMED, end, transaction=TRANSACTION)
    with pytest.raises(refusals.WorkitemNotKnown):
        change()


def test_a_repeated_change_changes_nothing():
    said = WorkitemChanged(**NAMES, attributes=json_of(progress()))
    assert change(CREATED, said) == commands.Decided(None)


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientID": "OTHER"}, {"PatientName": "Other^Person"}, {"ProcedureStepState": "SCHEDULED"},
        {"ScheduledProcedureStepPriority": "STAT"}, {"StudyInstanceUID": "1.2.3"},
    ],
)  # fmt: skip
def test_what_may_not_be_changed(changes):
    told = progress()
    for keyword, value in changes.items():
        setattr(told, keyword, value)
    with pytest.raises(refusals.WorkitemAttributeInvalid):
        change(CREATED, told=told)


def test_a_workitem_of_a_destroyed_patient_is_not_known():
    state = given(CREATED, shredded=True)
    with pytest.raises(refusals.WorkitemNotKnown):
        commands.whole(state, sop_uid=UID)


# -- watchers ------------------------------------------------------------------------------------


def watcher(*facts: Fact) -> commands.Watcher:
    state = commands.WATCHES_NOTHING
    for one in recorded(facts):
        state = commands.fold_watcher(state, one)
    return state


def subscribe(uid: str, title: str = "WATCHER", **filters: str) -> Fact:
    batch = commands.subscribe(
        0, ae_title=title, sop_uid=uid, deletion_lock=True, filters=filters, envelope=Envelope()
    )
    ((fact,),) = (stream.facts for stream in batch.streams)
    return fact


def test_who_watches():
    assert subscribe(UID) == WorkitemSubscribed(ae_title="WATCHER", sop_uid=UID, deletion_lock=True)
    subscribe(GLOBAL)
    subscribe(FILTERED, **{"00741204": "x"})
    for uid, filters in ((FILTERED, {}), (GLOBAL, {"00741204": "x"})):
        with pytest.raises(refusals.SubscriptionUnfit):
            subscribe(uid, **filters)
    for path in ("00100020", "00380010", "00404034.00100010"):
        with pytest.raises(refusals.FilterNamesPerson):
            subscribe(FILTERED, **{path: "x"})
    for title in ("", " WATCHER", "WATCHER ", "A" * 17, "A\\B", "A\nB", "王"):
        with pytest.raises(refusals.SubscriberNotKnown):
            subscribe(UID, title)


def test_who_watches_no_more():
    said: dict[str, Any] = {"ae_title": "WATCHER", "envelope": Envelope()}
    assert commands.unsubscribe(0, sop_uid=UID, **said) is None
    assert commands.unsubscribe(1, sop_uid=UID, **said) is not None
    specific = WorkitemSubscribed(ae_title="WATCHER", sop_uid=UID)
    everything = WorkitemSubscribed(ae_title="WATCHER", sop_uid=GLOBAL)
    suspended = WorkitemsSuspended(ae_title="WATCHER", sop_uid=GLOBAL)
    ended = WorkitemUnsubscribed(ae_title="WATCHER", sop_uid=GLOBAL)
    one_left = WorkitemUnsubscribed(ae_title="WATCHER", sop_uid=UID)
    for past, is_suspended in (
        ((specific,), False), ((specific, everything), True), ((everything, suspended), False),
        ((everything, ended), False), ((everything, one_left), True),
    ):  # fmt: skip
        batch = commands.suspend(watcher(*past), len(past), sop_uid=GLOBAL, **said)
        assert (batch is not None) is is_suspended
    with pytest.raises(refusals.SubscriptionUnfit):
        commands.suspend(watcher(everything), 1, sop_uid=UID, **said)


def test_reports_are_taken_delayed_and_given_up():
    patience = Patience(timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=1))

    def missed(after: timedelta, *past: Fact) -> Fact | None:
        state = commands.TOLD_NOTHING
        for one in recorded(past):
            state = commands.fold_reports(state, one)
        batch = commands.reports_not_taken(
            state, len(past), ae_title="WATCHER", number=8, since=AT, now=AT + after,
            reason="away", patience=patience, envelope=Envelope(),
        )  # fmt: skip
        return batch and batch.streams[0].facts[0]

    first = missed(timedelta())
    assert isinstance(first, WorkitemReportsDelayed)
    second = missed(timedelta(), first)
    assert isinstance(second, WorkitemReportsDelayed)
    assert (first.attempt, second.attempt, second.again - first.again) == (1, 2, 10_000_000)
    last = missed(timedelta(hours=1), first, second)
    assert last == WorkitemReportsAbandoned(ae_title="WATCHER", through=8, reason="away")
    taken = WorkitemReportsTaken(ae_title="WATCHER", through=8)
    assert missed(timedelta(hours=2), taken) is None
    state = commands.fold_reports(commands.TOLD_NOTHING, recorded((taken,))[0])
    again = commands.reports_taken(state, 1, ae_title="WATCHER", through=8, envelope=Envelope())
    assert again is None
