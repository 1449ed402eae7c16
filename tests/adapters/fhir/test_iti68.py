"""ITI-68 Retrieve Document (IHE MHD 2:3.68), and what an answer looks like (HL7 FHIR R4 3.1.0)."""

from __future__ import annotations

import base64
from uuid import UUID, uuid4

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from registry.documents.values import ON_DEMAND
from tests.support import fhir
from tests.support.fhir import Client
from tests.support.fhir_node import rooms
from tests.support.submissions import PATIENT, entry, submission
from tests.support.xds_node import Node
from workflows.register_on_demand import RegisterOnDemand

PDF = b"%PDF-1.4 octets \x00\xff" + bytes(range(256)) * 20
WHO = fhir.subject(PATIENT)


@pytest.fixture
def document(client: Client) -> UUID:
    answer = client.post("", fhir.provide(PDF, WHO))
    places = [e["response"]["location"] for e in answer.json()["entry"]]
    return UUID(next(p for p in places if p.startswith("DocumentReference/")).partition("/")[2])


def test_the_octets_come_in_their_own_media_type(client: Client, document: UUID) -> None:
    shown = client.get(f"/DocumentReference/{document}").json()
    url = shown["content"][0]["attachment"]["url"]
    assert url.startswith(client.base)
    got = httpx.get(url)
    assert got.content == PDF
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["content-length"] == str(len(PDF))
    again = httpx.get(url, headers={"if-none-match": got.headers["etag"]})
    assert again.status_code == 304
    head = httpx.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(PDF))


def test_a_part_is_given(client: Client, document: UUID) -> None:
    part = client.get(f"/Binary/{document}", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, PDF[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(PDF)}"
    beyond = client.get(f"/Binary/{document}", headers={"range": "bytes=999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(PDF)}"


@pytest.mark.parametrize("accept", [fhir.JSON, fhir.XML])
def test_a_binary_holds_the_octets_for_who_asks_in_fhir(
    client: Client, document: UUID, accept: str
) -> None:
    got = client.get(f"/Binary/{document}", headers={"accept": accept})
    assert got.headers["content-type"].startswith(accept)
    if accept == fhir.JSON:
        binary = get_fhir_model_class("Binary").model_validate(got.json())
        assert binary.contentType == "application/pdf"
        assert base64.b64decode(got.json()["data"]) == PDF
    else:
        assert base64.b64encode(PDF) in got.content


def test_what_cannot_be_given_is_told(client: Client, document: UUID) -> None:
    assert client.get(f"/Binary/{document}", headers={"accept": "image/png"}).status_code == 406
    assert client.get(f"/Binary/{uuid4()}").status_code == 404
    relates = [{"code": "replaces", "target": {"reference": f"DocumentReference/{document}"}}]
    assert client.post("", fhir.provide(b"new", WHO, relatesTo=relates)).status_code == 200
    gone = client.get(f"/Binary/{document}")
    assert (gone.status_code, fhir.issue(gone)["code"]) == (410, "deleted")


def test_an_on_demand_document_is_made_when_it_is_asked_for(node: Node, client: Client) -> None:
    oid = node.provide.repository_oid
    generate = rooms(node).generate
    told = entry(
        PATIENT, object_type=ON_DEMAND, hash="", size=None, creation_time="",
        mime_type=min(generate.mime_types), repository_unique_id=oid,
    )  # fmt: skip
    RegisterOnDemand(node.register, repository_oid=oid, mime_types=generate.mime_types)(
        submission(told)
    )
    shown = client.get(f"/DocumentReference/{told.entry_uuid}").json()
    get_fhir_model_class("DocumentReference").model_validate(shown)
    attachment = shown["content"][0]["attachment"]
    assert not {"hash", "size"} & attachment.keys()
    got = httpx.get(attachment["url"])
    assert got.status_code == 200, got.text
    assert got.headers["content-type"] == told.mime_type
    assert len(got.content) == int(got.headers["content-length"]) > 0
    edges = client.get(
        "/DocumentReference", patient=shown["subject"]["reference"], status="current"
    )
    snapshot = [
        one for one in fhir.resources(edges)
        if f"DocumentReference/{told.entry_uuid}" in str(one.get("relatesTo"))
    ]  # fmt: skip
    assert [one["relatesTo"][0]["code"] for one in snapshot] == ["transforms"]


def test_each_access_is_recorded_without_naming_anybody(
    node: Node, client: Client, document: UUID
) -> None:
    head = node.place.access.head()
    client.get(f"/Binary/{document}")
    client.get(
        "/DocumentReference",
        pairs=[("patient.identifier", "urn:oid:1.2.250.99.1|P-1001"), ("status", "current")],
    )
    client.get("/DocumentReference", status="current")
    client.get("/Patient", family="Secretname")
    client.get("/Patient", identifier="urn:oid:1.2.250.99.1|P-1001")
    client.post("", fhir.submission_set(WHO))
    facts = [one.fact for one in node.place.access.read(head)]
    told = [(f.transaction, f.action, f.outcome) for f in facts]
    assert told == [
        ("ITI-68", "retrieve", "success"),
        ("ITI-67", "query", "success"),
        ("ITI-67", "query", "failed"),
        ("ITI-78", "query", "success"),
        ("ITI-78", "query", "success"),
        ("ITI-65", "store", "failed"),
    ]
    assert all(len(facts[n].patient_keys) == 1 for n in (0, 1, 4))
    assert "Secretname" not in str(facts)
    assert "P-1001" not in str(facts)


def test_a_stranger_gets_an_outcome_and_nothing_else(node: Node, document: UUID) -> None:
    through_proxy = Client(
        node.http, {"x-forwarded-for": "203.0.113.7", "authorization": "Bearer no"}
    )
    for path in (f"/Binary/{document}", f"/DocumentReference/{document}", "/Patient?family=x"):
        answer = through_proxy.get(path)
        assert answer.status_code == 401, path
        assert fhir.issue(answer)["code"] == "login"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert through_proxy.get("/metadata").status_code == 200


def test_who_may_not_read_finds_and_stores_nothing(node: Node, document: UUID) -> None:
    token = node.place.token("audit_admin")
    auditor = Client(node.http, {"authorization": f"Bearer {token}"})
    answers = [
        auditor.get(f"/Binary/{document}"),
        auditor.get("/DocumentReference", patient=str(uuid4()), status="current"),
        auditor.get("/List", patient=str(uuid4()), status="current", code="folder"),
        auditor.get("/Patient", family="x"),
        auditor.get("/ImagingStudy", patient=str(uuid4())),
        auditor.get("/Patient/$ihe-pix", sourceIdentifier="urn:oid:1.2|3"),
        auditor.post("", fhir.provide(PDF, WHO)),
    ]
    assert [a.status_code for a in answers] == [403] * len(answers)
    assert {fhir.issue(a)["code"] for a in answers} == {"forbidden"}


def test_the_capability_statement_is_public_and_valid(client: Client) -> None:
    told = get_fhir_model_class("CapabilityStatement").model_validate(
        client.get("/metadata").json()
    )
    assert told.fhirVersion == "4.0.1"
    assert {one.type for one in told.rest[0].resource} == {
        "Binary", "DocumentReference", "ImagingStudy", "List", "Patient",
    }  # fmt: skip
    assert b"<CapabilityStatement" in client.get("/metadata", _format="xml").content


@pytest.mark.parametrize(
    ("accept", "told", "kind"),
    [
        ("", "", fhir.JSON),
        ("*/*", "", fhir.JSON),
        ("application/fhir+xml", "", fhir.XML),
        ("application/fhir+xml;q=0.5, application/fhir+json", "", fhir.JSON),
        ("text/xml", "", fhir.XML),
        ("application/json", "", fhir.JSON),
        ("application/fhir+json; fhirVersion=4.0", "", fhir.JSON),
        ("application/fhir+json", "xml", fhir.XML),
        ("application/fhir+xml", "application/fhir+json", fhir.JSON),
        ("image/png", "json", fhir.JSON),
    ],
)
def test_the_format_is_chosen(client: Client, accept: str, told: str, kind: str) -> None:
    pairs = [("_format", told)] if told else [("x", "")]
    answer = client.get("/metadata", pairs=pairs, headers={"accept": accept})
    assert answer.headers["content-type"].startswith(kind)


def test_what_is_no_fhir_is_refused(client: Client) -> None:
    for accept in ("image/png", "application/fhir+json; fhirVersion=3.0"):
        assert client.get("/metadata", headers={"accept": accept}).status_code == 406
    url = client.base
    kinds = {"content-type": fhir.JSON}
    assert httpx.post(url, content=b"{", headers=kinds).status_code == 400
    assert httpx.post(url, content=b"[]", headers=kinds).status_code == 400
    assert httpx.post(url, content=b"[" * 100_000, headers=kinds).status_code == 400
    assert httpx.post(url, content=b'{"resourceType": "List"}', headers=kinds).status_code == 400
    assert httpx.post(url, content=b"{}", headers={"content-type": "text/csv"}).status_code == 415
    assert httpx.post(url, content=b" " * (5 << 20), headers=kinds).status_code == 413
    hostile = (
        (
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
            b'<Bundle xmlns="http://hl7.org/fhir"><type value="&e;"/></Bundle>'
        ),
        b"<Bundle xmlns='http://hl7.org/fhir'>" + b"<entry>" * 5000,
        b"<Bundle xmlns='http://hl7.org/fhir'>"
        + b"<entry>" * 200
        + b"</entry>" * 200
        + b"</Bundle>",
        b"<Bundle/>",
    )
    for body in hostile:
        answer = httpx.post(url, content=body, headers={"content-type": fhir.XML})
        assert answer.status_code == 400
        assert b"OperationOutcome" in answer.content
    assert client.get("/Observation").status_code == 404
    deleted = httpx.delete(f"{url}/DocumentReference/{uuid4()}")
    assert (deleted.status_code, deleted.headers["allow"]) == (405, "GET")
