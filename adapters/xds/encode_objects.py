"""DocumentEntry, SubmissionSet, Folder, Association -> ebRIM text.

Implements ITI TF-3 tables 4.2.3.2-1, 4.2.3.3-1, 4.2.3.4-1 and 4.2.2.2-1; the mirror image of
`decode_objects.py`. Text is built directly: this is the hot half of every query.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from uuid import UUID

from adapters.soap.names import escaped
from adapters.xds import names
from kernel.codes import Code
from registry.documents.values import (
    Association,
    Author,
    DocumentEntry,
    Folder,
    Slot,
    Status,
    SubmissionSet,
)

_NODE_AT: Final = len("urn:uuid:00000000-0000-0000-0000-")
_NODE_MASK: Final = (1 << 48) - 1


def document_entry(entry: DocumentEntry) -> str:
    """Return the rim:ExtrinsicObject of a DocumentEntry."""
    parts = _Parts(entry.entry_uuid)
    size = "" if entry.size is None else str(entry.size)
    return (
        f'<rim:ExtrinsicObject {_identity(entry)} mimeType="{escaped(entry.mime_type)}" '
        f'objectType="{escaped(entry.object_type)}" isOpaque="false" '
        f'status="{_status(entry.availability_status)}">'
        + _slot("creationTime", entry.creation_time)
        + _slot("hash", entry.hash)
        + _slot("languageCode", entry.language_code)
        + _slot("legalAuthenticator", entry.legal_authenticator)
        + _slot("repositoryUniqueId", entry.repository_unique_id)
        + _slot("serviceStartTime", entry.service_start_time)
        + _slot("serviceStopTime", entry.service_stop_time)
        + _slot("size", size)
        + _slot("sourcePatientId", entry.source_patient_id)
        + _slot("sourcePatientInfo", *entry.source_patient_info)
        + _slot("URI", entry.uri)
        + _slot("documentAvailability", entry.document_availability)
        + _slot(names.REFERENCE_ID_LIST, *entry.reference_ids)
        + _extra(entry.extra)
        + _texts(entry.title, entry.comments)
        + _version(entry.version)
        + "".join(parts.author(names.DOCUMENT_AUTHOR, a) for a in entry.authors)
        + parts.code(names.CLASS_CODE, entry.class_code)
        + parts.codes(names.CONFIDENTIALITY_CODE, entry.confidentiality_codes)
        + parts.codes(names.EVENT_CODE, entry.event_codes)
        + parts.code(names.FORMAT_CODE, entry.format_code)
        + parts.code(names.FACILITY_CODE, entry.healthcare_facility_type_code)
        + parts.code(names.PRACTICE_CODE, entry.practice_setting_code)
        + parts.code(names.TYPE_CODE, entry.type_code)
        + parts.identifier(
            names.DOCUMENT_PATIENT_ID, entry.patient_id, "XDSDocumentEntry.patientId"
        )
        + parts.identifier(names.DOCUMENT_UNIQUE_ID, entry.unique_id, "XDSDocumentEntry.uniqueId")
        + "</rim:ExtrinsicObject>"
    )


def submission_set(whole: SubmissionSet) -> str:
    """Return the rim:RegistryPackage of a SubmissionSet."""
    parts = _Parts(whole.entry_uuid)
    return (
        f"<rim:RegistryPackage {_id(whole.entry_uuid)} {_lid(whole.entry_uuid)}"
        f"{_home(whole.home_community_id)} "
        f'objectType="{names.OBJECT_TYPE}RegistryPackage" '
        f'status="{_status(whole.availability_status)}">'
        + _slot("submissionTime", whole.submission_time)
        + _slot("intendedRecipient", *whole.intended_recipients)
        + _extra(whole.extra)
        + _texts(whole.title, whole.comments)
        + _version(1)
        + "".join(parts.author(names.SUBMISSION_AUTHOR, a) for a in whole.authors)
        + parts.code(names.CONTENT_TYPE_CODE, whole.content_type_code)
        + parts.node(names.SUBMISSION_SET)
        + parts.identifier(
            names.SUBMISSION_PATIENT_ID, whole.patient_id, "XDSSubmissionSet.patientId"
        )
        + parts.identifier(names.SUBMISSION_UNIQUE_ID, whole.unique_id, "XDSSubmissionSet.uniqueId")
        + parts.identifier(names.SOURCE_ID, whole.source_id, "XDSSubmissionSet.sourceId")
        + "</rim:RegistryPackage>"
    )


def folder(one: Folder) -> str:
    """Return the rim:RegistryPackage of a Folder."""
    parts = _Parts(one.entry_uuid)
    return (
        f'<rim:RegistryPackage {_identity(one)} objectType="{names.OBJECT_TYPE}RegistryPackage" '
        f'status="{_status(one.availability_status)}">'
        + _slot("lastUpdateTime", one.last_update_time)
        + _extra(one.extra)
        + _texts(one.title, one.comments)
        + _version(one.version)
        + parts.codes(names.FOLDER_CODE, one.codes)
        + parts.node(names.FOLDER)
        + parts.identifier(names.FOLDER_PATIENT_ID, one.patient_id, "XDSFolder.patientId")
        + parts.identifier(names.FOLDER_UNIQUE_ID, one.unique_id, "XDSFolder.uniqueId")
        + "</rim:RegistryPackage>"
    )


def association(edge: Association) -> str:
    """Return the rim:Association of an Association."""
    parts = _Parts(edge.entry_uuid)
    return (
        f"<rim:Association {_id(edge.entry_uuid)} {_lid(edge.entry_uuid)} "
        f'objectType="{names.OBJECT_TYPE}Association" '
        f'status="{_status(edge.availability_status)}" associationType="{edge.type}" '
        f'sourceObject="urn:uuid:{edge.source}" targetObject="urn:uuid:{edge.target}">'
        + _slot("SubmissionSetStatus", edge.submission_set_status)
        + _extra(edge.extra)
        + _version(1)
        + parts.code(names.ASSOCIATION_DOCUMENTATION, edge.documentation)
        + "</rim:Association>"
    )


def object_ref(entry_uuid: UUID) -> str:
    """Return the rim:ObjectRef of any object."""
    return f"<rim:ObjectRef {_id(entry_uuid)}/>"


class _Parts:
    """Classifications and external identifiers of one object, each with an id of its own."""

    def __init__(self, owner: UUID) -> None:
        self._owner = f"urn:uuid:{owner}"
        self._beginning = self._owner[:_NODE_AT]
        self._node = owner.int & _NODE_MASK
        self._count = 0

    def author(self, scheme: str, author: Author) -> str:
        return (
            f'{self._open(scheme)} nodeRepresentation="">'
            + _slot("authorPerson", author.person)
            + _slot("authorInstitution", *author.institutions)
            + _slot("authorRole", *author.roles)
            + _slot("authorSpecialty", *author.specialties)
            + _slot("authorTelecommunication", *author.telecommunications)
            + "</rim:Classification>"
        )

    def code(self, scheme: str, code: Code | None) -> str:
        if code is None:
            return ""
        return self._open(scheme) + _code(code)

    def codes(self, scheme: str, codes: Iterable[Code]) -> str:
        return "".join(self.code(scheme, code) for code in codes)

    def node(self, node: str) -> str:
        return (
            f'<rim:Classification {self._id()} objectType="{names.OBJECT_TYPE}Classification" '
            f'classifiedObject="{self._owner}" classificationNode="{node}"/>'
        )

    def identifier(self, scheme: str, value: str, name: str) -> str:
        if not value:
            return ""
        return (
            f"<rim:ExternalIdentifier {self._id()} "
            f'objectType="{names.OBJECT_TYPE}ExternalIdentifier" '
            f'registryObject="{self._owner}" identificationScheme="{scheme}" '
            f'value="{escaped(value)}">{_text("Name", name)}</rim:ExternalIdentifier>'
        )

    def _open(self, scheme: str) -> str:
        return (
            f'<rim:Classification {self._id()} objectType="{names.OBJECT_TYPE}Classification" '
            f'classificationScheme="{scheme}" classifiedObject="{self._owner}"'
        )

    def _id(self) -> str:
        # The same id each time it is asked for: derived from the owner's and the place.
        self._count += 1
        return f'id="{self._beginning}{self._node ^ self._count:012x}"'


@lru_cache(maxsize=4096)
def _code(code: Code) -> str:
    """Return what a classification holds of a code: a domain has few, and repeats them."""
    return (
        f' nodeRepresentation="{escaped(code.value)}">'
        + _slot("codingScheme", code.scheme)
        + _text("Name", code.display)
        + "</rim:Classification>"
    )


def _identity(thing: DocumentEntry | Folder) -> str:
    logical = f' lid="urn:uuid:{thing.logical_id}"' if thing.logical_id else ""
    return f"{_id(thing.entry_uuid)}{logical}{_home(thing.home_community_id)}"


def _id(entry_uuid: UUID) -> str:
    return f'id="urn:uuid:{entry_uuid}"'


def _lid(entry_uuid: UUID) -> str:
    # What is never updated is its own first version.
    return f'lid="urn:uuid:{entry_uuid}"'


def _home(home_community_id: str) -> str:
    return f' home="{escaped(home_community_id)}"' if home_community_id else ""


def _status(status: Status) -> str:
    return f"{names.STATUS}{status}"


def _version(version: int) -> str:
    return f'<rim:VersionInfo versionName="{version}"/>'


def _texts(title: str, comments: str) -> str:
    return _text("Name", title) + _text("Description", comments)


def _text(element: str, value: str) -> str:
    if not value:
        return ""
    return f'<rim:{element}><rim:LocalizedString value="{escaped(value)}"/></rim:{element}>'


def _slot(name: str, *values: str) -> str:
    if len(values) == 1:  # as nearly every slot
        return _single(name, values[0]) if values[0] else ""
    given = [value for value in values if value]
    if not given:
        return ""
    listed = "".join(f"<rim:Value>{escaped(value)}</rim:Value>" for value in given)
    return f'<rim:Slot name="{name}"><rim:ValueList>{listed}</rim:ValueList></rim:Slot>'


def _single(name: str, value: str) -> str:
    return (
        f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escaped(value)}</rim:Value>'
        "</rim:ValueList></rim:Slot>"
    )


def _extra(slots: Iterable[Slot]) -> str:
    return "".join(_slot(escaped(slot.name), *slot.values) for slot in slots)
