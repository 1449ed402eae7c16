"""Personal fields are sealed per patient, cannot be moved, and go with the patient's key.

Design A3 (personal data). Called by pytest.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

import msgspec
import pytest

from kernel.events import Fact
from kernel.ledger.ledger import EventLedger
from kernel.ledger.ports import Append, StreamAppend
from kernel.ledger.sealing import KeyDestroyed, MemoryRing, PersonalDataWithoutKey, SealBroken
from kernel.ledger.topics import TopicTable
from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import Engine, PatientNamed

NAMED = PatientNamed(ward="W1", name="王芳", phones=("139 0000 0000",))


class Person(Fact):
    """All its fields are personal, and of many types."""

    TOPIC = "sample.person:v1"
    PERSONAL = frozenset({"born", "names", "picture"})
    born: date | None = None
    names: dict[str, str] = msgspec.field(default_factory=dict)
    picture: bytes = b""


def named(stream: UUID, patient: UUID | None, fact: Fact = NAMED) -> Append:
    return Append((StreamAppend(stream, (fact,), patient_key=patient),))


def test_personal_fields_lie_sealed_and_come_back(engine: Engine, ledger: EventLedger) -> None:
    stream, patient = uuid4(), uuid4()
    ledger.append(named(stream, patient))
    (recorded,) = ledger.load(stream)
    assert recorded.fact == NAMED
    assert recorded.sealed_for == patient
    assert not recorded.shredded
    ((body, sealed),) = engine.sql("SELECT body, sealed FROM {event}")
    assert body == '{"ward":"W1"}'
    assert "王芳".encode() not in bytes(sealed)
    assert engine.sql("SELECT count(*) FROM {readable} WHERE body LIKE '%139%'") == [(0,)]


def test_every_kind_of_value_can_be_sealed(engine: Engine) -> None:
    ledger = engine.open(topics=TopicTable([Person]))
    stream, fact = uuid4(), Person(born=date(1950, 2, 1), names={"a,b": "}{"}, picture=b"\0\1")
    ledger.append(named(stream, uuid4(), fact))
    assert ledger.load(stream)[0].fact == fact


def test_a_destroyed_key_leaves_the_rest_of_the_event(engine: Engine) -> None:
    ring, stream, patient = MemoryRing(), uuid4(), uuid4()
    ledger = engine.open(ring=ring)
    ledger.append(named(stream, patient))
    ring.destroy(patient)
    (recorded,) = ledger.load(stream)
    assert recorded.fact == PatientNamed(ward="W1")
    assert recorded.shredded
    assert recorded.sealed_for == patient
    assert verify(ledger.recorder).ok


def test_nothing_more_is_sealed_for_a_shredded_patient(engine: Engine) -> None:
    ring, patient = MemoryRing(), uuid4()
    ledger = engine.open(ring=ring)
    ring.destroy(patient)
    with pytest.raises(KeyDestroyed):
        ledger.append(named(uuid4(), patient))
    assert ledger.head() == 0
    ledger.append(named(uuid4(), patient, PatientNamed(ward="W2")))
    assert ledger.read(0)[0].sealed_for is None


def test_personal_data_without_a_key_are_a_mistake(ledger: EventLedger) -> None:
    with pytest.raises(PersonalDataWithoutKey, match="name"):
        ledger.append(named(uuid4(), None))
    assert ledger.head() == 0


def test_sealed_bytes_cannot_be_moved_to_another_stream(
    engine: Engine, ledger: EventLedger
) -> None:
    patient, a, b = uuid4(), uuid4(), uuid4()
    ledger.append(named(a, patient))
    ledger.append(named(b, patient, PatientNamed(ward="W1", name="李明")))
    engine.sql(
        "UPDATE {event} SET sealed = (SELECT sealed FROM {event} WHERE position = 1)"
        " WHERE position = 2"
    )
    assert ledger.load(a)[0].fact == NAMED
    with pytest.raises(SealBroken):
        ledger.load(b)
