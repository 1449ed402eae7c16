"""What is known of the notifications of one AE on one study, and of the recipients.

State made of the facts of `events.py` (PS3.4 R); what applies them only assigns. Imported by
`commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernel.events import Recorded
from registry.availability.events import (
    AvailabilityAbandoned,
    AvailabilityDelayed,
    AvailabilityTold,
    RecipientAdded,
    RecipientRemoved,
)


@dataclass(frozen=True, slots=True)
class Telling:
    """How far an AE was told of a study."""

    through: int = 0
    """Position up to which he was told, or given up."""
    delayed: int = 0
    """Position of what is being tried ..."""
    attempts: int = 0
    """... and how often it was tried in vain."""


def apply(state: Telling, recorded: Recorded) -> Telling:
    """Return how far the AE was told after one more event."""
    match recorded.fact:
        case AvailabilityTold() | AvailabilityAbandoned() as fact:
            return Telling(through=fact.through)
        case AvailabilityDelayed() as fact:
            return Telling(state.through, fact.through, fact.attempt)
        case _:
            return state


def apply_recipient(state: frozenset[str], recorded: Recorded) -> frozenset[str]:
    """Return the recipients after one more event."""
    match recorded.fact:
        case RecipientAdded() as fact:
            return state | {fact.ae_title}
        case RecipientRemoved() as fact:
            return state - {fact.ae_title}
        case _:
            return state
