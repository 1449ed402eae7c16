"""What ITI-65 refuses: nothing is stored, and the outcome says why (IHE MHD 2:3.65.4.1.3)."""

from __future__ import annotations

import base64
import hashlib
from uuid import uuid4

import pytest
from fhir.resources.R4B import get_fhir_model_class

from tests.support import fhir
from tests.support.fhir import Client, Json
from tests.support.submissions import AUTHORITY, OTHER_PATIENT, PATIENT
from tests.support.xds_node import Node

PDF = b"%PDF-1.4 a report"
WHO = fhir.subject(PATIENT)


def _without(path: str) -> Json:  # noqa: C901, PLR0912, PLR0915 - one case a fault
    told = fhir.provide(PDF, WHO)
    set_, document = told["entry"][0]["resource"], told["entry"][1]["resource"]
    match path:
        case "set":
            del told["entry"][0]
        case "subject":
            del set_["subject"], document["subject"]
        case "sourceId":
            del set_["extension"][0]
        case "binary":
            del told["entry"][2]
        case "content":
            del document["content"]
        case "contentType":
            del document["content"][0]["attachment"]["contentType"]
        case "wrong hash":
            wrong = base64.b64encode(hashlib.sha1(b"x").digest()).decode()
            document["content"][0]["attachment"]["hash"] = wrong
        case "wrong size":
            document["content"][0]["attachment"]["size"] = 5
        case "unknown code":
            document["category"] = [fhir.coded("NO-SUCH", "urn:oid:1.2.3")]
        case "bad date":
            document["content"][0]["attachment"]["creation"] = "2026-13-45"
        case "bad base64":
            told["entry"][2]["resource"]["data"] = "****"
        case "unknown patient":
            set_["subject"] = document["subject"] = fhir.subject(f"NOBODY^^^&{AUTHORITY}&ISO")
        case "foreign patient":
            set_["subject"] = document["subject"] = {"reference": "http://other.example/Patient/1"}
        case "two patients":
            document["subject"] = fhir.subject(OTHER_PATIENT)
        case "unknown target":
            target = {"reference": f"DocumentReference/{uuid4()}"}
            document["relatesTo"] = [{"code": "replaces", "target": target}]
        case "unknown relation":
            document["relatesTo"] = [{"code": "loves", "target": {"reference": "x"}}]
        case "not a transaction":
            told["type"] = "batch"
        case "foreign resource":
            told["entry"].append(fhir.entry({"resourceType": "Observation"}))
        case "delete":
            told["entry"][2]["request"]["method"] = "DELETE"
        case "put document":
            told["entry"][1]["request"]["method"] = "PUT"
        case "list of nothing":
            told["entry"].append(fhir.entry({"resourceType": "List", "status": "current"}))
        case "undescribed binary":
            told["entry"].append(fhir.entry({"resourceType": "Binary", "data": "eA=="}))
        case "unexplained patch":
            patch = fhir.entry({"resourceType": "Parameters"}, method="PATCH")
            patch["request"]["url"] = f"DocumentReference/{uuid4()}"
            told["entry"].append(patch)
        case "twice":
            told["entry"].append({**told["entry"][1], "fullUrl": f"urn:uuid:{uuid4()}"})
        case _:
            raise AssertionError(path)
    return told


@pytest.mark.parametrize(
    ("path", "status", "issue", "xds"),
    [
        ("set", 422, "invalid", "XDSRepositoryMetadataError"),
        ("subject", 422, "invalid", "XDSRepositoryMetadataError"),
        ("sourceId", 422, "invalid", "XDSRepositoryMetadataError"),
        ("binary", 422, "required", "XDSMissingDocument"),
        ("content", 422, "invalid", "XDSRepositoryMetadataError"),
        ("contentType", 422, "invalid", "XDSRepositoryMetadataError"),
        ("wrong hash", 422, "invalid", "XDSRepositoryMetadataError"),
        ("wrong size", 422, "invalid", "XDSRepositoryMetadataError"),
        ("unknown code", 422, "code-invalid", "XDSRepositoryMetadataError"),
        ("bad date", 422, "invalid", "XDSRepositoryMetadataError"),
        ("bad base64", 422, "invalid", "XDSRepositoryMetadataError"),
        ("unknown patient", 422, "business-rule", "XDSUnknownPatientId"),
        ("foreign patient", 422, "invalid", "XDSUnknownPatientId"),
        ("two patients", 422, "business-rule", "XDSPatientIdDoesNotMatch"),
        ("unknown target", 422, "not-found", "UnresolvedReferenceException"),
        ("unknown relation", 422, "invalid", "XDSRepositoryMetadataError"),
        ("not a transaction", 400, "not-supported", ""),
        ("foreign resource", 400, "not-supported", ""),
        ("delete", 400, "not-supported", ""),
        ("put document", 400, "not-supported", ""),
        ("list of nothing", 422, "invalid", "XDSRepositoryMetadataError"),
        ("undescribed binary", 422, "required", "XDSMissingDocumentMetadata"),
        ("unexplained patch", 400, "not-supported", ""),
        ("twice", 422, "duplicate", "XDSRepositoryDuplicateUniqueIdInMessage"),
    ],
)
def test_a_bad_bundle_is_refused_as_a_whole(
    node: Node, client: Client, path: str, status: int, issue: str, xds: str
) -> None:
    before, head = node.stored(), node.place.facts.head()
    answer = client.post("", _without(path))
    assert answer.status_code == status, answer.text
    get_fhir_model_class("OperationOutcome").model_validate(answer.json())
    assert (fhir.issue(answer)["code"], fhir.xds_code(answer)) == (issue, xds)
    assert "NOBODY" not in answer.text
    assert node.stored() == before
    assert node.place.facts.head() == head
    assert node.incoming() == []


def test_a_set_cannot_be_sent_twice(client: Client) -> None:
    told = fhir.provide(PDF, WHO)
    assert client.post("", told).status_code == 200
    again = client.post("", told)
    assert again.status_code == 409
    assert fhir.xds_code(again) == "XDSDuplicateUniqueIdInRegistry"


def test_other_octets_under_one_unique_id_are_a_conflict(client: Client) -> None:
    told = fhir.provide(PDF, WHO)
    assert client.post("", told).status_code == 200
    other = fhir.provide(
        b"other octets", WHO, masterIdentifier=told["entry"][1]["resource"]["masterIdentifier"]
    )
    answer = client.post("", other)
    assert (answer.status_code, fhir.xds_code(answer)) == (409, "XDSNonIdenticalHash")
