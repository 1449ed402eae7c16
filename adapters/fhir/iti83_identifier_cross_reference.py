"""ITI-83 Mobile Patient Identifier Cross-reference Query: the operation Patient/$ihe-pix.

Implements ITI TF-2 3.83 (IHE PIXm). Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from typing import Final

from adapters.fhir.codes import authority_of, uuid_of
from adapters.fhir.element import Json
from adapters.fhir.encode_patients import identifier
from adapters.fhir.interaction import Asked, FhirRooms, Reply, recorded
from adapters.fhir.refusals import (
    DomainUnknown,
    ParameterMissing,
    ResourceUnknown,
    TargetDomainUnknown,
)
from adapters.fhir.search import Parameters, plain, token
from kernel.identifiers import BadIdentifier, PatientId
from projections.patient_index.view import PatientRow
from registry.access.values import Resource

TRANSACTION: Final = "ITI-83"
_PERSONAL_ID: Final = "Patient/"


@recorded("query", TRANSACTION)
def cross_reference(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return the other identifiers of a patient, and the Patient that has them."""
    rooms.guard.check(asked.subject, "query", Resource("patient"), transaction=TRANSACTION)
    parameters = _parameters(asked)
    given = parameters.all("sourceIdentifier")
    if len(given) != 1:
        raise ParameterMissing("$ihe-pix needs exactly one sourceIdentifier")
    targets = [plain(part) for one in parameters.all("targetSystem") for part in one.alternatives()]
    served = (*rooms.authorities, asked.base)
    if any(authority_of(one) not in served and one not in served for one in targets):
        raise TargetDomainUnknown("targetSystem not found")
    source = _source(given[0].value, asked, rooms)
    person = rooms.patients.person_of(PatientId.parse(source.patient_id))
    rows = person.identifiers if person is not None else (source,)
    oids = {authority_of(one) for one in targets}
    wanted = [
        row
        for row in rows
        if row.patient_id != source.patient_id and (not targets or row.authority in oids)
    ]
    told = [
        {"name": "targetIdentifier", "valueIdentifier": made}
        for row in wanted
        if (made := identifier(row))
    ]
    ids = [row for row in rows if not row.local] or list(rows)
    if not targets or asked.base in targets:
        told += [
            {"name": "targetId", "valueReference": {"reference": f"Patient/{row.patient_key}"}}
            for row in ids[:1]
        ]
    rooms.guard.record(
        asked.subject, "query", "success", TRANSACTION,
        patient_keys=[source.patient_key], count=len(told),
    )  # fmt: skip
    made_of: Json = {"resourceType": "Parameters"} | ({"parameter": told} if told else {})
    return Reply(made_of, headers={"cache-control": "no-store"})


def _parameters(asked: Asked) -> Parameters:
    """Return the parameters of the URL, or of the Parameters resource in a POST."""
    if not asked.body:
        return asked.parameters
    pairs = [(one.name, one.value) for one in asked.parameters.given]
    for part in asked.resource().all("parameter"):
        value = next(
            (part.text(k) for k in part.data if k.startswith("value") and part.text(k)), ""
        )
        told = part.first("valueIdentifier")
        if told:
            value = f"{told.text('system')}|{told.text('value')}"
        pairs.append((part.text("name"), value))
    return Parameters(pairs)


def _source(value: str, asked: Asked, rooms: FhirRooms) -> PatientRow:
    told = token(value)
    if told.system in {asked.base, f"{asked.base}/"} and told.value.startswith(_PERSONAL_ID):
        key = uuid_of(told.value.removeprefix(_PERSONAL_ID))
        found = rooms.patients.by_key(key) if key is not None else None
    else:
        oid = authority_of(told.system or "")
        if oid not in rooms.authorities:
            raise DomainUnknown("sourceIdentifier Assigning Authority not found")
        try:
            found = rooms.patients.by_id(PatientId(told.value, oid))
        except BadIdentifier:
            found = None
    if found is None or found.merged_into is not None:
        raise ResourceUnknown("sourceIdentifier Patient Identifier not found")
    return found
