"""The only door in: what may be recorded of a performed procedure step, before it is recorded.

Pure functions from past events and a request to an `Append` (PS3.4 F.7.2). Called by
`workflows.perform_procedure_steps` and `workflows.account_for_steps`.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from registry.procedure_steps import attributes as rules
from registry.procedure_steps.aggregate import StepState, apply
from registry.procedure_steps.events import (
    ProcedureStepAccounted,
    ProcedureStepChanged,
    ProcedureStepCompleted,
    ProcedureStepDiscontinued,
    ProcedureStepStarted,
)
from registry.procedure_steps.refusals import (
    ProcedureStepEnded,
    ProcedureStepExists,
    ProcedureStepNotKnown,
)
from registry.procedure_steps.values import Attributes, Status

__all__ = ["StepState"]

NOT_STARTED: Final = StepState()


def step_stream(sop_uid: str) -> UUID:
    """Return the stream of a performed procedure step."""
    return stream_id("procedure-step", sop_uid)


def fold(state: StepState, recorded: Recorded) -> StepState:
    """Return the step after one more event; for `Ledger.fold` with `NOT_STARTED`."""
    return apply(state, recorded)


def start(
    state: StepState,
    *,
    sop_uid: str,
    patient_key: UUID,
    attributes: Attributes,
    character_set: str,
    envelope: Envelope,
) -> Append:
    """Record that a step began; raises ProcedureStepExists and what breaks Table F.7.2-1."""
    if state.status is not None:
        raise ProcedureStepExists(sop_uid=sop_uid)
    rules.check_new(attributes)
    kept, performed = rules.take_apart(attributes)
    fact = ProcedureStepStarted(
        sop_uid=sop_uid,
        patient_key=patient_key,
        study_uids=rules.study_uids(attributes),
        modality=rules.text(attributes, rules.MODALITY),
        station_ae=rules.text(attributes, rules.STATION_AE),
        character_set=character_set,
        performed=performed or (),
        attributes=kept,
    )
    return _append(fact, sop_uid, patient_key, 0, envelope)


def change(
    state: StepState, version: int, *, sop_uid: str, attributes: Attributes, envelope: Envelope
) -> Append | None:
    """Record what a modality tells of a step; None when it tells nothing new.

    Raises ProcedureStepNotKnown, ProcedureStepEnded and what breaks Table F.7.2-1.
    """
    if state.patient_key is None or state.is_shredded:
        raise ProcedureStepNotKnown(sop_uid=sop_uid)
    if state.status is not Status.IN_PROGRESS:
        raise ProcedureStepEnded(sop_uid=sop_uid)
    status = rules.status_of(attributes) or Status.IN_PROGRESS
    held = rules.put_together(state.attributes, state.performed)
    changed = rules.changes(attributes, held)
    whole = {**held, **changed}
    kept, performed = rules.take_apart(changed)
    told: dict[str, Any] = {
        "sop_uid": sop_uid,
        "patient_key": state.patient_key,
        "performed": performed,
        "attributes": kept,
    }
    fact: Fact
    if status is Status.IN_PROGRESS:
        if not changed:
            return None
        fact = ProcedureStepChanged(**told)
    else:
        rules.check_end(whole)
        told["study_uids"] = state.study_uids
        if status is Status.COMPLETED:
            fact = ProcedureStepCompleted(**told)
        else:
            fact = ProcedureStepDiscontinued(reason=rules.reason_of(whole), **told)
    return _append(fact, sop_uid, state.patient_key, version, envelope)


def account(state: StepState, version: int, *, sop_uid: str, envelope: Envelope) -> Append | None:
    """Record that all a step lists is held; None when that is known, or the step goes on."""
    if state.patient_key is None or state.is_accounted or state.status is Status.IN_PROGRESS:
        return None
    fact = ProcedureStepAccounted(
        sop_uid=sop_uid,
        patient_key=state.patient_key,
        instance_count=sum(len(series.sop_uids()) for series in state.performed),
    )
    return _append(fact, sop_uid, state.patient_key, version, envelope)


def whole(state: StepState, *, sop_uid: str) -> Attributes:
    """Return all attributes of a step, as N-GET tells them; raises ProcedureStepNotKnown."""
    if state.status is None or state.is_shredded:
        raise ProcedureStepNotKnown(sop_uid=sop_uid)
    return rules.put_together(state.attributes, state.performed)


def _append(
    fact: Fact, sop_uid: str, patient_key: UUID, version: int, envelope: Envelope
) -> Append:
    stream = StreamAppend(
        step_stream(sop_uid), (fact,), expected_version=version, patient_key=patient_key
    )
    return Append((stream,), (), envelope)
