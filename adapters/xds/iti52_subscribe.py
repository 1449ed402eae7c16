"""ITI-52 Document Metadata Subscribe: subscribe, renew, unsubscribe.

Implements ITI TF-2 3.52.4. A subscription is managed at an address of its own, which ends in its
UUID. Called by the door of `/dsub` in a worker thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from adapters.guard.guard import AuditUnavailable, Guard
from adapters.soap.door import Answer, Call
from adapters.xds import wsn_decode, wsn_encode, wsn_faults, wsn_names
from kernel.context import acting_as
from kernel.refusals import Forbidden, Refusal
from registry.access.values import Resource, Subject
from registry.subscriptions.refusals import SubscriptionNotYours
from registry.subscriptions.values import Subscriber
from workflows.subscribe_to_documents import DocumentSubscriptions, InForce

TRANSACTION: Final = "ITI-52"


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Makes subscriptions."""

    subscriptions: DocumentSubscriptions
    guard: Guard
    address: str = ""
    """The broker's own address as subscribers know it; empty: as the request came."""

    def __call__(self, call: Call) -> Answer:
        """Answer wsnt:Subscribe, or raise the fault that says why not."""
        try:
            made = self._subscribed(call)
        except (AuditUnavailable, Forbidden):
            raise
        except Refusal as refusal:
            _failed(self.guard, call.subject, refusal)
            raise wsn_faults.fault(refusal, wsn_faults.SUBSCRIBE) from refusal
        return Answer(
            wsn_encode.subscribe_response(made.address, made.now, made.terminates),
            action=wsn_names.SUBSCRIBE_RESPONSE,
        )

    def _subscribed(self, call: Call) -> InForce:
        asked = wsn_decode.subscribe_request(call.body)
        key = self.subscriptions.patient_key(asked.criteria.patient_id)
        self.guard.check(call.subject, "query", Resource("document", key), transaction=TRANSACTION)
        base = (self.address or call.address).rstrip("/")
        with acting_as(self.guard.envelope(call.subject, TRANSACTION.lower())):
            made = self.subscriptions.subscribe(
                asked, subscriber(call.subject), lambda subscription: f"{base}/{subscription}"
            )
        _succeeded(self.guard, call.subject, "subscribe", made.subscription, key)
        return made


@dataclass(frozen=True, slots=True)
class Renew:
    """Moves the end of subscriptions."""

    subscriptions: DocumentSubscriptions
    guard: Guard

    def __call__(self, call: Call) -> Answer:
        """Answer wsnt:Renew, or raise the fault that says why not."""
        try:
            termination = wsn_decode.renew_request(call.body)
            subscription = wsn_decode.subscription_of(call.address)
            with acting_as(self.guard.envelope(call.subject, TRANSACTION.lower())):
                made = self.subscriptions.renew(subscription, subscriber(call.subject), termination)
            _succeeded(self.guard, call.subject, "renew", subscription, None)
        except AuditUnavailable:
            raise
        except Refusal as refusal:
            _failed(self.guard, call.subject, refusal)
            raise wsn_faults.fault(refusal, wsn_faults.RENEW) from refusal
        return Answer(
            wsn_encode.renew_response(made.now, made.terminates), action=wsn_names.RENEW_RESPONSE
        )


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Ends subscriptions."""

    subscriptions: DocumentSubscriptions
    guard: Guard

    def __call__(self, call: Call) -> Answer:
        """Answer wsnt:Unsubscribe, or raise the fault that says why not."""
        try:
            wsn_decode.unsubscribe_request(call.body)
            subscription = wsn_decode.subscription_of(call.address)
            with acting_as(self.guard.envelope(call.subject, TRANSACTION.lower())):
                self.subscriptions.cancel(subscription, subscriber(call.subject))
            _succeeded(self.guard, call.subject, "unsubscribe", subscription, None)
        except AuditUnavailable:
            raise
        except Refusal as refusal:
            _failed(self.guard, call.subject, refusal)
            raise wsn_faults.fault(refusal, wsn_faults.UNSUBSCRIBE) from refusal
        return Answer(wsn_encode.unsubscribe_response(), action=wsn_names.UNSUBSCRIBE_RESPONSE)


def subscriber(subject: Subject) -> Subscriber:
    """Return the names by which a caller is known again."""
    return Subscriber(name=subject.name, kind=subject.kind)


def _succeeded(
    guard: Guard, subject: Subject, what: str, subscription: UUID, key: UUID | None
) -> None:
    guard.record(
        subject,
        "query",
        "success",
        TRANSACTION,
        patient_keys=() if key is None else (key,),
        detail=f"{what} {subscription}",
    )


def _failed(guard: Guard, subject: Subject, refusal: Refusal) -> None:
    outcome = "denied" if isinstance(refusal, SubscriptionNotYours) else "failed"
    guard.record(subject, "query", outcome, TRANSACTION, detail=refusal.code)
