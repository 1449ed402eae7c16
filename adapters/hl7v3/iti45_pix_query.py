"""ITI-45 PIXV3 Query: which identifiers of other domains belong to this one.

Implements ITI TF-2 3.45.4.1 (PRPA_IN201309UV02) and 3.45.4.2 (PRPA_IN201310UV02) with its cases
of success, nothing found and error. Called by `adapters.soap.door` in a worker thread.
"""

from __future__ import annotations

from typing import Final, Protocol

from adapters.guard.guard import Guard
from adapters.hl7v3 import decode, encode, names
from adapters.hl7v3.decode import Identifier, Message
from adapters.hl7v3.encode import QueryAnswer
from adapters.hl7v3.faults import detail
from adapters.hl7v3.refusals import DomainUnknown, KeyUnknown, RequiredElementMissing
from adapters.soap.door import Answer, Call
from kernel.identifiers import PatientId
from kernel.refusals import Forbidden, Refusal
from kernel.times import Clock, now
from projections.patient_index.view import PatientRow, PersonRow
from registry.access.values import Resource
from registry.patients.values import IdentityDomains

TRANSACTION: Final = "ITI-45"
_PARAMETERS: Final = ("queryByParameter", "parameterList")
_KEY: Final = (*_PARAMETERS, "patientIdentifier", "value")
_SOURCE: Final = (*_PARAMETERS, "dataSource")


class CrossReferences(Protocol):
    """Knows whose an identifier is (projections.patient_index.view.PatientIndex)."""

    def person_of(self, patient_id: PatientId) -> PersonRow | None:
        """Return the person with all identifiers; None if the identifier is unknown."""
        ...


class PixQuery:
    """Answers PRPA_IN201309UV02."""

    def __init__(
        self,
        index: CrossReferences,
        guard: Guard,
        domains: IdentityDomains,
        device: str,
        clock: Clock = now,
    ) -> None:
        self._index = index
        self._guard = guard
        self._domains = domains
        self._device = device
        self._clock = clock

    def __call__(self, call: Call) -> Answer:
        """Return the corresponding identifiers, or which part of the question is unknown."""
        request = decode.message(call.body, names.CROSS_REFERENCES)
        guard, subject = self._guard, call.subject
        guard.check(subject, "query", Resource("patient"), transaction=TRANSACTION)
        problems: list[Refusal] = []
        try:
            rows = self._find(request, problems)
        except Forbidden:
            raise
        except Refusal as refusal:
            rows, problems = [], [refusal]
        if problems:
            guard.record(subject, "query", "failed", TRANSACTION, detail=problems[0].code)
        else:
            keys = tuple(row.patient_key for row in rows)
            guard.record(
                subject, "query", "success", TRANSACTION, patient_keys=keys, count=len(rows)
            )
        outcome = "AE" if problems else "OK" if rows else "NF"
        subjects = (encode.cross_reference(rows, self._device),) if rows else ()
        answer = QueryAnswer(
            names.CROSS_REFERENCES_FOUND,
            subjects,
            outcome,
            details=[detail(problem) for problem in problems],
        )
        envelope = encode.Envelope(self._device, self._clock())
        body = encode.query_answer(request, envelope, answer)
        return Answer(body, action=names.action(names.CROSS_REFERENCES_FOUND))

    def _find(self, request: Message, problems: list[Refusal]) -> list[PatientRow]:
        asked, person = self._person(request, problems)
        wanted = self._wanted(request, problems)
        if problems or person is None:
            return []
        return [
            row
            for row in person.identifiers
            if (row.local_id, row.authority) != (asked.extension, asked.root)
            and (not wanted or row.authority in wanted)
        ]

    def _person(
        self, request: Message, problems: list[Refusal]
    ) -> tuple[Identifier, PersonRow | None]:
        element, at = request.required(*_KEY), request.location(*_KEY)
        asked = Identifier(element.get("root", "").strip(), element.get("extension", "").strip())
        if not asked.root or not asked.extension:
            raise RequiredElementMissing("the identifier needs a root and an extension", at=at)
        if self._domains.find(asked.root) is None:
            problems.append(DomainUnknown("the identifier's domain is not known here", at=at))
            return asked, None
        person = self._index.person_of(decode.patient_id_of(asked, at))
        if person is None:
            problems.append(KeyUnknown("the identifier is not known here", at=at))
        return asked, person

    def _wanted(self, request: Message, problems: list[Refusal]) -> set[str]:
        """Return the domains asked for; empty: all. Each one we do not know is a problem."""
        holder = request.path(*_PARAMETERS)
        wanted: set[str] = set()
        sources = [] if holder is None else decode.children(holder, "dataSource")
        for number, source in enumerate(sources, 1):
            for one in decode.identifiers(source, "value"):
                wanted.add(one.root)
                if self._domains.find(one.root) is None:
                    at = f"{request.location(*_SOURCE)}[{number}]/value"
                    problems.append(DomainUnknown("the domain asked for is not known", at=at))
        return wanted
