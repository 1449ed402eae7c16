"""ebRIM objects -> DocumentEntry, SubmissionSet, Folder, Association.

Implements ITI TF-3 tables 4.2.3.2-1, 4.2.3.3-1, 4.2.3.4-1 and 4.2.2.2-1; the mirror image of
`encode_objects.py`. Used by `decode.py`; required attributes are the registry's concern.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from adapters.xds import names
from adapters.xds.ebrim import EbrimObject, Ids
from kernel.identifiers import BadIdentifier, entry_uuid
from registry.documents.refusals import ReferenceUnresolved
from registry.documents.values import (
    STABLE,
    Association,
    AssociationType,
    DocumentEntry,
    Folder,
    Status,
    SubmissionSet,
)

_DIGITS: Final = 10
_TYPES: Final = {str(kind): kind for kind in AssociationType}


def document_entry(read: EbrimObject, ids: Ids) -> DocumentEntry:
    """Return the DocumentEntry in an ExtrinsicObject."""
    uuid = ids.defined(read.id)
    assert uuid is not None
    if read.nodes:
        raise read.refusal("Classification", "has a classificationNode of another kind of object")
    return DocumentEntry(
        entry_uuid=uuid,
        logical_id=_logical_id(read, ids),
        version=_version(read),
        availability_status=_status(read),
        home_community_id=read.element.get("home", ""),
        object_type=read.element.get("objectType", "").strip().lower() or STABLE,
        mime_type=read.element.get("mimeType", "").strip(),
        title=read.title,
        comments=read.comments,
        authors=read.authors(names.DOCUMENT_AUTHOR),
        class_code=read.code(names.CLASS_CODE, "classCode"),
        type_code=read.code(names.TYPE_CODE, "typeCode"),
        format_code=read.code(names.FORMAT_CODE, "formatCode"),
        healthcare_facility_type_code=read.code(names.FACILITY_CODE, "healthcareFacilityTypeCode"),
        practice_setting_code=read.code(names.PRACTICE_CODE, "practiceSettingCode"),
        confidentiality_codes=read.codes(names.CONFIDENTIALITY_CODE, "confidentialityCode"),
        event_codes=read.codes(names.EVENT_CODE, "eventCodeList"),
        patient_id=read.identifier(names.DOCUMENT_PATIENT_ID),
        unique_id=read.identifier(names.DOCUMENT_UNIQUE_ID),
        creation_time=read.one("creationTime"),
        service_start_time=read.one("serviceStartTime"),
        service_stop_time=read.one("serviceStopTime"),
        language_code=read.one("languageCode"),
        legal_authenticator=read.one("legalAuthenticator"),
        hash=read.one("hash"),
        size=read.number("size"),
        repository_unique_id=read.one("repositoryUniqueId"),
        uri=read.one("URI"),
        source_patient_id=read.one("sourcePatientId"),
        source_patient_info=read.many("sourcePatientInfo"),
        reference_ids=read.many(names.REFERENCE_ID_LIST),
        document_availability=read.one("documentAvailability"),
        extra=read.rest(),
    )


def submission_set(read: EbrimObject, ids: Ids) -> SubmissionSet:
    """Return the SubmissionSet in a RegistryPackage."""
    uuid = ids.defined(read.id)
    assert uuid is not None
    return SubmissionSet(
        entry_uuid=uuid,
        availability_status=_status(read),
        home_community_id=read.element.get("home", ""),
        title=read.title,
        comments=read.comments,
        authors=read.authors(names.SUBMISSION_AUTHOR),
        content_type_code=read.code(names.CONTENT_TYPE_CODE, "contentTypeCode"),
        patient_id=read.identifier(names.SUBMISSION_PATIENT_ID),
        unique_id=read.identifier(names.SUBMISSION_UNIQUE_ID),
        source_id=read.identifier(names.SOURCE_ID),
        submission_time=read.one("submissionTime"),
        intended_recipients=read.many("intendedRecipient"),
        extra=read.rest(),
    )


def folder(read: EbrimObject, ids: Ids) -> Folder:
    """Return the Folder in a RegistryPackage."""
    uuid = ids.defined(read.id)
    assert uuid is not None
    return Folder(
        entry_uuid=uuid,
        logical_id=_logical_id(read, ids),
        version=_version(read),
        availability_status=_status(read),
        home_community_id=read.element.get("home", ""),
        title=read.title,
        comments=read.comments,
        codes=read.codes(names.FOLDER_CODE, "codeList"),
        patient_id=read.identifier(names.FOLDER_PATIENT_ID),
        unique_id=read.identifier(names.FOLDER_UNIQUE_ID),
        last_update_time=read.one("lastUpdateTime"),
        extra=read.rest(),
    )


def association(read: EbrimObject, ids: Ids) -> Association:
    """Return the Association in its element."""
    uuid = ids.defined(read.id)
    assert uuid is not None
    kind = _TYPES.get(read.element.get("associationType", "").strip())
    if kind is None:
        raise read.refusal(
            "associationType", f"{read.element.get('associationType', '')[:120]!r} is unknown"
        )
    ends = []
    for attribute in ("sourceObject", "targetObject"):
        text = read.element.get(attribute, "").strip()
        end = ids.referred(text)
        if end is None:
            raise ReferenceUnresolved(
                f"Association {read.id}: {attribute} {text[:80]!r} is nothing of the submission",
                object=text[:80],
            )
        ends.append(end)
    return Association(
        entry_uuid=uuid,
        type=kind,
        source=ends[0],
        target=ends[1],
        availability_status=_status(read),
        submission_set_status=read.one("SubmissionSetStatus"),
        documentation=read.code(names.ASSOCIATION_DOCUMENTATION, "associationDocumentation"),
        extra=read.rest(),
    )


def _status(read: EbrimObject) -> Status:
    # What a submission says here counts for nothing; in a response it is one of the two.
    deprecated = read.element.get("status", "") == f"{names.STATUS}{Status.DEPRECATED}"
    return Status.DEPRECATED if deprecated else Status.APPROVED


def _version(read: EbrimObject) -> int:
    told = read.version_name
    return int(told) if told.isdecimal() and len(told) < _DIGITS else 1


def _logical_id(read: EbrimObject, ids: Ids) -> UUID | None:
    text = read.element.get("lid", "").strip()
    if not text:
        return None
    if text == read.id:
        return ids.defined(text)
    try:
        return entry_uuid(text.lower())
    except BadIdentifier:
        raise read.refusal("logicalID", f"{text[:80]!r} is not a urn:uuid identifier") from None
