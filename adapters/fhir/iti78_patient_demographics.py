"""ITI-78 Mobile Patient Demographics Query: search Patient, and read one.

Implements ITI TF-2 3.78 (IHE PDQm) on HL7 FHIR R4 search; a Patient is a person with all his
identifiers, his id the patient key of the affinity domain's. Called by `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Final

from adapters.fhir import encode
from adapters.fhir.codes import authority_of, uuid_of
from adapters.fhir.encode_patients import gender, patient
from adapters.fhir.faults import warning
from adapters.fhir.interaction import Asked, FhirRooms, Reply, recorded
from adapters.fhir.refusals import DomainNotServed, ParameterMissing, ResourceUnknown
from adapters.fhir.search import Given, Page, Parameters, Token, plain, token
from adapters.fhir.times import span_of_dtm
from kernel.identifiers import BadIdentifier, PatientId
from kernel.refusals import TooMuch
from projections.patient_index.demographics import DemographicQuery
from projections.patient_index.view import PatientRow, PersonRow
from projections.person_names import part_keys, search_key
from registry.access.values import Resource

TRANSACTION: Final = "ITI-78"
_SEXES: Final = {"male": ("M",), "female": ("F",), "other": ("O", "A", "N"), "unknown": ("", "U")}
_NAMES: Final = ("family", "given", "name")
_ADDRESSES: Final = (
    "address", "address-city", "address-country", "address-postalcode", "address-state",
)  # fmt: skip
KNOWN: Final = (
    "_id", "active", *_NAMES, "identifier", "birthdate", "gender", *_ADDRESSES, "telecom", "phone",
)  # fmt: skip
_BATCH: Final = 500
_CANDIDATES: Final = 5_000
_MAX_COMBINATIONS: Final = 64


@recorded("query", TRANSACTION)
def search(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return the Bundle of a search."""
    unknown = asked.check_known(KNOWN)
    rooms.guard.check(asked.subject, "query", Resource("patient"), transaction=TRANSACTION)
    page = asked.parameters.page()
    domains = _domains(asked.parameters, rooms)
    found = _found(asked, rooms)
    shown = found[page.shown]
    resources = [patient(_narrowed(person, domains)) for person in shown]
    rooms.guard.record(
        asked.subject, "query", "success", TRANSACTION,
        patient_keys=[one.identifiers[0].patient_key for one in shown], count=len(found),
    )  # fmt: skip
    told = [warning("not-supported", f"not used: {', '.join(unknown)[:200]}")] if unknown else []
    bundle = encode.searchset(
        resources, total=len(found), page=Page(page.count, 0, only_count=True),
        url=f"{asked.base}/Patient", pairs=_kept(asked.parameters), base=asked.base, warnings=told,
    )  # fmt: skip
    rest = found[page.offset + page.count : rooms.limits.patients]
    if rest and not page.only_count:
        # The next pages are named by the keys of those on them: no name goes into a URL.
        keys = ",".join(str(one.identifiers[0].patient_key) for one in rest)
        url = f"{asked.base}/Patient?_id={keys}&_count={page.count}"
        bundle["link"].append({"relation": "next", "url": url})
    return Reply(bundle, headers={"cache-control": "no-store"})


def read(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return one Patient by a patient key; a subsumed one tells who took his place."""
    transaction = f"{TRANSACTION}.read"
    key = uuid_of(asked.resource_id)
    resource = Resource("patient", key)
    rooms.guard.check(asked.subject, "query", resource, transaction=transaction)
    row = rooms.patients.by_key(key) if key is not None else None
    if row is None:
        raise ResourceUnknown("there is no such Patient")
    person = PersonRow(row.person, (row,)) if row.merged_into else _person(row, rooms)
    rooms.guard.record(
        asked.subject, "query", "success", transaction, patient_keys=[row.patient_key], count=1
    )
    return Reply(patient(person), headers={"cache-control": "private, no-cache"})


def _found(asked: Asked, rooms: FhirRooms) -> list[PersonRow]:
    parameters = asked.parameters
    ids = parameters.ids()
    if ids is not None:
        allowed = rooms.patients.by_keys(ids)
        rows = [allowed[key] for key in ids if key in allowed and not allowed[key].merged_into]
        persons = [_person(row, rooms) for row in rows]
    else:
        persons = list(_candidates(asked, rooms))
    kept = {one.person: one for one in persons if _passes(one, parameters)}
    return list(kept.values())


def _candidates(asked: Asked, rooms: FhirRooms) -> Iterator[PersonRow]:
    """Yield who may fit: by all that the index can be asked, one value of each list at a time."""
    policy = rooms.clause(asked.subject, "query", "patient")
    looked_at = 0
    for query in _queries(asked.parameters):
        if not query.asks and not asked.parameters.all("birthdate", "gender"):
            raise ParameterMissing(
                "a search for patients needs one of identifier, family, given, name, birthdate, "
                "gender, address, telecom, _id"
            )
        after = ""
        while True:
            found = rooms.patients.find_persons(
                query, policy=policy, affinity=rooms.authorities[0], after=after, limit=_BATCH
            )
            yield from found.persons
            looked_at += len(found.persons)
            if looked_at > _CANDIDATES:
                raise TooMuch(f"the search looks at more than {_CANDIDATES} patients: narrow it")
            after = found.after
            if not after:
                break


def _queries(parameters: Parameters) -> list[DemographicQuery]:
    """Return the queries whose results together hold everybody that fits."""
    lists: list[list[dict[str, str]]] = []
    for name in (*_NAMES, "identifier", "gender", "birthdate", *_ADDRESSES, "telecom", "phone"):
        given = parameters.all(name)
        if given and (told := _conditions(given[0])):
            lists.append(told)
    combined = []
    for combination in islice(product(*lists), _MAX_COMBINATIONS + 1):
        members: dict[str, str] = {}
        for one in combination:
            members |= one
        combined.append(DemographicQuery(**members))
    if len(combined) > _MAX_COMBINATIONS:
        raise TooMuch("the search combines too many alternatives")
    return combined


def _conditions(given: Given) -> list[dict[str, str]]:
    """Return what the index is asked for each value of a parameter, nothing if it cannot be."""
    match given.name:
        case "family" | "given" | "name":
            given.only("exact", "contains")
            # A middle name is one of FHIR's given names, and stands inside of a key: `_given`.
            inside = given.modifier == "contains" or given.name == "given"
            before = "*" if inside else ""
            return [{given.name: f"{before}{_text(part)}*"} for part in given.alternatives()]
        case "identifier":
            return [_identifier(one) for one in given.tokens()]
        case "gender":
            sexes = [sex for one in given.tokens() for sex in _SEXES.get(one.value, ("-",))]
            return [] if "" in sexes else [{"sex": sex} for sex in sexes]
        case "birthdate":
            dates = [part.strip() for part in given.alternatives()]
            days = [d.removeprefix("eq").replace("-", "") for d in dates]
            return [{"birth_date": d} for d in days] if all(d.isdecimal() for d in days) else []
        case "telecom" | "phone":
            return [{"telephone": one.value} for one in given.tokens() if one.value]
        case _:
            given.only("exact", "contains")
            parts = given.alternatives()
            return [{"address": _text(parts[0])}] if len(parts) == 1 else []


def _identifier(one: Token) -> dict[str, str]:
    told = {"local_id": one.value.replace("*", "\\*")} if one.value else {}
    if one.system is not None:
        told["authority"] = authority_of(one.system) or "-"
    return told


def _passes(person: PersonRow, parameters: Parameters) -> bool:
    return all(any(_fits(row, given) for row in person.identifiers) for given in parameters.given)


def _fits(row: PatientRow, given: Given) -> bool:  # noqa: PLR0911 - one line a parameter
    match given.name:
        case "family" | "given" | "name":
            # The index has compared letters, pinyin and marks; only two are stricter.
            if given.modifier == "exact":
                return _exactly(row, given)
            return given.name != "given" or given.modifier == "contains" or _given(row, given)
        case "identifier":
            return any(_is(row, one) for one in given.tokens())
        case "gender":
            return gender(row.sex) in {one.value for one in given.tokens()}
        case "active":
            return ("true" in given.alternatives()) is (row.merged_into is None)
        case "birthdate":
            try:
                born = span_of_dtm(row.birth_date[:8])
            except ValueError:
                return False
            return any(one.fits(born) for one in given.dates())
        case name if name in _ADDRESSES:
            passes = Given(name, "contains", given.value).strings()
            return passes((row.address.replace("^", " "),))
        case "telecom" | "phone":
            held = _digits(row.telephone)
            return any(_digits(one.value) in held for one in given.tokens() if one.value)
        case _:
            return True


def _given(row: PatientRow, given: Given) -> bool:
    wanted = tuple(key for part in given.alternatives() if (key := search_key(plain(part))))
    groups = [[*group.split("^"), "", ""] for group in row.name.split("=")]
    names = [name for parts in groups for name in (parts[1], *parts[2].split()) if name]
    return any(key.startswith(wanted) for name in names for key in part_keys(name))


def _exactly(row: PatientRow, given: Given) -> bool:
    wanted = {plain(part) for part in given.alternatives()}
    for group in row.name.split("="):
        parts = [*group.split("^"), "", ""]
        told = {
            "family": {parts[0]},
            "given": {parts[1], *parts[2].split()},
            "name": {parts[0], parts[1], f"{parts[1]} {parts[0]}".strip()},
        }[given.name]
        if wanted & told:
            return True
    return False


def _is(row: PatientRow, one: Token) -> bool:
    if one.value and row.local_id != one.value:
        return False
    return one.system is None or row.authority == authority_of(one.system)


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdecimal())


def _text(part: str) -> str:
    return plain(part).replace("*", " ")


def _domains(parameters: Parameters, rooms: FhirRooms) -> frozenset[str]:
    """Return the domains whose identifiers are wanted (3.78.4.1.2.3); empty means all."""
    systems = [
        authority_of(told.system)
        for given in parameters.all("identifier")
        for part in given.alternatives()
        if (told := token(part)).system and not told.value
    ]
    if any(oid not in rooms.authorities for oid in systems):
        raise DomainNotServed("targetSystem not found")
    return frozenset(systems)


def _narrowed(person: PersonRow, domains: Iterable[str]) -> PersonRow:
    wanted = frozenset(domains)
    kept = tuple(row for row in person.identifiers if row.authority in wanted)
    return PersonRow(person.person, kept) if wanted and kept else person


def _person(row: PatientRow, rooms: FhirRooms) -> PersonRow:
    try:
        found = rooms.patients.person_of(PatientId.parse(row.patient_id))
    except BadIdentifier:
        found = None
    if found is None:
        return PersonRow(row.person, (row,))
    affinity = rooms.authorities[0]
    ordered = sorted(found.identifiers, key=lambda r: (r.authority != affinity, r.local))
    return PersonRow(found.person, tuple(ordered))


def _kept(parameters: Parameters) -> Sequence[tuple[str, str]]:
    """Return what the self link repeats: nothing that tells who was looked for."""
    harmless = {"_count", "_id", "active", "gender", "_summary"}
    return [(one.name, one.value) for one in parameters.given if one.name in harmless]
