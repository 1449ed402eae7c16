"""What the queries by parameter have in common: domains asked for, QAK, the echo of QPD, DSC.

Implements HL7 v2.5 5.5 (QBP/RSP: QPD, RCP, QAK, DSC) as ITI TF-2 3.9 and 3.21 use it.
Called by the transaction modules.
"""

from __future__ import annotations

from adapters.hl7v2.decode import Segment
from adapters.hl7v2.faults import Acknowledgment
from adapters.hl7v2.identifiers import domain_of
from registry.patients.values import IdentityDomains


def error(at: str) -> Acknowledgment:
    """Return the error for a key that is unknown: an identifier or a domain."""
    return Acknowledgment("AE", "204", at, "Unknown Key Identifier")


def requested_domains(
    question: Segment, number: int, domains: IdentityDomains, errors: list[Acknowledgment]
) -> frozenset[str]:
    """Return the OIDs of the domains a field asks for; empty: of all.

    Each domain that is unknown becomes an error that names its repetition.
    """
    wanted: set[str] = set()
    for place, value in enumerate(question.repetitions(number), 1):
        if not value.text(4, 1) and not value.text(4, 2):
            continue
        domain = domain_of(value, domains)
        if domain is None:
            errors.append(error(f"QPD^1^{number}^{place}"))
        else:
            wanted.add(domain.oid)
    return frozenset(wanted)


def status(question: Segment, word: str, *counts: int) -> str:
    """Return QAK: the query's tag, what came of it, its name and, if told, counts of hits."""
    marks = question.delimiters
    fields = ("QAK", question.raw(2), word, question.raw(1) if counts else "", *map(str, counts))
    return marks.field.join(fields).rstrip(marks.field)


def echo(question: Segment) -> str:
    """Return QPD as it was sent."""
    return question.delimiters.field.join(question.fields)
