"""ITI-53 Document Metadata Notify: send a subscriber one object, if he may still see it.

Implements ITI TF-2 3.53. What he may see is decided at the sending, not when he subscribed.
Called by `workflows/deliver_notifications` beside the projector.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from adapters.guard.guard import Guard
from adapters.soap import envelope
from adapters.soap.client import Peer, SoapClient
from adapters.soap.names import SOAP_TYPE
from adapters.soap.refusals import PeerUnavailable
from adapters.xds import wsn_encode, wsn_names
from adapters.xds.standing import standing
from kernel.ledger.ports import Ledger
from projections.delivery_queue.view import Notification, Subscription
from projections.document_index.view import DocumentIndex
from projections.permissions import policy
from registry.access.values import Resource, Subject
from registry.subscriptions.consumers import AllowedConsumers
from registry.subscriptions.events import PublicationReceived
from registry.subscriptions.refusals import ConsumerUnavailable, NothingToTell
from registry.subscriptions.values import DocumentLike, Kind, Published

TRANSACTION: Final = "ITI-53"
_SILENCE_SECONDS: Final = 10.0
_TOTAL_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class DocumentMetadataNotify:
    """Finds, judges, records and sends; the workflow sees to order and repetition."""

    facts: Ledger
    index: DocumentIndex
    guard: Guard
    client: SoapClient
    consumers: AllowedConsumers
    loopback_system: bool = False
    """Whether the demo's `loopback` may still come in."""
    tls: ssl.SSLContext | None = None

    def __call__(self, subscription: Subscription, notification: Notification) -> None:
        """Send one notification.

        Raises ConsumerUnavailable, Forbidden, ConsumerNotAllowed, NothingToTell, Unavailable.
        """
        self.consumers.check(subscription.consumer)
        subject = standing(
            self.guard.directory, subscription.subscriber, loopback_system=self.loopback_system
        )
        resource = Resource("document", notification.patient_key)
        self.guard.check(subject, "query", resource, transaction=TRANSACTION)
        thing = self._thing(subject, notification)
        body = wsn_encode.notification(
            subscription.topic,
            thing,
            subscription=subscription.address,
            producer=subscription.address.rpartition("/")[0],
        )
        # Before the sending, and at each one: even a consumer that says no has then seen it.
        self.guard.record(
            subject,
            "query",
            "success",
            TRANSACTION,
            patient_keys=(notification.patient_key,),
            document_ids=(thing.unique_id,),
            count=1,
            detail=f"notify {subscription.subscription}",
        )
        self._send(subscription.consumer, body)

    def _send(self, consumer: str, body: str) -> None:
        octets = envelope.write_request(
            wsn_names.NOTIFY, body, to=consumer, message_id=f"urn:uuid:{uuid4()}"
        )
        content_type = f'{SOAP_TYPE}; charset=UTF-8; action="{wsn_names.NOTIFY}"'
        peer = Peer(
            consumer, tls=self.tls, silence_seconds=_SILENCE_SECONDS, total_seconds=_TOTAL_SECONDS
        )
        try:
            self.client.deliver(peer, content_type, len(octets), (octets,))
        except PeerUnavailable as problem:
            raise ConsumerUnavailable(why=problem.message) from problem

    def _thing(self, subject: Subject, notification: Notification) -> DocumentLike:
        """Return the object as it stands now; raises NothingToTell."""
        if notification.foreign:
            return self._foreign(notification)
        within = policy.clause(subject, "query", "document")
        uuids = (notification.entry_uuid,)
        found: list[DocumentLike]
        with self.index.reading(within=within) as look:
            match notification.kind:
                case Kind.DOCUMENT:
                    found = [row.entry() for row in look.documents(entry_uuids=uuids)]
                case Kind.SUBMISSION_SET:
                    found = [
                        row.submission_set() for row in look.submission_sets(entry_uuids=uuids)
                    ]
                case Kind.FOLDER:
                    found = [row.folder() for row in look.folders(entry_uuids=uuids)]
        if not found:
            raise NothingToTell
        return found[0]

    def _foreign(self, notification: Notification) -> DocumentLike:
        told = notification.id
        for recorded in self.facts.read(told.position - 1, 1):
            match recorded.fact:
                case PublicationReceived(published=Published() as published):
                    return published.objects()[told.ordinal]
        raise NothingToTell
