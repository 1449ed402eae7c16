"""The topic table and upcasting: stored events stay, the class of today reads them.

Design A3. Called by pytest.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import uuid4

import pytest

from kernel.events import Fact
from kernel.ledger.mapper import UndecodableEvent
from kernel.ledger.ports import Append, StreamAppend
from kernel.ledger.sealing import MemoryRing
from kernel.ledger.topics import BadTopic, TopicTable, UnknownTopic
from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import Engine


class First(Fact):
    TOPIC = "sample.moved:v1"
    PERSONAL = frozenset({"who"})
    bed: int
    who: str = ""


def to_second(body: dict[str, Any]) -> dict[str, Any]:
    return {"place": f"bed {body['bed']}", "name": body.get("who", "")}


def to_third(body: dict[str, Any]) -> dict[str, Any]:
    return {"places": [body["place"]], "name": body["name"]}


class Third(Fact):
    TOPIC = "sample.moved:v3"
    PERSONAL = frozenset({"name"})
    UPCASTERS: ClassVar[dict[str, Any]] = {
        "sample.moved:v1": ("sample.moved:v2", to_second),
        "sample.moved:v2": to_third,
    }
    places: tuple[str, ...]
    name: str = ""


def test_an_old_event_is_read_as_todays_class_and_stays(engine: Engine) -> None:
    ring, stream, patient = MemoryRing(), uuid4(), uuid4()
    old = engine.open(topics=TopicTable([First]), ring=ring)
    part = StreamAppend(stream, (First(bed=7, who="王芳"),), patient_key=patient)
    old.append(Append((part,)))
    new = engine.open(topics=TopicTable([Third]), ring=ring)
    new.append(Append((StreamAppend(stream, (Third(places=("door",)),)),)))
    first, second = new.load(stream)
    assert first.fact == Third(places=("bed 7",), name="王芳")
    assert first.topic == "sample.moved:v1"
    assert second.topic == "sample.moved:v3"
    assert engine.sql("SELECT topic, body FROM {event} ORDER BY position")[0] == (
        "sample.moved:v1", '{"bed":7}',
    )  # fmt: skip
    ring.destroy(patient)
    assert new.load(stream)[0].fact == Third(places=("bed 7",))
    assert new.load(stream)[0].shredded
    assert verify(new.recorder).ok


def test_an_unknown_topic_is_named() -> None:
    with pytest.raises(UnknownTopic, match=r"sample\.none:v1"):
        TopicTable([First]).kind("sample.none:v1")


def test_only_todays_topics_are_listed() -> None:
    assert dict(TopicTable([Third]).classes) == {"sample.moved:v3": Third}


def test_two_classes_must_not_share_a_topic() -> None:
    with pytest.raises(BadTopic, match="both claim"):
        TopicTable([First, Third])


def test_a_class_sets_its_own_topic() -> None:
    class Bare(Fact):
        number: int

    class Heir(First):
        pass

    for fact_class in (Bare, Heir):
        with pytest.raises(BadTopic, match="its own TOPIC"):
            TopicTable([fact_class])


def test_a_personal_field_needs_a_default() -> None:
    class Nameless(Fact):
        TOPIC = "sample.nameless:v1"
        PERSONAL = frozenset({"name"})
        name: str

    with pytest.raises(BadTopic, match="name"):
        TopicTable([Nameless])


def test_a_chain_of_upcasters_must_arrive() -> None:
    class Lost(Fact):
        TOPIC = "sample.lost:v3"
        UPCASTERS: ClassVar[dict[str, Any]] = {"sample.lost:v1": ("sample.lost:v2", to_second)}

    class Round(Fact):
        TOPIC = "sample.round:v3"
        UPCASTERS: ClassVar[dict[str, Any]] = {
            "sample.round:v1": ("sample.round:v2", to_second),
            "sample.round:v2": ("sample.round:v1", to_second),
        }

    for fact_class in (Lost, Round):
        with pytest.raises(BadTopic, match="end at"):
            TopicTable([fact_class])


def test_a_body_that_fits_no_class_is_told_with_its_position(engine: Engine) -> None:
    ledger = engine.open(topics=TopicTable([First]))
    ledger.append(Append((StreamAppend(uuid4(), (First(bed=1),)),)))
    engine.sql("UPDATE {event} SET body = '{{}}'")
    with pytest.raises(UndecodableEvent) as refused:
        ledger.read(0)
    assert refused.value.position == 1
