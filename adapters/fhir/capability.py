"""CapabilityStatement: what the FHIR face offers, told at `metadata`.

Implements HL7 FHIR R4 CapabilityStatement and ITI TF-2 Z.3. Called by `endpoint.py`; needs no
sign-in, since it tells nothing of anybody.
"""

from __future__ import annotations

from typing import Final

from adapters.fhir.element import Json

_MHD: Final = "https://profiles.ihe.net/ITI/MHD"
_PUBLISHED: Final = "2026-11-24"
_DOCUMENTS: Final = (
    ("patient", "reference"), ("patient.identifier", "token"), ("status", "token"),
    ("author.given", "string"), ("author.family", "string"), ("category", "token"),
    ("creation", "date"), ("date", "date"), ("event", "token"), ("facility", "token"),
    ("format", "token"), ("identifier", "token"), ("period", "date"), ("related", "reference"),
    ("security-label", "token"), ("setting", "token"), ("type", "token"), ("contenttype", "token"),
    ("language", "token"), ("description", "string"), ("study-instance-uid", "token"),
    ("accession-number", "token"), ("modality", "token"), ("bodysite", "token"), ("_id", "token"),
)  # fmt: skip
_LISTS: Final = (
    ("patient", "reference"), ("patient.identifier", "token"), ("status", "token"),
    ("code", "token"), ("date", "date"), ("designationType", "token"), ("identifier", "token"),
    ("source.given", "string"), ("source.family", "string"), ("sourceId", "token"),
    ("title", "string"), ("_id", "token"),
)  # fmt: skip
_PATIENTS: Final = (
    ("_id", "token"), ("active", "token"), ("family", "string"), ("given", "string"),
    ("name", "string"), ("identifier", "token"), ("birthdate", "date"), ("gender", "token"),
)  # fmt: skip
_STUDIES: Final = (
    ("patient", "reference"), ("patient.identifier", "token"), ("identifier", "token"),
    ("modality", "token"), ("started", "date"), ("accession", "token"), ("status", "token"),
    ("_id", "token"),
)  # fmt: skip


def statement(base: str) -> Json:
    """Return the CapabilityStatement of the service at `base`."""
    return {
        "resourceType": "CapabilityStatement",
        "id": "pianku",
        "status": "active",
        "date": _PUBLISHED,
        "kind": "instance",
        "instantiates": [
            f"{_MHD}/CapabilityStatement/IHE.MHD.DocumentRecipient",
            f"{_MHD}/CapabilityStatement/IHE.MHD.DocumentRecipient.Comprehensive",
            f"{_MHD}/CapabilityStatement/IHE.MHD.DocumentRecipient.UnContained",
            f"{_MHD}/CapabilityStatement/IHE.MHD.DocumentRecipient.Simplified",
            f"{_MHD}/CapabilityStatement/IHE.MHD.DocumentResponder",
            "https://profiles.ihe.net/ITI/PIXm/CapabilityStatement/IHE.PIXm.Manager",
            "https://profiles.ihe.net/ITI/PDQm/CapabilityStatement/IHE.PDQm.Supplier",
        ],
        "software": {"name": "Pianku"},
        "implementation": {"description": "Pianku document registry and archive", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Bearer token or TLS client certificate; see the guide.",
                "security": {"cors": False, "description": "Bearer tokens, or mutual TLS"},
                "resource": [
                    _resource("Binary", ["read"]),
                    _resource(
                        "DocumentReference",
                        ["read", "create", "search-type"],
                        _DOCUMENTS,
                        profile=f"{_MHD}/StructureDefinition/IHE.MHD.Comprehensive.DocumentReference",
                    ),
                    _resource("ImagingStudy", ["read", "search-type"], _STUDIES),
                    _resource("List", ["read", "search-type"], _LISTS),
                    _resource("Patient", ["read", "search-type"], _PATIENTS)
                    | {"operation": list(_OPERATIONS)},
                ],
                "interaction": [{"code": "transaction"}],
            }
        ],
    }


_OPERATIONS: Final = (
    {
        "name": "ihe-pix",
        "definition": "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix",
    },
    {"name": "match", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-match"},
)


def _resource(
    kind: str,
    interactions: list[str],
    parameters: tuple[tuple[str, str], ...] = (),
    *,
    profile: str = "",
) -> Json:
    made: Json = {"type": kind}
    if profile:
        made["profile"] = profile
    made["interaction"] = [{"code": code} for code in interactions]
    if parameters:
        made["searchParam"] = [{"name": name, "type": type_} for name, type_ in parameters]
    return made
