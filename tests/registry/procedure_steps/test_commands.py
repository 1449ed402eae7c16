"""Performed procedure steps decided: given what was told, when more is, then this fact or that no.

PS3.4 F.7.2 and Table F.7.2-1.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import BadIdentifier
from registry.procedure_steps import commands
from registry.procedure_steps.events import (
    ProcedureStepAccounted,
    ProcedureStepChanged,
    ProcedureStepCompleted,
    ProcedureStepDiscontinued,
    ProcedureStepStarted,
)
from registry.procedure_steps.refusals import (
    AttributeEmpty,
    AttributeInvalid,
    AttributeMissing,
    ProcedureStepEnded,
    ProcedureStepExists,
    ProcedureStepNotKnown,
)
from registry.procedure_steps.values import Listed, PerformedSeries
from tests.support.archive import stable
from tests.support.steps import CT_IMAGE, ended_step, json_of, new_step, reason

KEY, UID = uuid4(), "1.2.3"
IMAGES = tuple(stable("A", "1", n) for n in (1, 2))


def given(*facts: Fact, shredded: bool = False) -> commands.StepState:
    state = commands.NOT_STARTED
    for version, fact in enumerate(facts, 1):
        recorded = Recorded(
            stream=commands.step_stream(UID), version=version, position=version,
            at=datetime(2026, 3, 1, tzinfo=UTC), topic=fact.TOPIC, fact=fact, envelope=Envelope(),
            shredded=shredded,
        )  # fmt: skip
        state = commands.fold(state, recorded)
    return state


def start(*past: Fact, attributes: dict[str, Any] | None = None, **changes: Any) -> Any:
    batch = commands.start(
        given(*past), sop_uid=UID, patient_key=KEY, character_set="GB18030",
        attributes=json_of(new_step(**changes)) if attributes is None else attributes,
        envelope=Envelope(),
    )  # fmt: skip
    (stream,) = batch.streams
    assert (stream.expected_version, stream.patient_key) == (0, KEY)
    return stream.facts[0]


def change(*past: Fact, told: Any, shredded: bool = False) -> Any:
    batch = commands.change(
        given(*past, shredded=shredded), len(past), sop_uid=UID, attributes=json_of(told),
        envelope=Envelope(),
    )  # fmt: skip
    if batch is None:
        return None
    (stream,) = batch.streams
    assert (stream.expected_version, stream.patient_key) == (len(past), KEY)
    return stream.facts[0]


def test_a_step_that_begins_is_recorded_sealed_for_its_patient() -> None:
    fact = start()
    assert isinstance(fact, ProcedureStepStarted)
    assert fact.study_uids == (stable("A"),)
    assert (fact.modality, fact.station_ae, fact.character_set) == ("CT", "CT1", "GB18030")
    assert "attributes" in fact.PERSONAL
    assert fact.attributes["00100010"]["Value"] == [{"Alphabetic": "Test^Archive"}]


def test_a_second_step_with_the_same_uid_is_refused() -> None:
    with pytest.raises(ProcedureStepExists):
        start(start())


@pytest.mark.parametrize(
    "keyword",
    [
        "ScheduledStepAttributesSequence", "PerformedProcedureStepID", "PerformedStationAETitle",
        "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
        "PerformedProcedureStepStatus", "Modality",
    ],
)  # fmt: skip
def test_what_is_mandatory_must_be_there_and_have_a_value(keyword: str) -> None:
    with pytest.raises(AttributeMissing) as missing:
        start(**{keyword: None})
    with pytest.raises((AttributeEmpty, AttributeInvalid)) as empty:
        start(**{keyword: [] if keyword.endswith("Sequence") else ""})
    assert missing.value.details["tag"] == empty.value.details["tag"]


def test_a_scheduled_step_without_a_study_is_refused() -> None:
    told = json_of(new_step())
    del told["00400270"]["Value"][0]["0020000D"]
    with pytest.raises(AttributeMissing):
        start(attributes=told)
    told["00400270"]["Value"][0]["0020000D"] = {"vr": "UI", "Value": ["../1"]}
    with pytest.raises(BadIdentifier):
        start(attributes=told)


@pytest.mark.parametrize(
    "changes",
    [
        {"PerformedProcedureStepStatus": "COMPLETED"}, {"PerformedProcedureStepStatus": "DONE"},
        {"PerformedProcedureStepStartDate": "20260230"},
        {"PerformedProcedureStepStartDate": "2026.3.1"},
        {"PerformedProcedureStepStartTime": "2500"}, {"Modality": "M" * 17},
        {"PerformedProcedureStepID": "1\n2"},
    ],
)  # fmt: skip
def test_what_has_a_value_it_may_not_have_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(AttributeInvalid):
        start(**changes)


def test_what_may_be_empty_may_be_left_out() -> None:
    fact = start(PatientName=None, ProcedureCodeSequence=None, PerformedSeriesSequence=None)
    assert fact.performed == ()


def test_more_is_told_of_a_step_and_the_same_again_is_nothing() -> None:
    told = new_step(PerformedProcedureStepDescription="Chest and abdomen")
    changed = change(start(), told=told)
    assert isinstance(changed, ProcedureStepChanged)
    assert set(changed.attributes) == {"00400254"}
    assert changed.performed is None
    assert change(start(), changed, told=told) is None


@pytest.mark.parametrize("keyword", ["PatientID", "PerformedProcedureStepID", "Modality"])
def test_what_is_fixed_at_the_beginning_stays(keyword: str) -> None:
    with pytest.raises(AttributeInvalid):
        change(start(), told=new_step(**{keyword: "OTHER"}))


def test_a_step_that_is_completed_lists_what_it_made_outside_the_seal() -> None:
    done = change(start(), told=ended_step(*IMAGES))
    assert isinstance(done, ProcedureStepCompleted)
    assert done.performed == (
        PerformedSeries(series_uid=stable("A", "1"), images=(Listed(CT_IMAGE, IMAGES),)),
    )
    assert "00081140" not in done.attributes["00400340"]["Value"][0]
    whole = commands.whole(given(start(), done), sop_uid=UID)
    assert whole["00400340"] == json_of(ended_step(*IMAGES))["00400340"]


@pytest.mark.parametrize(
    "keyword",
    ["PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "PerformedSeriesSequence"],
)
@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_a_final_state_needs_its_end_and_a_series(keyword: str, status: str) -> None:
    told = ended_step(*IMAGES, status=status, **{keyword: None})
    with pytest.raises(AttributeEmpty):
        change(start(), told=told)


def test_a_series_needs_its_uid_and_a_reference_its_class() -> None:
    no_uid, no_class = ended_step(*IMAGES), ended_step(*IMAGES)
    del no_uid.PerformedSeriesSequence[0].SeriesInstanceUID
    del no_class.PerformedSeriesSequence[0].ReferencedImageSequence[1].ReferencedSOPClassUID
    for told in (no_uid, no_class):
        with pytest.raises(AttributeMissing):
            change(start(), told=told)


def test_a_step_is_given_up_for_a_reason() -> None:
    told = ended_step(status="DISCONTINUED")
    told.PerformedProcedureStepDiscontinuationReasonCodeSequence = reason()
    done = change(start(), told=told)
    assert isinstance(done, ProcedureStepDiscontinued)
    assert done.reason == "110514^DCM"


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_what_ended_is_never_changed(status: str) -> None:
    past = (start(), change(start(), told=ended_step(*IMAGES, status=status)))
    for told in (ended_step(*IMAGES, status=status), new_step()):
        with pytest.raises(ProcedureStepEnded):
            change(*past, told=told)


def test_what_never_began_or_was_destroyed_is_not_known() -> None:
    with pytest.raises(ProcedureStepNotKnown):
        change(told=new_step())
    with pytest.raises(ProcedureStepNotKnown):
        change(start(), told=new_step(), shredded=True)
    with pytest.raises(ProcedureStepNotKnown):
        commands.whole(given(start(), shredded=True), sop_uid=UID)


def test_an_ended_step_is_accounted_for_once() -> None:
    def account(*past: Fact) -> Any:
        batch = commands.account(given(*past), len(past), sop_uid=UID, envelope=Envelope())
        return None if batch is None else batch.streams[0].facts[0]

    begun, done = start(), change(start(), told=ended_step(*IMAGES))
    assert account(begun) is None
    accounted = account(begun, done)
    assert accounted == ProcedureStepAccounted(sop_uid=UID, patient_key=KEY, instance_count=2)
    assert account(begun, done, accounted) is None
