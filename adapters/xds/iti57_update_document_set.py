"""ITI-57 Update Document Set: new versions of metadata, their status and their associations.

Implements ITI TF-2 3.57. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from typing import ClassVar

from adapters.guard.guard import AuditUnavailable, Guard
from adapters.soap.door import Answer, Call
from adapters.xds import decode_update, encode
from adapters.xds.faults import registry_error
from kernel.context import acting_as
from kernel.refusals import Forbidden, Refusal
from registry.access.values import Resource
from registry.documents.update_terms import UPDATE, Terms
from workflows.update_documents import UpdateDocuments


class UpdateDocumentSet:
    """Updates registered metadata."""

    transaction: ClassVar[str] = "ITI-57"
    terms: ClassVar[Terms] = UPDATE

    def __init__(self, update: UpdateDocuments, guard: Guard) -> None:
        self._update = update
        self._guard = guard

    def __call__(self, call: Call) -> Answer:
        """Update it, or tell in the RegistryErrorList why not."""
        try:
            return self._updated(call)
        except (AuditUnavailable, Forbidden):
            raise  # what was updated must not be told and recorded as failed
        except Refusal as refusal:
            self._guard.record(
                call.subject, "register", "failed", self.transaction, detail=refusal.code
            )
            return Answer(encode.registry_response((registry_error(refusal),)))

    def _updated(self, call: Call) -> Answer:
        asked = decode_update.update_request(call.body)
        # An update may take an object from one patient to another: both are asked about.
        keys = self._update.touched(asked)
        for key in keys:
            resource = Resource("document", key)
            self._guard.check(call.subject, "register", resource, transaction=self.transaction)
        whole = asked.submission.submission_set
        envelope = self._guard.envelope(
            call.subject, self.transaction.lower(), source=whole.source_id
        )
        with acting_as(envelope):
            self._update(asked, self.terms)
        self._guard.record(
            call.subject,
            "register",
            "success",
            self.transaction,
            patient_keys=keys,
            document_ids=(whole.unique_id,),
            count=len(asked.revisions) + len(asked.status_changes) + len(asked.submitted),
        )
        return Answer(encode.registry_response())
