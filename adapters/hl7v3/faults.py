"""Refusals -> acknowledgement details of HL7 v3.

Implements the acknowledgementDetail of ITI TF-2 Appendix O.2.2 with the codes of HL7 table 0357.
The nearest class in a refusal's ancestry decides. Called by the transactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapters.hl7v3 import refusals as own
from kernel.refusals import Conflict, Forbidden, Invalid, NotFound, Refusal, TooMuch, Unavailable
from registry.patients import refusals as patients

_UNKNOWN_KEY: Final = "204"
_CODES: Final[Mapping[type[Refusal], str]] = {
    Refusal: "207",
    Invalid: "102",
    NotFound: _UNKNOWN_KEY,
    Conflict: "207",
    Forbidden: "207",
    TooMuch: "207",
    Unavailable: "206",
    own.RequiredElementMissing: "101",
    own.ElementMalformed: "102",
    own.DomainUnknown: _UNKNOWN_KEY,
    own.KeyUnknown: _UNKNOWN_KEY,
    own.ContinuationUnknown: _UNKNOWN_KEY,
    patients.BadDemographics: "102",
    patients.PatientErased: "207",
}
"""HL7 table 0357: 101 required field missing, 102 data type error, 204 unknown key identifier,
206 application record locked (come again), 207 application internal error (refused)."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One acknowledgementDetail: a code of table 0357, a sentence, an XPath into the request."""

    code: str
    text: str
    location: str = ""


def code(refusal: type[Refusal]) -> str:
    """Return the code of a kind of refusal."""
    return next(_CODES[kind] for kind in refusal.__mro__ if kind in _CODES)


def detail(refusal: Refusal) -> Detail:
    """Return the detail that tells a refusal."""
    return Detail(code(type(refusal)), refusal.message, str(refusal.details.get("at", "")))
