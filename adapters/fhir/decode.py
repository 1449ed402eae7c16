"""Bundles of ITI-65 -> a submission, its octets, and what was made of each entry.

Implements IHE MHD 2:3.65.4.1.2 (bundle), 3:4.5 (mapping), HL7 FHIR R4 2.36.4 (references in
bundles). Called by the modules of ITI-65 and ITI-105; resources are mapped by `decode_documents`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

from adapters.fhir import decode_documents as mapping
from adapters.fhir.codes import uuid_of
from adapters.fhir.decode_documents import Minimal, Subject
from adapters.fhir.element import NOTHING, Element
from adapters.fhir.refusals import ContentElsewhere, NotSupported, ResourceMalformed
from registry.documents.refusals import MetadataInvalid, ReferenceUnresolved
from registry.documents.values import (
    Association,
    AssociationType,
    DocumentEntry,
    Folder,
    Submission,
    SubmissionSet,
)
from repository.objects.refusals import ContentMissing, MetadataMissing

RELATIONS: Final = {
    "replaces": AssociationType.RPLC,
    "transforms": AssociationType.XFRM,
    "appends": AssociationType.APND,
    "signs": AssociationType.SIGNS,
}
_TAKEN: Final = frozenset(
    {
        ("List", "POST"), ("List", "PUT"), ("DocumentReference", "POST"), ("Binary", "POST"),
        ("Bundle", "POST"), ("Patient", "POST"), ("Patient", "PUT"),
    }
)  # fmt: skip
"""What an entry may be and do; besides, it may read a Patient or supersede a document."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What only the receiver of a bundle knows."""

    base: str
    patient: Callable[[Element, Element], Subject]
    """(Reference, the Patient at hand or nothing) -> whose document it is."""
    document: Callable[[Element], UUID | None]
    """Reference -> entryUUID of a registered document."""
    folder: Callable[[UUID], bool]
    minimal: Minimal


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the bundle."""

    full_url: str
    resource: Element
    method: str
    url: str


@dataclass(frozen=True, slots=True)
class Provided:
    """What a bundle asks for."""

    submission: Submission
    contents: Mapping[UUID, bytes]
    made: tuple[str, ...]
    """`Type/id` an entry, in the order of the request; empty when nothing came of it."""
    updated: tuple[bool, ...]
    """Whether the entry changed something that was there, and made nothing."""
    subject: Subject


def provide_bundle(
    bundle: Element, around: Surroundings, whole: Callable[[int], bytes], *, xml: bool
) -> Provided:
    """Return what a transaction Bundle provides; raises ResourceMalformed, MetadataInvalid.

    `whole` gives the resource of an entry by its number, octet for octet as it came.
    """
    if bundle.type != "Bundle":
        raise ResourceMalformed(f"a Bundle is taken here and no {bundle.type[:40]}")
    if bundle.text("type") != "transaction":
        raise NotSupported("a Bundle that is sent here must be of the type transaction")
    entries = [
        Entry(
            one.text("fullUrl"),
            one.first("resource"),
            one.text("request", "method").upper() or "POST",
            one.text("request", "url"),
        )
        for one in bundle.all("entry")
    ]
    return _Bundle(entries, around, whole, xml=xml).provided()


@dataclass
class _Made:
    entries: dict[int, DocumentEntry] = field(default_factory=dict)
    folders: dict[int, Folder] = field(default_factory=dict)
    extended: dict[int, UUID] = field(default_factory=dict)
    associations: list[Association] = field(default_factory=list)
    contents: dict[UUID, bytes] = field(default_factory=dict)


class _Bundle:
    """A bundle being read."""

    def __init__(
        self,
        entries: list[Entry],
        around: Surroundings,
        whole: Callable[[int], bytes],
        *,
        xml: bool,
    ) -> None:
        self._entries = entries
        self._around = around
        self._whole = whole
        self._xml = xml
        self._by_reference: dict[str, int] = {}
        for number, entry in enumerate(entries):
            local = entry.resource.text("id")
            # A relative reference is resolved against the full URL's own base (2.36.4.1).
            relative = "/".join(entry.full_url.rsplit("/", 2)[1:])
            for name in (entry.full_url, f"{entry.resource.type}/{local}" if local else relative):
                if name:
                    self._by_reference.setdefault(name, number)
        self._made = _Made()

    def provided(self) -> Provided:
        """Return what the bundle provides."""
        self._check()
        whole_at = self._submission_set_at()
        whole = self._entries[whole_at].resource
        subject = self._subject(whole, whole)
        documents = self._at("DocumentReference", "POST")
        for number in documents:
            self._document(number, subject)
        entries = list(self._made.entries.values())
        submission_set = mapping.submission_set(
            whole, subject, entries, self._finder(whole), self._around.minimal
        )
        self._relate()
        self._check_used()
        listed = self._members(submission_set, whole)
        self._folders(submission_set, subject)
        submission = Submission(
            submission_set=submission_set,
            entries=tuple(self._made.entries.values()),
            folders=tuple(self._made.folders.values()),
            associations=(*listed, *self._made.associations),
        )
        made, updated = self._told(whole_at, submission_set, subject)
        return Provided(submission, self._made.contents, made, updated, subject)

    def _check(self) -> None:
        """Refuse what would otherwise be passed over in silence."""
        for entry in self._entries:
            kind, method = entry.resource.type, entry.method
            if (kind, method) in _TAKEN or _supersedes(entry) or _names_patient(entry):
                continue
            raise NotSupported(
                f"a bundle of documents does no {method[:10]} of {kind[:40] or 'nothing'}"
            )
        for number in self._at("List", "POST", "PUT"):
            if not mapping.list_type(self._entries[number].resource):
                raise MetadataInvalid(
                    "the code of a List is submissionset or folder", attribute="List.code"
                )

    def _check_used(self) -> None:
        """Refuse octets that nothing describes, and a status that nothing explains."""
        urls = [
            self._entries[number].resource.text("content", "attachment", "url")
            for number in self._made.entries
        ]
        used = {self._by_reference.get(url) for url in urls}
        for number in [*self._at("Binary", "POST"), *self._at("Bundle", "POST")]:
            if number not in used:
                raise MetadataMissing("a document was sent that no DocumentReference describes")
        replaced = {
            one.target for one in self._made.associations if one.type is AssociationType.RPLC
        }
        for entry in self._entries:
            target = uuid_of(entry.url.partition("?")[0].rpartition("/")[2])
            if _supersedes(entry) and target not in replaced:
                raise NotSupported("a DocumentReference is superseded by what replaces it alone")

    def _at(self, kind: str, *methods: str) -> list[int]:
        return [
            number
            for number, entry in enumerate(self._entries)
            if entry.resource.type == kind and entry.method in methods
        ]

    def _submission_set_at(self) -> int:
        found = [
            number
            for number in self._at("List", "POST")
            if mapping.list_type(self._entries[number].resource) == "submissionset"
        ]
        if len(found) != 1:
            raise MetadataInvalid(
                f"the bundle needs one List with the code submissionset and has {len(found)}",
                attribute="Bundle.entry",
            )
        return found[0]

    def _subject(self, owner: Element, whole: Element) -> Subject:
        reference = owner.first("subject") or whole.first("subject")
        if not reference:
            raise MetadataInvalid("the subject is missing", attribute=f"{owner.type}.subject")
        return self._around.patient(reference, self._resolved(reference, owner))

    def _resolved(self, reference: Element, owner: Element) -> Element:
        """Return the resource a reference points at: contained, or an entry of the bundle."""
        told = reference.text("reference")
        if told.startswith("#"):
            return next((c for c in owner.all("contained") if c.text("id") == told[1:]), NOTHING)
        number = self._by_reference.get(told)
        return self._entries[number].resource if number is not None else NOTHING

    def _finder(self, owner: Element) -> Callable[[Element], Element]:
        return lambda reference: self._resolved(reference, owner)

    def _document(self, number: int, subject: Subject) -> None:
        reference = self._entries[number].resource
        own = self._subject(reference, reference) if reference.first("subject") else subject
        entry = mapping.document_entry(
            reference, own, self._finder(reference), self._around.minimal
        )
        attachment = reference.first("content", "attachment")
        content, is_bundle = self._content(attachment, entry.unique_id)
        if is_bundle:
            # A FHIR document has no octets before it is taken out: only we can tell hash and size.
            kind = "application/fhir+xml" if self._xml else "application/fhir+json"
            entry = mapping.with_content_type(entry, kind)
        self._made.entries[number] = entry
        self._made.contents[entry.entry_uuid] = content

    def _content(self, attachment: Element, unique_id: str) -> tuple[bytes, bool]:
        if attachment.text("data"):
            return octets(
                attachment.text("data"), "DocumentReference.content.attachment.data"
            ), False
        url = attachment.text("url")
        if not url:
            raise ContentMissing(f"the document {unique_id} was described and not sent")
        at = self._by_reference.get(url)
        if at is None:
            raise ContentElsewhere(
                f"the document {unique_id} lies outside of the bundle",
                attribute="DocumentReference.content.attachment.url",
            )
        held = self._entries[at].resource
        if held.type == "Binary":
            return octets(held.text("data"), "Binary.data"), False
        if held.type == "Bundle":
            return self._whole(at), True
        raise MetadataInvalid(
            "the document must be a Binary or a FHIR document Bundle",
            attribute="DocumentReference.content.attachment.url",
        )

    def _relate(self) -> None:
        for number, entry in self._made.entries.items():
            for one in self._entries[number].resource.all("relatesTo"):
                kind = RELATIONS.get(one.text("code"))
                if kind is None:
                    raise MetadataInvalid(
                        "the code of relatesTo is none of replaces, transforms, signs, appends",
                        attribute="DocumentReference.relatesTo.code",
                    )
                target = self._target(one.first("target"))
                self._made.associations.append(_association(kind, entry.entry_uuid, target))

    def _target(self, reference: Element) -> UUID:
        at = self._by_reference.get(reference.text("reference"))
        if at is not None and at in self._made.entries:
            return self._made.entries[at].entry_uuid
        found = self._around.document(reference)
        if found is None:
            raise ReferenceUnresolved(
                "a DocumentReference that is referred to is not registered here",
                attribute="DocumentReference.relatesTo.target",
            )
        return found

    def _members(self, submission_set: SubmissionSet, whole: Element) -> list[Association]:
        new = [entry.entry_uuid for entry in self._made.entries.values()]
        held = [_member(submission_set.entry_uuid, uuid, "Original") for uuid in new]
        for item in whole.all("entry"):
            reference = item.first("item")
            at = self._by_reference.get(reference.text("reference"))
            if at is not None:
                continue  # whatever the bundle brings belongs to its submission set
            kind = reference.text("reference").rpartition("/")[0].rpartition("/")[2]
            if kind == "List":
                continue  # a folder that is there already belongs to the set that made it
            held.append(_member(submission_set.entry_uuid, self._target(reference), "Reference"))
        return held

    def _folders(self, submission_set: SubmissionSet, subject: Subject) -> None:
        for number in self._at("List", "POST", "PUT"):
            told = self._entries[number].resource
            if mapping.list_type(told) != "folder":
                continue
            uuid = self._folder(number, told, submission_set, subject)
            for item in told.all("entry"):
                target = self._target(item.first("item"))
                held = _member(uuid, target)
                by_set = _member(submission_set.entry_uuid, held.entry_uuid)
                self._made.associations += [held, by_set]

    def _folder(
        self, number: int, told: Element, submission_set: SubmissionSet, subject: Subject
    ) -> UUID:
        """Return the folder's entryUUID: a new one, or the one that is extended."""
        entry = self._entries[number]
        if entry.method == "PUT":
            found = uuid_of(entry.url.rpartition("/")[2])
            if found is None or not self._around.folder(found):
                raise ReferenceUnresolved("the folder to extend is not registered here")
            self._made.extended[number] = found
            return found
        own = self._subject(told, told) if told.first("subject") else subject
        folder = mapping.folder(told, own, self._around.minimal)
        self._made.folders[number] = folder
        self._made.associations.append(_member(submission_set.entry_uuid, folder.entry_uuid))
        return folder.entry_uuid

    def _told(
        self, whole_at: int, submission_set: SubmissionSet, subject: Subject
    ) -> tuple[tuple[str, ...], tuple[bool, ...]]:
        """Return what came of each entry, and whether it was there before."""
        made = self._made
        places = {whole_at: f"List/{submission_set.entry_uuid}"}
        for number, document in made.entries.items():
            places[number] = f"DocumentReference/{document.entry_uuid}"
            url = self._entries[number].resource.text("content", "attachment", "url")
            if url in self._by_reference:
                places[self._by_reference[url]] = f"Binary/{document.entry_uuid}"
        places |= {number: f"List/{folder.entry_uuid}" for number, folder in made.folders.items()}
        known = {number: f"List/{uuid}" for number, uuid in made.extended.items()}
        for number, entry in enumerate(self._entries):
            if entry.resource.type == "Patient":
                known[number] = f"Patient/{subject.key}"
            elif number not in places and entry.url.startswith("DocumentReference/"):
                known[number] = entry.url.partition("?")[0]
        all_of_them = range(len(self._entries))
        return (
            tuple(places.get(number) or known.get(number, "") for number in all_of_them),
            tuple(number not in places for number in all_of_them),
        )


def _supersedes(entry: Entry) -> bool:
    """Tell whether an entry marks a registered document as superseded."""
    if not entry.url.startswith("DocumentReference/") or entry.method not in {"PATCH", "PUT"}:
        return False
    return entry.method == "PATCH" or entry.resource.text("status") == "superseded"


def _names_patient(entry: Entry) -> bool:
    return entry.method == "GET" and entry.url.startswith("Patient")


def octets(data: str, attribute: str) -> bytes:
    """Return the octets of a base64Binary; raises MetadataInvalid."""
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise MetadataInvalid(f"{attribute} is no base64", attribute=attribute) from None


def _association(kind: AssociationType, source: UUID, target: UUID) -> Association:
    return Association(entry_uuid=uuid4(), type=kind, source=source, target=target)


def _member(source: UUID, target: UUID, status: str = "") -> Association:
    return Association(
        entry_uuid=uuid4(),
        type=AssociationType.HAS_MEMBER,
        source=source,
        target=target,
        submission_set_status=status,
    )
