"""The rules every attribute of a submission obeys: required, format, length.

Implements ITI TF-3 4.2.3.1.7 (data types), 4.2.3.2 to 4.2.3.4 (attributes), table 4.3.1-3.
Called by `commands.register`; each refusal names the attribute and, where it may, the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from kernel.codes import Code
from kernel.identifiers import BadIdentifier, PatientId, urn
from kernel.refusals import Invalid
from kernel.times import check_dtm, pad_dtm
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import (
    ON_DEMAND,
    STABLE,
    Association,
    Author,
    DocumentEntry,
    Folder,
    Slot,
    Submission,
    SubmissionSet,
)

_MIME: Final = re.compile(r"[\w!#$&^.+-]+/[-+.\w!#$&^]+")
# A hash is SHA-1 in hex; sources of old send shorter ones, and nobody but the repository can tell.
_HASH: Final = re.compile(r"(?:[0-9a-fA-F]{2}){4,32}")
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_UNIQUE_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_PATIENT_INFO: Final = re.compile(r"PID-([0-9]{1,2})(\.[0-9]+)?\|.*", re.DOTALL)
_FORBIDDEN_PID: Final = frozenset({2, 4, 12, 19})
_LAST_PID: Final = 39
# Identifiers that others made are taken as they are: some write their address (`129.6.58.92`).
_DOTTED: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_MAX_OID: Final = 64
_MAX_VALUE: Final = 256
_MAX_TITLE: Final = 128
_MAX_SIZE: Final = (1 << 63) - 1
_AVAILABILITY: Final = frozenset(
    {
        "",
        "urn:ihe:iti:2010:DocumentAvailability:Online",
        "urn:ihe:iti:2010:DocumentAvailability:Offline",
    }
)


def check_submission(submission: Submission, object_type: str = STABLE) -> None:
    """Refuse a submission with an attribute that is missing or malformed.

    All its documents must be of the type that the transaction registers.
    """
    check_submission_set(submission.submission_set)
    for entry in submission.entries:
        check_entry(entry, object_type)
    for folder in submission.folders:
        check_folder(folder)
    for association in submission.associations:
        check_association(association)


def check_association(association: Association) -> None:
    """Refuse an Association with a slot that is none of the profile's and no `urn:` name."""
    _slots("Association", association.entry_uuid, association.extra)


def check_submission_set(submission_set: SubmissionSet) -> None:
    """Refuse a SubmissionSet that breaks ITI TF-3 4.2.3.3."""
    at = _Object("SubmissionSet", submission_set.entry_uuid)
    at.oid("uniqueId", submission_set.unique_id)
    at.oid("sourceId", submission_set.source_id)
    at.patient("patientId", submission_set.patient_id)
    at.time("submissionTime", submission_set.submission_time, required=True)
    at.code("contentTypeCode", submission_set.content_type_code)
    at.authors(submission_set.authors)
    at.recipients(submission_set.intended_recipients)
    at.text("title", submission_set.title, _MAX_VALUE)
    at.text("comments", submission_set.comments, _MAX_VALUE)
    _slots(at.kind, at.entry_uuid, submission_set.extra)


def check_folder(folder: Folder) -> None:
    """Refuse a Folder that breaks ITI TF-3 4.2.3.4."""
    at = _Object("Folder", folder.entry_uuid)
    if folder.logical_id is not None and folder.logical_id != folder.entry_uuid:
        raise at.refusal("logicalID", urn(folder.logical_id), "belongs to a metadata update")
    at.oid("uniqueId", folder.unique_id)
    at.patient("patientId", folder.patient_id)
    at.codes("codeList", folder.codes, required=True)
    at.text("title", folder.title, _MAX_VALUE, required=True)
    at.text("comments", folder.comments, _MAX_VALUE)
    _slots(at.kind, at.entry_uuid, folder.extra)


def check_entry(entry: DocumentEntry, object_type: str = STABLE) -> None:
    """Refuse a DocumentEntry that is not of this type or breaks ITI TF-3 4.2.3.2."""
    at = _Object("DocumentEntry", entry.entry_uuid)
    if entry.object_type != object_type:
        wanted = "an on-demand" if object_type == ON_DEMAND else "a stable"
        raise at.refusal("objectType", entry.object_type, f"is not that of {wanted} document")
    if entry.logical_id is not None and entry.logical_id != entry.entry_uuid:
        raise at.refusal("logicalID", urn(entry.logical_id), "belongs to a metadata update")
    at.pattern("uniqueId", entry.unique_id, _UNIQUE_ID)
    at.patient("patientId", entry.patient_id)
    at.pattern("mimeType", entry.mime_type, _MIME)
    _octets(at, entry)
    at.oid("repositoryUniqueId", entry.repository_unique_id)
    for name, code in (
        ("classCode", entry.class_code),
        ("typeCode", entry.type_code),
        ("formatCode", entry.format_code),
        ("healthcareFacilityTypeCode", entry.healthcare_facility_type_code),
        ("practiceSettingCode", entry.practice_setting_code),
    ):
        at.code(name, code)
    at.codes("confidentialityCode", entry.confidentiality_codes, required=True)
    at.codes("eventCodeList", entry.event_codes)
    at.pattern("languageCode", entry.language_code, _LANGUAGE)
    _times(at, entry)
    at.authors(entry.authors)
    at.text("title", entry.title, _MAX_TITLE)
    at.text("comments", entry.comments, _MAX_VALUE)
    at.text("URI", entry.uri, _MAX_VALUE)
    at.person("legalAuthenticator", entry.legal_authenticator)
    if entry.document_availability not in _AVAILABILITY:
        raise at.refusal("documentAvailability", entry.document_availability, "is no such status")
    at.source_patient("sourcePatientId", entry.source_patient_id)
    _patient_info(at, entry.source_patient_info)
    _references(at, entry.reference_ids)
    _slots(at.kind, at.entry_uuid, entry.extra)


def _octets(at: _Object, entry: DocumentEntry) -> None:
    """Check what describes octets: a stable document has them, an on-demand one not yet."""
    if entry.object_type == ON_DEMAND:
        for name, value in (
            ("hash", entry.hash),
            ("size", "" if entry.size is None else str(entry.size)),
            ("creationTime", entry.creation_time),
            ("legalAuthenticator", entry.legal_authenticator),
        ):
            if value:
                raise at.refusal(name, "", "describes octets, which an on-demand document has not")
        return
    at.pattern("hash", entry.hash, _HASH)
    if entry.size is None or entry.size < 0:
        raise at.refusal("size", str(entry.size or ""), "is missing or negative")
    if entry.size > _MAX_SIZE:
        raise at.refusal("size", "", "is larger than any document")
    at.time("creationTime", entry.creation_time, required=True)


def _times(at: _Object, entry: DocumentEntry) -> None:
    at.time("serviceStartTime", entry.service_start_time)
    at.time("serviceStopTime", entry.service_stop_time)
    start, stop = entry.service_start_time, entry.service_stop_time
    # The coarser of the two precisions decides: a day may start and stop within itself.
    shared = min(len(start), len(stop))
    if start and stop and pad_dtm(start[:shared]) > pad_dtm(stop[:shared]):
        raise at.refusal("serviceStopTime", stop, "lies before serviceStartTime")


def _patient_info(at: _Object, values: Iterable[str]) -> None:
    at.values("sourcePatientInfo", values)
    for value in values:
        matched = _PATIENT_INFO.fullmatch(value)
        # The value identifies a person: the refusal tells the field only.
        if matched is None:
            raise at.refusal("sourcePatientInfo", "", "needs the form PID-n|value")
        field = int(matched[1])
        if field in _FORBIDDEN_PID or not 0 < field <= _LAST_PID:
            raise at.refusal("sourcePatientInfo", f"PID-{field}", "may not hold this field")


def _references(at: _Object, values: Iterable[str]) -> None:
    at.values("referenceIdList", values)
    for value in values:
        components = value.split("^")
        if not components[0] or not 5 <= len(components) <= 6 or not components[4]:
            raise at.refusal("referenceIdList", value, "needs the form id^^^authority^type")


def _slots(kind: str, entry_uuid: UUID, slots: Iterable[Slot]) -> None:
    names: set[str] = set()
    at = _Object(kind, entry_uuid)
    for slot in slots:
        if slot.name in names:
            raise at.refusal(slot.name, "", "occurs twice")
        names.add(slot.name)
        if not slot.name.startswith("urn:"):
            raise at.refusal(slot.name, "", "is no slot of the profile and no urn: name")
        at.values(slot.name, slot.values)


def _dotted(value: str) -> bool:
    return len(value) <= _MAX_OID and _DOTTED.fullmatch(value) is not None


class _Object:
    """The object under examination, so that each refusal can name it."""

    def __init__(self, kind: str, entry_uuid: UUID) -> None:
        self.kind = kind
        self.entry_uuid = entry_uuid

    def refusal(self, attribute: str, value: str, why: str) -> MetadataInvalid:
        """Return the refusal of one attribute."""
        shown = f" {value[:_MAX_VALUE]!r}" if value else ""
        return MetadataInvalid(
            f"{self.kind}.{attribute}{shown} {why} ({urn(self.entry_uuid)})",
            attribute=attribute,
            value=value[:_MAX_VALUE],
            object=urn(self.entry_uuid),
        )

    def pattern(self, attribute: str, value: str, form: re.Pattern[str]) -> None:
        if not value:
            raise self.refusal(attribute, "", "is missing")
        if len(value) > _MAX_VALUE or form.fullmatch(value) is None:
            raise self.refusal(attribute, value, "does not have the form of its data type")

    def oid(self, attribute: str, value: str) -> None:
        if not value:
            raise self.refusal(attribute, "", "is missing")
        if not _dotted(value):
            raise self.refusal(attribute, value, "is not an OID")

    def patient(self, attribute: str, value: str) -> None:
        if not value:
            raise self.refusal(attribute, "", "is missing")
        try:
            PatientId.parse(value)
        except BadIdentifier:
            raise self.refusal(attribute, "", "needs the form id^^^&OID&ISO") from None

    def source_patient(self, attribute: str, value: str) -> None:
        """Refuse what names no patient in the domain of its source, whatever OID that has."""
        if not value:
            raise self.refusal(attribute, "", "is missing")
        self.text(attribute, value, _MAX_VALUE)
        components = value.split("^")
        authority = components[3].split("&") if len(components) > 3 else []
        named = not components[0] or any(components[1:3]) or any(authority[:1])
        if named or len(authority) != 3 or authority[2] != "ISO" or not _dotted(authority[1]):
            raise self.refusal(attribute, "", "needs the form id^^^&OID&ISO")

    def time(self, attribute: str, value: str, *, required: bool = False) -> None:
        if not value:
            if required:
                raise self.refusal(attribute, "", "is missing")
            return
        try:
            check_dtm(value)
        except Invalid:
            raise self.refusal(attribute, value, "is not YYYY[MM[DD[hh[mm[ss]]]]]") from None

    def code(self, attribute: str, code: Code | None) -> None:
        if code is None:
            raise self.refusal(attribute, "", "is missing")
        if not code.value or not code.scheme:
            raise self.refusal(attribute, str(code), "lacks its code or its codingScheme")
        self.text(attribute, code.value, _MAX_VALUE)
        self.text(attribute, code.scheme, _MAX_VALUE)
        self.text(attribute, code.display, _MAX_VALUE)

    def codes(self, attribute: str, codes: tuple[Code, ...], *, required: bool = False) -> None:
        if required and not codes:
            raise self.refusal(attribute, "", "is missing")
        for code in codes:
            self.code(attribute, code)

    def text(self, attribute: str, value: str, limit: int, *, required: bool = False) -> None:
        if required and not value:
            raise self.refusal(attribute, "", "is missing")
        if len(value) > limit:
            raise self.refusal(attribute, "", f"is longer than {limit} characters")
        if "\x00" in value:  # XML has no such character, JSON has; PostgreSQL stores none
            raise self.refusal(attribute, "", "holds a character that no text may hold")

    def values(self, attribute: str, values: Iterable[str]) -> None:
        for value in values:
            if not value:
                raise self.refusal(attribute, "", "holds an empty value")
            self.text(attribute, value, _MAX_VALUE)

    def person(self, attribute: str, value: str) -> None:
        """Refuse an XCN that tells neither an identifier nor a name (TF-3 4.2.3.1.7)."""
        self.text(attribute, value, _MAX_VALUE)
        if value and not any(part.strip("&") for part in value.split("^")[:3]):
            raise self.refusal(attribute, "", "names neither an identifier nor a person")

    def organizations(self, attribute: str, values: Iterable[str]) -> None:
        """Refuse an XON without the name of the organization (TF-3 4.2.3.1.7)."""
        self.values(attribute, values)
        for value in values:
            if not value.partition("^")[0]:
                raise self.refusal(attribute, value, "names no organization")

    def recipients(self, values: Iterable[str]) -> None:
        """Refuse an intendedRecipient that is not XON|XCN|XTN with one of them given."""
        self.values("intendedRecipient", values)
        for value in values:
            parts = value.split("|")
            if len(parts) > 3 or not any(parts):
                raise self.refusal("intendedRecipient", "", "needs the form XON|XCN|XTN")
            self.organizations("intendedRecipient", [p for p in parts[:1] if p])
            self.person("intendedRecipient", parts[1] if len(parts) > 1 else "")

    def authors(self, authors: tuple[Author, ...]) -> None:
        for author in authors:
            if not (author.person or author.institutions or author.telecommunications):
                raise self.refusal("author", "", "names no person, institution or telecom")
            self.person("authorPerson", author.person)
            self.organizations("authorInstitution", author.institutions)
            self.values("authorRole", author.roles)
            self.values("authorSpecialty", author.specialties)
            self.values("authorTelecommunication", author.telecommunications)
