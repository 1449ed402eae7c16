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


class StudyCorrected(Fact, frozen=True, kw_only=True):
    """Attributes of a study, or of its patient in this study, are to be told otherwise.

    Stored octets stay as they are: whoever hands out instances writes the new values.
    """

    TOPIC: ClassVar[str] = "study.corrected:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"values", "reason"})
    study_uid: str
    patient_key: UUID
    tags: tuple[str, ...] = ()
    """What is corrected, eight hexadecimal digits each; none when it takes one back."""
    values: str = ""
    """DICOM JSON members by tag (PS3.18 F); a member without Value empties the attribute."""
    reason: str = ""
    reverts: int = 0
    """Position of the correction of this study that is taken back; its values go."""


class StudyReassigned(Fact, frozen=True, kw_only=True):
    """The study is another patient's than its headers say, or than was said before."""

    TOPIC: ClassVar[str] = "study.reassigned:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"values", "reason"})
    study_uid: str
    from_patient_key: UUID
    patient_key: UUID
    tags: tuple[str, ...] = ()
    """Patient attributes that are told otherwise from now on; corrections of others go."""
    values: str = ""
    """DICOM JSON members: who the patient is; empty when the stored headers say it."""
    reason: str = ""
    reverts: int = 0
    """Position of the reassignment that is taken back."""


class InstancesMoved(Fact, frozen=True, kw_only=True):
    """Series, or instances of series, belong to another study: a split or a merge.

    Told in the stream of the study they leave; SOP Instance UIDs stay.
    """

    TOPIC: ClassVar[str] = "instances.moved:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"reason"})
    study_uid: str
    patient_key: UUID
    to_study_uid: str
    whole: bool
    """Nothing is left; what is still to come for the study follows."""
    series_uids: tuple[str, ...]
    to_series_uids: tuple[str, ...]
    """Series Instance UID there, per series: a new one where a series is divided."""
    whole_series: tuple[bool, ...]
    """Per series: all that is there goes, and what is still to come follows."""
    sop_uids: tuple[str, ...] = ()
    """The instances of divided series."""
    series: tuple[int, ...] = ()
    """Index into series_uids, per instance of `sop_uids`."""
    instance_count: int
    """How many instances go."""
    reason: str = ""


class InstancesAdopted(Fact, frozen=True, kw_only=True):
    """Told in the stream of the study that series or instances were moved to."""

    TOPIC: ClassVar[str] = "instances.adopted:v1"
    study_uid: str
    patient_key: UUID
    from_study_uid: str
    instance_count: int
    reverts: int = 0
    """Position of the move out of this study that is taken back."""
