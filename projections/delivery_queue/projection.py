"""Turns registrations into notifications for the subscriptions in force at their place in time.

Implements ITI TF-2 3.52.5.2 (matching) as rows; being a projection it sees every event once, in
order, whatever is killed meanwhile. Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Fact, Recorded
from kernel.times import micros
from projections.contract import ViewSpec
from projections.delivery_queue.tables import Tables
from projections.merged_patients import MergedPatients
from registry.documents.events import (
    DocumentRegistered,
    FolderCreated,
    FolderUpdated,
    SubmissionAccepted,
)
from registry.documents.values import DocumentEntry, Folder, SubmissionSet
from registry.patients.events import PatientAbsorbed, PatientShredded
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
from registry.subscriptions.matching import matches
from registry.subscriptions.values import Criteria, DocumentLike, Kind, NotificationId, Published

NAME: Final = "delivery_queue"
ACTIVE: Final = "active"
CANCELLED: Final = "cancelled"
EXPIRED: Final = "expired"
WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"
WITHHELD: Final = "withheld"

_criteria: Final = msgspec.json.Decoder(Criteria)
_folder: Final = msgspec.json.Decoder(Folder)
_encode: Final = msgspec.json.Encoder().encode
_KINDS: Final[dict[type[DocumentLike], Kind]] = {
    DocumentEntry: Kind.DOCUMENT,
    SubmissionSet: Kind.SUBMISSION_SET,
    Folder: Kind.FOLDER,
}


_CHANGES: Final = (
    SubscriptionCreated,
    SubscriptionRenewed,
    SubscriptionCancelled,
    SubscriptionExpired,
    PatientAbsorbed,
    PatientShredded,
)
"""What changes who wants to hear of what."""


@dataclass(frozen=True, slots=True)
class _Happened:
    """An object that somebody may want to hear of."""

    thing: DocumentLike
    patient_key: UUID
    ordinal: int = 0
    foreign: bool = False


class _Wanting:
    """Who wants to hear of an object; remembered until a subscription changes.

    Where nobody subscribed, a batch of registrations costs one query.
    """

    def __init__(self, connection: Connection, tables: Tables) -> None:
        self._connection = connection
        self._table = tables.subscriptions
        self._any: bool | None = None
        self._known: dict[UUID, list[tuple[UUID, int, Criteria]]] = {}

    def of(self, one: _Happened, at: int) -> list[UUID]:
        """Return the subscriptions that are in force at a moment and match an object."""
        if self._any is None:
            active = sa.select(self._table.c.subscription).where(self._table.c.state == ACTIVE)
            self._any = self._connection.execute(active.limit(1)).first() is not None
        if not self._any:
            return []
        if one.patient_key not in self._known:
            self._known[one.patient_key] = self._load(one.patient_key)
        return [
            subscription
            for subscription, terminates, criteria in self._known[one.patient_key]
            if terminates > at and matches(criteria, one.thing)
        ]

    def _load(self, patient_key: UUID) -> list[tuple[UUID, int, Criteria]]:
        c = self._table.c
        found = self._connection.execute(
            sa.select(c.subscription, c.terminates, c.criteria)
            .where(sa.or_(c.patient_key == patient_key, c.patient_key.is_(None)), c.state == ACTIVE)
            .order_by(c.subscription)
        )
        return [(r.subscription, r.terminates, _criteria.decode(r.criteria)) for r in found]


class DeliveryQueueProjection:
    """Keeps subscriptions and their notifications."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._merged = MergedPatients(tables.merges)

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows, one after the other: each sees what the ones before it did."""
        wanting = _Wanting(connection, self._tables)
        for recorded, fact in self._merged.following(connection, events):
            if isinstance(fact, _CHANGES):
                wanting = _Wanting(connection, self._tables)  # looks only when it is asked
            match fact:
                case SubscriptionCreated():
                    self._create(connection, fact, recorded)
                case SubscriptionRenewed():
                    self._change(connection, fact.subscription, terminates=fact.terminates)
                case SubscriptionCancelled():
                    self._cancel(connection, fact.subscription)
                case SubscriptionExpired():
                    self._change(connection, fact.subscription, state=EXPIRED)
                case PatientAbsorbed():
                    self._move(connection, fact)
                case PatientShredded():
                    self._forget(connection, fact.patient_key)
                case (
                    NotificationDelivered()
                    | NotificationDelayed()
                    | NotificationAbandoned()
                    | NotificationWithheld()
                ):
                    self._settle(connection, fact, recorded)
                case _:
                    self._tell(connection, recorded, self._happened(connection, fact), wanting)

    # -- subscriptions -----------------------------------------------------------------------

    def _create(
        self, connection: Connection, fact: SubscriptionCreated, recorded: Recorded
    ) -> None:
        criteria = fact.criteria or fact.open_criteria
        if criteria is None:
            return  # sealed for ever
        connection.execute(
            self._tables.subscriptions.insert().values(
                subscription=fact.subscription,
                topic=str(fact.topic),
                consumer=fact.consumer,
                address=fact.address,
                subscriber=fact.subscriber.name,
                subscriber_kind=fact.subscriber.kind,
                patient_key=fact.patient_key,
                criteria=_encode(criteria),
                state=ACTIVE,
                created_at=micros(recorded.at),
                terminates=fact.terminates,
                attempts=0,
                again=0,
            )
        )

    def _change(self, connection: Connection, subscription: UUID, **values: Any) -> None:
        table = self._tables.subscriptions
        connection.execute(
            table.update().where(table.c.subscription == subscription).values(**values)
        )

    def _cancel(self, connection: Connection, subscription: UUID) -> None:
        self._change(connection, subscription, state=CANCELLED)
        table = self._tables.notifications
        connection.execute(
            table.delete().where(table.c.subscription == subscription, table.c.state == WAITING)
        )

    def _of_patients(self) -> tuple[sa.Table, ...]:
        return (self._tables.subscriptions, self._tables.notifications, self._tables.folders)

    def _move(self, connection: Connection, fact: PatientAbsorbed) -> None:
        """Let who subscribed to the subsumed identifier hear of the survivor (3.8.4.2.4)."""
        for table in self._of_patients():
            connection.execute(
                table.update()
                .where(table.c.patient_key == fact.subsumed)
                .values(patient_key=fact.patient_key)
            )

    def _forget(self, connection: Connection, patient_key: UUID) -> None:
        for table in self._of_patients():
            connection.execute(table.delete().where(table.c.patient_key == patient_key))

    # -- notifications -----------------------------------------------------------------------

    def _happened(self, connection: Connection, fact: Fact) -> Iterable[_Happened]:
        """Return what an event tells of; a later version of an object is no registration."""
        match fact:
            case DocumentRegistered(entry=DocumentEntry() as entry):
                return [_Happened(entry, fact.patient_key)] if fact.version == 1 else []
            case SubmissionAccepted(submission_set=SubmissionSet() as whole):
                return [_Happened(whole, fact.patient_key)]
            case FolderCreated(folder=Folder() as folder):
                self._keep(connection, folder, fact.patient_key)
                return [_Happened(folder, fact.patient_key)] if folder.version == 1 else []
            case FolderUpdated():
                return self._grown(connection, fact.entry_uuid)
            case PublicationReceived(published=Published() as published):
                return [
                    _Happened(thing, fact.patient_key, ordinal, foreign=True)
                    for ordinal, thing in enumerate(published.objects())
                ]
            case _:
                return []  # sealed for ever: there is nothing to tell

    def _keep(self, connection: Connection, folder: Folder, patient_key: UUID) -> None:
        connection.execute(
            self._tables.folders.insert().values(
                entry_uuid=folder.entry_uuid, patient_key=patient_key, body=_encode(folder)
            )
        )

    def _grown(self, connection: Connection, entry_uuid: UUID) -> list[_Happened]:
        table = self._tables.folders
        row = connection.execute(
            sa.select(table.c.body, table.c.patient_key).where(table.c.entry_uuid == entry_uuid)
        ).first()
        return [] if row is None else [_Happened(_folder.decode(row.body), row.patient_key)]

    def _tell(
        self,
        connection: Connection,
        recorded: Recorded,
        happened: Iterable[_Happened],
        wanting: _Wanting,
    ) -> None:
        rows = [
            {
                "subscription": subscription,
                "position": recorded.position,
                "ordinal": one.ordinal,
                "patient_key": one.patient_key,
                "kind": str(_KINDS[type(one.thing)]),
                "object": one.thing.entry_uuid,
                "foreign_object": one.foreign,
                "caused_at": micros(recorded.at),
                "state": WAITING,
                "reason": "",
                "changed_at": micros(recorded.at),
            }
            for one in happened
            for subscription in wanting.of(one, micros(recorded.at))
        ]
        if rows:
            connection.execute(self._tables.notifications.insert(), rows)

    def _settle(
        self,
        connection: Connection,
        fact: NotificationDelivered
        | NotificationDelayed
        | NotificationAbandoned
        | NotificationWithheld,
        recorded: Recorded,
    ) -> None:
        told = fact.notification
        match fact:
            case NotificationDelivered():
                self._mark(connection, told, recorded, DELIVERED, "")
                self._change(connection, told.subscription, attempts=0, again=0)
            case NotificationWithheld():
                self._mark(connection, told, recorded, WITHHELD, fact.reason)
            case NotificationDelayed():
                self._mark(connection, told, recorded, WAITING, fact.reason)
            case NotificationAbandoned():
                self._mark(connection, told, recorded, DEAD, fact.reason)
        if isinstance(fact, NotificationDelayed | NotificationAbandoned):
            self._change(connection, told.subscription, attempts=fact.attempt, again=fact.again)

    def _mark(
        self,
        connection: Connection,
        told: NotificationId,
        recorded: Recorded,
        state: str,
        reason: str,
    ) -> None:
        table = self._tables.notifications
        connection.execute(
            table.update()
            .where(
                table.c.subscription == told.subscription,
                table.c.position == told.position,
                table.c.ordinal == told.ordinal,
                table.c.state == WAITING,
            )
            .values(state=state, reason=reason, changed_at=micros(recorded.at))
        )


SPEC: Final = ViewSpec(
    name=NAME,
    version=2,
    topics=(
        SubscriptionCreated.TOPIC,
        SubscriptionRenewed.TOPIC,
        SubscriptionCancelled.TOPIC,
        SubscriptionExpired.TOPIC,
        NotificationDelivered.TOPIC,
        NotificationDelayed.TOPIC,
        NotificationAbandoned.TOPIC,
        NotificationWithheld.TOPIC,
        PublicationReceived.TOPIC,
        DocumentRegistered.TOPIC,
        SubmissionAccepted.TOPIC,
        FolderCreated.TOPIC,
        FolderUpdated.TOPIC,
        PatientAbsorbed.TOPIC,
        PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=DeliveryQueueProjection,
)
