"""ITI-43 Retrieve Document Set: hand out stored documents, or make them; MTOM parts, streamed.

Implements ITI TF-2 3.43. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from adapters.guard.guard import Guard
from adapters.soap.door import Answer, Call
from adapters.soap.exchange import Part
from adapters.xds import decode, encode
from adapters.xds.decode import DocumentRequest
from adapters.xds.encode import DocumentResponse, RegistryError
from adapters.xds.faults import repository_error
from adapters.xds.refusals import RetrieveRequestMalformed
from kernel.context import acting_as
from kernel.refusals import Forbidden, Refusal
from projections.document_index.view import DocumentIndex, Located
from registry.access.values import Resource
from repository.objects.refusals import DocumentUnknown, RepositoryUnknown
from repository.tiers.ports import BlobStore
from workflows.generate_on_demand import GenerateOnDemand, Made

TRANSACTION: Final = "ITI-43"


@dataclass(frozen=True, slots=True)
class _Given:
    located: Located
    part: Part
    made: Made | None = None
    """Of an on-demand document: as it was made for this request."""


class RetrieveDocumentSet:
    """Hands out documents of this repository, deprecated ones too."""

    def __init__(
        self,
        index: DocumentIndex,
        store: BlobStore,
        guard: Guard,
        on_demand: GenerateOnDemand,
        *,
        repository_oid: str,
        transaction: str = TRANSACTION,
    ) -> None:
        self._index = index
        self._store = store
        self._guard = guard
        self._on_demand = on_demand
        self._repository_oid = repository_oid
        self._transaction = transaction

    def __call__(self, call: Call) -> Answer:
        """Return the documents asked for; each that cannot be given has its error."""
        given: list[_Given] = []
        errors: list[RegistryError] = []
        asked: list[DocumentRequest] = []
        try:
            asked = decode.retrieve_request(call.body)
        except RetrieveRequestMalformed as refusal:
            errors.append(repository_error(refusal))
        for request in asked:
            try:
                given.append(self._give(call, request))
            except Forbidden:
                # To this caller it does not exist.
                errors.append(repository_error(_unknown(request)))
            except Refusal as refusal:
                errors.append(repository_error(refusal))
        self._record(call, asked, given, errors)
        return Answer(
            encode.retrieve_response(map(_response, given), errors),
            parts=tuple(one.part for one in given),
            mtom=True,
        )

    def _give(self, call: Call, request: DocumentRequest) -> _Given:
        if request.repository_unique_id != self._repository_oid:
            raise RepositoryUnknown(
                f"{request.repository_unique_id} is not this repository",
                object=request.document_unique_id,
            )
        located = self._index.locate_unique(request.document_unique_id, self._repository_oid)
        # Only an on-demand document has no hash.
        is_on_demand = located is not None and not located.hash
        if located is None or not (located.object_sha256 or is_on_demand):
            raise _unknown(request)
        resource = Resource("document", located.patient_key, document_id=located.unique_id)
        self._guard.check(call.subject, "retrieve", resource, transaction=self._transaction)
        cid = f"{uuid4().hex}@pianku"
        if is_on_demand:
            with acting_as(self._guard.envelope(call.subject, self._transaction.lower())):
                made = self._on_demand(located.entry_uuid)
            return _Given(located, Part(cid, made.key, made.size, made.held), made)
        size = self._store.size(located.object_sha256)
        return _Given(located, Part(cid, located.object_sha256, size))

    def _record(
        self,
        call: Call,
        asked: list[DocumentRequest],
        given: list[_Given],
        errors: list[RegistryError],
    ) -> None:
        """Record what goes out before it goes; successes and failures apart, as ITI-20 asks."""
        if given:
            self._guard.record(
                call.subject,
                "retrieve",
                "success",
                self._transaction,
                patient_keys=sorted({one.located.patient_key for one in given}),
                document_ids=[one.located.unique_id for one in given],
                count=len(given),
            )
        if errors:
            delivered = {one.located.unique_id for one in given}
            self._guard.record(
                call.subject,
                "retrieve",
                "failed",
                self._transaction,
                document_ids=[
                    request.document_unique_id
                    for request in asked
                    if request.document_unique_id not in delivered
                ],
                count=len(errors),
                detail=errors[0].code,
            )


def _response(one: _Given) -> DocumentResponse:
    repository = one.located.repository_unique_id
    return DocumentResponse(
        repository_unique_id=repository,
        document_unique_id=one.located.unique_id,
        mime_type=one.located.mime_type,
        cid=one.part.cid,
        new_repository_unique_id=repository if one.made and one.made.is_snapshot else "",
        new_document_unique_id=one.made.unique_id if one.made else "",
    )


def _unknown(request: DocumentRequest) -> DocumentUnknown:
    return DocumentUnknown(
        f"no document {request.document_unique_id} lies in this repository",
        object=request.document_unique_id,
    )
