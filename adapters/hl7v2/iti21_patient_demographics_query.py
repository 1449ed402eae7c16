"""ITI-21 Patient Demographics Query and ITI-22: who fits these demographics (QBP^Q22, QBP^ZV1).

Implements ITI TF-2 3.21.4 and 3.22.4 with continuation (DSC) and its end (QCN^J01). Visits are not
kept here: a query for visits finds nobody. Called through `routes.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Protocol
from uuid import UUID

import sqlalchemy as sa

from adapters.hl7v2.decode import Message, Segment, Value
from adapters.hl7v2.encode import escaped
from adapters.hl7v2.faults import ACCEPTED, Acknowledgment
from adapters.hl7v2.identifiers import encode_identifiers
from adapters.hl7v2.query import echo, requested_domains, status
from adapters.hl7v2.refusals import (
    RequiredFieldMissing,
    UnknownKeyIdentifier,
    UnknownQueryParameter,
    WrongFieldValue,
)
from adapters.hl7v2.result import Result
from projections.patient_index.demographics import DemographicQuery
from projections.patient_index.view import PatientRow, PersonPage, PersonRow
from registry.patients.values import IdentityDomains

KIND: Final = ("RSP", "K22", "RSP_K21")
VISIT_KIND: Final = ("RSP", "ZV2", "RSP_ZV2")
_MOST: Final = 100
_DIGITS: Final = 18
"""Patients of one answer, unless RCP-2 asks for fewer."""
_PARAMETER: Final = re.compile(r"@(PID|PV1|PV2|PD1|NK1)\.([0-9]{1,2})((?:\.[0-9]{1,2}){0,2})")
_TEXTS: Final = {
    ("3", "1"): "local_id", ("5", "1"): "family", ("5", "2"): "given", ("7", "1"): "birth_date",
    ("8", "1"): "sex", ("13", "1"): "telephone", ("13", "12"): "telephone",
}  # fmt: skip
_SEXES: Final = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O", "U": ""}
_DATE: Final = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,2}")
_POINTER: Final = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{16})")


class Demographics(Protocol):
    """Finds persons (projections.patient_index.view.PatientIndex)."""

    def find_persons(
        self,
        query: DemographicQuery,
        *,
        policy: sa.ColumnElement[bool],
        affinity: str = "",
        after: str = "",
        limit: int = 20,
        authorities: frozenset[str] = frozenset(),
    ) -> PersonPage:
        """Return the persons that a query fits, some at a time."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """QPD-3 understood."""

    query: DemographicQuery
    nobody: bool = False
    """It asks for what is kept of nobody: an account, a visit."""


class PatientDemographicsQuery:
    """Answers QBP^Q22 and, with `visits`, QBP^ZV1."""

    def __init__(
        self, index: Demographics, domains: IdentityDomains, *, visits: bool = False
    ) -> None:
        self._index = index
        self._domains = domains
        self._visits = visits

    def __call__(self, message: Message) -> Result:
        """Return those who fit, some at a time."""
        segment = message.required("QPD")
        asked = decode_question(segment, self._domains)
        errors: list[Acknowledgment] = []
        wanted = requested_domains(segment, 8, self._domains, errors)
        if errors:
            return self.refused(message, *errors)
        if self._visits or asked.nobody:
            return self._answer(message, segment, PersonPage((), ""), wanted)
        page = self._index.find_persons(
            asked.query,
            policy=sa.true(),  # The guard has allowed patients of every kind.
            affinity=self._domains.affinity.oid,
            after=_after(message, segment),
            limit=_limit(message),
            authorities=wanted,
        )
        return self._answer(message, segment, page, wanted)

    def refused(self, message: Message, *errors: Acknowledgment) -> Result:
        """Return the response that says what is wrong with the query."""
        question = message.first("QPD")
        segments = () if question is None else (status(question, errors[0].code), echo(question))
        return Result(
            errors, self._kind, segments, detail=UnknownKeyIdentifier.code, outcome="failed"
        )

    @property
    def _kind(self) -> tuple[str, ...]:
        return VISIT_KIND if self._visits else KIND

    def _answer(
        self, message: Message, question: Segment, page: PersonPage, wanted: frozenset[str]
    ) -> Result:
        segments = [status(question, "OK" if page.persons else "NF"), echo(question)]
        for number, person in enumerate(page.persons, 1):
            segments.append(self._pid(question, number, person, wanted))
        if page.after:
            marks = question.delimiters
            pointer = f"{page.after}.{_digest(question)}"
            segments.append(marks.field.join(("DSC", pointer, "I")))
        keys = tuple(row.patient_key for p in page.persons for row in p.identifiers)
        detail = message.header.value(9).text(2)
        return Result((ACCEPTED,), self._kind, tuple(segments), keys, detail)

    def _pid(
        self, question: Segment, number: int, person: PersonRow, wanted: frozenset[str]
    ) -> str:
        marks = question.delimiters
        shown = [r for r in person.identifiers if not wanted or r.authority in wanted]
        told = person.identifiers[0]
        fields = [""] * 14
        fields[0], fields[1] = "PID", str(number)
        fields[3] = encode_identifiers([r.patient_id for r in shown], self._domains, marks)
        fields[5] = _names(told, question)
        fields[7], fields[8] = told.birth_date, told.sex
        fields[11] = escaped(told.address, marks)
        fields[13] = escaped(told.telephone, marks)
        return marks.field.join(fields).rstrip(marks.field)


class QueryCancelled:
    """Answers QCN^J01: continuations hold nothing here, so there is nothing to end."""

    def __call__(self, message: Message) -> Result:
        """Acknowledge it."""
        if not message.required("QID").raw(1):
            raise RequiredFieldMissing("QID-1 is missing", at="QID^1^1")
        return Result(detail="J01")


def decode_question(segment: Segment, domains: IdentityDomains) -> Question:
    """Return what QPD-3 asks; raises the refusals of its fields."""
    asked = Question(DemographicQuery())
    given = 0
    for place, value in enumerate(segment.repetitions(3), 1):
        name, text = value.text(1), value.text(2)
        if not name and not text:
            continue
        found = _PARAMETER.fullmatch(name.upper())
        if found is None:
            raise UnknownQueryParameter("QPD-3 names no field of a message", at=f"QPD^1^3^{place}")
        if not _said(value):
            continue
        given += 1
        asked = _with(asked, found, value, (domains, f"QPD^1^3^{place}"))
    if not given:
        raise RequiredFieldMissing("QPD-3 asks nothing", at="QPD^1^3")
    return asked


def _said(value: Value) -> bool:
    marks = value.segment.delimiters
    rest = value.raw.split(marks.component)[1:]
    return any(part.strip(marks.subcomponent + " ") for part in rest)


def _with(
    asked: Question, found: re.Match[str], value: Value, context: tuple[IdentityDomains, str]
) -> Question:
    domains, at = context
    segment, number = found[1], found[2]
    component = found[3].split(".")[1] if found[3] else "1"
    if segment != "PID" or number == "18":
        return replace(asked, nobody=True)
    text = value.text(2)
    if number == "3" and component == "4":
        return _of_domain(asked, text, domains)
    if number == "3" and not found[3]:
        asked = _whole_identifier(asked, value, domains)
    if number == "11":
        address = f"{asked.query.address} {text}".strip()
        return replace(asked, query=replace(asked.query, address=address))
    member = _TEXTS.get((number, component))
    if member is None:
        raise UnknownQueryParameter("QPD-3 asks for what is not kept of patients", at=at)
    if member == "birth_date":
        text = text[:8]
        if _DATE.fullmatch(text.rstrip("*")) is None:
            raise WrongFieldValue("a birth date is not a date", at=at)
    if member == "sex":
        if text.upper() not in _SEXES:
            raise WrongFieldValue("a sex is not of table 0001", at=at)
        text = _SEXES[text.upper()]
    return replace(asked, query=replace(asked.query, **{member: text}))


def _whole_identifier(asked: Question, value: Value, domains: IdentityDomains) -> Question:
    """Read `@PID.3^id^^^domain`: the components of the CX follow the parameter's name."""
    for text in (value.text(5, 2), value.text(5, 1)):
        if text:
            return _of_domain(asked, text, domains)
    return asked


def _of_domain(asked: Question, text: str, domains: IdentityDomains) -> Question:
    domain = domains.find(text) or domains.find("", text)
    if domain is None:
        # A type (ISO) narrows nothing; a domain that is not ours has nobody.
        return asked if text.upper() == "ISO" else replace(asked, nobody=True)
    return replace(asked, query=replace(asked.query, authority=domain.oid))


def _limit(message: Message) -> int:
    control = message.first("RCP")
    text = control.value(2).text(1) if control is not None else ""
    if not text:
        return _MOST
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS or int(text) < 1:
        raise WrongFieldValue("RCP-2 is no number of records", at="RCP^1^2^1^1")
    return min(int(text), _MOST)


def _after(message: Message, question: Segment) -> str:
    """Return where the previous answer ended; the pointer fits the same question only."""
    continuation = message.first("DSC")
    pointer = continuation.value(1).text() if continuation is not None else ""
    if not pointer:
        return ""
    found = _POINTER.fullmatch(pointer)
    if found is None or found[2] != _digest(question):
        raise UnknownKeyIdentifier("DSC-1 continues no answer to this query", at="DSC^1^1")
    return str(UUID(found[1]))


def _digest(question: Segment) -> str:
    return sha256("\x1f".join(question.fields[3:9]).encode()).hexdigest()[:16]


def _names(row: PatientRow, question: Segment) -> str:
    """Return PID-5: the name in letters and in characters, each a legal name."""
    marks = question.delimiters
    names = []
    for group, code in zip(row.name.split("="), ("A", "I", "P"), strict=False):
        if not group:
            continue
        parts = [escaped(part, marks) for part in (*group.split("^"), "", "", "", "", "")[:5]]
        family, given, middle, prefix, suffix = parts
        name = (family, given, middle, suffix, prefix, "", "L", code)
        names.append(marks.component.join(name))
    return marks.repetition.join(names)
