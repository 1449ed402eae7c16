"""What happened to imaging studies. The stream is `stream_id("study", studyInstanceUID)`.

Facts of PS3.4 B (storage) and RAD TF-2 4.68 (manifest published). Instances are recorded many
in one event, in columns: `x[i]` of every column belongs to instance i.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact


class InstancesStored(Fact, frozen=True, kw_only=True):
    """Instances of one study were stored durably. Object key of an instance is its sha256."""

    TOPIC: ClassVar[str] = "instances.stored:v1"
    study_uid: str
    patient_key: UUID
    series_uids: tuple[str, ...]
    """The distinct series of this batch."""
    sop_classes: tuple[str, ...]
    """The distinct SOP Class UIDs of this batch."""
    transfer_syntaxes: tuple[str, ...]
    """The distinct transfer syntaxes of this batch, as stored."""
    sop_uids: tuple[str, ...]
    series: tuple[int, ...]
    """Index into series_uids, per instance."""
    sop_class: tuple[int, ...]
    transfer_syntax: tuple[int, ...]
    sizes: tuple[int, ...]
    """Octets of the stored Part 10 file."""
    sha256: tuple[str, ...]
    """Hex SHA-256 of the stored Part 10 file; also its object key."""


class InstanceRefused(Fact, frozen=True, kw_only=True):
    """An instance came with a SOP Instance UID that is held with other bytes; both are kept."""

    TOPIC: ClassVar[str] = "instance.refused:v1"
    study_uid: str
    sop_uid: str
    held_sha256: str
    offered_sha256: str
    """Object key of the offered bytes in quarantine."""


class InstancesRejected(Fact, frozen=True, kw_only=True):
    """A rejection note (IOCM) came: instances, held or still to come, are not to be used.

    Recorded with the storing of the note, in the stream of the note's study.
    """

    TOPIC: ClassVar[str] = "instances.rejected:v1"
    study_uid: str
    patient_key: UUID
    """Of the note; it rejects instances of this patient only."""
    note_uid: str
    """SOP Instance UID of the Key Object Selection."""
    reason: str
    """113001 quality | 113037 patient safety | 113038 wrong worklist entry | 113039 expired."""
    sop_uids: tuple[str, ...]


class StudyCompleted(Fact, frozen=True, kw_only=True):
    """No more instances came for the quiet period: the study counts as complete."""

    TOPIC: ClassVar[str] = "study.completed:v1"
    study_uid: str
    instance_count: int


class ManifestPublished(Fact, frozen=True, kw_only=True):
    """A KOS manifest of the study was registered as an XDS-I document."""

    TOPIC: ClassVar[str] = "manifest.published:v1"
    study_uid: str
    entry_uuid: UUID
    """DocumentEntry of the manifest."""
    unique_id: str
    """SOP Instance UID of the KOS."""
    instance_count: int


class ManifestWithdrawn(Fact, frozen=True, kw_only=True):
    """Nothing of the study may be shared: its manifest, if any, is deprecated and not replaced."""

    TOPIC: ClassVar[str] = "manifest.withdrawn:v1"
    study_uid: str
    instance_count: int
    """Instances held then: rejected ones and rejection notes."""
    entry_uuid: UUID | None = None
    """DocumentEntry of the manifest that was the last; None when there was none."""
