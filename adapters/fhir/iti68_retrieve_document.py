"""ITI-68 Retrieve Document: the octets of a document, or a Binary that holds them.

Implements IHE MHD 2:3.68 and HL7 FHIR R4 Binary; ranges by RFC 9110 14. Called by `endpoint.py`
in a worker thread; octets stream from the store.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from adapters.fhir.codes import uuid_of
from adapters.fhir.encode import wants_resource
from adapters.fhir.interaction import Asked, FhirRooms, Octets, Reply
from adapters.fhir.refusals import DocumentGone, ResourceUnknown
from adapters.http.media_types import accepted
from adapters.http.ranges import byte_range, content_range
from adapters.http.refusals import BodyTooLarge, NotAcceptable
from projections.document_index.view import Located
from registry.access.values import Resource
from registry.documents.values import Status
from repository.tiers.ports import BlobStore

TRANSACTION: Final = "ITI-68"
_MIME: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_CHUNK: Final = 1 << 20
_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def read(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return the document with an entryUUID."""
    found = _located(asked, rooms)
    size = rooms.blobs.size(found.object_sha256)
    formats = [given.value for given in asked.parameters.all("_format")]
    mime = found.mime_type.partition(";")[0].strip().lower()
    as_resource = wants_resource(asked.header(b"accept"), formats) and not _is_fhir(mime, formats)
    if not as_resource and not any(m.covers(mime) for m in accepted(asked.header(b"accept"))):
        raise NotAcceptable(f"the document is {mime[:80]} and nothing else")
    if as_resource and size > rooms.limits.body_octets:
        raise BodyTooLarge("the document is too large for a Binary: ask for its own media type")
    etag = f'"{found.object_sha256[:32]}"'
    headers = {
        "etag": etag,
        "cache-control": "private, no-cache",
        "vary": "accept, authorization",
        "accept-ranges": "bytes",
    }
    part = None if as_resource else byte_range(asked.header(b"range"), size)
    _record(asked, rooms, found)
    if asked.header(b"if-none-match") == etag and not as_resource:
        return Reply(status=304, headers=headers)
    if as_resource:
        data = base64.b64encode(rooms.blobs.read(found.object_sha256)).decode()
        resource = {
            "resourceType": "Binary",
            "id": str(found.entry_uuid),
            "contentType": found.mime_type,
            "securityContext": {"reference": f"DocumentReference/{found.entry_uuid}"},
            "data": data,
        }
        return Reply(resource, headers={"cache-control": "private, no-cache"})
    offset, length = part or (0, size)
    if part is not None:
        headers["content-range"] = content_range(offset, length, size)
    headers |= {"content-security-policy": _SANDBOX, "x-content-type-options": "nosniff"}
    shown = found.mime_type if _MIME.fullmatch(mime) else "application/octet-stream"
    chunks = partial(_chunks, rooms.blobs, found.object_sha256, offset, length)
    return Reply(
        status=200 if part is None else 206,
        headers=headers,
        octets=Octets(_safe(shown), length, chunks),
    )


def _located(asked: Asked, rooms: FhirRooms) -> Located:
    named = Resource("document", document_id=asked.resource_id[:64])
    rooms.guard.check(asked.subject, "retrieve", named, transaction=TRANSACTION)
    uuid = uuid_of(asked.resource_id)
    found = rooms.documents.locate(uuid) if uuid is not None else None
    if found is None or not found.object_sha256:
        raise ResourceUnknown("no such document lies in this repository")
    resource = Resource("document", found.patient_key, document_id=found.unique_id)
    rooms.guard.check(asked.subject, "retrieve", resource, transaction=TRANSACTION)
    if found.status is Status.DEPRECATED:
        rooms.guard.record(
            asked.subject, "retrieve", "failed", TRANSACTION,
            patient_keys=[found.patient_key], document_ids=[found.unique_id], count=1,
            detail=DocumentGone.code,
        )  # fmt: skip
        raise DocumentGone("the document was deprecated; ITI-43 still hands it out")
    return found


def _record(asked: Asked, rooms: FhirRooms, found: Located) -> None:
    rooms.guard.record(
        asked.subject, "retrieve", "success", TRANSACTION,
        patient_keys=[found.patient_key], document_ids=[found.unique_id], count=1,
    )  # fmt: skip


def _is_fhir(mime: str, formats: list[str]) -> bool:
    """Tell whether the document is FHIR itself, which the same Accept asks for as it is."""
    return mime in {"application/fhir+json", "application/fhir+xml"} and not any(formats)


def _chunks(blobs: BlobStore, key: str, offset: int, length: int) -> Iterator[bytes]:
    end = offset + length
    for at in range(offset, end, _CHUNK):
        yield blobs.read(key, at, min(_CHUNK, end - at))


def _safe(mime: str) -> str:
    return "".join(c for c in mime if 31 < ord(c) < 127)
