"""What happened to subscriptions and to the notifications they caused.

Facts of ITI TF-2 3.52 to 3.54. Streams: the subscription's UUID; `stream_id("notifications", ..)`
of a subscription for its deliveries; a UUID of its own for each publication.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact
from registry.subscriptions.values import Criteria, NotificationId, Published, Subscriber, Topic


class SubscriptionCreated(Fact, frozen=True, kw_only=True):
    """Somebody subscribed; what is registered from here on is told when it meets the criteria."""

    TOPIC: ClassVar[str] = "subscription.created:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"criteria"})
    subscription: UUID
    topic: Topic
    consumer: str
    address: str
    """SubscriptionReference: where the subscription is managed."""
    subscriber: Subscriber
    terminates: int
    """Microseconds since 1970."""
    patient_key: UUID | None = None
    criteria: Criteria | None = None
    """Of a subscription to one patient's objects."""
    open_criteria: Criteria | None = None
    """Of a patient-independent subscription; names no patient."""


class SubscriptionRenewed(Fact, frozen=True, kw_only=True):
    """The subscription ends at another time."""

    TOPIC: ClassVar[str] = "subscription.renewed:v1"
    subscription: UUID
    terminates: int


class SubscriptionCancelled(Fact, frozen=True, kw_only=True):
    """The subscriber ended it; what was not yet delivered is dropped."""

    TOPIC: ClassVar[str] = "subscription.cancelled:v1"
    subscription: UUID


class SubscriptionExpired(Fact, frozen=True, kw_only=True):
    """Its time was over; what it caused before is still delivered."""

    TOPIC: ClassVar[str] = "subscription.expired:v1"
    subscription: UUID


class NotificationDelivered(Fact, frozen=True, kw_only=True):
    """The consumer took a notification."""

    TOPIC: ClassVar[str] = "notification.delivered:v1"
    notification: NotificationId
    patient_key: UUID


class NotificationDelayed(Fact, frozen=True, kw_only=True):
    """The consumer did not take a notification; it is offered again."""

    TOPIC: ClassVar[str] = "notification.delayed:v1"
    notification: NotificationId
    attempt: int
    """How many times in a row the consumer has been tried in vain."""
    reason: str
    """Refusal code or HTTP status; never what the consumer said."""
    again: int
    """When it is tried next, microseconds since 1970."""


class NotificationAbandoned(Fact, frozen=True, kw_only=True):
    """A notification could not be delivered in time and is not tried any more (dead)."""

    TOPIC: ClassVar[str] = "notification.abandoned:v1"
    notification: NotificationId
    attempt: int
    reason: str
    again: int
    """When the consumer is tried next, with the notification after this one."""


class NotificationWithheld(Fact, frozen=True, kw_only=True):
    """A notification was not sent: the object is gone, or the subscriber may not see it now."""

    TOPIC: ClassVar[str] = "notification.withheld:v1"
    notification: NotificationId
    reason: str


class PublicationReceived(Fact, frozen=True, kw_only=True):
    """A foreign registry told of objects of one patient (ITI-54)."""

    TOPIC: ClassVar[str] = "publication.received:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"published"})
    producer: str
    """ProducerReference: the sourceId as a URI."""
    patient_key: UUID
    published: Published | None = None
