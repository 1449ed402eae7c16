"""What is known of one workitem, or of one watcher, when a command decides.

State made of the facts of `events.py` (PS3.4 CC.1.1); what applies them only assigns. Imported by
`commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from kernel.events import Recorded
from registry.workitems.events import (
    WorkitemCanceled,
    WorkitemChanged,
    WorkitemClaimed,
    WorkitemCompleted,
    WorkitemCreated,
    WorkitemReportsAbandoned,
    WorkitemReportsDelayed,
    WorkitemReportsTaken,
    WorkitemsSuspended,
    WorkitemSubscribed,
    WorkitemUnsubscribed,
)
from registry.workitems.values import WELL_KNOWN, Attributes, State


@dataclass(frozen=True, slots=True)
class WorkitemState:
    """A workitem as its stream tells it."""

    patient_key: UUID | None = None
    state: State | None = None
    transaction_uid: str = ""
    attributes: Attributes = field(default_factory=dict)
    is_shredded: bool = False


@dataclass(frozen=True, slots=True)
class Watcher:
    """What an AE watches."""

    is_global: bool = False
    """It is told of workitems that are yet to come."""


@dataclass(frozen=True, slots=True)
class Reporting:
    """How far an AE was told."""

    through: int = 0
    attempts: int = 0


def apply(state: WorkitemState, recorded: Recorded) -> WorkitemState:
    """Return the workitem after one more event."""
    match recorded.fact:
        case WorkitemCreated() as fact:
            return WorkitemState(
                fact.patient_key,
                State.SCHEDULED,
                attributes=fact.attributes,
                is_shredded=recorded.shredded,
            )
        case WorkitemChanged() as fact:
            return _told(state, fact.attributes)
        case WorkitemClaimed() as fact:
            told = _told(state, fact.attributes)
            return replace(told, state=State.IN_PROGRESS, transaction_uid=fact.transaction_uid)
        case WorkitemCompleted() as fact:
            return replace(_told(state, fact.attributes), state=State.COMPLETED)
        case WorkitemCanceled() as fact:
            return replace(_told(state, fact.attributes), state=State.CANCELED)
        case _:
            return state


def watch(state: Watcher, recorded: Recorded) -> Watcher:
    """Return what an AE watches after one more event."""
    match recorded.fact:
        case WorkitemSubscribed() as fact:
            return Watcher(state.is_global or fact.sop_uid in WELL_KNOWN)
        case WorkitemUnsubscribed() as fact:
            return Watcher(state.is_global and fact.sop_uid not in WELL_KNOWN)
        case WorkitemsSuspended():
            return Watcher()
        case _:
            return state


def report(state: Reporting, recorded: Recorded) -> Reporting:
    """Return how far an AE was told after one more event."""
    match recorded.fact:
        case WorkitemReportsTaken() | WorkitemReportsAbandoned() as fact:
            return Reporting(fact.through)
        case WorkitemReportsDelayed() as fact:
            return replace(state, attempts=fact.attempt)
        case _:
            return state


def _told(state: WorkitemState, attributes: Attributes) -> WorkitemState:
    return replace(state, attributes={**state.attributes, **attributes})
