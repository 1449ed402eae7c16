"""What happened to performed procedure steps.

Facts of PS3.4 F. The stream is `stream_id("procedure-step", SOPInstanceUID)`. What a step says of
a person is sealed for him; the identifiers of what was made are not.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import msgspec

from kernel.events import Fact
from registry.procedure_steps.values import PerformedSeries


class ProcedureStepStarted(Fact, frozen=True, kw_only=True):
    """A modality began to perform a procedure step (N-CREATE)."""

    TOPIC: ClassVar[str] = "procedure_step.started:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    study_uids: tuple[str, ...]
    modality: str
    station_ae: str
    character_set: str = ""
    """Specific Character Set it came in; `attributes` are Unicode."""
    performed: tuple[PerformedSeries, ...] = ()
    """What each item of its Performed Series Sequence lists."""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    """DICOM JSON members, without what `performed` holds."""


class ProcedureStepChanged(Fact, frozen=True, kw_only=True):
    """A modality told more of a step that goes on (N-SET)."""

    TOPIC: ClassVar[str] = "procedure_step.changed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    performed: tuple[PerformedSeries, ...] | None = None
    """None: as before."""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    """Those that changed."""


class ProcedureStepCompleted(Fact, frozen=True, kw_only=True):
    """A step was performed; what it lists is all it made."""

    TOPIC: ClassVar[str] = "procedure_step.completed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    study_uids: tuple[str, ...]
    performed: tuple[PerformedSeries, ...] | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class ProcedureStepDiscontinued(Fact, frozen=True, kw_only=True):
    """A step was given up; what it lists is what it made until then."""

    TOPIC: ClassVar[str] = "procedure_step.discontinued:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    study_uids: tuple[str, ...]
    reason: str = ""
    """Code of the discontinuation reason, `value^scheme` (PS3.16 CID 9300)."""
    performed: tuple[PerformedSeries, ...] | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class ProcedureStepAccounted(Fact, frozen=True, kw_only=True):
    """Every instance that an ended step lists is held."""

    TOPIC: ClassVar[str] = "procedure_step.accounted:v1"
    sop_uid: str
    patient_key: UUID
    instance_count: int
