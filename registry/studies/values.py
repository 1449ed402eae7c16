"""An instance as it is offered to a study, and what became of it.

Implements the identifying attributes of PS3.3 C.12.1, C.7.2.1, C.7.3.1. Used by commands,
workflows and the DICOM adapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from registry.studies.corrections import Change


@dataclass(frozen=True, slots=True)
class Instance:
    """One stored Part 10 file; its object key is `sha256`."""

    sop_uid: str
    series_uid: str
    sop_class: str
    transfer_syntax: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a rejection note says (RAD TF-3 4.66, IOCM)."""

    note_uid: str
    reason: str
    sop_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyBatch:
    """Instances of one study and patient that are recorded together."""

    study_uid: str
    patient_key: UUID
    instances: tuple[Instance, ...]
    rejections: tuple[Rejection, ...] = ()


class Outcome(StrEnum):
    """What became of an offered instance that was not refused."""

    STORED = "stored"
    ALREADY_HELD = "already held"


@dataclass(frozen=True, slots=True)
class Reassignment:
    """A study is to be another patient's."""

    study_uid: str
    giver: UUID
    taker: UUID
    change: Change
    """Who he is, as the images are to say."""
    reason: str = ""
    reverts: int = 0


@dataclass(frozen=True, slots=True)
class MovedSeries:
    """A series that goes to another study; without `sop_uids` all of it."""

    series_uid: str
    to_series_uid: str
    sop_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Series or instances are to belong to another study."""

    study_uid: str
    to_study_uid: str
    patient_key: UUID
    series: tuple[MovedSeries, ...]
    instance_count: int
    whole: bool
    """Nothing is left behind."""
    reason: str = ""
    reverts: int = 0
