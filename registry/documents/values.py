"""DocumentEntry, SubmissionSet, Folder and Association with the attribute names of the standard.

Implements ITI TF-3 4.2.3.2 (DocumentEntry), 4.2.3.3 (SubmissionSet), 4.2.3.4 (Folder), 4.2.2
(Association). Members never are None where a list or text can be empty; times are DTM text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from kernel.codes import Code

STABLE: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
ON_DEMAND: Final = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"


class Status(StrEnum):
    """availabilityStatus (ITI TF-3 4.2.3.2.2)."""

    APPROVED = "Approved"
    DEPRECATED = "Deprecated"


class AssociationType(StrEnum):
    """associationType (ITI TF-3 4.2.2.2, table 4.2.2.2-1)."""

    HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
    APND = "urn:ihe:iti:2007:AssociationType:APND"
    XFRM = "urn:ihe:iti:2007:AssociationType:XFRM"
    XFRM_RPLC = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
    SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
    IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"


class Author(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One author (ITI TF-3 4.2.3.1.4); HL7 types XCN, XON, XTN kept as sent."""

    person: str = ""
    institutions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    telecommunications: tuple[str, ...] = ()


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """An ebRIM slot outside the profile, kept and returned (ITI TF-3 4.2.3.1.6)."""

    name: str
    values: tuple[str, ...]


class DocumentEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metadata of one document. `hash` is SHA-1 hex, `size` counts octets."""

    entry_uuid: UUID
    unique_id: str
    patient_id: str
    """CX `id^^^&OID&ISO`."""
    mime_type: str
    object_type: str = STABLE
    logical_id: UUID | None = None
    version: int = 1
    availability_status: Status = Status.APPROVED
    repository_unique_id: str = ""
    home_community_id: str = ""
    hash: str = ""
    size: int | None = None
    class_code: Code | None = None
    type_code: Code | None = None
    format_code: Code | None = None
    healthcare_facility_type_code: Code | None = None
    practice_setting_code: Code | None = None
    confidentiality_codes: tuple[Code, ...] = ()
    event_codes: tuple[Code, ...] = ()
    authors: tuple[Author, ...] = ()
    legal_authenticator: str = ""
    creation_time: str = ""
    service_start_time: str = ""
    service_stop_time: str = ""
    language_code: str = ""
    title: str = ""
    comments: str = ""
    uri: str = ""
    source_patient_id: str = ""
    source_patient_info: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()
    """CXi values of the referenceIdList slot."""
    document_availability: str = ""
    extra: tuple[Slot, ...] = ()


class SubmissionSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metadata of one submission."""

    entry_uuid: UUID
    unique_id: str
    source_id: str
    patient_id: str
    submission_time: str
    content_type_code: Code | None = None
    availability_status: Status = Status.APPROVED
    home_community_id: str = ""
    authors: tuple[Author, ...] = ()
    intended_recipients: tuple[str, ...] = ()
    title: str = ""
    comments: str = ""
    extra: tuple[Slot, ...] = ()


class Folder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metadata of one folder; `last_update_time` is set by the registry."""

    entry_uuid: UUID
    unique_id: str
    patient_id: str
    last_update_time: str = ""
    codes: tuple[Code, ...] = ()
    logical_id: UUID | None = None
    version: int = 1
    availability_status: Status = Status.APPROVED
    home_community_id: str = ""
    title: str = ""
    comments: str = ""
    extra: tuple[Slot, ...] = ()


class Association(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A typed edge between two registry objects, named by their entryUUIDs."""

    entry_uuid: UUID
    type: AssociationType
    source: UUID
    target: UUID
    availability_status: Status = Status.APPROVED
    submission_set_status: str = ""
    """`Original` or `Reference` on SubmissionSet HasMember DocumentEntry, else empty."""
    documentation: Code | None = None
    extra: tuple[Slot, ...] = ()


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What one ITI-42 (or the metadata of one ITI-41, RAD-68) asks to register."""

    submission_set: SubmissionSet
    entries: tuple[DocumentEntry, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()
