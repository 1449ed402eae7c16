"""ITI-65 Provide Document Bundle and ITI-105 Simplified Publish (IHE MHD 2:3.65, 2:3.105)."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class
from lxml import etree

from registry.documents.values import AssociationType, DocumentEntry, Status
from tests.support import fhir
from tests.support.fhir import Client
from tests.support.submissions import AUTHORITY, PATIENT
from tests.support.xds_node import Node

PDF = b"%PDF-1.4 a report \x00\xff"
WHO = fhir.subject(PATIENT)


def location(answer: Any, kind: str) -> UUID:
    """Return the id of the first thing of a kind that a transaction made."""
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["type"] == "transaction-response"
    places = [e["response"].get("location", "") for e in found["entry"]]
    return UUID(next(p for p in places if p.startswith(f"{kind}/")).partition("/")[2])


def entry_of(node: Node, uuid: UUID) -> DocumentEntry:
    with node.index.reading() as look:
        (row,) = look.documents(entry_uuids=[uuid])
    return row.entry()


@pytest.mark.parametrize("as_xml", [False, True], ids=["json", "xml"])
def test_a_comprehensive_bundle_becomes_a_document_entry(
    node: Node, client: Client, as_xml: bool
) -> None:
    told = fhir.provide(PDF, WHO)
    answer = client.post_xml("", told) if as_xml else client.post("", told)
    if as_xml:
        assert b"transaction-response" in answer.content
        assert answer.headers["content-type"].startswith(fhir.XML)
        answer = client.get(
            "/DocumentReference",
            identifier=told["entry"][1]["resource"]["masterIdentifier"]["value"],
        )
        uuid = UUID(fhir.resources(answer)[0]["id"])
    else:
        assert [e["response"]["status"] for e in answer.json()["entry"]] == ["201 Created"] * 3
        uuid = location(answer, "DocumentReference")
    entry = entry_of(node, uuid)

    assert f"urn:oid:{entry.unique_id}" == told["entry"][1]["resource"]["masterIdentifier"]["value"]
    assert entry.patient_id == PATIENT
    assert entry.hash == hashlib.sha1(PDF).hexdigest()
    assert entry.size == len(PDF)
    assert (entry.title, entry.comments) == ("检查报告 <1>", "a comment")
    assert str(entry.type_code) == "18748-4^^2.16.840.1.113883.6.1"
    assert str(entry.class_code) == "REPORTS^^1.3.6.1.4.1.19376.1.2.6.1"
    assert str(entry.format_code) == "urn:ihe:iti:xds-sd:pdf:2008^^1.3.6.1.4.1.19376.1.2.3"
    assert str(entry.confidentiality_codes[0]) == "N^^2.16.840.1.113883.5.25"
    assert entry.authors[0].person == "^Example^Ada^Maria"
    assert entry.creation_time == "20260102030405"
    assert (entry.service_start_time, entry.service_stop_time) == ("20260101000000", "20260102")
    assert entry.language_code == "zh-CN"
    assert entry.source_patient_id == PATIENT
    assert "PID-5|Test^Patient" in entry.source_patient_info
    assert "PID-7|19700201" in entry.source_patient_info
    assert entry.reference_ids == (f"ACC-77^^^&{AUTHORITY}&ISO^urn:ihe:iti:xds:2013:accession",)


def test_the_answer_and_what_it_names_are_resources_of_r4(client: Client) -> None:
    told = fhir.provide(PDF, WHO)
    told["entry"].append(fhir.entry(fhir.folder(WHO, told["entry"][1]["fullUrl"])))
    get_fhir_model_class("Bundle").model_validate(told)
    answer = client.post("", told)
    get_fhir_model_class("Bundle").model_validate(answer.json())
    for one in answer.json()["entry"]:
        place = one["response"]["location"]
        accept = {"accept": fhir.JSON}
        read = client.get(f"/{place}", headers=accept)
        assert read.status_code == 200, read.text
        kind = place.partition("/")[0]
        assert get_fhir_model_class(kind).model_validate(read.json()).id == place.partition("/")[2]


def test_minimal_metadata_are_completed_by_the_null_flavour(node: Node, client: Client) -> None:
    told = fhir.provide(PDF, WHO, minimal=True)
    del told["entry"][0]["resource"]["extension"][1]
    entry = entry_of(node, location(client.post("", told), "DocumentReference"))

    for code in (entry.class_code, entry.type_code, entry.format_code):
        assert code is not None
        assert str(code) == "UNK^^2.16.840.1.113883.5.1008"
    assert entry.source_patient_id == PATIENT
    assert entry.language_code == "und"
    assert len(entry.creation_time) == 14


def test_a_reference_to_our_patient_is_a_subject(node: Node, client: Client) -> None:
    told = fhir.provide(PDF, WHO)
    found = fhir.resources(client.get("/Patient", identifier=f"urn:oid:{AUTHORITY}|P-1001"))
    reference = {"reference": f"Patient/{found[0]['id']}"}
    for one in told["entry"][:2]:
        one["resource"]["subject"] = reference
    assert (
        entry_of(node, location(client.post("", told), "DocumentReference")).patient_id == PATIENT
    )


def test_a_patient_in_the_bundle_is_a_subject(node: Node, client: Client) -> None:
    who = f"urn:uuid:{uuid4()}"
    patient = {
        "resourceType": "Patient",
        "identifier": [
            {"system": "http://example.org/mrn", "value": "7"},
            {"system": f"urn:oid:{AUTHORITY}", "value": "P-1001"},
        ],
    }
    told = fhir.provide(PDF, {"reference": who}, fhir.entry(patient, who))
    answer = client.post("", told)
    assert entry_of(node, location(answer, "DocumentReference")).patient_id == PATIENT
    assert answer.json()["entry"][3]["response"]["status"] == "200 OK"


def test_references_are_conditional_or_relative_to_the_full_url(node: Node, client: Client) -> None:
    told = fhir.provide(PDF, {"reference": f"Patient?identifier=urn:oid:{AUTHORITY}|P-1001"})
    set_, document, binary = told["entry"]
    document["fullUrl"] = "http://source.example/fhir/DocumentReference/7"
    set_["resource"]["entry"][0]["item"]["reference"] = "DocumentReference/7"
    binary["fullUrl"] = "http://source.example/fhir/Binary/8"
    document["resource"]["content"][0]["attachment"]["url"] = "Binary/8"
    uuid = location(client.post("", told), "DocumentReference")
    assert entry_of(node, uuid).patient_id == PATIENT


def test_authors_outside_of_the_resource_are_found(node: Node, client: Client) -> None:
    told = fhir.provide(
        PDF, WHO, author=[{"reference": "#r"}, {"display": "Dr. Nobody ^&"}],
        contained=[
            {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#p"},
             "organization": {"reference": "#o"}, "code": [{"text": "radiologist"}],
             "telecom": [{"system": "email", "value": "a@example.org"}]},
            {"resourceType": "Practitioner", "id": "p",
             "identifier": [{"system": "urn:oid:1.2.3", "value": "77"}],
             "name": [{"family": "王", "given": ["芳"], "prefix": ["Dr"]}]},
            {"resourceType": "Organization", "id": "o", "name": "General",
             "identifier": [{"system": "urn:oid:1.2.4", "value": "H1"}]},
        ],
    )  # fmt: skip
    told["entry"][1]["resource"]["context"].pop("sourcePatientInfo")
    entry = entry_of(node, location(client.post("", told), "DocumentReference"))
    first, second = entry.authors
    assert first.person == "77^王^芳^^^Dr^^^&1.2.3&ISO"
    assert first.institutions == ("General^^^^^&1.2.4&ISO^^^^H1",)
    assert first.roles == ("radiologist",)
    assert first.telecommunications == ("^^Internet^a@example.org",)
    assert second.person == "^Dr. Nobody"

    read = client.get(f"/DocumentReference/{entry.entry_uuid}").json()
    get_fhir_model_class("DocumentReference").model_validate(read)
    kinds = sorted(one["resourceType"] for one in read["contained"])
    assert kinds == ["Organization", "Patient", "Practitioner", "Practitioner", "PractitionerRole"]


def test_replacing_deprecates_and_shows_as_relates_to(node: Node, client: Client) -> None:
    old = location(client.post("", fhir.provide(PDF, WHO)), "DocumentReference")
    told = fhir.provide(
        b"the second version", WHO,
        relatesTo=[{"code": "replaces", "target": {"reference": f"DocumentReference/{old}"}}],
    )  # fmt: skip
    status = {"name": "operation", "part": [{"name": "type", "valueCode": "replace"}]}
    told["entry"].append({
        "fullUrl": f"{client.base}/DocumentReference/{old}",
        "resource": {"resourceType": "Parameters", "parameter": [status]},
        "request": {"method": "PATCH", "url": f"DocumentReference/{old}"},
    })  # fmt: skip
    answer = client.post("", told)
    new = location(answer, "DocumentReference")
    assert answer.json()["entry"][3]["response"]["status"] == "200 OK"
    assert entry_of(node, old).availability_status is Status.DEPRECATED

    read = client.get(f"/DocumentReference/{new}").json()
    (relation,) = read["relatesTo"]
    assert relation["code"] == "replaces"
    assert relation["target"]["reference"] == f"DocumentReference/{old}"
    assert client.get(f"/DocumentReference/{old}").json()["status"] == "superseded"


def test_a_target_may_be_named_by_its_master_identifier(node: Node, client: Client) -> None:
    first = fhir.provide(PDF, WHO)
    old = location(client.post("", first), "DocumentReference")
    name = first["entry"][1]["resource"]["masterIdentifier"]
    told = fhir.provide(
        b"more", WHO, relatesTo=[{"code": "appends", "target": {"identifier": name}}]
    )
    new = location(client.post("", told), "DocumentReference")
    with node.index.reading() as look:
        (row,) = [r for r in look.associations(sources=[new]) if r.type == AssociationType.APND]
    assert row.target == old


def test_folders_are_made_and_extended(node: Node, client: Client) -> None:
    told = fhir.provide(PDF, WHO)
    told["entry"].append(fhir.entry(fhir.folder(WHO, told["entry"][1]["fullUrl"])))
    answer = client.post("", told)
    first = location(answer, "DocumentReference")
    folder = UUID(answer.json()["entry"][3]["response"]["location"].partition("/")[2])
    listed = client.get(f"/List/{folder}").json()
    assert [e["item"]["reference"] for e in listed["entry"]] == [f"DocumentReference/{first}"]

    more = fhir.provide(b"another", WHO)
    extended = fhir.entry(fhir.folder(WHO, more["entry"][1]["fullUrl"]), method="PUT")
    extended["request"]["url"] = f"List/{folder}"
    more["entry"].append(extended)
    answer = client.post("", more)
    second = location(answer, "DocumentReference")
    assert answer.json()["entry"][3]["response"]["status"] == "200 OK"
    listed = client.get(f"/List/{folder}").json()
    held = {e["item"]["reference"] for e in listed["entry"]}
    assert held == {f"DocumentReference/{first}", f"DocumentReference/{second}"}


@pytest.mark.parametrize("as_xml", [False, True], ids=["json", "xml"])
def test_a_fhir_document_is_kept_as_it_came(client: Client, as_xml: bool) -> None:
    inner = f"urn:uuid:{uuid4()}"
    told = fhir.provide(PDF, WHO)
    composition = {"resourceType": "Composition", "title": "x", "status": "DECIMAL"}
    document = {
        "resourceType": "Bundle", "type": "document", "entry": [{"resource": composition}],
    }  # fmt: skip
    told["entry"][2] = fhir.entry(document, inner)
    attachment = told["entry"][1]["resource"]["content"][0]["attachment"]
    attachment |= {"url": inner, "contentType": "application/fhir+json"}
    del attachment["hash"], attachment["size"]
    if as_xml:
        # A narrative is XHTML, which a reader that knows only primitives would lose.
        narrative = b'<f:text><div xmlns="http://www.w3.org/1999/xhtml"><b>hurt</b></div></f:text>'
        body = fhir.to_xml(told).replace(b'<f:status value="DECIMAL"/>', narrative)
    else:
        narrative = b"1.10"
        body = json.dumps(told).encode().replace(b'"DECIMAL"', narrative)
    kind = fhir.XML if as_xml else fhir.JSON
    answer = httpx.post(
        client.base, content=body, headers={"content-type": kind, "accept": fhir.JSON}
    )
    uuid = location(answer, "DocumentReference")
    got = client.get(f"/Binary/{uuid}")
    assert got.headers["content-type"] == kind
    if as_xml:
        assert b"<b>hurt</b>" in got.content
        assert etree.fromstring(got.content).tag == f"{{{fhir.NS}}}Bundle"
    else:
        assert narrative in got.content
        assert got.json()["type"] == "document"


@pytest.mark.parametrize("form", ["raw", "base64 of hex", "hex"])
def test_the_hash_is_taken_in_each_form_in_use(client: Client, form: str) -> None:
    digest = hashlib.sha1(PDF)
    told = fhir.provide(PDF, WHO)
    told["entry"][1]["resource"]["content"][0]["attachment"]["hash"] = {
        "raw": base64.b64encode(digest.digest()).decode(),
        "base64 of hex": base64.b64encode(digest.hexdigest().encode()).decode(),
        "hex": digest.hexdigest(),
    }[form]
    assert client.post("", told).status_code == 200


@pytest.mark.parametrize("as_xml", [False, True], ids=["json", "xml"])
def test_simplified_publish_makes_a_submission_of_one_document(
    node: Node, client: Client, as_xml: bool
) -> None:
    told = fhir.document_reference(PDF, WHO, "")
    attachment = told["content"][0]["attachment"]
    del attachment["url"]
    attachment["data"] = base64.b64encode(PDF).decode()
    post = client.post_xml if as_xml else client.post
    answer = post("/DocumentReference", told)
    assert answer.status_code == 201, answer.text
    uuid = UUID(answer.headers["location"].rpartition("/")[2])
    if not as_xml:
        created = answer.json()
        get_fhir_model_class("DocumentReference").model_validate(created)
        assert created["masterIdentifier"]["value"] == told["masterIdentifier"]["value"]
        assert "data" not in created["content"][0]["attachment"]
    assert client.get(f"/Binary/{uuid}").content == PDF
    with node.index.reading() as look:
        (held,) = look.associations(targets=[uuid])
        (whole,) = look.submission_sets(entry_uuids=[held.source])
    assert str(whole.submission_set().content_type_code) == "18748-4^^2.16.840.1.113883.6.1"


def test_simplified_publish_without_its_document_is_refused(client: Client) -> None:
    told = fhir.document_reference(PDF, WHO, "http://example.org/doc.pdf")
    answer = client.post("/DocumentReference", told)
    assert (answer.status_code, fhir.xds_code(answer)) == (422, "XDSMissingDocument")
    list_ = client.post("/DocumentReference", fhir.submission_set(WHO))
    assert list_.status_code == 400
