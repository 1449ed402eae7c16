"""What is known of one performed procedure step when a command decides.

State made of the facts of `events.py` (PS3.4 F.7.2); what applies them only assigns. Imported by
`commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from kernel.events import Recorded
from registry.procedure_steps.events import (
    ProcedureStepAccounted,
    ProcedureStepChanged,
    ProcedureStepCompleted,
    ProcedureStepDiscontinued,
    ProcedureStepStarted,
)
from registry.procedure_steps.values import Attributes, PerformedSeries, Status


@dataclass(frozen=True, slots=True)
class StepState:
    """A performed procedure step as its stream tells it."""

    patient_key: UUID | None = None
    status: Status | None = None
    study_uids: tuple[str, ...] = ()
    character_set: str = ""
    attributes: Attributes = field(default_factory=dict)
    performed: tuple[PerformedSeries, ...] = ()
    is_accounted: bool = False
    is_shredded: bool = False


def apply(state: StepState, recorded: Recorded) -> StepState:
    """Return the step after one more event."""
    match recorded.fact:
        case ProcedureStepStarted() as fact:
            return StepState(
                fact.patient_key,
                Status.IN_PROGRESS,
                fact.study_uids,
                fact.character_set,
                fact.attributes,
                fact.performed,
                is_shredded=recorded.shredded,
            )
        case ProcedureStepChanged() as fact:
            return _told(state, fact, Status.IN_PROGRESS)
        case ProcedureStepCompleted() as fact:
            return _told(state, fact, Status.COMPLETED)
        case ProcedureStepDiscontinued() as fact:
            return _told(state, fact, Status.DISCONTINUED)
        case ProcedureStepAccounted():
            return replace(state, is_accounted=True)
        case _:
            return state


def _told(
    state: StepState,
    fact: ProcedureStepChanged | ProcedureStepCompleted | ProcedureStepDiscontinued,
    status: Status,
) -> StepState:
    return replace(
        state,
        status=status,
        attributes={**state.attributes, **fact.attributes},
        performed=state.performed if fact.performed is None else fact.performed,
    )
