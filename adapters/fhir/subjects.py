"""Whose documents: from a reference or an identifier to the patient of the affinity domain.

Implements ITI TF-2 3.65.4.1.2.2 (IHE MHD, Patient Identity) and the parameters `patient` and
`patient.identifier` of ITI-66 and ITI-67. Used by the transaction modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl
from uuid import UUID

from adapters.fhir.codes import authority_of, uuid_of
from adapters.fhir.decode_documents import Subject
from adapters.fhir.element import Element
from adapters.fhir.interaction import FhirRooms
from adapters.fhir.refusals import ParameterInvalid, PatientUnresolved
from adapters.fhir.search import Given, Parameters, patient_id, patient_reference
from kernel.identifiers import BadIdentifier, PatientId

NAMES = ("patient", "subject", "patient.identifier", "subject.identifier")


def asked_patients(parameters: Parameters, rooms: FhirRooms) -> list[UUID] | None:
    """Return the keys of the patients a search names, None when it names none.

    Several parameters must all name the same patient; a list within one names any of them.
    """
    sets = [_keys(given, rooms) for given in parameters.all(*NAMES)]
    if not sets:
        return None
    return [key for key in sets[0] if all(key in other for other in sets[1:])]


def subject_of(reference: Element, patient: Element, rooms: FhirRooms) -> Subject:
    """Return the patient that the subject of a resource names; raises PatientUnresolved."""
    told = reference.text("reference")
    candidates = [*_ids([reference.first("identifier")]), *_ids(patient.all("identifier"))]
    if "?" in told:
        # A conditional reference (HL7 FHIR R4 3.1.0.11.2): Patient?identifier=system|value.
        found = Parameters(parse_qsl(told.partition("?")[2])).all("identifier")
        tokens = [one for given in found[:1] for one in given.tokens()]
        candidates += [one for t in tokens for one in patient_id(t, rooms.authorities)]
    for one in candidates:
        known = _in_affinity_domain(one, rooms)
        if known is not None:
            return _subject(known, rooms)
    if not patient:
        key = uuid_of(patient_reference(told))
        row = rooms.patients.by_key(key) if key is not None else None
        if row is not None:
            return Subject(row.patient_key, row.patient_id)
    if candidates:
        return _subject(candidates[0], rooms)  # the registry says whether he must be known
    raise PatientUnresolved(
        "the subject must be a Patient of this server, or tell an identifier whose system is the "
        "OID of an assigning authority",
        expression="subject",
    )


def _keys(given: Given, rooms: FhirRooms) -> list[UUID]:
    if given.name.endswith(".identifier") or given.modifier == "identifier":
        given.only("identifier")
        tokens = Given(given.name, "", given.value).tokens()
        found = [one for told in tokens for one in patient_id(told, rooms.authorities)]
        known = [_in_affinity_domain(one, rooms) or one for one in found]
        return [rooms.patient_keys.key(one) for one in dict.fromkeys(known)]
    given.only("Patient")
    keys = [uuid_of(patient_reference(part)) for part in given.alternatives()]
    if any("|" in part for part in given.alternatives()):
        raise ParameterInvalid(f"{given.name} needs a reference: ask by {given.name}.identifier")
    return [key for key in keys if key is not None]


def _in_affinity_domain(asked: PatientId, rooms: FhirRooms) -> PatientId | None:
    """Return the identifier under which documents stand, None when the patient is not known."""
    person = rooms.patients.person_of(asked)
    if person is None:
        return None
    ids = [row.patient_id for row in person.identifiers if not row.local]
    return PatientId.parse(str(asked) if str(asked) in ids or not ids else ids[0])


def _ids(identifiers: Sequence[Element]) -> list[PatientId]:
    found = []
    for one in identifiers:
        try:
            found.append(PatientId(one.text("value"), authority_of(one.text("system"))))
        except BadIdentifier:
            continue
    return found


def _subject(patient: PatientId, rooms: FhirRooms) -> Subject:
    return Subject(rooms.patient_keys.key(patient), str(patient))
