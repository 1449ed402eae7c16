"""ITI-41: the package, the metadata, the codes, and what the answers mean."""

from __future__ import annotations

import json

import pytest
from lxml import etree

import schemas
from server.demo import provide
from server.demo.documents import submissions
from server.demo.refusals import DoorRefused
from server.demo.xds_metadata import CODES, PRACTICES, TYPES, XDS, Metadata
from tests.support.front_doors import (
    AUTHORITY,
    TODAY,
    happy,
    http_server,
    parts,
    registry_response,
    target,
)


@pytest.fixture(scope="module")
def papers():
    return [draw() for draw in submissions(TODAY)]


def test_iti_41_is_an_mtom_package_with_the_documents_as_they_are(papers):
    with http_server(happy) as (port, requests):
        assert provide.provide(target(http=port), papers[0])
    [(path, headers, body)] = requests
    assert path == "/xds/repository"
    assert 'type="application/xop+xml"' in headers["Content-Type"]
    root, *documents = parts(headers, body)
    envelope = etree.fromstring(root.get_payload(decode=True))
    includes = envelope.findall(".//{http://www.w3.org/2004/08/xop/include}Include")
    cids = [part["Content-ID"].strip("<>") for part in documents]
    assert [i.get("href").removeprefix("cid:") for i in includes] == cids
    assert [p.get_payload(decode=True) for p in documents] == [
        d.content for d in papers[0].documents
    ]
    action = envelope.find(".//{http://www.w3.org/2005/08/addressing}Action")
    assert action.text == provide.ACTION


def test_all_metadata_are_valid_by_the_schema(papers):
    schema = etree.XMLSchema(etree.parse(str(schemas.path("xds/xds-b.xsd"))))
    for paper in papers:
        body, contents = Metadata(AUTHORITY).request(paper)
        for entry_id in contents:
            provide.SubElement(body, f"{{{XDS}}}Document", {"id": entry_id}).text = "eA=="
        schema.assertValid(etree.fromstring(provide.ET.tostring(body)))


def test_ids_within_all_submissions_are_unique(papers):
    ids = [
        element.get("id")
        for paper in papers
        for element in Metadata(AUTHORITY).request(paper)[0].iter()
        if element.get("id")
    ]
    assert len(set(ids)) == len(ids)


def test_all_codes_are_of_the_affinity_domain():
    types = json.loads(schemas.path("codes/affinity-domain.json").read_text("utf-8"))["types"]
    allowed = {
        name: {(c["code"], c["scheme"]) for c in kind["codes"]} for name, kind in types.items()
    }
    homes = {
        "class": "classCode",
        "class picture": "classCode",
        "type": "typeCode",
        "confidentiality": "confidentialityCode",
        "confidentiality vip": "confidentialityCode",
        "facility": "healthcareFacilityTypeCode",
        "practice": "practiceSettingCode",
    }
    for key, code in CODES.items():
        assert code[:2] in allowed[homes.get(key, "formatCode")], key
    assert {c[:2] for c in PRACTICES.values()} <= allowed["practiceSettingCode"]
    assert {c[:2] for c in TYPES.values()} <= allowed["typeCode"]
    assert CODES["type"][:2] in allowed["contentTypeCode"]


def test_a_duplicate_submission_is_no_failure(papers):
    def duplicate(*_):
        return (
            200,
            "application/soap+xml",
            registry_response("Failure", [("XDSDuplicateUniqueIdInRegistry", "2.25.1")]),
        )

    with http_server(duplicate) as (port, _):
        assert not provide.provide(target(http=port), papers[0])


def test_a_registry_error_names_code_and_context(papers):
    def unknown(*_):
        return (
            200,
            "application/soap+xml",
            registry_response("Failure", [("XDSUnknownPatientId", "not fed")]),
        )

    with (
        http_server(unknown) as (port, _),
        pytest.raises(DoorRefused, match="XDSUnknownPatientId: not fed"),
    ):
        provide.provide(target(http=port), papers[0])


def test_a_soap_fault_is_told(papers):
    fault = (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault>'
        b'<s:Reason><s:Text xml:lang="en">not today</s:Text></s:Reason></s:Fault></s:Body>'
        b"</s:Envelope>"
    )
    with (
        http_server(lambda *_: (500, "application/soap+xml", fault)) as (port, _),
        pytest.raises(DoorRefused, match="HTTP 500: not today"),
    ):
        provide.provide(target(http=port), papers[0])
