"""ITI-54 Document Metadata Publish: a foreign registry tells the broker what it registered.

Implements ITI TF-2 3.54. One-way: the answer is 202 without a body. Called by the door of
`/dsub` in a worker thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.guard.guard import AuditUnavailable, Guard
from adapters.soap.door import Answer, Call
from adapters.soap.faults import SoapFault
from adapters.xds import wsn_decode
from kernel.context import acting_as
from kernel.refusals import Forbidden, Refusal, Unavailable
from registry.access.values import Resource
from workflows.subscribe_to_documents import DocumentSubscriptions

TRANSACTION: Final = "ITI-54"


@dataclass(frozen=True, slots=True)
class Publish:
    """Takes in publications of those who may register documents here."""

    subscriptions: DocumentSubscriptions
    guard: Guard

    def __call__(self, call: Call) -> Answer:
        """Take a wsnt:Notify; what is wrong with it becomes a SOAP fault."""
        try:
            self._published(call)
        except (AuditUnavailable, Forbidden, Unavailable):
            raise
        except Refusal as refusal:
            self.guard.record(call.subject, "register", "failed", TRANSACTION, detail=refusal.code)
            raise SoapFault(refusal.message) from refusal
        return Answer("")

    def _published(self, call: Call) -> None:
        told = wsn_decode.publication(call.body)
        published = self.subscriptions.patients(told.objects)
        for key in published:
            resource = Resource("document", key)
            self.guard.check(call.subject, "register", resource, transaction=TRANSACTION)
        envelope = self.guard.envelope(
            call.subject, TRANSACTION.lower(), source=told.producer.removeprefix("urn:oid:")
        )
        with acting_as(envelope):
            self.subscriptions.publish(told.producer, published)
        self.guard.record(
            call.subject,
            "register",
            "success",
            TRANSACTION,
            patient_keys=sorted(published),
            document_ids=[thing.unique_id for thing in told.objects],
            count=len(told.objects),
        )
