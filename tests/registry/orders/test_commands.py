"""Orders decided: given what happened, when one is placed or cancelled, then this fact or that no.

IHE RAD TF-2 4.5.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from registry.orders import commands
from registry.orders.events import OrderCancelled, OrderPlaced
from registry.orders.refusals import OrderExists, OrderInvalid, OrderNotKnown
from registry.orders.values import Order

KEY, UID = uuid4(), "1.2.3"
ORDER = Order(
    local_id="P1", authority="1.2.9", name="Wang^Li=王^丽", modality="CT",
    starts="20260301093000", step_id="S1", procedure_id="R1",
)  # fmt: skip
PLACED = OrderPlaced(study_uid=UID, patient_key=KEY, order=ORDER)
CANCELLED = OrderCancelled(study_uid=UID, patient_key=KEY)


def given(*facts: Fact) -> commands.OrderState:
    state = commands.NOT_PLACED
    for version, fact in enumerate(facts, 1):
        recorded = Recorded(
            stream=commands.order_stream(UID), version=version, position=version,
            at=datetime(2026, 3, 1, tzinfo=UTC), topic=fact.TOPIC, fact=fact, envelope=Envelope(),
        )  # fmt: skip
        state = commands.fold(state, recorded)
    return state


def place(*past: Fact, **changes: str) -> Fact | None:
    batch = commands.place(
        given(*past), len(past), study_uid=UID, patient_key=KEY,
        order=msgspec.structs.replace(ORDER, **changes), envelope=Envelope(),
    )  # fmt: skip
    if batch is None:
        return None
    (stream,) = batch.streams
    assert (stream.expected_version, stream.patient_key) == (len(past), KEY)
    return stream.facts[0]


def test_an_order_is_recorded_sealed_for_its_patient() -> None:
    assert place() == PLACED


def test_the_same_order_again_records_nothing() -> None:
    assert place(PLACED) is None


@pytest.mark.parametrize("past", [(PLACED,), (PLACED, CANCELLED)])
def test_another_order_for_the_study_is_refused(past: tuple[Fact, ...]) -> None:
    with pytest.raises(OrderExists):
        place(*past, modality="MR")


@pytest.mark.parametrize(
    "changes",
    [
        {"local_id": ""}, {"name": ""}, {"modality": ""}, {"starts": "20260230093000"},
        {"starts": "2026030109300"}, {"starts": ""}, {"birth_date": "1970"},
        {"accession": "A" * 17}, {"station_ae": "CT\\MR"}, {"step": "two\nlines"},
    ],
)  # fmt: skip
def test_what_no_modality_could_read_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(OrderInvalid):
        place(**changes)


def test_an_open_order_is_cancelled_once() -> None:
    batch = commands.cancel(given(PLACED), 1, study_uid=UID, envelope=Envelope())
    assert batch.streams[0].facts == (CANCELLED,)
    for past in ((), (PLACED, CANCELLED)):
        with pytest.raises(OrderNotKnown):
            commands.cancel(given(*past), len(past), study_uid=UID, envelope=Envelope())
