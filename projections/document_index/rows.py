"""What the document index hands out: rows of registered objects, as they stand.

Implements the results of ITI TF-2 3.18 before they are encoded. Made by `view.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from registry.documents.values import Association, DocumentEntry, Folder, Status, SubmissionSet

_entry: Final = msgspec.json.Decoder(DocumentEntry)
_set: Final = msgspec.json.Decoder(SubmissionSet)
_folder: Final = msgspec.json.Decoder(Folder)
_association: Final = msgspec.json.Decoder(Association)


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A DocumentEntry as it stands; `entry()` reads the whole of it."""

    entry_uuid: UUID
    patient_key: UUID
    status: Status
    body: bytes
    registered_at: int = 0
    """Microseconds since 1970."""

    def entry(self) -> DocumentEntry:
        """Return the metadata with the status in force."""
        entry = _entry.decode(self.body)
        if entry.availability_status is self.status:
            return entry
        return msgspec.structs.replace(entry, availability_status=self.status)


@dataclass(frozen=True, slots=True)
class SubmissionSetRow:
    """A SubmissionSet as it stands."""

    entry_uuid: UUID
    patient_key: UUID
    status: Status
    body: bytes

    def submission_set(self) -> SubmissionSet:
        """Return the metadata."""
        return _set.decode(self.body)


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A Folder as it stands."""

    entry_uuid: UUID
    patient_key: UUID
    status: Status
    body: bytes
    last_update_time: str

    def folder(self) -> Folder:
        """Return the metadata with the status and the update time in force."""
        return msgspec.structs.replace(
            _folder.decode(self.body),
            availability_status=self.status,
            last_update_time=self.last_update_time,
        )


@dataclass(frozen=True, slots=True)
class AssociationRow:
    """An Association as it stands."""

    entry_uuid: UUID
    patient_key: UUID
    status: Status
    body: bytes
    source: UUID
    target: UUID
    type: str

    def association(self) -> Association:
        """Return the metadata with the status in force."""
        return msgspec.structs.replace(
            _association.decode(self.body), availability_status=self.status
        )


@dataclass(frozen=True, slots=True)
class Located:
    """Where a document's octets lie and what must be known to hand them out."""

    entry_uuid: UUID
    unique_id: str
    repository_unique_id: str
    patient_key: UUID
    mime_type: str
    size: int
    hash: str
    object_sha256: str
    """Key of the stored object; empty when it lies in somebody else's repository."""
    status: Status


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """One line of a patient's list of documents."""

    entry_uuid: UUID
    unique_id: str
    repository_unique_id: str
    title: str
    type_display: str
    type_code: str
    format_code: str
    mime_type: str
    creation_time: str
    """DTM as sent."""
    size: int
    authors: tuple[str, ...]
    """XCN texts."""
    status: Status
    object_sha256: str
    reference_ids: tuple[str, ...]


def summary(row: Any) -> DocumentSummary:
    """Return the line of a row of `body`, `status` and `object_sha256`."""
    entry = _entry.decode(row.body)
    return DocumentSummary(
        entry_uuid=entry.entry_uuid,
        unique_id=entry.unique_id,
        repository_unique_id=entry.repository_unique_id,
        title=entry.title,
        type_display=entry.type_code.display if entry.type_code else "",
        type_code=entry.type_code.value if entry.type_code else "",
        format_code=entry.format_code.value if entry.format_code else "",
        mime_type=entry.mime_type,
        creation_time=entry.creation_time,
        size=entry.size or 0,
        authors=tuple(author.person for author in entry.authors if author.person),
        status=Status(row.status),
        object_sha256=row.object_sha256,
        reference_ids=entry.reference_ids,
    )
