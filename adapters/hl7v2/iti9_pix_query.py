"""ITI-9 PIX Query: which identifiers of other domains belong to this one (QBP^Q23 -> RSP^K23).

Implements ITI TF-2 3.9.4.1 and 3.9.4.2 with its cases of success, nothing found and error.
Called through `routes.py`.
"""

from __future__ import annotations

from typing import Final, Protocol

from adapters.hl7v2.decode import Message, Segment
from adapters.hl7v2.faults import ACCEPTED, Acknowledgment
from adapters.hl7v2.identifiers import domain_of, encode_identifiers, identifier
from adapters.hl7v2.query import echo, error, requested_domains, status
from adapters.hl7v2.refusals import RequiredFieldMissing, UnknownKeyIdentifier
from adapters.hl7v2.result import Result
from kernel.identifiers import PatientId
from projections.patient_index.view import PersonRow
from registry.patients.values import IdentityDomains

KIND: Final = ("RSP", "K23", "RSP_K23")
_PSEUDONYM: Final = 6
"""Components before XPN.7, whose value S says: no name is given here (3.9.4.2.2.5)."""


class CrossReferences(Protocol):
    """Knows whose an identifier is (projections.patient_index.view.PatientIndex)."""

    def person_of(self, patient_id: PatientId) -> PersonRow | None:
        """Return the person with all identifiers; None if the identifier is unknown."""
        ...


class PixQuery:
    """Answers QBP^Q23."""

    def __init__(self, index: CrossReferences, domains: IdentityDomains) -> None:
        self._index = index
        self._domains = domains

    def __call__(self, message: Message) -> Result:
        """Return the corresponding identifiers, or which part of the question is unknown."""
        question = message.required("QPD")
        errors: list[Acknowledgment] = []
        person = self._person(question, errors)
        wanted = requested_domains(question, 4, self._domains, errors)
        if errors or person is None:
            return refused(message, *errors)
        marks = message.header.delimiters
        asked = question.value(3).text(1), self._authority(question)
        found = [
            row
            for row in person.identifiers
            if (row.local_id, row.authority) != asked and (not wanted or row.authority in wanted)
        ]
        segments = [status(question, "OK" if found else "NF"), echo(question)]
        if found:
            identifiers = encode_identifiers([r.patient_id for r in found], self._domains, marks)
            nameless = marks.repetition + marks.component * _PSEUDONYM + "S"
            segments.append(marks.field.join(("PID", "", "", identifiers, "", nameless)))
        keys = tuple(row.patient_key for row in person.identifiers)
        return Result((ACCEPTED,), KIND, tuple(segments), keys, "Q23")

    def _authority(self, question: Segment) -> str:
        domain = domain_of(question.value(3), self._domains)
        return "" if domain is None else domain.oid

    def _person(self, question: Segment, errors: list[Acknowledgment]) -> PersonRow | None:
        value = question.value(3)
        if not value.text(1):
            raise RequiredFieldMissing("QPD-3 is missing", at="QPD^1^3^1^1")
        domain = domain_of(value, self._domains)
        if domain is None:
            errors.append(error("QPD^1^3^1^4"))
            return None
        person = self._index.person_of(identifier(value, domain, at="QPD^1^3^1^1"))
        if person is None:
            errors.append(error("QPD^1^3^1^1"))
        return person


def refused(message: Message, *errors: Acknowledgment) -> Result:
    """Return RSP^K23 that says what is wrong with the query."""
    question = message.first("QPD")
    segments = () if question is None else (status(question, errors[0].code), echo(question))
    return Result(errors, KIND, segments, detail=UnknownKeyIdentifier.code, outcome="failed")
