"""A title is corrected: the metadata that a query gave are changed and sent back as an update.

ITI-41, ITI-18, ITI-57, ITI-92, ITI-43 (ITI TF-2 3.57, 3.92) by raw HTTP against a running node.
"""

from __future__ import annotations

import time
from uuid import uuid4

import pytest
from lxml import etree

from tests.support import mllp, xds
from tests.support.running import RunningPianku
from tests.support.soap import Answer, SoapClient

ITI57 = "urn:ihe:iti:2010:UpdateDocumentSet"
ITI92 = "urn:ihe:iti:2018:RestrictedUpdateDocumentSet"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
CONTENT = b"%PDF-1.4\n% the octets of a report\n%%EOF\n"


@pytest.fixture
def client(pianku: RunningPianku) -> SoapClient:
    return SoapClient(pianku.http)


@pytest.fixture
def patient(pianku: RunningPianku) -> str:
    number = f"UP{time.monotonic_ns()}"
    authority = pianku.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission(number, authority)))
    return f"{number}^^^&{authority}&ISO"


def send_back(
    client: SoapClient, entry: etree._Element, patient: str, action: str, previous: str = "1"
) -> Answer:
    """Send a DocumentEntry as a query gave it as the next version of itself."""
    new = f"urn:uuid:{uuid4()}"
    old, lid = entry.get("id", ""), entry.get("lid", "")
    text = etree.tostring(entry, encoding="unicode").replace(old, new)
    changed = etree.fromstring(text)
    changed.set("lid", lid)
    template = etree.fromstring(xds.submission(xds.Document(b"", patient), ""))
    body = template.find("lcm:SubmitObjectsRequest", xds.NAMES)
    assert body is not None
    listed = body.find("rim:RegistryObjectList", xds.NAMES)
    assert listed is not None
    first = listed.find("rim:ExtrinsicObject", xds.NAMES)
    assert first is not None
    listed.replace(first, changed)
    member = listed.find("rim:Association", xds.NAMES)
    assert member is not None
    member.set("targetObject", new)
    slot = etree.SubElement(member, f"{{{xds.RIM}}}Slot", name="PreviousVersion")
    values = etree.SubElement(slot, f"{{{xds.RIM}}}ValueList")
    etree.SubElement(values, f"{{{xds.RIM}}}Value").text = previous
    return client.call("/xds/registry", action, etree.tostring(body, encoding="unicode"))


def title(entry: etree._Element) -> str:
    found = entry.find("rim:Name/rim:LocalizedString", xds.NAMES)
    assert found is not None
    return str(found.get("value"))


def rename(entry: etree._Element, new: str) -> etree._Element:
    found = entry.find("rim:Name/rim:LocalizedString", xds.NAMES)
    assert found is not None
    found.set("value", new)
    return entry


@pytest.mark.tender("R-6.2.6.3", "H-2")
def test_a_title_is_corrected_twice_and_the_document_stays(
    client: SoapClient, patient: str
) -> None:
    document = xds.Document(CONTENT, patient, title="Reprot")
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS
    (first,) = xds.find_documents(client, patient)
    logical_id = first.get("id", "")

    answer = send_back(client, rename(first, "Report"), patient, ITI57)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert answer.action == f"{ITI57}Response"
    (second,) = xds.find_documents(client, patient)
    assert (title(second), second.get("lid")) == ("Report", logical_id)

    answer = send_back(client, rename(second, "检查报告"), patient, ITI92, "2")
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    (third,) = xds.find_documents(client, patient)
    assert title(third) == "检查报告"

    every = xds.objects(
        xds.stored_query(
            client,
            GET_DOCUMENTS,
            {"$XDSDocumentEntryLogicalID": f"('{logical_id}')", "$MetadataLevel": "2"},
        )
    )
    assert [title(one) for one in every] == ["Reprot", "Report", "检查报告"]
    (repository,) = xds.slot(third, "repositoryUniqueId")
    got = xds.retrieve(client, repository, [document.unique_id])
    assert got == {document.unique_id: CONTENT}


def test_who_updates_an_old_version_is_told_so(client: SoapClient, patient: str) -> None:
    document = xds.Document(CONTENT, patient, title="One")
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS
    (first,) = xds.find_documents(client, patient)
    assert xds.status(send_back(client, rename(first, "Two"), patient, ITI57)) == xds.SUCCESS
    late = send_back(client, rename(first, "Three"), patient, ITI57)
    assert xds.errors(late) == ["XDSMetadataVersionError"]
    (shown,) = xds.find_documents(client, patient)
    assert title(shown) == "Two"
