"""Subscriptions decided: given what happened, when somebody asks, then these facts or that no.

ITI TF-2 3.52 and WS-BaseNotification 1.3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.times import from_micros, micros
from registry.subscriptions import commands
from registry.subscriptions import events as facts
from registry.subscriptions.commands import NO_SUBSCRIPTION, Retrying, Terms
from registry.subscriptions.refusals import (
    FilterInvalid,
    InitialTerminationTimeUnacceptable,
    PublicationEmpty,
    SubscriptionEnded,
    SubscriptionNotYours,
    SubscriptionUnknown,
    TerminationTimeUnacceptable,
    TopicNotSupported,
)
from registry.subscriptions.values import (
    Asked,
    Criteria,
    Kind,
    NotificationId,
    Published,
    Subscriber,
    Topic,
)
from tests.support.submissions import PATIENT, entry

NOW = datetime(2026, 5, 3, 10, 12, tzinfo=UTC)
ADA = Subscriber(name="token-1", kind="token")
BOB = Subscriber(name="token-2", kind="token")
KEY = uuid4()
SUBSCRIPTION = uuid4()
TERMS = Terms(timedelta(days=100))


def subscribe(
    termination: str = "", topic: Topic = Topic.FULL_DOCUMENT_ENTRY, key: UUID | None = KEY,
    kind: Kind = Kind.DOCUMENT,
) -> facts.SubscriptionCreated:  # fmt: skip
    criteria = Criteria(kind=kind, patient_id=PATIENT if key else "")
    asked = Asked(
        topic=topic, consumer="http://c.example/", criteria=criteria, termination=termination
    )
    made = commands.subscribe(
        asked, ADA, NOW, TERMS,
        subscription=SUBSCRIPTION, address="http://b.example/dsub/1", patient_key=key,
    )  # fmt: skip
    (stream,) = made.streams
    assert (stream.stream, stream.expected_version, stream.patient_key) == (SUBSCRIPTION, 0, key)
    (fact,) = stream.facts
    assert isinstance(fact, facts.SubscriptionCreated)
    return fact


def state(*told: Fact) -> Any:
    made = NO_SUBSCRIPTION
    for number, fact in enumerate(told, 1):
        made = commands.apply_subscription(
            made,
            Recorded(stream=SUBSCRIPTION, version=number, position=number, at=NOW,
                     topic=fact.TOPIC, fact=fact, envelope=Envelope()),
        )  # fmt: skip
    return made


def only(made: Any) -> Fact:
    (stream,) = made.streams
    (fact,) = stream.facts
    return fact


def test_criteria_that_name_a_patient_are_sealed_and_others_are_not() -> None:
    bound, open_ = subscribe(), subscribe(key=None)
    assert bound.criteria is not None
    assert bound.open_criteria is None
    assert open_.criteria is None
    assert open_.open_criteria is not None
    assert "criteria" in facts.SubscriptionCreated.PERSONAL


@pytest.mark.parametrize(
    ("termination", "expected"),
    [
        ("", NOW + timedelta(days=100)),
        ("2026-06-01T00:00:00.00000Z", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T08:00:00+08:00", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T00:00:00", datetime(2026, 6, 1, tzinfo=UTC)),
        ("P1M", datetime(2026, 6, 3, 10, 12, tzinfo=UTC)),
        ("P2DT3H4M5.6S", NOW + timedelta(days=2, hours=3, minutes=4, seconds=5)),
        ("PT30S", NOW + timedelta(seconds=30)),
    ],
)
def test_the_termination_time_is_absolute_or_relative(termination: str, expected: datetime) -> None:
    assert from_micros(subscribe(termination).terminates) == expected


@pytest.mark.parametrize(
    "termination",
    ["2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z", "P1Y", "tomorrow", "P", "PT", "-P1D", "P0D",
     "2026-13-01T00:00:00Z", "P999999Y", "20260601T000000Z"],
)  # fmt: skip
def test_a_termination_time_that_cannot_be_granted_is_refused(termination: str) -> None:
    with pytest.raises(InitialTerminationTimeUnacceptable):
        subscribe(termination)


def test_a_topic_goes_with_its_own_filter_only() -> None:
    with pytest.raises(TopicNotSupported):
        subscribe(topic=Topic.FOLDER_METADATA)
    assert subscribe(topic=Topic.FOLDER_METADATA, kind=Kind.FOLDER).topic == "FolderMetadata"


def test_only_the_subscriber_ends_a_subscription_and_only_once() -> None:
    made = state(subscribe())
    ended = only(commands.cancel(SUBSCRIPTION, made, 1, ADA, NOW))
    assert ended == facts.SubscriptionCancelled(subscription=SUBSCRIPTION)
    assert only(commands.cancel(SUBSCRIPTION, made, 1, None, NOW)) == ended, "an operator may"
    with pytest.raises(SubscriptionNotYours):
        commands.cancel(SUBSCRIPTION, made, 1, BOB, NOW)
    with pytest.raises(SubscriptionEnded):
        commands.cancel(SUBSCRIPTION, state(subscribe(), ended), 2, ADA, NOW)
    with pytest.raises(SubscriptionUnknown):
        commands.cancel(SUBSCRIPTION, NO_SUBSCRIPTION, 0, ADA, NOW)


def test_a_renewal_moves_the_end_while_the_subscription_lives() -> None:
    made = state(subscribe("PT1H"))
    later = NOW + timedelta(minutes=30)
    renewed = only(
        commands.renew(SUBSCRIPTION, made, 1, ADA, later, termination="PT2H", terms=TERMS)
    )
    assert renewed == facts.SubscriptionRenewed(
        subscription=SUBSCRIPTION, terminates=micros(later + timedelta(hours=2))
    )
    with pytest.raises(TerminationTimeUnacceptable):
        commands.renew(SUBSCRIPTION, made, 1, ADA, later, termination="P1Y", terms=TERMS)
    with pytest.raises(SubscriptionEnded):
        commands.renew(
            SUBSCRIPTION, made, 1, ADA, NOW + timedelta(hours=1), termination="PT2H", terms=TERMS
        )


def test_an_end_that_came_is_recorded_once() -> None:
    made, after = subscribe("PT1H"), NOW + timedelta(hours=1)
    assert commands.expire(SUBSCRIPTION, state(made), 1, NOW) is None
    batch = commands.expire(SUBSCRIPTION, state(made), 1, after)
    assert batch is not None
    assert commands.expire(SUBSCRIPTION, state(made, only(batch)), 2, after) is None
    assert commands.expire(SUBSCRIPTION, NO_SUBSCRIPTION, 0, after) is None


def test_attempts_in_vain_are_spaced_out_and_come_to_an_end() -> None:
    told = NotificationId(subscription=SUBSCRIPTION, position=7)
    retrying = Retrying(timedelta(seconds=5), timedelta(minutes=1), timedelta(hours=1))

    def tried(attempt: int, later: timedelta) -> Fact:
        return only(
            commands.not_taken(told, NOW, attempt, "x" * 99, NOW + later, retrying=retrying)
        )

    waits = []
    for attempt in (1, 2, 3, 4, 5, 999):
        fact = tried(attempt, timedelta())
        assert isinstance(fact, facts.NotificationDelayed)
        assert len(fact.reason) == 64
        waits.append((from_micros(fact.again) - NOW).total_seconds())
    assert waits == [5, 10, 20, 40, 60, 60]
    assert isinstance(tried(9, timedelta(hours=1)), facts.NotificationAbandoned)


def test_a_publication_is_kept_by_patient_and_must_tell_something() -> None:
    other = uuid4()
    batch = commands.publish(
        "urn:oid:1.2.3",
        {KEY: Published(entries=(entry(),)), other: Published(entries=(entry(), entry()))},
    )
    assert [stream.patient_key for stream in batch.streams] == [KEY, other]
    assert "published" in facts.PublicationReceived.PERSONAL
    with pytest.raises(PublicationEmpty):
        commands.publish("urn:oid:1.2.3", {KEY: Published()})


@pytest.mark.parametrize("names", [("%a%",) * 21, ("%" + "a" * 256,)])
def test_a_filter_that_costs_every_registration_dearly_is_refused(names: tuple[str, ...]) -> None:
    for criteria in (
        Criteria(kind=Kind.DOCUMENT, patient_id=PATIENT, authors=names),
        Criteria(kind=Kind.SUBMISSION_SET, patient_id=PATIENT, recipients=names),
    ):
        topic = {
            Kind.DOCUMENT: Topic.FULL_DOCUMENT_ENTRY,
            Kind.SUBMISSION_SET: Topic.SUBMISSION_SET_METADATA,
        }[criteria.kind]
        asked = Asked(topic=topic, consumer="http://c.example/", criteria=criteria)
        with pytest.raises(FilterInvalid):
            commands.subscribe(
                asked, ADA, NOW, TERMS,
                subscription=SUBSCRIPTION, address="http://b.example/dsub/1", patient_key=KEY,
            )  # fmt: skip
