"""ITI-86 Remove Documents: documents of this repository go, their metadata stay.

Implements ITI TF-2 3.86. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from typing import Final

from adapters.guard.guard import Guard
from adapters.soap.door import Answer, Call
from adapters.xds import encode, names
from adapters.xds.decode import DocumentRequest
from adapters.xds.decode_removal import remove_documents_request
from adapters.xds.encode import RegistryError
from adapters.xds.faults import registry_error
from kernel.context import acting_as
from kernel.refusals import Forbidden, Refusal
from projections.document_index.held import Held
from registry.access.values import Resource
from repository.objects.refusals import DocumentUnknown
from workflows.remove_documents import RemoveDocuments

TRANSACTION: Final = "ITI-86"


class RemoveDocumentSet:
    """Removes documents, each for itself."""

    def __init__(self, remove: RemoveDocuments, guard: Guard) -> None:
        self._remove = remove
        self._guard = guard

    def __call__(self, call: Call) -> Answer:
        """Remove the documents named; each that cannot be removed has its error."""
        removed: list[Held] = []
        errors: list[RegistryError] = []
        asked = remove_documents_request(call.body)
        with acting_as(self._guard.envelope(call.subject, TRANSACTION.lower())):
            for request in asked:
                try:
                    removed.append(self._one(call, request))
                except Forbidden:
                    errors.append(registry_error(_unknown(request)))  # to this caller it is not
                except Refusal as refusal:
                    errors.append(registry_error(refusal))
        self._record(call, asked, removed, errors)
        if removed:
            self._remove.settle()
        status = names.PARTIAL_SUCCESS if removed and errors else ""
        return Answer(encode.registry_response(errors, status))

    def _one(self, call: Call, request: DocumentRequest) -> Held:
        found = self._remove.find(request.document_unique_id, request.repository_unique_id)
        resource = Resource("document", found.patient_key, document_id=found.unique_id)
        self._guard.check(call.subject, "remove", resource, transaction=TRANSACTION)
        self._remove(found)
        return found

    def _record(
        self,
        call: Call,
        asked: list[DocumentRequest],
        removed: list[Held],
        errors: list[RegistryError],
    ) -> None:
        """Record what was removed and what was not, apart, as ITI-20 asks."""
        gone = {one.unique_id for one in removed}
        if removed:
            self._guard.record(
                call.subject,
                "remove",
                "success",
                TRANSACTION,
                patient_keys=sorted({one.patient_key for one in removed}),
                document_ids=sorted(gone),
                count=len(removed),
            )
        if errors:
            left = [r.document_unique_id for r in asked if r.document_unique_id not in gone]
            self._guard.record(
                call.subject,
                "remove",
                "failed",
                TRANSACTION,
                document_ids=left,
                count=len(errors),
                detail=errors[0].code,
            )


def _unknown(request: DocumentRequest) -> DocumentUnknown:
    return DocumentUnknown(
        f"no document {request.document_unique_id} lies in this repository",
        object=request.document_unique_id,
    )
