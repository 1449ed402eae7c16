"""What is known of one patient when a command decides.

State made of the facts of `events.py`; the apply function only assigns (design A3).
Imported by `commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from kernel.events import Recorded
from registry.patients import events as facts
from registry.patients.values import Demographics, Member


@dataclass(frozen=True, slots=True)
class PatientState:
    """A patient as his stream tells it."""

    known: bool = False
    local: bool = False
    """Known by the feed of another domain only: nobody to XDS."""
    erased: bool = False
    demographics: Demographics = field(default_factory=Demographics)
    patient_id: str = ""
    person: UUID | None = None
    """Who has this identifier beside others; None: nobody, it stands alone."""
    merged_into: UUID | None = None


@dataclass(frozen=True, slots=True)
class PersonState:
    """A person as his stream tells it."""

    members: tuple[Member, ...] = ()


NOT_KNOWN = PatientState()
NOBODY = PersonState()


def apply_person(state: PersonState, recorded: Recorded) -> PersonState:
    """Return the person after one more event."""
    fact = recorded.fact
    return PersonState(fact.members) if isinstance(fact, facts.PersonComposed) else state


def apply_patient(state: PatientState, recorded: Recorded) -> PatientState:
    """Return the patient after one more event."""
    fact = recorded.fact
    match fact:
        case facts.PatientIdentified():
            state = replace(
                state,
                known=True,
                local=fact.origin == "local",
                demographics=fact.demographics or Demographics(),
                patient_id=fact.patient_id,
                erased=recorded.shredded,
            )
        case facts.PatientDemographicsChanged():
            state = replace(state, demographics=fact.demographics or Demographics())
        case facts.IdentifierLinked():
            state = replace(state, person=fact.person)
        case facts.IdentifierUnlinked():
            state = replace(state, person=None)
        case facts.PatientMerged():
            state = replace(state, merged_into=fact.into)
        case facts.PatientShredded():
            state = PatientState(known=True, erased=True, merged_into=state.merged_into)
        case _:
            pass
    return state
