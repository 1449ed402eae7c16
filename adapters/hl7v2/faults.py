"""Refusal -> acknowledgment: AA, AE or AR with an error code.

Implements HL7 v2.5 2.9.2.2 (original mode), tables 0008 and 0357. AR asks the sender to repair
addressing or to try later, AE to repair the content. Called by `endpoint.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.hl7v2.refusals import MessageRefused
from kernel.refusals import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooMuch,
    Unauthenticated,
    Unavailable,
)


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """MSA-1, and what ERR and MSA-3 say when it is not AA."""

    code: str
    error: str = ""
    at: str = ""
    text: str = ""


ACCEPTED: Final = Acknowledgment("AA")
BUG: Final = Acknowledgment("AE", "207", "", "Application internal error")

WORDS: Final[dict[type[Refusal], tuple[str, str]]] = {
    Unauthenticated: ("AR", "207"),
    Forbidden: ("AR", "207"),
    Unavailable: ("AR", "207"),
    TooMuch: ("AR", "207"),
    Conflict: ("AE", "206"),
    NotFound: ("AE", "204"),
    Invalid: ("AE", "102"),
    Refusal: ("AE", "207"),
}
"""Branch of the refusal tree -> MSA-1 and code of table 0357; the first that fits counts."""


def acknowledgment(refusal: Refusal) -> Acknowledgment:
    """Return the answer for a refusal; its text is the refusal's, which holds no held data."""
    if isinstance(refusal, MessageRefused):
        return Acknowledgment(refusal.acknowledgment, refusal.error, refusal.at, refusal.message)
    code, error = next(word for kind, word in WORDS.items() if isinstance(refusal, kind))
    return Acknowledgment(code, error, "", refusal.message)
