"""Studies, series and instances as lists show them, and what the portal's list is narrowed by.

Design A10. Made by `view.py`, read by adapters and workflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study as a list shows it."""

    study_uid: str
    patient_key: UUID
    patient_id: str
    issuer: str
    name: str
    """DICOM PN text as sent."""
    alphabetic: str
    ideographic: str
    pinyin: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    accession: str
    study_id: str
    description: str
    referring: str
    modalities: tuple[str, ...]
    sop_classes: tuple[str, ...]
    body_parts: tuple[str, ...]
    series_count: int
    instance_count: int
    held_count: int
    """With rejected instances and rejection notes, which no list shows."""
    size_bytes: int
    first_at: datetime
    last_at: datetime
    complete: bool
    """No more instances came for the quiet period."""
    published_count: int
    """Instances that the last manifest names; 0 when none was published."""
    manifest_uid: str
    manifest_entry: UUID | None
    mixed: bool = False
    """Its instances do not agree on who the patient is."""
    outdated: bool = False
    """A feed told something else of the patient than its manifest says."""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series as a list shows it."""

    study_uid: str
    series_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    series_date: str
    series_time: str
    institution: str
    department: str
    station: str
    instance_count: int
    first_sop_uid: str
    """Its first instance, for a thumbnail."""


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """An instance as a manifest or a viewer's list names it."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    number: int | None
    frame_count: int
    hidden: bool = False
    """Rejected, or a rejection note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFilters:
    """What the portal's list is narrowed by; empty members do not narrow."""

    name: str = ""
    """Beginning of the name in Latin or Chinese letters, of its pinyin, or its initials."""
    patient_id: str = ""
    accession: str = ""
    modalities: tuple[str, ...] = ()
    date_from: str = ""
    """YYYYMMDD."""
    date_to: str = ""
    description: str = ""
    patient_key: UUID | None = None


@dataclass(frozen=True, slots=True)
class StudyCount:
    """A study as it counts in a comparison with another archive."""

    study_uid: str
    study_date: str
    modalities: tuple[str, ...]
    instance_count: int
