"""DocumentEntry -> DocumentReference; SubmissionSet and Folder -> List.

Implements the mapping tables of ITI TF-3 4.5.1 to 4.5.3 (IHE MHD) and the ConceptMap of
association types and relatesTo. Pure; called by the modules of ITI-65, ITI-66, ITI-67 and ITI-105.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from adapters.fhir import people
from adapters.fhir.codes import (
    ENCOUNTER,
    coding,
    concept,
    identifier,
    patient_identifier,
    reference_identifier,
)
from adapters.fhir.element import Json
from adapters.fhir.times import date_time
from kernel.identifiers import BadIdentifier, PatientId, urn
from registry.documents.values import (
    ON_DEMAND,
    Association,
    AssociationType,
    Author,
    DocumentEntry,
    Folder,
    Status,
    SubmissionSet,
)

MHD: Final = "https://profiles.ihe.net/ITI/MHD"
LIST_TYPES: Final = f"{MHD}/CodeSystem/MHDlistTypes"
EXTENSION: Final = f"{MHD}/StructureDefinition/ihe-"
RELATIONS: Final = {
    AssociationType.RPLC: "replaces",
    AssociationType.XFRM: "transforms",
    AssociationType.APND: "appends",
    AssociationType.XFRM_RPLC: "replaces",
    AssociationType.SIGNS: "signs",
    AssociationType.IS_SNAPSHOT_OF: "transforms",
}
STATUSES: Final = {Status.APPROVED: "current", Status.DEPRECATED: "superseded"}
_MAX_INT: Final = (1 << 31) - 1
_GENDERS: Final = {"M": "male", "F": "female", "O": "other", "U": "unknown"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a DocumentReference tells besides its DocumentEntry."""

    patient_key: UUID
    base: str
    repository_oid: str
    registered: str = ""
    """Instant; empty when it is not known."""
    relations: Sequence[Association] = field(default_factory=tuple)
    """Associations that start at the document."""


def document_reference(entry: DocumentEntry, shown: Shown) -> Json:
    """Return the DocumentReference of a DocumentEntry."""
    contained: list[Json] = []
    authors = [_contained(one, f"author{n}", contained) for n, one in enumerate(entry.authors, 1)]
    authenticator = _person(entry.legal_authenticator, "authenticator", contained)
    source = _source_patient(entry, contained)
    parts: list[tuple[str, object]] = [
        ("resourceType", "DocumentReference"),
        ("id", str(entry.entry_uuid)),
        ("meta", _meta("DocumentReference", entry.version)),
        ("contained", contained),
        ("masterIdentifier", identifier(entry.unique_id, "usual")),
        ("identifier", _identifiers(entry.entry_uuid, entry.logical_id)),
        ("status", STATUSES[entry.availability_status]),
        ("type", concept(entry.type_code) if entry.type_code else None),
        ("category", [concept(entry.class_code)] if entry.class_code else None),
        ("subject", _subject(entry.patient_id, shown.patient_key)),
        ("date", shown.registered),
        ("author", authors),
        ("authenticator", authenticator),
        ("relatesTo", _relations(shown.relations)),
        ("description", entry.comments),
        ("securityLabel", [concept(code) for code in entry.confidentiality_codes]),
        ("content", [_content(entry, shown)]),
        ("context", _context(entry, source)),
    ]  # fmt: skip
    return _told(parts)


def submission_set_list(
    whole: SubmissionSet, patient_key: UUID, members: Iterable[tuple[str, UUID]]
) -> Json:
    """Return the List of a SubmissionSet; `members` are type and id of what it holds."""
    contained: list[Json] = []
    extensions: list[Json] = []
    if whole.content_type_code is not None:
        concept_type = concept(whole.content_type_code)
        extensions.append(
            {"url": f"{EXTENSION}designationType", "valueCodeableConcept": concept_type}
        )
    source = identifier(whole.source_id, "official")
    extensions.append({"url": f"{EXTENSION}sourceId", "valueIdentifier": source})
    for number, told in enumerate(whole.intended_recipients, 1):
        reference = _contained(_recipient(told), f"recipient{number}", contained)
        extensions.append({"url": f"{EXTENSION}intendedRecipient", "valueReference": reference})
    sources: list[Json] = []
    for number, author in enumerate(whole.authors, 1):
        reference = _contained(author, f"author{number}", contained)
        if contained[-1]["resourceType"] == "Organization":
            extensions.append({"url": f"{EXTENSION}authorOrg", "valueReference": reference})
        else:
            sources.append(reference)
    # List.source holds one: further authors stand beside it in the same extension as above.
    extensions += [
        {"url": "urn:pianku:further-author", "valueReference": one} for one in sources[1:]
    ]
    parts: list[tuple[str, object]] = [
        ("resourceType", "List"),
        ("id", str(whole.entry_uuid)),
        ("meta", _meta("SubmissionSet", 1)),
        ("contained", contained),
        ("extension", extensions),
        ("identifier", _list_identifiers(whole.unique_id, whole.entry_uuid)),
        ("status", STATUSES_OF_LISTS[whole.availability_status]),
        ("mode", "working"),
        ("title", whole.title),
        ("code", {"coding": [{"system": LIST_TYPES, "code": "submissionset"}]}),
        ("subject", _subject(whole.patient_id, patient_key)),
        ("date", date_time(whole.submission_time)),
        ("source", sources[0] if sources else None),
        ("note", [{"text": whole.comments}] if whole.comments else None),
        ("entry", _entries(members)),
    ]
    return _told(parts)


def folder_list(folder: Folder, patient_key: UUID, members: Iterable[tuple[str, UUID]]) -> Json:
    """Return the List of a Folder."""
    extensions = [
        {"url": f"{EXTENSION}designationType", "valueCodeableConcept": concept(code)}
        for code in folder.codes
    ]
    parts: list[tuple[str, object]] = [
        ("resourceType", "List"),
        ("id", str(folder.entry_uuid)),
        ("meta", _meta("Folder", folder.version)),
        ("extension", extensions),
        ("identifier", _list_identifiers(folder.unique_id, folder.entry_uuid)),
        ("status", STATUSES_OF_LISTS[folder.availability_status]),
        ("mode", "working"),
        ("title", folder.title),
        ("code", {"coding": [{"system": LIST_TYPES, "code": "folder"}]}),
        ("subject", _subject(folder.patient_id, patient_key)),
        ("date", date_time(folder.last_update_time)),
        ("note", [{"text": folder.comments}] if folder.comments else None),
        ("entry", _entries(members)),
    ]  # fmt: skip
    return _told(parts)


STATUSES_OF_LISTS: Final = {Status.APPROVED: "current", Status.DEPRECATED: "retired"}
"""R4's value set list-status has no `superseded`: `retired` is the word it has."""


def _meta(kind: str, version: int) -> Json:
    profile = f"{MHD}/StructureDefinition/IHE.MHD.Comprehensive.{kind}"
    return {"versionId": str(version), "profile": [profile]}


def _told(parts: Iterable[tuple[str, object]]) -> Json:
    return {name: value for name, value in parts if value not in (None, "", [], {})}


def _content(entry: DocumentEntry, shown: Shown) -> Json:
    stable = entry.object_type != ON_DEMAND
    ours = entry.repository_unique_id == shown.repository_oid
    size = entry.size if stable and entry.size is not None and entry.size <= _MAX_INT else None
    octets = bytes.fromhex(entry.hash) if stable else b""
    attachment = [
        ("contentType", entry.mime_type),
        ("language", entry.language_code),
        ("url", f"{shown.base}/Binary/{entry.entry_uuid}" if ours else entry.uri),
        ("size", size),
        ("hash", base64.b64encode(octets).decode()),
        ("title", entry.title),
        ("creation", date_time(entry.creation_time)),
    ]
    format_code = coding(entry.format_code) if entry.format_code else None
    return _told([("attachment", _told(attachment)), ("format", format_code)])


def _context(entry: DocumentEntry, source: Json | None) -> Json:
    encounters: list[Json] = []
    related: list[Json] = []
    for cxi in entry.reference_ids:
        kind, told = reference_identifier(cxi)
        (encounters if kind == ENCOUNTER else related).append({"identifier": told})
    period = {
        name: value
        for name, value in (
            ("start", date_time(entry.service_start_time)),
            ("end", date_time(entry.service_stop_time)),
        )
        if value
    }
    facility, practice = entry.healthcare_facility_type_code, entry.practice_setting_code
    return _told(
        [
            ("encounter", encounters),
            ("event", [concept(code) for code in entry.event_codes]),
            ("period", period),
            ("facilityType", concept(facility) if facility else None),
            ("practiceSetting", concept(practice) if practice else None),
            ("sourcePatientInfo", source),
            ("related", related),
        ]
    )


def _identifiers(entry_uuid: UUID, logical_id: UUID | None) -> list[Json]:
    found = [identifier(urn(entry_uuid), "official")]
    if logical_id is not None and logical_id != entry_uuid:
        found.append(identifier(urn(logical_id), "secondary"))
    return found


def _list_identifiers(unique_id: str, entry_uuid: UUID) -> list[Json]:
    return [identifier(unique_id, "usual"), identifier(urn(entry_uuid), "official")]


def _subject(patient_id: str, patient_key: UUID) -> Json:
    made: Json = {"reference": f"Patient/{patient_key}"}
    try:
        made["identifier"] = patient_identifier(PatientId.parse(patient_id))
    except BadIdentifier:
        return made
    return made


def _relations(relations: Iterable[Association]) -> list[Json]:
    return [
        {
            "code": RELATIONS[one.type],
            "target": {
                "reference": f"DocumentReference/{one.target}",
                "identifier": identifier(urn(one.target), "official"),
            },
        }
        for one in relations
        if one.type in RELATIONS
    ]


def _contained(author: Author, local_id: str, contained: list[Json]) -> Json:
    resources, found = people.author_resources(author, local_id)
    contained += resources
    return {"reference": f"#{found}"}


def _person(xcn: str, local_id: str, contained: list[Json]) -> Json | None:
    if not xcn:
        return None
    contained.append(people.practitioner(xcn, local_id))
    return {"reference": f"#{local_id}"}


def _recipient(told: str) -> Author:
    xon, xcn, xtn = [*told.split("|"), "", "", ""][:3]
    return Author(
        person=xcn, institutions=(xon,) if xon else (), telecommunications=(xtn,) if xtn else ()
    )


def _source_patient(entry: DocumentEntry, contained: list[Json]) -> Json | None:
    made: Json = {"resourceType": "Patient", "id": "source"}
    found = {
        field.partition("|")[0]: field.partition("|")[2] for field in entry.source_patient_info
    }
    try:
        source = PatientId.parse(entry.source_patient_id)
    except BadIdentifier:
        source = None
    if source is not None:
        made["identifier"] = [patient_identifier(source)]
    name = [*found.get("PID-5", "").split("^"), "", "", ""]
    human: Json = {}
    if name[0]:
        human["family"] = name[0].split("&")[0]
    given = [part for part in (name[1], *name[2].split(" ")) if part]
    if given:
        human["given"] = given
    if human:
        made["name"] = [human]
    if found.get("PID-8", "") in _GENDERS:
        made["gender"] = _GENDERS[found["PID-8"]]
    birth = date_time(found.get("PID-7", "")[:8])
    if birth:
        made["birthDate"] = birth
    if len(made) == 2:
        return None
    contained.append(made)
    reference: Json = {"reference": "#source"}
    return reference | ({"identifier": patient_identifier(source)} if source else {})


def _entries(members: Iterable[tuple[str, UUID]]) -> list[Json]:
    return [{"item": {"reference": f"{kind}/{uuid}"}} for kind, uuid in members]
