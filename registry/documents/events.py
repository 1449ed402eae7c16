"""What happened to documents, submission sets, folders and associations.

Facts of ITI TF-2 3.42 (register) and TF-3 4.2. Streams: entryUUID of a DocumentEntry, Folder or
Association; `stream_id("submission-set", uniqueId)` for a SubmissionSet.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact
from registry.documents.values import Association, DocumentEntry, Folder, SubmissionSet


class SubmissionAccepted(Fact, frozen=True, kw_only=True):
    """A submission was accepted as a whole."""

    TOPIC: ClassVar[str] = "submission.accepted:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"submission_set"})
    entry_uuid: UUID
    unique_id: str
    source_id: str
    patient_key: UUID
    submission_set: SubmissionSet | None = None


class DocumentRegistered(Fact, frozen=True, kw_only=True):
    """A DocumentEntry was registered as Approved."""

    TOPIC: ClassVar[str] = "document.registered:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"entry"})
    entry_uuid: UUID
    logical_id: UUID
    version: int
    unique_id: str
    repository_unique_id: str
    mime_type: str
    hash: str
    size: int
    patient_key: UUID
    object_sha256: str = ""
    """Content hash of the stored object when the document lies in our own repository."""
    entry: DocumentEntry | None = None


class DocumentDeprecated(Fact, frozen=True, kw_only=True):
    """A DocumentEntry was deprecated, as a rule because another replaced it."""

    TOPIC: ClassVar[str] = "document.deprecated:v1"
    entry_uuid: UUID
    by_association: UUID | None = None


class DocumentApproved(Fact, frozen=True, kw_only=True):
    """A deprecated DocumentEntry was approved again (ITI TF-2 3.57, UpdateAvailabilityStatus)."""

    TOPIC: ClassVar[str] = "document.approved:v1"
    entry_uuid: UUID


class DocumentRevised(Fact, frozen=True, kw_only=True):
    """A DocumentEntry has a new version; recorded in the stream of the first (ITI TF-2 3.57)."""

    TOPIC: ClassVar[str] = "document.revised:v1"
    logical_id: UUID
    version: int
    entry_uuid: UUID
    """entryUUID of the new version."""


class DocumentRelated(Fact, frozen=True, kw_only=True):
    """Another document or a folder now points at this DocumentEntry (recorded in its stream)."""

    TOPIC: ClassVar[str] = "document.related:v1"
    entry_uuid: UUID
    association: Association


class FolderCreated(Fact, frozen=True, kw_only=True):
    """A folder was created."""

    TOPIC: ClassVar[str] = "folder.created:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"folder"})
    entry_uuid: UUID
    unique_id: str
    patient_key: UUID
    folder: Folder | None = None


class FolderUpdated(Fact, frozen=True, kw_only=True):
    """The content of a folder changed."""

    TOPIC: ClassVar[str] = "folder.updated:v1"
    entry_uuid: UUID
    last_update_time: str


class FolderRevised(Fact, frozen=True, kw_only=True):
    """A folder has a new version; recorded in the stream of the first one (ITI TF-2 3.57)."""

    TOPIC: ClassVar[str] = "folder.revised:v1"
    logical_id: UUID
    version: int
    entry_uuid: UUID
    """entryUUID of the new version."""


class FolderDeprecated(Fact, frozen=True, kw_only=True):
    """A folder was deprecated, as a rule because a new version took its place."""

    TOPIC: ClassVar[str] = "folder.deprecated:v1"
    entry_uuid: UUID


class FolderApproved(Fact, frozen=True, kw_only=True):
    """A deprecated folder was approved again."""

    TOPIC: ClassVar[str] = "folder.approved:v1"
    entry_uuid: UUID


class AssociationAsserted(Fact, frozen=True, kw_only=True):
    """An association was asserted as Approved."""

    TOPIC: ClassVar[str] = "association.asserted:v1"
    patient_key: UUID
    association: Association


class AssociationDeprecated(Fact, frozen=True, kw_only=True):
    """An association was deprecated."""

    TOPIC: ClassVar[str] = "association.deprecated:v1"
    entry_uuid: UUID


class AssociationApproved(Fact, frozen=True, kw_only=True):
    """A deprecated association was approved again."""

    TOPIC: ClassVar[str] = "association.approved:v1"
    entry_uuid: UUID


class DocumentUnrelated(Fact, frozen=True, kw_only=True):
    """An association to this DocumentEntry was removed or deprecated (ends `DocumentRelated`)."""

    TOPIC: ClassVar[str] = "document.unrelated:v1"
    entry_uuid: UUID
    association: UUID


class MetadataRemoved(Fact, frozen=True, kw_only=True):
    """A registry object was removed for good; the last fact of its stream (ITI TF-2 3.62)."""

    TOPIC: ClassVar[str] = "metadata.removed:v1"
    entry_uuid: UUID
    patient_key: UUID | None = None
