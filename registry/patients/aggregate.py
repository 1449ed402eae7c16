"""What is known of one patient when a command decides.

State made of the facts of `events.py`; the apply function only assigns (design A3).
Imported by `commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kernel.events import Recorded
from registry.patients import events as facts
from registry.patients.values import Demographics


@dataclass(frozen=True, slots=True)
class PatientState:
    """A patient as his stream tells it."""

    known: bool = False
    erased: bool = False
    demographics: Demographics = field(default_factory=Demographics)


NOT_KNOWN = PatientState()


def apply_patient(state: PatientState, recorded: Recorded) -> PatientState:
    """Return the patient after one more event."""
    fact = recorded.fact
    match fact:
        case facts.PatientIdentified():
            told = fact.demographics or Demographics()
            return replace(state, known=True, demographics=told, erased=recorded.shredded)
        case facts.PatientDemographicsChanged():
            return replace(state, demographics=fact.demographics or Demographics())
        case facts.PatientShredded():
            return PatientState(known=True, erased=True)
        case _:
            return state
