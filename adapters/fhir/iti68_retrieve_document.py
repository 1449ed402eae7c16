"""ITI-68 Retrieve Document: the octets of a document, or a Binary that holds them.

Implements IHE MHD 2:3.68 (2:3.67.4.2.2.1.2 for on-demand documents) and HL7 FHIR R4 Binary; ranges
by RFC 9110 14. Called by `endpoint.py` in a worker thread; octets stream from the store.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from adapters.fhir.codes import uuid_of
from adapters.fhir.encode import wants_resource
from adapters.fhir.interaction import Asked, FhirRooms, Octets, Reply, recorded
from adapters.fhir.refusals import DocumentGone, ResourceUnknown
from adapters.http.media_types import accepted
from adapters.http.ranges import byte_range, content_range
from adapters.http.refusals import BodyTooLarge, NotAcceptable
from kernel.context import acting_as
from projections.document_index.view import Located
from registry.access.values import Resource
from registry.documents.values import Status
from repository.tiers.ports import BlobStore

TRANSACTION: Final = "ITI-68"
_MIME: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_CHUNK: Final = 1 << 20
_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@dataclass(frozen=True, slots=True)
class _Content:
    """A document to hand out; `octets` where they lie nowhere else."""

    entry_uuid: UUID
    patient_key: UUID
    unique_id: str
    mime_type: str
    size: int
    key: str
    octets: bytes | None = None


@recorded("retrieve", TRANSACTION)
def read(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return the document with an entryUUID."""
    found = _content(asked, rooms, _located(asked, rooms))
    formats = [given.value for given in asked.parameters.all("_format")]
    mime = found.mime_type.partition(";")[0].strip().lower()
    as_resource = wants_resource(asked.header(b"accept"), formats) and not _is_fhir(mime, formats)
    if not as_resource and not any(m.covers(mime) for m in accepted(asked.header(b"accept"))):
        raise NotAcceptable(f"the document is {mime[:80]} and nothing else")
    if as_resource and found.size > rooms.limits.body_octets:
        raise BodyTooLarge("the document is too large for a Binary: ask for its own media type")
    part = None if as_resource else byte_range(asked.header(b"range"), found.size)
    rooms.guard.record(
        asked.subject, "retrieve", "success", TRANSACTION,
        patient_keys=[found.patient_key], document_ids=[found.unique_id], count=1,
    )  # fmt: skip
    if as_resource:
        return _binary(found, rooms.blobs)
    return _octets(asked, found, part, mime, rooms.blobs)


def _located(asked: Asked, rooms: FhirRooms) -> Located:
    named = Resource("document", document_id=asked.resource_id[:64])
    rooms.guard.check(asked.subject, "retrieve", named, transaction=TRANSACTION)
    uuid = uuid_of(asked.resource_id)
    found = None
    if uuid is not None:
        # `locate` may answer from before a replacement: here the status decides.
        with rooms.documents.reading() as look:
            found = look.locate_entry(uuid)
    if found is None or found.repository_unique_id != rooms.repository_oid:
        raise ResourceUnknown("no such document lies in this repository")
    resource = Resource("document", found.patient_key, document_id=found.unique_id)
    rooms.guard.check(asked.subject, "retrieve", resource, transaction=TRANSACTION)
    if found.status is Status.DEPRECATED:
        raise DocumentGone("the document was deprecated; ITI-43 still hands it out")
    return found


def _content(asked: Asked, rooms: FhirRooms, found: Located) -> _Content:
    """Return the stored document, or the one that is made on demand."""
    if found.object_sha256:
        return _Content(
            found.entry_uuid, found.patient_key, found.unique_id, found.mime_type,
            rooms.blobs.size(found.object_sha256), found.object_sha256,
        )  # fmt: skip
    if found.hash:
        raise ResourceUnknown("no such document lies in this repository")
    with acting_as(rooms.guard.envelope(asked.subject, TRANSACTION.lower())):
        made = rooms.generate(found.entry_uuid)
    octets = None
    if made.held is not None:
        octets = made.held.read(0, made.size)
        made.held.discard()
    return _Content(
        found.entry_uuid, found.patient_key, made.unique_id, made.mime_type, made.size, made.key,
        octets,
    )  # fmt: skip


def _binary(found: _Content, blobs: BlobStore) -> Reply:
    octets = blobs.read(found.key) if found.octets is None else found.octets
    resource = {
        "resourceType": "Binary",
        "id": str(found.entry_uuid),
        "contentType": found.mime_type,
        "securityContext": {"reference": f"DocumentReference/{found.entry_uuid}"},
        "data": base64.b64encode(octets).decode(),
    }
    return Reply(resource, headers={"cache-control": "private, no-cache"})


def _octets(
    asked: Asked, found: _Content, part: tuple[int, int] | None, mime: str, blobs: BlobStore
) -> Reply:
    headers = {
        "cache-control": "private, no-cache",
        "vary": "accept, authorization",
        "accept-ranges": "bytes",
    }
    if found.key:
        headers["etag"] = f'"{found.key[:32]}"'
        if asked.header(b"if-none-match") == headers["etag"]:
            return Reply(status=304, headers=headers)
    offset, length = part or (0, found.size)
    if part is not None:
        headers["content-range"] = content_range(offset, length, found.size)
    # A browser may show the document and must never run it as ours.
    headers |= {"content-security-policy": _SANDBOX, "x-content-type-options": "nosniff"}
    shown = found.mime_type if _MIME.fullmatch(mime) else "application/octet-stream"
    chunks = partial(_chunks, blobs, found, offset, length)
    status = 200 if part is None else 206
    return Reply(status=status, headers=headers, octets=Octets(_safe(shown), length, chunks))


def _is_fhir(mime: str, formats: list[str]) -> bool:
    """Tell whether the document is FHIR itself, which the same Accept asks for as it is."""
    return mime in {"application/fhir+json", "application/fhir+xml"} and not any(formats)


def _chunks(blobs: BlobStore, found: _Content, offset: int, length: int) -> Iterator[bytes]:
    if found.octets is not None:
        yield found.octets[offset : offset + length]
        return
    end = offset + length
    for at in range(offset, end, _CHUNK):
        yield blobs.read(found.key, at, min(_CHUNK, end - at))


def _safe(mime: str) -> str:
    return "".join(c for c in mime if 31 < ord(c) < 127)
