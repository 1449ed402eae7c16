"""Decide subscriptions: made, renewed, ended; and record what became of each notification.

Implements ITI TF-2 3.52.4 (subscribe, unsubscribe), 3.54.4 (publish) and WS-BaseNotification 1.3.
Pure: past state and request -> Append. Called by workflows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from kernel.events import Fact
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import micros
from registry.subscriptions.aggregate import NO_SUBSCRIPTION, SubscriptionState, apply_subscription
from registry.subscriptions.events import (
    NotificationAbandoned,
    NotificationDelayed,
    NotificationDelivered,
    NotificationWithheld,
    PublicationReceived,
    SubscriptionCancelled,
    SubscriptionCreated,
    SubscriptionExpired,
    SubscriptionRenewed,
)
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
from registry.subscriptions.terms import moment
from registry.subscriptions.values import (
    TOPICS,
    Asked,
    Criteria,
    NotificationId,
    Published,
    Subscriber,
)

__all__ = ["NO_SUBSCRIPTION", "SubscriptionState", "apply_subscription"]
"""What workflows fold a subscription's stream (its UUID) with; the commands are below."""

_REASON: Final = 64
_MOST_PATTERNS: Final = 20
_LONGEST_PATTERN: Final = 256
"""Every registration is held against them, by the one process that fills the views."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the broker grants."""

    longest: timedelta = timedelta(days=3660)
    """No subscription lasts longer without being renewed."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """When a notification that was not taken is offered again, and until when."""

    first: timedelta = timedelta(seconds=5)
    most: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(hours=72)
    """After this since its event a notification is abandoned."""

    def again(self, attempt: int, now: datetime) -> datetime:
        """Return when to try after so many attempts in vain: twice as long each time."""
        return now + min(self.most, self.first * (1 << min(attempt - 1, 30)))


def subscribe(
    asked: Asked,
    subscriber: Subscriber,
    now: datetime,
    terms: Terms,
    *,
    subscription: UUID,
    address: str,
    patient_key: UUID | None,
) -> Append:
    """Make a subscription.

    Raises TopicNotSupported, FilterInvalid, InitialTerminationTimeUnacceptable.
    """
    if asked.topic not in TOPICS[asked.criteria.kind]:
        raise TopicNotSupported(
            f"the topic ihe:{asked.topic} does not go with a filter on {asked.criteria.kind}s",
            topic=asked.topic,
        )
    _check_patterns(asked.criteria)
    ends = _ends(asked.termination, now, terms)
    if ends is None:
        raise InitialTerminationTimeUnacceptable(
            _window("InitialTerminationTime", terms), minimum=now, maximum=now + terms.longest
        )
    fact = SubscriptionCreated(
        subscription=subscription,
        topic=asked.topic,
        consumer=asked.consumer,
        address=address,
        subscriber=subscriber,
        terminates=micros(ends),
        patient_key=patient_key,
        criteria=None if patient_key is None else asked.criteria,
        open_criteria=asked.criteria if patient_key is None else None,
    )
    return Append((StreamAppend(subscription, (fact,), 0, patient_key),))


def renew(
    subscription: UUID,
    state: SubscriptionState,
    version: int,
    subscriber: Subscriber,
    now: datetime,
    *,
    termination: str,
    terms: Terms,
) -> Append:
    """Move the end of a subscription; raises TerminationTimeUnacceptable and as `cancel`."""
    _in_force(state, subscriber, now)
    ends = _ends(termination, now, terms)
    if ends is None:
        raise TerminationTimeUnacceptable(
            _window("TerminationTime", terms), minimum=now, maximum=now + terms.longest
        )
    fact = SubscriptionRenewed(subscription=subscription, terminates=micros(ends))
    return Append((StreamAppend(subscription, (fact,), version),))


def cancel(
    subscription: UUID,
    state: SubscriptionState,
    version: int,
    subscriber: Subscriber | None,
    now: datetime,
) -> Append:
    """End a subscription for its subscriber or (None) an operator.

    Raises SubscriptionUnknown, SubscriptionEnded, SubscriptionNotYours.
    """
    _in_force(state, subscriber, now)
    fact = SubscriptionCancelled(subscription=subscription)
    return Append((StreamAppend(subscription, (fact,), version),))


def expire(
    subscription: UUID, state: SubscriptionState, version: int, now: datetime
) -> Append | None:
    """Record that a subscription's time is over; None when it is not, or was recorded."""
    if state.subscriber is None or state.ended or state.terminates > micros(now):
        return None
    fact = SubscriptionExpired(subscription=subscription)
    return Append((StreamAppend(subscription, (fact,), version),))


def publish(producer: str, published: Mapping[UUID, Published]) -> Append:
    """Record what a foreign registry tells, by patient; raises PublicationEmpty."""
    told = {key: one for key, one in published.items() if one.objects()}
    if not told:
        raise PublicationEmpty
    return Append(
        tuple(
            StreamAppend(
                uuid4(),
                (PublicationReceived(producer=producer, patient_key=key, published=one),),
                0,
                key,
            )
            for key, one in told.items()
        )
    )


def delivered(notification: NotificationId, patient_key: UUID) -> Append:
    """Record that the consumer took a notification."""
    return _of(
        notification, NotificationDelivered(notification=notification, patient_key=patient_key)
    )


def withheld(notification: NotificationId, reason: str) -> Append:
    """Record that a notification may not be sent."""
    return _of(
        notification, NotificationWithheld(notification=notification, reason=reason[:_REASON])
    )


def not_taken(
    notification: NotificationId,
    caused: datetime,
    attempt: int,
    reason: str,
    now: datetime,
    *,
    retrying: Retrying,
) -> Append:
    """Record an attempt in vain: to be tried again, or abandoned when its time is over."""
    again = micros(retrying.again(attempt, now))
    fact: Fact
    if now - caused >= retrying.give_up:
        fact = NotificationAbandoned(
            notification=notification, attempt=attempt, reason=reason[:_REASON], again=again
        )
    else:
        fact = NotificationDelayed(
            notification=notification, attempt=attempt, reason=reason[:_REASON], again=again
        )
    return _of(notification, fact)


def _of(notification: NotificationId, fact: Fact) -> Append:
    stream = stream_id("notifications", str(notification.subscription))
    return Append((StreamAppend(stream, (fact,)),))


def _check_patterns(criteria: Criteria) -> None:
    patterns = (*criteria.authors, *criteria.recipients)
    if len(patterns) > _MOST_PATTERNS or any(len(p) > _LONGEST_PATTERN for p in patterns):
        raise FilterInvalid(
            f"a filter takes {_MOST_PATTERNS} names of authors and recipients at most, "
            f"each of {_LONGEST_PATTERN} characters"
        )


def _ends(text: str, now: datetime, terms: Terms) -> datetime | None:
    latest = now + terms.longest
    if not text:
        return latest
    told = moment(text, now)
    return told if told is not None and now < told <= latest else None


def _window(name: str, terms: Terms) -> str:
    return (
        f"{name} must be an xsd:dateTime or xsd:duration in the future "
        f"and at most {terms.longest.days} days away"
    )


def _in_force(state: SubscriptionState, subscriber: Subscriber | None, now: datetime) -> None:
    if state.subscriber is None:
        raise SubscriptionUnknown
    if subscriber is not None and state.subscriber != subscriber:
        raise SubscriptionNotYours
    if state.ended or state.terminates <= micros(now):
        raise SubscriptionEnded
