"""A patient's timeline, and the octets of a registered document.

The contract of design A10. Called by viewer-app; answered from `projections/study_index` and
`document_index`, documents from the BlobStore as a stream.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from adapters.portal import encode
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import Portal
from kernel.refusals import NotFound
from projections.document_index.filters import DocumentFilter
from projections.document_index.view import Located
from projections.permissions.policy import clause
from registry.access.values import Resource
from registry.documents.values import ON_DEMAND, STABLE, DocumentEntry

_KOS: Final = "1.2.840.10008.5.1.4.1.1.88.59"
_MIME: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_SCRIPT: Final = re.compile(r"(?:text|application)/(?:x-)?(?:java|ecma|live|j)script.*|text/css")
_SHOWN: Final = re.compile(r"application/pdf|text/plain|image/(?!svg).*|audio/.*|video/.*")
_EXTENSIONS: Final = {
    "application/pdf": ".pdf",
    "application/dicom": ".dcm",
    "text/plain": ".txt",
    "text/xml": ".xml",
    "text/html": ".html",
    "image/jpeg": ".jpg",
    "image/png": ".png",
}
_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def routes(portal: Portal) -> APIRouter:
    """Return the routes of the timeline and of documents."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["timeline"])

    @router.get("/patients/{patient_key}/timeline")
    def read_timeline(patient_key: UUID, request: Request) -> encode.Timeline:
        """Tell all studies and documents of one patient, newest first."""
        with portal.caller(request) as subject:
            resource, transaction = Resource("patient", patient_key), "portal.timeline"
            portal.guard.check(subject, "view", resource, transaction=transaction)
            studies = portal.studies.studies_of_patient(
                patient_key, policy=clause(subject, "view", "study")
            )
            within = clause(subject, "view", "document")
            wanted = DocumentFilter(object_types=(STABLE, ON_DEMAND))
            with portal.documents.reading(within=within) as look:
                entries = [row.entry() for row in look.find_documents([patient_key], wanted)]
            if not studies and not entries and portal.patients.by_key(patient_key) is None:
                raise NotFound("no such patient")
            documents = sorted(
                (entry for entry in entries if not _is_manifest(entry)),
                key=lambda entry: entry.creation_time,
                reverse=True,
            )
            portal.guard.record(
                subject,
                "view",
                "success",
                transaction,
                patient_keys=[patient_key],
                count=len(studies) + len(documents),
            )
            return encode.Timeline(
                studies=[encode.study_row(row, portal.zone) for row in studies],
                documents=[encode.document_row(entry, portal.zone) for entry in documents],
            )

    @router.get(
        "/documents/{entry_uuid}/content",
        response_class=StreamingResponse,
        responses={200: {"content": {"*/*": {}}, "description": "The octets as registered"}},
    )
    def read_document(entry_uuid: UUID, request: Request) -> StreamingResponse:
        """Return the octets of a registered document."""
        with portal.caller(request) as subject:
            transaction = "portal.document"
            asked = Resource("document", document_id=str(entry_uuid))
            portal.guard.check(subject, "view", asked, transaction=transaction)
            found = portal.documents.locate(entry_uuid)
            if found is None or not found.object_sha256:
                raise NotFound("no such document in this repository")
            resource = Resource("document", found.patient_key, document_id=str(entry_uuid))
            portal.guard.check(subject, "view", resource, transaction=transaction)
            size = portal.blobs.size(found.object_sha256)
            portal.guard.record(
                subject,
                "view",
                "success",
                transaction,
                patient_keys=[found.patient_key],
                document_ids=[str(entry_uuid)],
                count=1,
            )
        return StreamingResponse(
            portal.blobs.chunks(found.object_sha256),
            headers={"content-length": str(size), **_headers(found)},
        )

    return router


def _is_manifest(entry: DocumentEntry) -> bool:
    """Tell whether a document only points at images that the list of studies shows already."""
    return entry.format_code is not None and entry.format_code.value == _KOS


def _headers(found: Located) -> dict[str, str]:
    """Return headers that let a browser show a document, but never run it as ours."""
    mime = found.mime_type.partition(";")[0].strip().lower()
    if _MIME.fullmatch(mime) is None or _SCRIPT.fullmatch(mime):
        mime = "application/octet-stream"
    disposition = "inline" if _SHOWN.fullmatch(mime) else "attachment"
    name = f"document-{str(found.entry_uuid)[:8]}{_EXTENSIONS.get(mime, '')}"
    return {
        "content-type": mime,
        "content-disposition": f'{disposition}; filename="{name}"',
        "content-security-policy": _SANDBOX,
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }
