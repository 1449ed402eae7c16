"""Codes and identifiers between XDS, which names schemes by OID, and FHIR, which names them by URI.

Implements ITI TF-2 appendix E.3 and Z.9.1 (identifiers, CXi) and the table of well-known systems
of HL7 terminology. Used by `decode*.py`, `encode*.py` and `search.py`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote
from uuid import UUID

from adapters.fhir.element import Element, Json
from kernel.codes import Code
from kernel.identifiers import PatientId, is_oid, stable_uid

URI: Final = "urn:ietf:rfc:3986"
"""The system of identifiers that are URIs themselves."""
_OID_URN: Final = "urn:oid:"
_UNIQUE_ID: Final = "urn:ihe:iti:xds:2013:uniqueId"
SYSTEMS: Final = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "1.2.840.10008.2.16.4": "http://dicom.nema.org/resources/ontology/DCM",
    "1.3.6.1.4.1.19376.1.2.3": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "2.16.840.1.113883.5.4": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "2.16.840.1.113883.5.8": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "2.16.840.1.113883.5.111": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
    "2.16.840.1.113883.5.1008": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
    "2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
    "2.16.840.1.113883.6.90": "http://hl7.org/fhir/sid/icd-10-cm",
    "2.16.840.1.113883.6.42": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.101": "http://nucc.org/provider-taxonomy",
    "2.16.840.1.113883.6.8": "http://unitsofmeasure.org",
    "2.16.840.1.113883.6.12": "http://www.ama-assn.org/go/cpt",
}
"""OID -> URI, where HL7 gave a code system both."""
_ALIASES: Final = {
    "http://dicom.nema.org/resources/ontology/DCM": (
        "1.2.840.10008.2.16.4", "1.2.840.10008.2.6.1", "DCM",
    ),
    "http://loinc.org": ("2.16.840.1.113883.6.1", "LN"),
    "http://snomed.info/sct": ("2.16.840.1.113883.6.96", "SCT", "SRT"),
    "http://hl7.org/fhir/v3/Confidentiality": ("2.16.840.1.113883.5.25",),
    "http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem": ("1.3.6.1.4.1.19376.1.2.3",),
}  # fmt: skip
"""URI -> the schemes that documents may carry for it; the first is what we write."""
_OIDS: Final = {uri: oid for oid, uri in SYSTEMS.items()} | {
    uri: schemes[0] for uri, schemes in _ALIASES.items()
}
_CXI: Final = re.compile(r"urn:ihe:iti:[\x21-\x7e]+")
ACCESSION: Final = "urn:ihe:iti:xds:2013:accession"
STUDY: Final = "urn:ihe:iti:xds:2016:studyInstanceUID"
ENCOUNTER: Final = "urn:ihe:iti:xds:2015:encounterId"
_V2_TYPES: Final = {"ACSN": ACCESSION, "VN": ENCOUNTER, "PLAC": "urn:ihe:iti:xds:2013:order"}


def system_of(scheme: str) -> str:
    """Return the URI of a coding scheme; a scheme that is only a name stays one."""
    known = SYSTEMS.get(scheme)
    if known is not None:
        return known
    if is_oid(scheme):
        return _OID_URN + scheme
    return scheme if ":" in scheme else quote(scheme, safe="")


def schemes_of(system: str) -> tuple[str, ...]:
    """Return the coding schemes that a system's URI may stand for, the usual one first."""
    system = system.strip()
    if system in _ALIASES:
        return (*_ALIASES[system], system)
    if system in _OIDS:
        return (_OIDS[system], system)
    if system.lower().startswith(_OID_URN):
        return (system[len(_OID_URN) :], system)
    return (system,) if ":" in system else (unquote(system), system)


def coding(code: Code) -> Json:
    """Return a Coding."""
    made = {"system": system_of(code.scheme), "code": code.value}
    return made | ({"display": code.display} if code.display else {})


def concept(code: Code) -> Json:
    """Return a CodeableConcept."""
    return {"coding": [coding(code)]}


def code_of(element: Element) -> Code | None:
    """Return the code of a Coding, or of a CodeableConcept's first Coding; None without one."""
    for one in element.all("coding") or [element]:
        value = one.text("code")
        if value:
            system = one.text("system")
            scheme = schemes_of(system)[0] if system else ""
            return Code(value, scheme, one.text("display") or element.text("text"))
    return None


def identifier(unique_id: str, use: str) -> Json:
    """Return the Identifier of a uniqueId (OID, OID^extension, URN or other)."""
    root, caret, extension = unique_id.partition("^")
    if caret and is_oid(root):
        return {"use": use, "system": _OID_URN + root, "value": extension}
    if is_oid(unique_id):
        return {"use": use, "system": URI, "value": _OID_URN + unique_id}
    if unique_id.startswith("urn:"):
        return {"use": use, "system": URI, "value": unique_id}
    return {"use": use, "system": _UNIQUE_ID, "value": unique_id}


def unique_id_of(system: str, value: str) -> str:
    """Return the uniqueId that an Identifier stands for, the same one every time.

    One that is neither OID nor URN gets an OID made of both its parts.
    """
    if value.lower().startswith(_OID_URN):
        return value[len(_OID_URN) :]
    if system in {URI, _UNIQUE_ID} or not system:
        return value
    if system.lower().startswith(_OID_URN):
        return f"{system[len(_OID_URN) :]}^{value}"
    return stable_uid("fhir-identifier", system, value)


def uuid_of(value: str) -> UUID | None:
    """Return the UUID of `urn:uuid:...` or of a bare one, None when it is none."""
    text = value.strip()
    try:
        return UUID(text[9:] if text.lower().startswith("urn:uuid:") else text)
    except ValueError:
        return None


def patient_identifier(patient: PatientId) -> Json:
    """Return the Identifier of a patient id."""
    return {"system": _OID_URN + patient.authority, "value": patient.id}


def authority_of(system: str) -> str:
    """Return the OID of an assigning authority, empty when the system is no OID."""
    text = system.strip()
    oid = text[len(_OID_URN) :] if text.lower().startswith(_OID_URN) else text
    return oid if is_oid(oid) else ""


def reference_identifier(cxi: str) -> tuple[str, Json]:
    """Return the type of a CXi and its Identifier (ITI TF-2 Z.9.1.2)."""
    parts = [*cxi.split("^"), "", "", "", "", "", ""]
    authority = parts[3].split("&")
    oid = authority[1] if len(authority) > 1 else ""
    made: Json = {"type": {"coding": [{"system": URI, "code": parts[4]}]}}
    if oid:
        made["system"] = _OID_URN + oid
    elif parts[4] == STUDY:
        made["system"] = "urn:dicom:uid"
    elif is_oid(parts[0]):
        made["system"] = URI
    plain = oid or not is_oid(parts[0])
    made["value"] = parts[0] if plain else _OID_URN + parts[0]
    if parts[5]:
        made["assigner"] = {"identifier": {"value": parts[5]}}
    return parts[4], made


def reference_id(element: Element, default_type: str = "") -> str:
    """Return the CXi of an Identifier, empty when it has no value."""
    value, system = element.text("value"), element.text("system")
    kind = default_type
    for one in element.first("type").all("coding"):
        told = one.text("code")
        if _CXI.fullmatch(told):
            kind = told
        elif told in _V2_TYPES:
            kind = _V2_TYPES[told]
    if system == "urn:dicom:uid":
        kind = kind or STUDY
    value = value[len(_OID_URN) :] if value.lower().startswith(_OID_URN) else value
    if not value or "^" in value:
        return ""
    oid = "" if system in {URI, "urn:dicom:uid"} else authority_of(system)
    return f"{value}^^^{f'&{oid}&ISO' if oid else ''}^{kind or 'urn:ihe:iti:xds:2013:uniqueId'}"
