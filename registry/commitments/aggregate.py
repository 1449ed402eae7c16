"""What is known of one commitment when a command decides.

State made of the facts of `events.py` (PS3.4 J); what applies them only assigns. Imported by
`commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kernel.events import Recorded
from registry.commitments.events import (
    CommitmentAbandoned,
    CommitmentAsked,
    CommitmentDelayed,
    CommitmentReported,
)
from registry.commitments.values import Reference


@dataclass(frozen=True, slots=True)
class Commitment:
    """A commitment as its stream tells it."""

    references: tuple[Reference, ...] = ()
    is_waiting: bool = False
    """A report is owed."""
    attempts: int = 0


def apply(state: Commitment, recorded: Recorded) -> Commitment:
    """Return the commitment after one more event."""
    match recorded.fact:
        case CommitmentAsked() as fact:
            return Commitment(fact.references, is_waiting=True)
        case CommitmentDelayed() as fact:
            return replace(state, attempts=fact.attempt)
        case CommitmentReported() | CommitmentAbandoned():
            return replace(state, is_waiting=False)
        case _:
            return state
