"""Submissions by the dozen: metadata values for tests of registry, index, codec and doors.

ITI TF-3 4.2 in the registry's own values. Called by tests of documents on every floor.
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID, uuid4

import msgspec

from kernel.codes import Code
from kernel.identifiers import new_uid
from registry.documents.values import (
    Association,
    AssociationType,
    Author,
    DocumentEntry,
    Folder,
    Submission,
    SubmissionSet,
)

AUTHORITY = "1.2.250.99.1"
PATIENT = f"P-1001^^^&{AUTHORITY}&ISO"
OTHER_PATIENT = f"P-2002^^^&{AUTHORITY}&ISO"
LOINC = "2.16.840.1.113883.6.1"
SNOMED = "2.16.840.1.113883.6.96"
DCM = "1.2.840.10008.2.6.1"
REPOSITORY = "1.2.250.99.2"
CONTENT = b"the octets of a document"


def entry(patient_id: str = PATIENT, **changes: Any) -> DocumentEntry:
    """Return a complete DocumentEntry."""
    content: bytes = changes.pop("content", CONTENT)
    made = DocumentEntry(
        entry_uuid=uuid4(),
        unique_id=new_uid(),
        patient_id=patient_id,
        mime_type="application/pdf",
        repository_unique_id=REPOSITORY,
        hash=hashlib.sha1(content).hexdigest(),
        size=len(content),
        class_code=Code("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports"),
        type_code=Code("18748-4", LOINC, "Diagnostic imaging study"),
        format_code=Code("urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3", "PDF"),
        healthcare_facility_type_code=Code("22232009", SNOMED, "Hospital"),
        practice_setting_code=Code("394914008", SNOMED, "Radiology"),
        confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25", "normal"),),
        creation_time="20260102030405",
        language_code="zh-CN",
        source_patient_id=patient_id,
    )
    return msgspec.structs.replace(made, **changes)


def submission_set(patient_id: str = PATIENT, **changes: Any) -> SubmissionSet:
    """Return a complete SubmissionSet."""
    made = SubmissionSet(
        entry_uuid=uuid4(),
        unique_id=new_uid(),
        source_id="1.2.250.99.3",
        patient_id=patient_id,
        submission_time="20260102030406",
        content_type_code=Code("18748-4", LOINC, "Diagnostic imaging study"),
        authors=(Author(person="^Example^Ada", roles=("radiologist",)),),
    )
    return msgspec.structs.replace(made, **changes)


def folder(patient_id: str = PATIENT, **changes: Any) -> Folder:
    """Return a complete Folder."""
    made = Folder(
        entry_uuid=uuid4(),
        unique_id=new_uid(),
        patient_id=patient_id,
        title="Chest pain",
        codes=(Code("18748-4", LOINC, "Diagnostic imaging study"),),
    )
    return msgspec.structs.replace(made, **changes)


def association(kind: AssociationType, source: UUID, target: UUID, **more: Any) -> Association:
    """Return an association."""
    return Association(entry_uuid=uuid4(), type=kind, source=source, target=target, **more)


def member(source: UUID, target: UUID, status: str = "") -> Association:
    """Return a HasMember association."""
    return association(AssociationType.HAS_MEMBER, source, target, submission_set_status=status)


def submission(
    *things: DocumentEntry | Folder | Association, whole: SubmissionSet | None = None
) -> Submission:
    """Return a submission that holds these things, its own memberships added."""
    entries = tuple(t for t in things if isinstance(t, DocumentEntry))
    folders = tuple(t for t in things if isinstance(t, Folder))
    patient = (*entries, *folders)[0].patient_id if (*entries, *folders) else PATIENT
    whole = whole or submission_set(patient)
    return Submission(
        submission_set=whole,
        entries=entries,
        folders=folders,
        associations=(
            *(member(whole.entry_uuid, e.entry_uuid, "Original") for e in entries),
            *(member(whole.entry_uuid, f.entry_uuid) for f in folders),
            *(t for t in things if isinstance(t, Association)),
        ),
    )
