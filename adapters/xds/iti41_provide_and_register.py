"""ITI-41 Provide and Register Document Set-b, and RAD-68, which is the same with a manifest.

Implements ITI TF-2 3.41 and RAD TF-3 4.68. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from lxml import etree

from adapters.guard.guard import AuditUnavailable, Guard
from adapters.soap.door import Answer, Call
from adapters.soap.faults import SoapFault
from adapters.xds import decode, encode, names
from adapters.xds.decode import DecodedSubmission
from adapters.xds.encode import RegistryError
from adapters.xds.faults import repository_error
from adapters.xds.rad68_provide_and_register_imaging import ExamineManifests
from kernel.context import acting_as
from kernel.refusals import Forbidden, Refusal
from registry.access.values import Resource
from registry.documents.refusals import MetadataInvalid
from repository.objects.refusals import ContentMissing, MetadataMissing
from repository.tiers.ports import Incoming
from workflows.provide_and_register import ProvideAndRegister
from workflows.register_documents import RegisterDocuments

TRANSACTION: Final = "ITI-41"


class ProvideAndRegisterDocumentSet:
    """Stores the documents of a submission and registers it."""

    def __init__(
        self,
        provide: ProvideAndRegister,
        register: RegisterDocuments,
        guard: Guard,
        *,
        manifests: ExamineManifests | None = None,
    ) -> None:
        self._provide = provide
        self._register = register
        self._guard = guard
        self._manifests = manifests or ExamineManifests()

    def __call__(self, call: Call) -> Answer:
        """File it, or tell in the RegistryErrorList why not."""
        if not call.exchange.mtom:
            raise SoapFault(
                "Provide and Register must be sent as MTOM/XOP: multipart/related with "
                'type="application/xop+xml" and start-info="application/soap+xml" '
                "(ITI TF-2 3.41, Appendix V.3.6)"
            )
        transaction = TRANSACTION
        try:
            decoded, elements = decode.provide_request(call.body)
            transaction = self._manifests.transaction(decoded.submission) or transaction
            return self._filed(call, decoded, elements, transaction)
        except (AuditUnavailable, Forbidden):
            raise  # what was registered must not be told and recorded as failed
        except Refusal as refusal:
            return self._refused(call, transaction, (repository_error(refusal),), refusal.code)

    def _filed(
        self,
        call: Call,
        decoded: DecodedSubmission,
        elements: list[tuple[str, etree._Element]],
        transaction: str,
    ) -> Answer:
        submission = decoded.submission
        key = self._register.patient_key(submission)
        resource = Resource("document", key)
        self._guard.check(call.subject, "store", resource, transaction=transaction)
        documents = _contents(call, decoded, elements)
        found = self._manifests(submission, documents)
        if any(one.severity == names.ERROR for one in found):
            _let_go(documents)
            return self._refused(call, transaction, found, "manifest_mismatch")
        source = submission.submission_set.source_id
        with acting_as(self._guard.envelope(call.subject, transaction.lower(), source=source)):
            self._provide(submission, documents)
        self._guard.record(
            call.subject,
            "store",
            "success",
            transaction,
            patient_keys=(key,),
            document_ids=(submission.submission_set.unique_id,),
            count=len(documents),
        )
        return Answer(encode.registry_response(found, names.SUCCESS), mtom=True)

    def _refused(
        self, call: Call, transaction: str, errors: Iterable[RegistryError], code: str
    ) -> Answer:
        self._guard.record(call.subject, "store", "failed", transaction, detail=code)
        return Answer(encode.registry_response(errors), mtom=True)


def _contents(
    call: Call, decoded: DecodedSubmission, elements: list[tuple[str, etree._Element]]
) -> dict[UUID, Incoming]:
    """Return the octets of each DocumentEntry; nothing is left open when one is wrong."""
    found: dict[UUID, Incoming] = {}
    try:
        for document_id, element in elements:
            uuid = _described(decoded, document_id)
            found[uuid] = _content(call, document_id, element, again=uuid in found)
    except (SoapFault, Refusal):
        _let_go(found)
        raise
    return found


def _let_go(documents: Mapping[UUID, Incoming]) -> None:
    for content in documents.values():
        content.discard()


def _described(decoded: DecodedSubmission, document_id: str) -> UUID:
    uuid = decoded.entry_uuid(document_id)
    if uuid is None:
        raise MetadataMissing(
            f"the document {document_id[:80]!r} was sent without metadata", object=document_id[:80]
        )
    return uuid


def _content(call: Call, document_id: str, element: etree._Element, *, again: bool) -> Incoming:
    if again:
        raise MetadataInvalid(
            f"two documents have the id {document_id[:80]!r}", attribute="Document"
        )
    content = call.exchange.content(element)
    if content is None:
        raise ContentMissing(f"the document {document_id[:80]!r} is empty", object=document_id[:80])
    return content
