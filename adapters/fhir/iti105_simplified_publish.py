"""ITI-105 Simplified Publish: one DocumentReference that carries its document.

Implements ITI TF-2 3.105 (IHE MHD); the SubmissionSet is derived from the document. Called by
`endpoint.py` in a worker thread.
"""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from adapters.fhir import iti65_provide_document_bundle as iti65
from adapters.fhir.decode import RELATIONS, octets
from adapters.fhir.decode_documents import document_entry, published
from adapters.fhir.element import NOTHING, Element
from adapters.fhir.interaction import Asked, FhirRooms, Reply, recorded
from adapters.fhir.iti67_find_document_references import encoded
from adapters.fhir.refusals import ContentElsewhere, ResourceMalformed
from registry.access.values import Resource
from registry.documents.refusals import MetadataInvalid, ReferenceUnresolved
from registry.documents.values import Association, AssociationType, DocumentEntry, Submission
from repository.objects.refusals import ContentMissing

TRANSACTION: Final = "ITI-105"


@recorded("store", TRANSACTION)
def publish(asked: Asked, rooms: FhirRooms) -> Reply:
    """File the document and return the DocumentReference as it was created."""
    rooms.guard.check(asked.subject, "store", Resource("document"), transaction=TRANSACTION)
    entry, content, associations = _told(asked, rooms)
    whole = published(entry, iti65.surroundings(asked, rooms).minimal)
    held = Association(
        entry_uuid=uuid4(),
        type=AssociationType.HAS_MEMBER,
        source=whole.entry_uuid,
        target=entry.entry_uuid,
        submission_set_status="Original",
    )
    submission = Submission(
        submission_set=whole, entries=(entry,), associations=(held, *associations)
    )
    iti65.file(asked, rooms, submission, {entry.entry_uuid: content}, TRANSACTION)
    with rooms.documents.reading() as look:
        rows = [(row, row.entry()) for row in look.documents(entry_uuids=[entry.entry_uuid])]
        (resource,) = encoded(look, rows, asked.base, rooms)
    location = f"{asked.base}/DocumentReference/{entry.entry_uuid}"
    return Reply(resource, 201, {"location": location, "etag": 'W/"1"'})


def _told(asked: Asked, rooms: FhirRooms) -> tuple[DocumentEntry, bytes, list[Association]]:
    told = asked.resource()
    if told.type != "DocumentReference":
        raise ResourceMalformed(f"a DocumentReference is taken here and no {told.type[:40]}")
    around = iti65.surroundings(asked, rooms)

    def find(reference: Element) -> Element:
        name = reference.text("reference")
        found = (c for c in told.all("contained") if name == f"#{c.text('id')}")
        return next(found, NOTHING)

    reference = told.first("subject")
    if not reference:
        raise MetadataInvalid("the subject is missing", attribute="DocumentReference.subject")
    entry = document_entry(told, around.patient(reference, find(reference)), find, around.minimal)
    attachment = told.first("content", "attachment")
    if not attachment.text("data"):
        if attachment.text("url"):
            raise ContentElsewhere(
                "Simplified Publish carries the document in attachment.data and not by url",
                attribute="DocumentReference.content.attachment.url",
            )
        raise ContentMissing(
            "the document is not in attachment.data",
            attribute="DocumentReference.content.attachment.data",
        )
    content = octets(attachment.text("data"), "DocumentReference.content.attachment.data")
    associations = []
    for one in told.all("relatesTo"):
        kind, target = RELATIONS.get(one.text("code")), around.document(one.first("target"))
        if kind is None or target is None:
            raise ReferenceUnresolved(
                "relatesTo needs a known code and a DocumentReference of this server",
                attribute="DocumentReference.relatesTo",
            )
        associations.append(
            Association(entry_uuid=uuid4(), type=kind, source=entry.entry_uuid, target=target)
        )
    return entry, content, associations
