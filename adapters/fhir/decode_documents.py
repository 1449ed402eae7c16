"""DocumentReference -> DocumentEntry; List -> SubmissionSet and Folder.

Implements the mapping tables of ITI TF-3 4.5.1 to 4.5.3 (IHE MHD); minimal metadata are completed
as decision 0016 says. Pure; called by `decode.py` and the module of ITI-105.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import msgspec

from adapters.fhir import people
from adapters.fhir.codes import (
    ENCOUNTER,
    URI,
    authority_of,
    code_of,
    reference_id,
    unique_id_of,
    uuid_of,
)
from adapters.fhir.element import Element
from adapters.fhir.times import dtm_of
from kernel.codes import Code
from kernel.identifiers import BadIdentifier, PatientId, is_oid, new_uid
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import STABLE, Author, DocumentEntry, Folder, SubmissionSet

Finder = Callable[[Element], Element]
_HEX: Final = re.compile(r"[0-9a-fA-F]{40}")
_GENDERS: Final = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_DELIMITERS: Final = str.maketrans(dict.fromkeys("^&~|\r\n", " "))
_MAX_VALUE: Final = 256
UNKNOWN: Final = Code("UNK", "2.16.840.1.113883.5.1008", "unknown")
"""The null flavour that stands where a source with minimal metadata tells no code."""
NORMAL: Final = Code("N", "2.16.840.1.113883.5.25", "normal")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose a document is."""

    key: UUID
    patient_id: str
    """CX."""


@dataclass(frozen=True, slots=True)
class Minimal:
    """What stands in for metadata that XDS demands and a minimal source does not send."""

    moment: str
    """DTM of now."""
    source_id: str
    language: str = "und"


def list_type(told: Element) -> str:
    """Return `submissionset` or `folder`, empty for another List."""
    codes = [one.text("code") for one in told.first("code").all("coding")]
    return next((code for code in codes if code in {"submissionset", "folder"}), "")


def document_entry(
    told: Element, subject: Subject, find: Finder, minimal: Minimal
) -> DocumentEntry:
    """Return the DocumentEntry of a DocumentReference."""
    contents = told.all("content")
    if len(contents) != 1:
        raise _invalid("content", f"needs exactly one item and has {len(contents)}")
    attachment, context = contents[0].first("attachment"), told.first("context")
    if told.text("status") not in {"current", ""}:
        raise _invalid("status", "must be current")
    mime_type = attachment.text("contentType").partition(";")[0].strip()
    if not mime_type:
        raise _invalid("content.attachment.contentType", "is missing")
    created = attachment.text("creation") or told.text("date")
    related = [_related(one, find) for one in context.all("related")]
    related += [_related(one, find, ENCOUNTER) for one in context.all("encounter")]
    source_id, source_info = _source(context.first("sourcePatientInfo"), find, subject)
    size = attachment.text("size")
    return DocumentEntry(
        entry_uuid=_entry_uuid(told),
        unique_id=_unique_id(told),
        patient_id=subject.patient_id,
        mime_type=mime_type,
        object_type=STABLE,
        hash=digest(attachment.text("hash")),
        size=int(size) if size.isdecimal() and len(size) < 20 else None,
        class_code=_code(told.first("category")) or UNKNOWN,
        type_code=_code(told.first("type")) or UNKNOWN,
        format_code=_code(contents[0].first("format")) or UNKNOWN,
        healthcare_facility_type_code=_code(context.first("facilityType")) or UNKNOWN,
        practice_setting_code=_code(context.first("practiceSetting")) or UNKNOWN,
        confidentiality_codes=_codes(told.all("securityLabel")) or (NORMAL,),
        event_codes=_codes(context.all("event")),
        authors=authors(told.all("author"), find),
        legal_authenticator=_person(told.first("authenticator"), find),
        creation_time=_time(created, "content.attachment.creation") or minimal.moment,
        service_start_time=_time(context.text("period", "start"), "context.period.start"),
        service_stop_time=_time(context.text("period", "end"), "context.period.end"),
        language_code=attachment.text("language") or told.text("language") or minimal.language,
        title=attachment.text("title"),
        comments=told.text("description"),
        source_patient_id=source_id,
        source_patient_info=source_info,
        reference_ids=tuple(dict.fromkeys(cxi for cxi in related if cxi)),
    )


def submission_set(
    told: Element,
    subject: Subject,
    entries: Sequence[DocumentEntry],
    find: Finder,
    minimal: Minimal,
) -> SubmissionSet:
    """Return the SubmissionSet of a List."""
    source = told.extension("ihe-sourceId").first("valueIdentifier")
    source_id = authority_of(source.text("value")) or authority_of(source.text("system"))
    if not source_id:
        raise MetadataInvalid(
            "List.extension ihe-sourceId must hold an OID", attribute="List.extension"
        )
    organizations = [e.first("valueReference") for e in told.extensions("ihe-authorOrg")]
    further = [e.first("valueReference") for e in told.extensions("further-author")]
    recipients = [
        recipient
        for e in told.extensions("ihe-intendedRecipient")
        if (recipient := _recipient(e.first("valueReference"), find))
    ]
    kind = _code(told.extension("ihe-designationType").first("valueCodeableConcept"))
    return SubmissionSet(
        entry_uuid=_entry_uuid(told),
        unique_id=_list_unique_id(told),
        source_id=source_id,
        patient_id=subject.patient_id,
        submission_time=_time(told.text("date"), "date", "List") or minimal.moment,
        content_type_code=kind or (entries[0].type_code if entries else None) or UNKNOWN,
        authors=authors([*told.all("source"), *further, *organizations], find),
        intended_recipients=tuple(recipients),
        title=told.text("title"),
        comments=told.text("note", "text"),
    )


def folder(told: Element, subject: Subject, minimal: Minimal) -> Folder:
    """Return the Folder of a List."""
    concepts = [e.first("valueCodeableConcept") for e in told.extensions("ihe-designationType")]
    return Folder(
        entry_uuid=_entry_uuid(told),
        unique_id=_list_unique_id(told),
        patient_id=subject.patient_id,
        codes=_codes(concepts) or (UNKNOWN,),
        title=told.text("title") or minimal.moment,
        comments=told.text("note", "text"),
    )


def published(entry: DocumentEntry, minimal: Minimal) -> SubmissionSet:
    """Return the SubmissionSet that ITI-105 derives from its one document."""
    return SubmissionSet(
        entry_uuid=uuid4(),
        unique_id=new_uid(),
        source_id=minimal.source_id,
        patient_id=entry.patient_id,
        submission_time=minimal.moment,
        content_type_code=entry.type_code or UNKNOWN,
        authors=entry.authors,
        title=entry.title,
    )


def with_content_type(entry: DocumentEntry, mime_type: str) -> DocumentEntry:
    """Return the entry of a document that we serialised ourselves."""
    return msgspec.structs.replace(entry, mime_type=mime_type, hash="", size=None)


def authors(references: Sequence[Element], find: Finder) -> tuple[Author, ...]:
    """Return the authors that References point at; a display alone is a name."""
    found = []
    for reference in references:
        resource = find(reference)
        author = people.author_of(resource, find) if resource else Author()
        if not (author.person or author.institutions or author.telecommunications):
            display = reference.text("display") or reference.text("identifier", "value")
            author = people.display_author(display)
        if author.person or author.institutions or author.telecommunications:
            found.append(author)
    return tuple(found)


def digest(told: str) -> str:
    """Return the SHA-1 in hexadecimal of a hash element, empty when it is none.

    FHIR's is the base64 of twenty octets; IHE's examples are the base64 of the hexadecimal text,
    and some sources send that text bare.
    """
    text = "".join(told.split())
    if not text or _HEX.fullmatch(text):
        return text.lower()
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("content.attachment.hash", "is no base64") from None
    if len(octets) == 20:
        return octets.hex()
    shown = octets.decode("latin-1")
    if _HEX.fullmatch(shown):
        return shown.lower()
    raise _invalid("content.attachment.hash", "is no SHA-1")


def _invalid(attribute: str, why: str) -> MetadataInvalid:
    return MetadataInvalid(
        f"DocumentReference.{attribute} {why}", attribute=f"DocumentReference.{attribute}"
    )


def _entry_uuid(told: Element) -> UUID:
    for one in told.all("identifier"):
        value = one.text("value")
        if value.lower().startswith("urn:uuid:") and one.text("use") != "usual":
            found = uuid_of(value)
            if found is not None:
                return found
    return uuid4()


def _unique_id(told: Element) -> str:
    identifier = told.first("masterIdentifier")
    if not identifier:
        # R5 and Simplified Publish tell it among the identifiers.
        others = [i for i in told.all("identifier") if i.text("use") != "official"]
        usual = [i for i in others if i.text("use") == "usual"]
        identifier = next(iter([*usual, *others]), identifier)
    value = identifier.text("value")
    return unique_id_of(identifier.text("system"), value) if value else new_uid()


def _list_unique_id(told: Element) -> str:
    """Return the OID among the identifiers, whatever its use; otherwise one made of another."""
    identifiers = [i for i in told.all("identifier") if i.text("value")]
    for one in identifiers:
        oid = authority_of(one.text("value"))
        if oid:
            return oid
    for one in identifiers:
        uuid = uuid_of(one.text("value")) if one.text("system") == URI else None
        if uuid is not None and one.text("use") == "usual":
            return f"2.25.{uuid.int}"
        made = unique_id_of(one.text("system"), one.text("value"))
        if is_oid(made):
            return made
    return new_uid()


def _code(told: Element) -> Code | None:
    return code_of(told) if told else None


def _codes(told: Sequence[Element]) -> tuple[Code, ...]:
    return tuple(code for one in told if (code := _code(one)) is not None)


def _time(told: str, attribute: str, owner: str = "DocumentReference") -> str:
    if not told:
        return ""
    try:
        return dtm_of(told)
    except (ValueError, OverflowError):
        name = f"{owner}.{attribute}"
        raise MetadataInvalid(f"{name} is no dateTime", attribute=name) from None


def _person(reference: Element, find: Finder) -> str:
    if not reference:
        return ""
    found = find(reference)
    if found.type == "PractitionerRole":
        found = find(found.first("practitioner"))
    return people.xcn_of(found) or people.display_author(reference.text("display")).person


def _recipient(reference: Element, find: Finder) -> str:
    (author,) = authors([reference], find) or (Author(),)
    place, contacts = author.institutions, author.telecommunications
    parts = [place[0] if place else "", author.person, contacts[0] if contacts else ""]
    return "|".join(parts).rstrip("|")


def _related(reference: Element, find: Finder, default: str = "") -> str:
    identifier = reference.first("identifier")
    if not identifier:
        found = find(reference)
        identifier = found.first("identifier")
    kind = default
    if not kind and "ImagingStudy" in {reference.text("type"), find(reference).type}:
        kind = "urn:ihe:iti:xds:2016:studyInstanceUID"
    return reference_id(identifier, kind) if identifier else ""


def _source(reference: Element, find: Finder, subject: Subject) -> tuple[str, tuple[str, ...]]:
    """Return sourcePatientId and sourcePatientInfo."""
    patient = find(reference) if reference else reference
    source = subject.patient_id
    for one in [*reference.all("identifier"), *patient.all("identifier")]:
        try:
            source = str(PatientId(one.text("value"), authority_of(one.text("system"))))
        except BadIdentifier:
            continue
        break
    name, address = patient.first("name"), patient.first("address")
    given = name.texts("given")
    fields = {
        "PID-3": source if patient else "",
        "PID-5": _joined(name.text("family"), given[0] if given else "", " ".join(given[1:])),
        "PID-7": "".join(patient.text("birthDate").split("-")),
        "PID-8": _GENDERS.get(patient.text("gender"), ""),
        "PID-11": _joined(
            address.text("line"), "", address.text("city"), address.text("state"),
            address.text("postalCode"), address.text("country"),
        ),
    }  # fmt: skip
    told = [f"{name}|{value}" for name, value in fields.items() if value]
    return source, tuple(one for one in told if len(one) <= _MAX_VALUE)


def _joined(*parts: str) -> str:
    return "^".join(part.translate(_DELIMITERS) for part in parts).rstrip("^")
