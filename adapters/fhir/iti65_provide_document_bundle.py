"""ITI-65 Provide Document Bundle: a transaction Bundle is filed as one submission, or not at all.

Implements ITI TF-2 3.65 (IHE MHD: Minimal, Comprehensive, UnContained, FHIR Document Publish) by
the workflow of ITI-41. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final
from uuid import UUID

from adapters.fhir import decode, subjects
from adapters.fhir.codes import unique_id_of, uuid_of
from adapters.fhir.decode import Provided, Surroundings
from adapters.fhir.decode_documents import Minimal
from adapters.fhir.element import Element, Json, octets_of_entry
from adapters.fhir.interaction import Asked, FhirRooms, Reply, recorded
from adapters.fhir.times import instant
from kernel.context import acting_as
from kernel.refusals import Refusal
from kernel.times import dtm
from registry.access.values import Resource
from registry.documents.values import Status, Submission
from repository.tiers.ports import Incoming

TRANSACTION: Final = "ITI-65"


@recorded("store", TRANSACTION)
def provide(asked: Asked, rooms: FhirRooms) -> Reply:
    """File the bundle and tell what each of its entries became."""
    resource = Resource("document")
    rooms.guard.check(asked.subject, "store", resource, transaction=TRANSACTION)
    around = surroundings(asked, rooms)
    whole = partial(octets_of_entry, asked.body, xml=asked.body_xml)
    provided = decode.provide_bundle(asked.resource(), around, whole, xml=asked.body_xml)
    file(asked, rooms, provided.submission, provided.contents, TRANSACTION)
    return Reply(_response(provided, rooms))


def surroundings(asked: Asked, rooms: FhirRooms) -> Surroundings:
    """Return what the receiver of a resource knows."""
    return Surroundings(
        base=asked.base,
        patient=partial(subjects.subject_of, rooms=rooms),
        document=partial(_document, rooms=rooms),
        folder=partial(_folder, rooms=rooms),
        minimal=Minimal(dtm(rooms.clock()), rooms.source_oid),
    )


def file(
    asked: Asked,
    rooms: FhirRooms,
    submission: Submission,
    contents: Mapping[UUID, bytes],
    transaction: str,
) -> None:
    """Store the octets and register the submission as the caller, and record it."""
    key = rooms.register.patient_key(submission)
    resource = Resource("document", key)
    rooms.guard.check(asked.subject, "store", resource, transaction=transaction)
    source = submission.submission_set.source_id
    envelope = rooms.guard.envelope(asked.subject, transaction.lower(), source=source)
    with acting_as(envelope):
        rooms.provide(submission, _incoming(rooms, contents))
    rooms.guard.record(
        asked.subject,
        "store",
        "success",
        transaction,
        patient_keys=(key,),
        document_ids=(submission.submission_set.unique_id,),
        count=len(contents),
    )


def _incoming(rooms: FhirRooms, contents: Mapping[UUID, bytes]) -> dict[UUID, Incoming]:
    taken: dict[UUID, Incoming] = {}
    try:
        for uuid, octets in contents.items():
            taken[uuid] = rooms.blobs.incoming(with_sha1=True)
            taken[uuid].write(octets)
    except Refusal:
        for one in taken.values():
            one.discard()
        raise
    return taken


def _document(reference: Element, rooms: FhirRooms) -> UUID | None:
    """Return the entryUUID of the registered document a Reference means."""
    told = reference.text("reference")
    uuid = uuid_of(told) or uuid_of(told.rstrip("/").rpartition("/")[2])
    identifier = reference.first("identifier")
    value = identifier.text("value")
    uuid = uuid or (uuid_of(value) if value else None)
    with rooms.documents.reading() as look:
        if uuid is not None and (rows := look.documents(entry_uuids=[uuid])):
            return rows[0].entry_uuid
        if not value:
            return None
        rows = look.documents(unique_ids=[unique_id_of(identifier.text("system"), value)])
    # Of several entries of the same octets the one in force is meant.
    rows.sort(key=lambda row: row.status is Status.APPROVED)
    return rows[-1].entry_uuid if rows else None


def _folder(uuid: UUID, rooms: FhirRooms) -> bool:
    with rooms.documents.reading() as look:
        return bool(look.folders(entry_uuids=[uuid]))


def _response(provided: Provided, rooms: FhirRooms) -> Json:
    moment = instant(rooms.clock())
    entries: list[Json] = []
    for place, updated in zip(provided.made, provided.updated, strict=True):
        response: Json = {"status": "200 OK" if updated or not place else "201 Created"}
        if place:
            response |= {"location": place, "etag": 'W/"1"', "lastModified": moment}
        entries.append({"response": response})
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
