"""ITI-47 Patient Demographics Query V3: who fits these demographics, some at a time.

Implements ITI TF-2 3.47.4.1 (PRPA_IN201305UV02), 3.47.4.2 (PRPA_IN201306UV02) and 3.47.4.3
(QUQI_IN000003UV01: go on, cancel). Called by `adapters.soap.door` in a worker thread.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol
from uuid import UUID

import msgspec
import sqlalchemy as sa
from lxml import etree

from adapters.guard.guard import Guard
from adapters.hl7v3 import decode, encode, names
from adapters.hl7v3.decode import Message
from adapters.hl7v3.encode import QueryAnswer
from adapters.hl7v3.faults import detail
from adapters.hl7v3.open_queries import OpenQueries, OpenQuery, QueryKey
from adapters.hl7v3.refusals import (
    ContinuationUnknown,
    DomainUnknown,
    ElementMalformed,
    RequiredElementMissing,
)
from adapters.soap.door import Answer, Call
from kernel.refusals import Forbidden, Refusal
from kernel.times import Clock, now
from projections.patient_index.demographics import DemographicQuery
from projections.patient_index.view import PatientRow, PersonPage
from registry.access.values import Resource
from registry.patients.values import IdentityDomains

TRANSACTION: Final = "ITI-47"
_MOST: Final = 100
_DIGITS: Final = 18
"""Patients of one answer, unless initialQuantity asks for fewer."""
_ASKED: Final = ("queryByParameter",)
_PARAMETERS: Final = (*_ASKED, "parameterList")
_GO_ON: Final = ("queryContinuation",)


class Persons(Protocol):
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

    def count_persons(
        self,
        query: DemographicQuery,
        *,
        policy: sa.ColumnElement[bool],
        after: str = "",
        authorities: frozenset[str] = frozenset(),
    ) -> int:
        """Return how many persons a query fits that come after one."""
        ...


class PatientDemographicsQuery:
    """Answers PRPA_IN201305UV02 and its continuation."""

    def __init__(
        self,
        persons: Persons,
        open_queries: OpenQueries,
        guard: Guard,
        domains: IdentityDomains,
        device: str,
        clock: Clock = now,
    ) -> None:
        self._persons = persons
        self._open = open_queries
        self._guard = guard
        self._domains = domains
        self._device = device
        self._clock = clock

    def find(self, call: Call) -> Answer:
        """Return those who fit; what does not fit into the answer waits for a continuation."""
        request = decode.message(call.body, names.FIND)
        self._check(call)
        try:
            asked = decode_query(request, self._domains)
        except Refusal as refusal:
            return self._refused(call, request, refusal)
        return self._page(call, request, asked)

    def go_on(self, call: Call) -> Answer:
        """Return the next ones of an open query."""
        request = decode.message(call.body, names.GO_ON)
        self._check(call)
        key = _key(call, request)
        asked = self._open.find(key)
        if asked is None:
            at = request.location(*_GO_ON, "queryId")
            return self._refused(call, request, ContinuationUnknown("no such query is open", at=at))
        wanted = request.path(*_GO_ON, "continuationQuantity")
        if wanted is not None and wanted.get("value"):
            asked = replace_limit(asked, wanted.get("value", ""))
        return self._page(call, request, asked)

    def cancel(self, call: Call) -> Answer:
        """Forget an open query; one that is not open is no mistake."""
        request = decode.message(call.body, names.GO_ON)
        self._check(call)
        known = self._open.forget(_key(call, request))
        detail_text = "cancelled" if known else "cancelled, not open"
        self._guard.record(call.subject, "query", "success", TRANSACTION, detail=detail_text)
        envelope = encode.Envelope(self._device, self._clock())
        body = encode.acknowledgement(request, envelope, "CA")
        return Answer(body, action=names.action(names.ACKNOWLEDGED))

    def _check(self, call: Call) -> None:
        self._guard.check(call.subject, "query", Resource("patient"), transaction=TRANSACTION)

    def _page(self, call: Call, request: Message, asked: OpenQuery) -> Answer:
        everybody = sa.true()  # The guard has allowed patients of every kind.
        page = self._persons.find_persons(
            asked.query,
            policy=everybody,
            affinity=self._domains.affinity.oid,
            after=asked.after,
            limit=asked.limit,
            authorities=asked.authorities,
        )
        remaining = 0
        key = _key(call, request)
        if page.after:
            self._open.keep(key, msgspec.structs.replace(asked, after=page.after))
            remaining = self._persons.count_persons(
                asked.query, policy=everybody, after=page.after, authorities=asked.authorities
            )
        else:
            self._open.forget(key)
        rows: list[PatientRow] = []
        subjects = []
        for person in page.persons:
            shown = [
                row
                for row in person.identifiers
                if not asked.authorities or row.authority in asked.authorities
            ]
            rows += person.identifiers
            subjects.append(encode.demographics(person.identifiers[0], shown, self._device))
        keys: tuple[UUID, ...] = tuple(row.patient_key for row in rows)
        self._guard.record(
            call.subject, "query", "success", TRANSACTION, patient_keys=keys, count=len(subjects)
        )
        outcome = "OK" if subjects else "NF"
        answer = QueryAnswer(names.FOUND, subjects, outcome, remaining)
        return self._answered(_with_question(request, asked), answer)

    def _refused(self, call: Call, request: Message, refusal: Refusal) -> Answer:
        if isinstance(refusal, Forbidden):
            raise refusal
        self._guard.record(call.subject, "query", "failed", TRANSACTION, detail=refusal.code)
        answer = QueryAnswer(names.FOUND, (), "AE", 0, (detail(refusal),))
        return self._answered(request, answer)

    def _answered(self, request: Message, answer: QueryAnswer) -> Answer:
        envelope = encode.Envelope(self._device, self._clock())
        body = encode.query_answer(request, envelope, answer)
        return Answer(body, action=names.action(names.FOUND))


def decode_query(request: Message, domains: IdentityDomains) -> OpenQuery:
    """Return what PRPA_IN201305UV02 asks; raises the refusals of its parameters."""
    request.required(*_ASKED)
    holder = request.required(*_PARAMETERS)
    at = request.location(*_PARAMETERS)
    query = _subject_query(holder, at, domains)
    authorities: set[str] = set()
    for scope in decode.children(holder, "otherIDsScopingOrganization"):
        for one in decode.identifiers(scope, "value"):
            if domains.find(one.root) is None:
                where = f"{at}/otherIDsScopingOrganization/value"
                raise DomainUnknown("the domain asked for is not known here", at=where)
            authorities.add(one.root)
    if not query.asks:
        raise RequiredElementMissing("the query names nothing of a living subject", at=at)
    asked = OpenQuery(
        query=query,
        authorities=frozenset(authorities),
        after="",
        limit=_MOST,
        request=etree.tostring(request.required(*_ASKED), with_tail=False),
    )
    wanted = request.path(*_ASKED, "initialQuantity")
    text = "" if wanted is None else wanted.get("value", "")
    return replace_limit(asked, text) if text else asked


def replace_limit(asked: OpenQuery, text: str) -> OpenQuery:
    """Return the query with as many patients an answer as are asked for, up to what is allowed."""
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS or int(text) < 1:
        raise ElementMalformed("a quantity is no count", at="initialQuantity")
    return msgspec.structs.replace(asked, limit=min(int(text), _MOST))


def _subject_query(holder: etree._Element, at: str, domains: IdentityDomains) -> DemographicQuery:
    query = DemographicQuery()
    for name in decode.children(holder, "livingSubjectName", "value"):
        family, given = decode.name_parts(name)
        # A search (use SRCH, or fuzzy matching asked for) may go on after what is written.
        more = "*" if "SRCH" in name.get("use", "").split() else ""
        if not decode.children(name, "family") and not decode.children(name, "given"):
            query = replace(query, name=family + more if family else "")
        else:
            query = replace(query, family=family and family + more, given=given and given + more)
    for one in decode.children(holder, "livingSubjectId", "value"):
        root, extension = one.get("root", "").strip(), one.get("extension", "").strip()
        if root and domains.find(root) is None:
            where = f"{at}/livingSubjectId/value"
            raise DomainUnknown("the identifier's domain is not known here", at=where)
        query = replace(query, authority=root, local_id=extension)
    for born in decode.children(holder, "livingSubjectBirthTime", "value"):
        query = replace(query, birth_date=_born(born, f"{at}/livingSubjectBirthTime/value"))
    for sex in decode.children(holder, "livingSubjectAdministrativeGender", "value"):
        where = f"{at}/livingSubjectAdministrativeGender/value"
        query = replace(query, sex=decode.sex_of(sex.get("code", ""), where))
    for place in decode.children(holder, "patientAddress", "value"):
        query = replace(query, address=" ".join(" ".join(map(str, place.itertext())).split()))
    for telecom in decode.children(holder, "patientTelecom", "value"):
        query = replace(query, telephone=telecom.get("value", "").removeprefix("tel:"))
    return query


def _born(value: etree._Element, at: str) -> str:
    """Return the day of a TS or of an interval that spans no more than a day, month or year."""
    text = value.get("value", "")
    if text:
        return decode.date(text, at)
    ends = [decode.children(value, end) for end in ("low", "high")]
    dates = [decode.date(end[0].get("value", ""), at) for end in ends if end]
    if len(dates) != 2:
        raise ElementMalformed("a birth time needs a value, or low and high", at=at)
    low, high = dates
    for length in (8, 6, 4):
        if low[:length] == high[:length] and len(low) >= length:
            return low[:length]
    raise ElementMalformed("an interval of birth times spans more than a year", at=at)


def _key(call: Call, request: Message) -> QueryKey:
    holder = _GO_ON if request.interaction == names.GO_ON else _ASKED
    element = request.required(*holder, "queryId")
    query_id = f"{element.get('root', '')}^{element.get('extension', '')}"
    return QueryKey(f"{call.subject.kind}\x1f{call.subject.name}", query_id)


def _with_question(request: Message, asked: OpenQuery) -> Message:
    """Return the request with the queryByParameter that its answer repeats."""
    if request.path(*_ASKED) is not None:
        return request
    act = decode.child(request.element, "controlActProcess")
    assert act is not None  # the query's id was read from it
    act.append(etree.fromstring(asked.request))
    return request
