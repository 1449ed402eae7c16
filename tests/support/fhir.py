"""FHIR resources written by hand, as sources of other makes write them; and a small client.

IHE MHD 2:3.65, 2:3.105 on HL7 FHIR R4. Called by the tests of adapters/fhir and by the walk.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx
from lxml import etree

from kernel.identifiers import new_uid

Json = dict[str, Any]
JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
NS: Final = "http://hl7.org/fhir"
MHD: Final = "https://profiles.ihe.net/ITI/MHD"
URI: Final = "urn:ietf:rfc:3986"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
FORMATS: Final = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


@dataclass
class Client:
    """A FHIR client over a real socket."""

    http: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"{self.http}/fhir/r4"

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """GET a path below the base; `headers` are headers, the rest parameters."""
        headers = parameters.pop("headers", {})
        pairs = parameters.pop("pairs", None) or {
            name.replace("__", "."): value for name, value in parameters.items()
        }
        return httpx.get(
            f"{self.base}{path}", params=pairs or None, headers={**self.headers, **headers}
        )

    def post(self, path: str, resource: Json, **headers: str) -> httpx.Response:
        """POST a resource as JSON."""
        return httpx.post(
            f"{self.base}{path}", content=json.dumps(resource, ensure_ascii=False).encode(),
            headers={"content-type": JSON, **self.headers, **headers}, timeout=60,
        )  # fmt: skip

    def post_xml(self, path: str, resource: Json) -> httpx.Response:
        """POST a resource as XML."""
        return httpx.post(
            f"{self.base}{path}", content=to_xml(resource),
            headers={"content-type": XML, **self.headers}, timeout=60,
        )  # fmt: skip

    def form(self, path: str, fields: list[tuple[str, str]] | dict[str, str]) -> httpx.Response:
        """POST a search as a form."""
        content = str(httpx.QueryParams(fields)).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return httpx.post(
            f"{self.base}{path}/_search", content=content, headers={**self.headers, **kind}
        )


def coded(code: str, system: str, display: str = "") -> Json:
    made = {"system": system, "code": code}
    return {"coding": [made | ({"display": display} if display else {})]}


def subject(patient_id: str) -> Json:
    """Return a logical Reference for a CX."""
    number, _, rest = patient_id.partition("^^^&")
    return {"identifier": {"system": f"urn:oid:{rest.split('&')[0]}", "value": number}}


def document_reference(
    content: bytes, patient: Json, url: str, *, minimal: bool = False, **changes: Any
) -> Json:
    """Return a DocumentReference whose octets lie at `url`."""
    made: Json = {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": URI, "value": f"urn:oid:{new_uid()}"},
        "status": "current",
        "subject": patient,
        "content": [{
            "attachment": {
                "contentType": "application/pdf",
                "url": url,
                "size": len(content),
                "hash": base64.b64encode(hashlib.sha1(content).digest()).decode(),
            },
        }],
    }  # fmt: skip
    if not minimal:
        made |= {
            "contained": [
                {
                    "resourceType": "Practitioner", "id": "doctor",
                    "name": [{"family": "Example", "given": ["Ada", "Maria"]}],
                },
                {
                    "resourceType": "Patient", "id": "source",
                    "identifier": [patient["identifier"]] if "identifier" in patient else [],
                    "name": [{"family": "Test", "given": ["Patient"]}], "gender": "female",
                    "birthDate": "1970-02-01",
                },
            ],
            "type": coded("18748-4", LOINC, "Diagnostic imaging study"),
            "category": [coded("REPORTS", "urn:oid:1.3.6.1.4.1.19376.1.2.6.1", "Reports")],
            "date": "2026-01-02T03:04:05Z",
            "author": [{"reference": "#doctor"}],
            "description": "a comment",
            "securityLabel": [coded("N", CONFIDENTIALITY)],
            "context": {
                "event": [coded("CT", "http://dicom.nema.org/resources/ontology/DCM")],
                "period": {"start": "2026-01-01T08:00:00+08:00", "end": "2026-01-02"},
                "facilityType": coded("22232009", SNOMED),
                "practiceSetting": coded("394914008", SNOMED),
                "sourcePatientInfo": {"reference": "#source"},
                "related": [{"identifier": {
                    "type": {"coding": [{"system": URI, "code": "urn:ihe:iti:xds:2013:accession"}]},
                    "system": "urn:oid:1.2.250.99.1", "value": "ACC-77",
                }}],
            },
        }  # fmt: skip
        attachment = made["content"][0]["attachment"]
        attachment |= {
            "language": "zh-CN", "title": "检查报告 <1>", "creation": "2026-01-02T11:04:05+08:00",
        }  # fmt: skip
        made["content"][0]["format"] = {"system": FORMATS, "code": "urn:ihe:iti:xds-sd:pdf:2008"}
    return made | changes


def submission_set(patient: Json, *items: str, **changes: Any) -> Json:
    """Return the List of a SubmissionSet."""
    return {
        "resourceType": "List",
        "extension": [
            {"url": f"{MHD}/StructureDefinition/ihe-sourceId",
             "valueIdentifier": {"system": URI, "value": "urn:oid:1.2.250.99.3"}},
            {"url": f"{MHD}/StructureDefinition/ihe-designationType",
             "valueCodeableConcept": coded("18748-4", LOINC)},
        ],
        "identifier": [{"use": "usual", "system": URI, "value": f"urn:oid:{new_uid()}"}],
        "status": "current",
        "mode": "working",
        "code": coded("submissionset", f"{MHD}/CodeSystem/MHDlistTypes"),
        "subject": patient,
        "date": "2026-01-02T03:04:06Z",
        "entry": [{"item": {"reference": item}} for item in items],
        **changes,
    }  # fmt: skip


def folder(patient: Json, *items: str, **changes: Any) -> Json:
    """Return the List of a Folder."""
    return {
        "resourceType": "List",
        "extension": [{"url": f"{MHD}/StructureDefinition/ihe-designationType",
                       "valueCodeableConcept": coded("18748-4", LOINC)}],
        "identifier": [{"use": "usual", "system": URI, "value": f"urn:oid:{new_uid()}"}],
        "status": "current",
        "mode": "working",
        "title": "Chest pain",
        "code": coded("folder", f"{MHD}/CodeSystem/MHDlistTypes"),
        "subject": patient,
        "entry": [{"item": {"reference": item}} for item in items],
        **changes,
    }  # fmt: skip


def entry(resource: Json, url: str = "", method: str = "POST") -> Json:
    """Return an entry of a bundle under a full URL."""
    return {
        "fullUrl": url or f"urn:uuid:{uuid4()}",
        "resource": resource,
        "request": {"method": method, "url": resource["resourceType"]},
    }


def bundle(*entries: Json) -> Json:
    """Return a transaction Bundle."""
    profile = f"{MHD}/StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle"
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [profile]},
        "type": "transaction",
        "entry": list(entries),
    }


def provide(content: bytes, patient: Json, *more: Json, **changes: Any) -> Json:
    """Return the bundle of one document."""
    document, octets = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    binary = {
        "resourceType": "Binary", "contentType": "application/pdf",
        "data": base64.b64encode(content).decode(),
    }  # fmt: skip
    return bundle(
        entry(submission_set(patient, document)),
        entry(document_reference(content, patient, octets, **changes), document),
        entry(binary, octets),
        *more,
    )


def to_xml(resource: Json, prefix: str | None = "f") -> bytes:
    """Return a resource in XML, written apart from the product's own writer."""
    root = etree.Element(f"{{{NS}}}{resource['resourceType']}", nsmap={prefix: NS})
    _fill(root, resource)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _fill(parent: etree._Element, part: Json, *, extension: bool = False) -> None:
    for name, value in part.items():
        if name == "resourceType":
            continue
        if name == "url" and extension:
            parent.set("url", value)
            continue
        for one in value if isinstance(value, list) else [value]:
            child = etree.SubElement(parent, f"{{{NS}}}{name}")
            if isinstance(one, dict) and "resourceType" in one:
                _fill(etree.SubElement(child, f"{{{NS}}}{one['resourceType']}"), one)
            elif isinstance(one, dict):
                _fill(child, one, extension=name == "extension")
            else:
                child.set("value", str(one).lower() if isinstance(one, bool) else str(one))


def resources(response: httpx.Response) -> list[Json]:
    """Return the matches in a searchset."""
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["type"] == "searchset"
    entries = found.get("entry", [])
    return [e["resource"] for e in entries if e["search"]["mode"] == "match"]


def issue(response: httpx.Response) -> Json:
    """Return the one issue of an OperationOutcome."""
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome", outcome
    (one,) = outcome["issue"]
    return one


def xds_code(response: httpx.Response) -> str:
    """Return the XDS error code in an OperationOutcome."""
    codings = issue(response)["details"]["coding"]
    return next((c["code"] for c in codings if "system" not in c), "")
