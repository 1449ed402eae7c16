"""ITI-119 Patient Demographics Match: the operation Patient/$match.

Implements ITI TF-2 3.119 (IHE PDQm, Match option) and the operation of HL7 FHIR R4 Patient. Called
by `endpoint.py` in a worker thread; what is matched by is in the body and in no URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import uuid4

from adapters.fhir.codes import authority_of
from adapters.fhir.element import Element, Json
from adapters.fhir.encode_patients import patient
from adapters.fhir.interaction import Asked, FhirRooms, Reply, recorded
from adapters.fhir.refusals import ParameterMissing, ResourceMalformed
from kernel.identifiers import BadIdentifier, PatientId
from projections.patient_index.demographics import DemographicQuery
from projections.patient_index.view import PersonRow
from registry.access.values import Resource

TRANSACTION: Final = "ITI-119"
_GRADE: Final = "http://hl7.org/fhir/StructureDefinition/match-grade"
_SEXES: Final = {"male": "M", "female": "F", "other": "O"}
_MAX: Final = 50
_SCORES: Final = {"certain": 1.0, "probable": 0.8, "possible": 0.5}


@recorded("query", TRANSACTION)
def match(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return who the Patient in the body may be, the likeliest first."""
    rooms.guard.check(asked.subject, "query", Resource("patient"), transaction=TRANSACTION)
    told, certain, count = _parameters(asked.resource())
    found: dict[object, tuple[PersonRow, str]] = {}
    for person, grade in _candidates(told, asked, rooms):
        found.setdefault(person.person, (person, grade))
    ranked = sorted(found.values(), key=lambda pair: -_SCORES[pair[1]])
    if certain:
        sure = [pair for pair in ranked if pair[1] == "certain"]
        # Two who both fit for certain are no certain match.
        ranked = sure if len(sure) == 1 else []
    shown = ranked[:count]
    rooms.guard.record(
        asked.subject, "query", "success", TRANSACTION,
        patient_keys=[person.identifiers[0].patient_key for person, _ in shown], count=len(shown),
    )  # fmt: skip
    return Reply(_bundle(shown, asked.base), headers={"cache-control": "no-store"})


def _parameters(body: Element) -> tuple[Element, bool, int]:
    if body.type == "Patient":
        return body, False, _MAX
    if body.type != "Parameters":
        raise ResourceMalformed(f"$match takes Parameters and no {body.type[:40]}")
    parts = {part.text("name"): part for part in body.all("parameter")}
    told = parts.get("resource", body).first("resource")
    if told.type != "Patient":
        raise ParameterMissing("$match needs the parameter resource with a Patient")
    certain = "onlyCertainMatches" in parts and (
        parts["onlyCertainMatches"].text("valueBoolean") == "true"
    )
    count = parts["count"].text("valueInteger") if "count" in parts else ""
    return told, certain, min(int(count[:4]), _MAX) if count.isdecimal() else _MAX


def _candidates(told: Element, asked: Asked, rooms: FhirRooms) -> Iterator[tuple[PersonRow, str]]:
    """Yield persons with how well they fit."""
    for one in told.all("identifier"):
        try:
            named = PatientId(one.text("value"), authority_of(one.text("system")))
        except BadIdentifier:
            continue
        person = rooms.patients.person_of(named)
        if person is not None:
            yield person, "certain"
    name = told.first("name")
    family, given = name.text("family"), name.text("given")
    birth = told.text("birthDate").replace("-", "")
    if not family or not (given or birth):
        return
    policy = rooms.clause(asked.subject, "query", "patient")
    sex = _SEXES.get(told.text("gender"), "")
    queries = [(DemographicQuery(family=_plain(family), given=_plain(given)), "possible")]
    if birth.isdecimal() and len(birth) == 8:
        whole = DemographicQuery(
            family=_plain(family), given=_plain(given), birth_date=birth, sex=sex
        )
        queries = [(whole, "probable" if given else "possible"), *queries]
    for query, grade in queries if given else queries[:1]:
        page = rooms.patients.find_persons(
            query, policy=policy, affinity=rooms.authorities[0], limit=_MAX
        )
        yield from ((person, grade) for person in page.persons)


def _plain(text: str) -> str:
    return text.replace("*", " ")


def _bundle(shown: list[tuple[PersonRow, str]], base: str) -> Json:
    entries = []
    for person, grade in shown:
        resource = patient(person)
        search = {
            "extension": [{"url": _GRADE, "valueCode": grade}],
            "mode": "match",
            "score": _SCORES[grade],
        }
        url = f"{base}/Patient/{resource['id']}"
        entries.append({"fullUrl": url, "resource": resource, "search": search})
    made: Json = {
        "resourceType": "Bundle",
        "id": str(uuid4()),
        "type": "searchset",
        "total": len(shown),
    }
    return made | ({"entry": entries} if entries else {})
