"""The delivery queue on both engines: who is told of what, from when to when, and what became of it."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel.codes import Code
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import from_micros
from projections.database import GENERATIONS
from projections.delivery_queue.projection import NAME
from projections.runner import Runner
from registry.documents.values import AssociationType
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.subscriptions import commands
from registry.subscriptions.commands import Retrying
from registry.subscriptions.values import Asked, Criteria, Kind, Published, Topic
from tests.support.broker import CONSUMER, LOOPBACK, BrokerNode, broker_node
from tests.support.installation import on_engine
from tests.support.submissions import (
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)

CT = Code("CT", "1.2.3")


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[BrokerNode]:
    with broker_node(tmp_path, **on_engine(request)) as made:
        yield made


def append(node: BrokerNode, *facts: object, stream: object = None, key: object = None) -> None:
    node.place.facts.append(Append((StreamAppend(stream or uuid4(), facts, None, key),)))


def test_what_was_registered_after_the_subscription_is_told_in_order(node: BrokerNode) -> None:
    node.registered(entry())
    made = node.subscribe()
    later = node.registered(entry(), entry())
    last = node.registered(entry())
    node.registered(entry(OTHER_PATIENT))

    expected = [e.entry_uuid for e in (*later.entries, *last.entries)]
    assert node.told(made) == expected
    oldest = node.queue.next(made.subscription)
    assert oldest is not None
    assert (oldest.entry_uuid, oldest.patient_key) == (expected[0], node.key())
    assert node.queue.due(node.place.clock(), 10) == [made.subscription]


def test_each_subscription_is_told_what_it_asked_for(node: BrokerNode) -> None:
    narrow = node.subscribe(Criteria(kind=Kind.DOCUMENT, patient_id=PATIENT, event_codes=((CT,),)))
    anybody = node.subscribe(Criteria(kind=Kind.DOCUMENT, class_codes=(
        Code("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1"),)))  # fmt: skip
    sets = node.subscribe(Criteria(kind=Kind.SUBMISSION_SET, patient_id=PATIENT))
    to_welby = node.subscribe(Criteria(kind=Kind.SUBMISSION_SET, recipients=("|Welby%",)))

    plain = node.registered(entry())
    with_event = node.registered(entry(event_codes=(CT,)))
    others = submission(
        entry(OTHER_PATIENT),
        whole=submission_set(OTHER_PATIENT, intended_recipients=("|Welby^Marcus",)),
    )
    node.register(others)

    assert node.told(narrow) == [with_event.entries[0].entry_uuid]
    assert node.told(anybody) == [s.entries[0].entry_uuid for s in (plain, with_event, others)]
    assert node.told(sets) == [s.submission_set.entry_uuid for s in (plain, with_event)]
    assert node.told(to_welby) == [others.submission_set.entry_uuid]


def test_a_folder_is_told_when_it_is_made_and_when_it_grows(node: BrokerNode) -> None:
    made = node.subscribe(Criteria(kind=Kind.FOLDER, patient_id=PATIENT))
    held = folder()
    node.registered(held)
    document = entry()
    whole = submission_set()
    inside = member(held.entry_uuid, document.entry_uuid)
    node.register(submission(document, inside, member(whole.entry_uuid, inside.entry_uuid),
                             whole=whole))  # fmt: skip
    assert node.told(made) == [held.entry_uuid, held.entry_uuid]


def test_a_replacement_is_a_registration(node: BrokerNode) -> None:
    made = node.subscribe()
    old, new = entry(), entry()
    node.registered(old)
    node.register(
        submission(new, association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid))
    )
    assert node.told(made) == [old.entry_uuid, new.entry_uuid]


def test_nothing_is_told_after_the_end(node: BrokerNode) -> None:
    clock = node.place.clock
    clock.moment -= timedelta(hours=2)
    over = node.subscribe(termination="PT1H")
    ended = node.subscribe()
    clock.moment += timedelta(hours=2)
    first = node.registered(entry())
    assert node.told(over) == []
    assert node.told(ended) == [first.entries[0].entry_uuid]
    assert node.queue.over(clock(), 10) == [over.subscription]

    node.subscriptions.cancel(
        ended.subscription, node.queue.subscription(ended.subscription).subscriber
    )
    node.registered(entry())
    assert node.queue.notifications(ended.subscription) == []
    assert node.queue.due(clock(), 10) == []


def test_what_became_of_notifications_stands_beside_them(node: BrokerNode) -> None:
    made, clock = node.subscribe(), node.place.clock
    node.registered(entry(), entry(), entry())
    first, second, third = node.queue.notifications(made.subscription)
    node.place.facts.append(commands.delivered(first.id, first.patient_key))
    retrying = Retrying(timedelta(seconds=8), timedelta(hours=1), timedelta(hours=2))
    node.place.facts.append(
        commands.not_taken(second.id, second.caused, 3, "HTTP 500", clock(), retrying=retrying)
    )
    held = node.queue.subscription(made.subscription)
    assert held is not None
    assert held.attempts == 3
    assert held.again - clock() == timedelta(seconds=32)
    assert node.queue.due(clock(), 10) == []
    assert node.queue.due(clock() + timedelta(seconds=33), 10) == [made.subscription]

    later = clock() + timedelta(hours=3)
    node.place.facts.append(
        commands.not_taken(second.id, second.caused, 4, "HTTP 500", later, retrying=retrying)
    )
    node.place.facts.append(commands.withheld(third.id, "forbidden"))
    node.place.facts.append(commands.delivered(second.id, second.patient_key))  # too late
    states = [(one.state, one.reason) for one in node.queue.notifications(made.subscription)]
    assert states == [("delivered", ""), ("dead", "HTTP 500"), ("withheld", "forbidden")]
    assert node.queue.tally() == {made.subscription: {"delivered": 1, "dead": 1, "withheld": 1}}


def test_a_publication_is_told_object_by_object(node: BrokerNode) -> None:
    documents = node.subscribe()
    sets = node.subscribe(Criteria(kind=Kind.SUBMISSION_SET, patient_id=PATIENT))
    one, two, whole = entry(), entry(), submission_set()
    told = Published(entries=(one, two), submission_sets=(whole,))
    node.subscriptions.publish("urn:oid:1.2.3", {node.key(): told})
    found = node.queue.notifications(documents.subscription)
    assert [(n.entry_uuid, n.foreign, n.id.ordinal) for n in found] == [
        (one.entry_uuid, True, 0), (two.entry_uuid, True, 1),
    ]  # fmt: skip
    assert [n.id.ordinal for n in node.queue.notifications(sets.subscription)] == [2]


def test_after_a_merge_a_subscription_hears_of_the_survivor(node: BrokerNode) -> None:
    made = node.subscribe(Criteria(kind=Kind.DOCUMENT, patient_id=OTHER_PATIENT))
    survivor = node.key()
    append(
        node,
        PatientAbsorbed(
            patient_key=survivor, subsumed=node.key(OTHER_PATIENT), patient_id=PATIENT
        ),
        stream=survivor, key=survivor,
    )  # fmt: skip
    also = node.subscribe(Criteria(kind=Kind.DOCUMENT, patient_id=OTHER_PATIENT))
    told = node.registered(entry())
    assert node.told(made) == node.told(also) == [told.entries[0].entry_uuid]


def test_a_shredded_patient_leaves_nothing_behind(node: BrokerNode) -> None:
    made = node.subscribe()
    anybody = node.subscribe(Criteria(kind=Kind.SUBMISSION_SET, source_ids=("1.2.250.99.3",)))
    node.registered(entry())
    other = node.registered(entry(OTHER_PATIENT))
    append(node, PatientShredded(patient_key=node.key(), reason="asked"), stream=node.key())
    assert node.queue.subscription(made.subscription) is None
    assert node.queue.notifications(made.subscription) == []
    assert node.told(anybody) == [other.submission_set.entry_uuid]


def test_a_rebuilt_queue_is_the_same(node: BrokerNode) -> None:
    made = node.subscribe()
    node.registered(entry(), entry())
    first = node.queue.next(made.subscription)
    assert first is not None
    node.place.facts.append(commands.delivered(first.id, first.patient_key))
    before = node.queue.notifications(made.subscription), node.queue.subscriptions()

    runner = Runner(node.place.views, {"facts": node.place.facts, "access": node.place.access})
    runner.rebuild(NAME)
    runner.catch_up("facts")
    with node.place.views.reader.connect() as connection:
        live = connection.execute(
            sa.select(GENERATIONS.c.generation).where(
                GENERATIONS.c.view == NAME, GENERATIONS.c.state == "live"
            )
        ).scalar_one()
    assert live == 2
    node.place.views._live.clear()
    assert (node.queue.notifications(made.subscription), node.queue.subscriptions()) == before
    assert from_micros(0) == before[1][0].again


def test_subscriptions_are_counted_by_subscriber(node: BrokerNode) -> None:
    made = node.subscribe()
    held = node.queue.subscription(made.subscription)
    assert held is not None
    assert held.criteria.patient_id == str(PatientId.parse(PATIENT))
    assert node.queue.count_of(held.subscriber) == 1
    node.subscriptions.cancel(made.subscription, held.subscriber)
    assert node.queue.count_of(held.subscriber) == 0


def test_the_longest_host_a_subscriber_may_write_stops_no_view(node: BrokerNode) -> None:
    made = node.subscriptions.subscribe(
        Asked(
            topic=Topic.FULL_DOCUMENT_ENTRY,
            consumer=CONSUMER,
            criteria=Criteria(kind=Kind.DOCUMENT, patient_id=PATIENT),
        ),
        LOOPBACK,
        lambda subscription: f"http://{'h' * 5000}/dsub/{subscription}",
    )
    held = node.queue.subscription(made.subscription)
    assert held is not None
    assert held.address == made.address
