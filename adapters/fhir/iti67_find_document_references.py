"""ITI-67 Find Document References: search DocumentReference, and read one.

Implements IHE MHD 2:3.67 on HL7 FHIR R4 search, the parameters that RAD MADO adds included.
Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

from adapters.fhir import encode, subjects
from adapters.fhir.codes import ACCESSION, STUDY, unique_id_of, uuid_of
from adapters.fhir.element import Json
from adapters.fhir.encode_documents import Shown, document_reference
from adapters.fhir.faults import warning
from adapters.fhir.interaction import Asked, FhirRooms, Kept, Reply, recorded
from adapters.fhir.people import name_of
from adapters.fhir.refusals import NotSupported, ParameterMissing, ResourceUnknown
from adapters.fhir.search import Given, Parameters, Token
from adapters.fhir.times import FOREVER, Span, instant, span_of_dtm
from kernel.codes import Code
from kernel.refusals import TooMuch
from kernel.times import from_micros
from projections.document_index.filters import DocumentFilter
from projections.document_index.view import DocumentRow, Reading
from registry.access.values import Resource
from registry.documents.values import ON_DEMAND, STABLE, DocumentEntry, Status

TRANSACTION: Final = "ITI-67"
_STATUS: Final = {"current": Status.APPROVED, "superseded": Status.DEPRECATED}
_TYPES: Final = (STABLE, ON_DEMAND)
Test = Callable[[DocumentRow, DocumentEntry], bool]
Found = tuple[DocumentRow, DocumentEntry]

_CODES: Final[dict[str, Callable[[DocumentEntry], Iterable[Code | None]]]] = {
    "category": lambda e: (e.class_code,),
    "type": lambda e: (e.type_code,),
    "format": lambda e: (e.format_code,),
    "facility": lambda e: (e.healthcare_facility_type_code,),
    "setting": lambda e: (e.practice_setting_code,),
    "event": lambda e: e.event_codes,
    "security-label": lambda e: e.confidentiality_codes,
    "modality": lambda e: e.event_codes,
    "bodysite": lambda e: e.event_codes,
}
_DATES: Final[dict[str, Callable[[DocumentRow, DocumentEntry], Span | None]]] = {
    "creation": lambda _row, e: _dtm_span(e.creation_time),
    "date": lambda row, _e: _registered_span(row),
    "period": lambda _row, e: _period(e),
}
_NAMES: Final[dict[str, Callable[[str], Iterable[str]]]] = {
    "author.family": lambda xcn: (name_of(xcn).family,),
    "author.given": lambda xcn: name_of(xcn).given,
}
_TEXTS: Final[dict[str, Callable[[DocumentEntry], str]]] = {
    "contenttype": lambda e: e.mime_type,
    "language": lambda e: e.language_code,
}
_REFERENCES: Final = {
    "related": "", "related.identifier": "",
    "study-instance-uid": STUDY, "accession-number": ACCESSION,
}  # fmt: skip
KNOWN: Final = (
    *subjects.NAMES, "_id", "identifier", "status", "description",
    *_CODES, *_DATES, *_NAMES, *_TEXTS, *_REFERENCES,
)  # fmt: skip


@recorded("query", TRANSACTION)
def search(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return the Bundle of a search."""
    unknown = asked.check_known(KNOWN)
    keys = subjects.asked_patients(asked.parameters, rooms)
    only = keys[0] if keys is not None and len(keys) == 1 else None
    resource = Resource("document", only)
    rooms.guard.check(asked.subject, "query", resource, transaction=TRANSACTION)
    tests = _tests(asked.parameters)
    within = rooms.clause(asked.subject, "query", "document")
    page = asked.parameters.page()
    with rooms.documents.reading(within=within, current_only=True) as look:
        rows = _rows(look, keys, asked.parameters, rooms)
        found = [pair for row in rows if _passes(pair := (row, row.entry()), tests)]
        _sort(found, asked.parameters.one("_sort"))
        shown = found[page.shown]
        resources = encoded(look, shown, asked.base, rooms)
    rooms.guard.record(
        asked.subject, "query", "success", TRANSACTION,
        patient_keys=sorted({row.patient_key for row, _ in found}), count=len(found),
    )  # fmt: skip
    told = [warning("not-supported", f"not used: {', '.join(unknown)[:200]}")] if unknown else []
    return Reply(
        encode.searchset(
            resources,
            total=len(found),
            page=page,
            url=f"{asked.base}/DocumentReference",
            pairs=Kept.of(asked.parameters.given, only).pairs,
            base=asked.base,
            warnings=told,
        ),
        headers={"cache-control": "no-store"},
    )


def read(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return one DocumentReference by its entryUUID."""
    transaction = f"{TRANSACTION}.read"
    resource = Resource("document", document_id=asked.resource_id[:64])
    rooms.guard.check(asked.subject, "query", resource, transaction=transaction)
    uuid = uuid_of(asked.resource_id)
    within = rooms.clause(asked.subject, "query", "document")
    with rooms.documents.reading(within=within) as look:
        rows = look.documents(entry_uuids=[uuid]) if uuid is not None else []
        resources = encoded(look, [(row, row.entry()) for row in rows], asked.base, rooms)
    if not rows:
        raise ResourceUnknown("there is no such DocumentReference")
    rooms.guard.record(
        asked.subject, "query", "success", transaction,
        patient_keys=[rows[0].patient_key], document_ids=[str(uuid)], count=1,
    )  # fmt: skip
    return Reply(resources[0], headers={"cache-control": "private, no-cache"})


def encoded(look: Reading, found: Sequence[Found], base: str, rooms: FhirRooms) -> list[Json]:
    """Return the DocumentReferences of rows, with what each relates to."""
    relations: dict[UUID, list[object]] = {row.entry_uuid: [] for row, _ in found}
    for one in look.associations(sources=relations):
        relations[one.source].append(one.association())
    return [
        document_reference(
            entry,
            Shown(
                patient_key=row.patient_key,
                base=base,
                repository_oid=rooms.repository_oid,
                registered=instant(from_micros(row.registered_at)) if row.registered_at else "",
                relations=relations[row.entry_uuid],  # type: ignore[arg-type]
            ),
        )
        for row, entry in found
    ]


def _rows(
    look: Reading, keys: list[UUID] | None, parameters: Parameters, rooms: FhirRooms
) -> list[DocumentRow]:
    """Return the candidates: by patient and status, or by identifiers."""
    wanted = DocumentFilter(object_types=_TYPES, statuses=_statuses(parameters))
    ids, identifiers = parameters.ids(), parameters.all("identifier")
    if ids is not None:
        # Who names a version by its entryUUID is shown that one.
        rows = look.every_version().documents(entry_uuids=ids, wanted=wanted)
    elif identifiers:
        uuids, unique = _named(identifiers[0])
        rows = look.documents(
            entry_uuids=uuids, unique_ids=unique, logical_ids=uuids, wanted=wanted
        )
        rows = list({row.entry_uuid: row for row in rows}.values())
    elif keys is None:
        raise ParameterMissing(
            "a search for documents needs patient or patient.identifier, and status"
        )
    elif not parameters.all("status"):
        raise ParameterMissing("a search for a patient's documents needs status")
    else:
        limit = rooms.limits.documents
        rows = look.find_documents(keys, wanted, limit=limit + 1) if keys else []
        if len(rows) > limit:
            raise TooMuch(f"the search looks at more than {limit} documents")
    return rows if keys is None else [row for row in rows if row.patient_key in keys]


def _statuses(parameters: Parameters) -> tuple[Status, ...]:
    lists = [
        {_STATUS[one.value] for one in given.tokens() if one.value in _STATUS}
        for given in parameters.all("status")
    ]
    if not lists:
        return ()
    kept = set.intersection(*lists)
    # entered-in-error and the like have no counterpart here: nothing has such a status.
    return tuple(sorted(kept)) or ("none",)  # type: ignore[return-value]


def _named(given: Given) -> tuple[list[UUID], list[str]]:
    tokens = given.tokens()
    uuids = [uuid for one in tokens if (uuid := uuid_of(one.value)) is not None]
    return uuids, [unique_id_of(one.system or "", one.value) for one in tokens]


def _tests(parameters: Parameters) -> list[Test]:
    return [test for given in parameters.given if (test := _test(given)) is not None]


def _test(given: Given) -> Test | None:
    name = given.name
    if name in _CODES:
        return _by_code(given.tokens(), _CODES[name])
    if name in _DATES:
        return _by_date(given, _DATES[name])
    if name in _NAMES:
        return _by_name(given.strings(), _NAMES[name])
    if name in _TEXTS:
        return _by_text(given.tokens(), _TEXTS[name])
    if name in _REFERENCES:
        return _by_reference(_related(given), _REFERENCES[name])
    special = {"identifier": _by_identifier, "description": _by_description}.get(name)
    return None if special is None else special(given)


def _passes(pair: Found, tests: Sequence[Test]) -> bool:
    return all(test(*pair) for test in tests)


def _by_code(tokens: list[Token], codes: Callable[[DocumentEntry], Iterable[Code | None]]) -> Test:
    return lambda _row, e: any(
        token.fits(code) for code in codes(e) if code is not None for token in tokens
    )


def _by_date(given: Given, span: Callable[[DocumentRow, DocumentEntry], Span | None]) -> Test:
    conditions, overlap = given.dates(), given.name == "period"

    def test(row: DocumentRow, entry: DocumentEntry) -> bool:
        told = span(row, entry)
        return told is not None and any(c.fits(told, overlap=overlap) for c in conditions)

    return test


def _by_name(
    passes: Callable[[Iterable[str]], bool], parts: Callable[[str], Iterable[str]]
) -> Test:
    return lambda _row, e: any(passes(parts(author.person)) for author in e.authors)


def _by_text(tokens: list[Token], told: Callable[[DocumentEntry], str]) -> Test:
    wanted = {token.value.lower() for token in tokens}
    return lambda _row, e: told(e).lower() in wanted


def _by_description(given: Given) -> Test:
    passes = given.strings()
    return lambda _row, e: passes((e.comments,))


def _by_identifier(given: Given) -> Test:
    uuids, unique = _named(given)
    return lambda _row, e: e.entry_uuid in uuids or e.logical_id in uuids or e.unique_id in unique


def _by_reference(tokens: list[Token], kind: str = "") -> Test:
    wanted = [(one.value.lower().removeprefix("urn:oid:"), _oid(one.system)) for one in tokens]

    def test(_row: DocumentRow, entry: DocumentEntry) -> bool:
        for cxi in entry.reference_ids:
            parts = [*cxi.split("^"), "", "", "", ""]
            if kind and parts[4] != kind:
                continue
            for value, oid in wanted:
                if parts[0].lower() == value and (not oid or f"&{oid}&" in f"{parts[3]}&"):
                    return True
        return False

    return test


def _oid(system: str | None) -> str:
    told = (system or "").lower()
    return told.removeprefix("urn:oid:") if told.startswith("urn:oid:") else ""


def _related(given: Given) -> list[Token]:
    given.only("identifier")
    tokens = Given(given.name, "", given.value).tokens()
    # A literal reference names what it names by its last segment.
    return [
        Token(one.system, one.value.rpartition("/")[2] if one.system is None else one.value)
        for one in tokens
    ]


def _dtm_span(told: str) -> Span | None:
    try:
        return span_of_dtm(told) if told else None
    except ValueError:
        return None


def _registered_span(row: DocumentRow) -> Span | None:
    if not row.registered_at:
        return None
    moment = from_micros(row.registered_at)
    return Span(moment, moment)


def _period(entry: DocumentEntry) -> Span | None:
    start, stop = _dtm_span(entry.service_start_time), _dtm_span(entry.service_stop_time)
    if start is None and stop is None:
        return None
    return Span((start or FOREVER).low, (stop or FOREVER).high)


def _sort(found: list[Found], asked: str) -> None:
    """Order the results; without a wish the newest document comes first."""
    keys: dict[str, Callable[[Found], object]] = {
        "creation": lambda pair: pair[1].creation_time,
        "date": lambda pair: pair[0].registered_at,
        "_lastUpdated": lambda pair: pair[0].registered_at,
    }
    for name in reversed((asked or "-creation").split(",")):
        key = keys.get(name.lstrip("-"))
        if key is None:
            raise NotSupported("_sort takes creation, date, -creation and -date")
        found.sort(key=key, reverse=name.startswith("-"))  # type: ignore[arg-type]
