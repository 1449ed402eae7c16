"""A patient of the index -> Patient.

Implements the Patient of ITI TF-2 3.78.4.2 (PDQm) on HL7 FHIR R4 Patient; the id is the patient
key, never an identifier. Pure; called by the modules of ITI-78 and ITI-83.
"""

from __future__ import annotations

from typing import Final

from adapters.fhir.codes import patient_identifier
from adapters.fhir.element import Json
from adapters.fhir.times import date_time, instant
from kernel.identifiers import BadIdentifier, PatientId
from projections.patient_index.view import PatientRow, PersonRow

GENDERS: Final = {"M": "male", "F": "female", "O": "other", "A": "other", "N": "other"}
_REPRESENTATION: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_GROUPS: Final = ("ABC", "IDE", "SYL")
_PDQM: Final = "https://profiles.ihe.net/ITI/PDQm/StructureDefinition/IHE.PDQm.Patient"


def patient(person: PersonRow) -> Json:
    """Return the Patient of a person; the first identifier tells who he is."""
    row = person.identifiers[0]
    made: Json = {
        "resourceType": "Patient",
        "id": str(row.patient_key),
        "meta": {"lastUpdated": instant(row.changed_at), "profile": [_PDQM]},
    }
    identifiers = [told for one in person.identifiers if (told := identifier(one))]
    if identifiers:
        made["identifier"] = identifiers
    made["active"] = row.merged_into is None
    names = human_names(row.name)
    if names:
        made["name"] = names
    if row.telephone:
        made["telecom"] = [{"system": "phone", "value": row.telephone.split("^")[0]}]
    made["gender"] = gender(row.sex)
    birth = date_time(row.birth_date[:8])
    if birth:
        made["birthDate"] = birth
    if row.address:
        text = " ".join(part for part in row.address.split("^") if part)
        made["address"] = [{"text": text}]
    if row.merged_into is not None:
        other = {"reference": f"Patient/{row.merged_into}"}
        made["link"] = [{"other": other, "type": "replaced-by"}]
    return made


def identifier(row: PatientRow) -> Json:
    """Return the Identifier of a row, empty when it has none that can be told."""
    try:
        return {"use": "official", **patient_identifier(PatientId.parse(row.patient_id))}
    except BadIdentifier:
        return {}


def gender(sex: str) -> str:
    """Return the administrative gender of a Patient's Sex or PID-8."""
    return GENDERS.get(sex.strip().upper(), "unknown")


def human_names(person_name: str) -> list[Json]:
    """Return a HumanName for each group of a DICOM PN that holds one."""
    found = []
    for code, group in zip(_GROUPS, [*person_name.split("="), "", "", ""], strict=False):
        family, given, middle, prefix, suffix = [*group.split("^"), *[""] * 5][:5]
        made: Json = {}
        if code != "ABC":
            made["extension"] = [{"url": _REPRESENTATION, "valueCode": code}]
        parts = len(made)
        made["use"] = "official"
        text = " ".join(part for part in (prefix, given, middle, family, suffix) if part)
        if code == "IDE":
            text = f"{family}{given}{middle}"
        made["text"] = text
        if family:
            made["family"] = family
        givens = [part for one in (given, middle) for part in one.split() if part]
        if givens:
            made["given"] = givens
        for name, value in (("prefix", prefix), ("suffix", suffix)):
            if value:
                made[name] = [value]
        if len(made) > parts + 2:
            found.append(made)
    return found
