"""What answering one message came to: the words of the answer, and what the record must say.

Implements HL7 v2.5 2.9.2 (original mode): one answer a message. Made by the transaction modules,
written by `answering.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from adapters.hl7v2.decode import Message
from adapters.hl7v2.faults import ACCEPTED, Acknowledgment

ACK: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one message."""

    answers: tuple[Acknowledgment, ...] = (ACCEPTED,)
    """MSA, then an ERR segment for each that names an error."""
    kind: tuple[str, ...] = ACK
    """MSH-9; empty: the plain acknowledgment."""
    segments: tuple[str, ...] = ()
    """What follows MSA and ERR, in the sender's delimiters."""
    patient_keys: tuple[UUID, ...] = ()
    detail: str = ""
    """For the access record: the event, or the code of a refusal."""
    outcome: str = "success"


Handler = Callable[[Message], Result]
"""Answers a message whose header was found good; raises refusals."""


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers a kind of message, and what the guard is asked for it."""

    transaction: str
    action: str
    handle: Handler
    refused: Callable[[Message, Acknowledgment], Result] | None = None
    """Shapes a refusal; None: the plain acknowledgment."""
