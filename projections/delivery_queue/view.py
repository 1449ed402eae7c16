"""Reads the delivery queue: what is to be sent next, to whom, and what became of the rest.

Implements the order of ITI TF-2 3.53 per subscription: only its oldest waiting notification is
ever given out. Called by `workflows/deliver_notifications`, `workflows/subscribe_to_documents`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel.times import from_micros, micros
from projections.database import ViewsDatabase
from projections.delivery_queue.projection import ACTIVE, NAME, WAITING
from registry.subscriptions.values import Criteria, Kind, NotificationId, Subscriber, Topic

_criteria: Final = msgspec.json.Decoder(Criteria)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it stands."""

    subscription: UUID
    topic: Topic
    consumer: str
    address: str
    subscriber: Subscriber
    patient_key: UUID | None
    criteria: Criteria
    state: str
    """active | cancelled | expired."""
    created: datetime
    terminates: datetime
    attempts: int
    """How often in a row its consumer was tried in vain."""
    again: datetime
    """When it is tried next, if something waits."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification as it stands."""

    id: NotificationId
    patient_key: UUID
    kind: Kind
    entry_uuid: UUID
    foreign: bool
    """Told by a foreign registry: its metadata lie in the event at `id.position`."""
    caused: datetime
    state: str
    """waiting | delivered | dead | withheld."""
    reason: str


class DeliveryQueue:
    """The query side of the delivery queue; thread safe."""

    def __init__(self, views: ViewsDatabase) -> None:
        self._views = views

    def due(self, moment: datetime, limit: int) -> list[UUID]:
        """Return subscriptions whose consumer is to be tried now; a cheap look, without waiting."""
        with self._views.reading(NAME, fresh=False) as (connection, tables):
            s, n = tables.subscriptions.c, tables.notifications.c
            waiting = sa.exists().where(n.state == WAITING, n.subscription == s.subscription)
            query = (
                sa.select(s.subscription)
                .where(s.again <= micros(moment), waiting)
                .order_by(s.again, s.subscription)
                .limit(limit)
            )
            return [row.subscription for row in connection.execute(query)]

    def next(self, subscription: UUID) -> Notification | None:
        """Return the oldest waiting notification of a subscription."""
        with self._views.reading(NAME) as (connection, tables):
            n = tables.notifications.c
            query = (
                sa.select(tables.notifications)
                .where(n.state == WAITING, n.subscription == subscription)
                .order_by(n.position, n.ordinal)
                .limit(1)
            )
            row = connection.execute(query).first()
            return None if row is None else _notification(row)

    def subscription(self, subscription: UUID) -> Subscription | None:
        """Return a subscription, whatever its state."""
        with self._views.reading(NAME) as (connection, tables):
            table = tables.subscriptions
            query = sa.select(table).where(table.c.subscription == subscription)
            row = connection.execute(query).first()
            return None if row is None else _subscription(row)

    def over(self, moment: datetime, limit: int) -> list[UUID]:
        """Return active subscriptions whose time is over; a cheap look, without waiting."""
        with self._views.reading(NAME, fresh=False) as (connection, tables):
            c = tables.subscriptions.c
            query = (
                sa.select(c.subscription)
                .where(c.state == ACTIVE, c.terminates <= micros(moment))
                .limit(limit)
            )
            return [row.subscription for row in connection.execute(query)]

    def count_of(self, subscriber: Subscriber) -> int:
        """Return how many active subscriptions somebody has."""
        with self._views.reading(NAME) as (connection, tables):
            c = tables.subscriptions.c
            query = sa.select(sa.func.count()).where(
                c.state == ACTIVE,
                c.subscriber == subscriber.name,
                c.subscriber_kind == subscriber.kind,
            )
            return int(connection.execute(query).scalar_one())

    def subscriptions(self, limit: int = 1000) -> Sequence[Subscription]:
        """Return the newest subscriptions."""
        with self._views.reading(NAME) as (connection, tables):
            table = tables.subscriptions
            query = sa.select(table).order_by(table.c.created_at.desc()).limit(limit)
            return [_subscription(row) for row in connection.execute(query)]

    def notifications(self, subscription: UUID, limit: int = 1000) -> Sequence[Notification]:
        """Return the notifications of a subscription in their order."""
        with self._views.reading(NAME) as (connection, tables):
            table = tables.notifications
            query = (
                sa.select(table)
                .where(table.c.subscription == subscription)
                .order_by(table.c.position, table.c.ordinal)
                .limit(limit)
            )
            return [_notification(row) for row in connection.execute(query)]

    def tally(self) -> dict[UUID, dict[str, int]]:
        """Return how many notifications of each subscription are in each state."""
        with self._views.reading(NAME) as (connection, tables):
            c = tables.notifications.c
            query = sa.select(c.subscription, c.state, sa.func.count()).group_by(
                c.subscription, c.state
            )
            found: dict[UUID, dict[str, int]] = {}
            for subscription, state, count in connection.execute(query):
                found.setdefault(subscription, {})[state] = int(count)
            return found


def _subscription(row: Any) -> Subscription:
    return Subscription(
        subscription=row.subscription,
        topic=Topic(row.topic),
        consumer=row.consumer,
        address=row.address,
        subscriber=Subscriber(name=row.subscriber, kind=row.subscriber_kind),
        patient_key=row.patient_key,
        criteria=_criteria.decode(row.criteria),
        state=row.state,
        created=from_micros(row.created_at),
        terminates=from_micros(row.terminates),
        attempts=row.attempts,
        again=from_micros(row.again),
    )


def _notification(row: Any) -> Notification:
    return Notification(
        id=NotificationId(
            subscription=row.subscription, position=row.position, ordinal=row.ordinal
        ),
        patient_key=row.patient_key,
        kind=Kind(row.kind),
        entry_uuid=row.object,
        foreign=row.foreign_object,
        caused=from_micros(row.caused_at),
        state=row.state,
        reason=row.reason,
    )
