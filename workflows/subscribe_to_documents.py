"""Subscribe to documents: make, renew and end subscriptions; take in what foreign registries tell.

Implements ITI TF-2 3.52.4 and 3.54.4 (the Document Metadata Notification Broker's actions).
Called by adapters/xds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from kernel.identifiers import BadIdentifier, PatientId, PatientKeys
from kernel.ledger.ports import Append, Ledger, StreamMoved
from kernel.times import Clock, from_micros, now
from projections.delivery_queue.view import DeliveryQueue
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import DocumentEntry, Folder, SubmissionSet
from registry.subscriptions import commands
from registry.subscriptions.commands import SubscriptionState, Terms
from registry.subscriptions.consumers import AllowedConsumers
from registry.subscriptions.events import SubscriptionCreated, SubscriptionRenewed
from registry.subscriptions.refusals import SubscriptionUnknown, TooManySubscriptions
from registry.subscriptions.values import Asked, DocumentLike, Published, Subscriber


@dataclass(frozen=True, slots=True)
class InForce:
    """A subscription that was made or renewed."""

    subscription: UUID
    address: str
    now: datetime
    terminates: datetime


class DocumentSubscriptions:
    """The broker's book of subscriptions. Thread safe."""

    def __init__(
        self,
        facts: Ledger,
        patient_keys: PatientKeys,
        queue: DeliveryQueue,
        *,
        consumers: AllowedConsumers,
        terms: Terms,
        most: int = 10_000,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._patient_keys = patient_keys
        self._queue = queue
        self._consumers = consumers
        self._terms = terms
        self._most = most
        """Active subscriptions that one subscriber may have."""
        self._clock = clock

    def patient_key(self, patient_id: str) -> UUID | None:
        """Return the key of the patient that criteria name, None for patient-independent ones."""
        return self._patient_keys.key(PatientId.parse(patient_id)) if patient_id else None

    def subscribe(
        self, asked: Asked, subscriber: Subscriber, address: Callable[[UUID], str]
    ) -> InForce:
        """Make a subscription, managed at `address` of its id; raises the room's refusals."""
        self._consumers.check(asked.consumer)
        if self._queue.count_of(subscriber) >= self._most:
            raise TooManySubscriptions
        subscription, moment = uuid4(), self._clock()
        batch = commands.subscribe(
            asked,
            subscriber,
            moment,
            self._terms,
            subscription=subscription,
            address=address(subscription),
            patient_key=self.patient_key(asked.criteria.patient_id),
        )
        self._facts.append(batch)
        fact = batch.streams[0].facts[0]
        assert isinstance(fact, SubscriptionCreated)
        return InForce(subscription, fact.address, moment, from_micros(fact.terminates))

    def renew(self, subscription: UUID, subscriber: Subscriber, termination: str) -> InForce:
        """Move the end of a subscription; raises the room's refusals."""
        moment = self._clock()

        def decide(state: SubscriptionState, version: int) -> Append:
            return commands.renew(
                subscription,
                state,
                version,
                subscriber,
                moment,
                termination=termination,
                terms=self._terms,
            )

        fact = self._decided(subscription, decide).streams[0].facts[0]
        assert isinstance(fact, SubscriptionRenewed)
        held = self._queue.subscription(subscription)
        if held is None:
            raise SubscriptionUnknown  # the patient was shredded this moment
        return InForce(subscription, held.address, moment, from_micros(fact.terminates))

    def cancel(self, subscription: UUID, subscriber: Subscriber | None) -> None:
        """End a subscription for its subscriber or (None) an operator; raises refusals."""
        moment = self._clock()
        self._decided(
            subscription,
            lambda state, version: commands.cancel(
                subscription, state, version, subscriber, moment
            ),
        )

    def patients(self, objects: tuple[DocumentLike, ...]) -> dict[UUID, Published]:
        """Return what a publication tells, by patient; raises MetadataInvalid."""
        told: dict[UUID, list[DocumentLike]] = {}
        for thing in objects:
            try:
                key = self._patient_keys.key(PatientId.parse(thing.patient_id))
            except BadIdentifier:
                raise MetadataInvalid(
                    "patientId needs the form id^^^&OID&ISO", attribute="patientId"
                ) from None
            told.setdefault(key, []).append(thing)
        return {key: _published(things) for key, things in told.items()}

    def publish(self, producer: str, published: dict[UUID, Published]) -> None:
        """Record what a foreign registry tells; whoever subscribed to it will hear of it."""
        self._facts.append(commands.publish(producer, published))

    def _decided(
        self, subscription: UUID, decide: Callable[[SubscriptionState, int], Append]
    ) -> Append:
        for again in (True, False):
            state, version = self._facts.fold(
                subscription, commands.NO_SUBSCRIPTION, commands.apply_subscription
            )
            batch = decide(state, version)
            try:
                self._facts.append(batch)
            except StreamMoved:
                if not again:
                    raise
                continue
            return batch
        raise AssertionError


def _published(things: list[DocumentLike]) -> Published:
    return Published(
        entries=tuple(t for t in things if isinstance(t, DocumentEntry)),
        submission_sets=tuple(t for t in things if isinstance(t, SubmissionSet)),
        folders=tuple(t for t in things if isinstance(t, Folder)),
    )
