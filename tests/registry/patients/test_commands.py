"""Patients: given what is known, when a feed or an image tells, then an event or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import PatientId
from registry.patients import commands
from registry.patients.commands import NOT_KNOWN, PatientState, apply_patient
from registry.patients.events import PatientDemographicsChanged, PatientIdentified, PatientShredded
from registry.patients.refusals import BadDemographics, PatientErased
from registry.patients.values import Demographics, Told

KEY = uuid4()
WHO = PatientId("P1", "1.2.3")
ZHANG = Demographics(name="Zhang^San", birth_date="19800203", sex="F")


def given(*facts: Fact, shredded: bool = False) -> PatientState:
    state = NOT_KNOWN
    for number, fact in enumerate(facts, 1):
        recorded = Recorded(
            stream=KEY, version=number, position=number, at=datetime.now(UTC), topic=fact.TOPIC,
            fact=fact, envelope=Envelope(), shredded=shredded,
        )  # fmt: skip
        state = apply_patient(state, recorded)
    return state


def known(demographics: Demographics = ZHANG, origin: str = "feed") -> PatientState:
    return given(
        PatientIdentified(
            patient_key=KEY, origin=origin, patient_id=str(WHO), demographics=demographics
        )
    )


def feed(state: PatientState, **told: Any) -> Any:
    identity = commands.Identity(WHO, KEY, state, 7 if state.known else 0)
    batch = commands.receive_feed((identity,), {}, Told(**told), affinity=WHO.authority)
    return None if batch is None else batch.streams[0]


def image(state: PatientState, **told: Any) -> Any:
    batch = commands.receive_image(
        state, patient_key=KEY, patient_id=WHO, demographics=Demographics(**told), version=7
    )
    return None if batch is None else batch.streams[0]


def test_a_feed_makes_a_patient_known() -> None:
    stream = feed(NOT_KNOWN, name="Zhang^San", sex="F")
    (fact,) = stream.facts
    assert isinstance(fact, PatientIdentified)
    assert (fact.patient_id, fact.origin) == (str(WHO), "feed")
    assert fact.demographics == Demographics(name="Zhang^San", sex="F")
    assert (stream.stream, stream.patient_key, stream.expected_version) == (KEY, KEY, 0)


def test_a_repeat_tells_nothing_new() -> None:
    assert feed(known(), name="Zhang^San", birth_date="19800203", sex="F") is None
    assert feed(known()) is None


def test_a_feed_overrides_and_keeps_what_it_does_not_say() -> None:
    stream = feed(known(origin="dicom"), name="Zhang^Si", sex="")
    (fact,) = stream.facts
    assert isinstance(fact, PatientDemographicsChanged)
    assert fact.demographics == Demographics(name="Zhang^Si", birth_date="19800203", sex="")
    assert stream.expected_version == 7


def test_an_image_fills_blanks_and_overrides_nothing() -> None:
    assert image(known(), name="ZHANG SAN", birth_date="1980", sex="M") is None
    (fact,) = image(known(Demographics(name="Zhang^San")), name="X", sex="F").facts
    assert fact.demographics == Demographics(name="Zhang^San", sex="F")


def test_an_image_is_not_refused_for_its_header() -> None:
    (fact,) = image(NOT_KNOWN, name="Li^Si", birth_date="02/03/1980", sex="?").facts
    assert fact.demographics == Demographics(name="Li^Si")


@pytest.mark.parametrize(
    "told",
    [
        {"sex": "X"}, {"birth_date": "1980-02-03"}, {"birth_date": "19801301"},
        {"birth_date": "198"}, {"name": "N" * 1025}, {"name": "a\x00b"}, {"address": "A" * 2000},
    ],
)  # fmt: skip
def test_a_feed_with_a_wrong_form_is_refused(told: dict[str, str]) -> None:
    with pytest.raises(BadDemographics) as refused:
        feed(NOT_KNOWN, **told)
    assert not any(value in str(refused.value) for value in told.values())


def test_nothing_more_is_recorded_of_an_erased_patient() -> None:
    shredded = given(
        PatientIdentified(patient_key=KEY, origin="feed"),
        PatientShredded(patient_key=KEY, reason="request"),
        shredded=True,
    )
    for tell in (feed, image):
        with pytest.raises(PatientErased):
            tell(shredded, name="Zhang^San")
