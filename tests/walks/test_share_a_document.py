"""A report is shared: provided with its metadata, found by a query, fetched with equal bytes.

ITI-41 with MTOM, ITI-18, ITI-43 (ITI TF-2 3.41, 3.18, 3.43): once by raw HTTP, once by zeep.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import zeep
from lxml import etree
from zeep.transports import Transport

from tests.support import mllp, xds
from tests.support.ct import new_uid
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

PDF = (
    b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    + bytes(range(256)) * 400
)


@pytest.fixture
def client(pianku: RunningPianku) -> SoapClient:
    return SoapClient(pianku.http)


@pytest.fixture
def patient(pianku: RunningPianku) -> str:
    number = f"SH{time.monotonic_ns()}"
    authority = pianku.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission(number, authority)))
    return f"{number}^^^&{authority}&ISO"


@pytest.mark.tender("R-6.2.6.1")
@pytest.mark.tender("R-6.2.6.3")
@pytest.mark.tender("R-6.2.11")
def test_a_pdf_is_provided_found_and_retrieved_with_equal_sha1(
    pianku: RunningPianku, client: SoapClient, patient: str
) -> None:
    document = xds.Document(PDF, patient, title="检查报告 <1>")

    submitted = xds.provide_and_register(client, document)
    assert xds.status(submitted) == xds.SUCCESS, submitted.text()
    assert submitted.relates_to == submitted.message_id
    assert submitted.action == f"{xds.ITI41}Response"

    (entry,) = xds.find_documents(client, patient)
    assert xds.unique_id(entry) == document.unique_id
    assert xds.slot(entry, "hash") == [hashlib.sha1(PDF).hexdigest()]
    assert xds.slot(entry, "size") == [str(len(PDF))]
    (repository,) = xds.slot(entry, "repositoryUniqueId")
    assert repository == pianku.demo["repository_oid"]
    name = entry.find("rim:Name/rim:LocalizedString", xds.NAMES)
    assert name is not None
    assert name.get("value") == "检查报告 <1>"

    got = xds.retrieve(client, repository, [document.unique_id])
    assert hashlib.sha1(got[document.unique_id]).digest() == hashlib.sha1(PDF).digest()
    assert got[document.unique_id] == PDF


@pytest.mark.tender("R-6.2.6.2")
def test_what_may_not_be_registered_is_refused_in_the_profiles_words(
    pianku: RunningPianku, client: SoapClient, patient: str
) -> None:
    authority = pianku.demo["assigning_authority"]
    unknown = xds.Document(PDF, f"NOBODY{time.monotonic_ns()}^^^&{authority}&ISO")
    wrong_code = xds.Document(
        PDF, patient, codes={**xds.CODES, next(iter(xds.CODES)): ("NO-SUCH", "1.2.3", "?")}
    )

    assert xds.errors(xds.provide_and_register(client, unknown)) == ["XDSUnknownPatientId"]
    assert xds.errors(xds.provide_and_register(client, wrong_code)) == ["XDSRegistryMetadataError"]
    assert xds.find_documents(client, patient) == []


def test_a_submission_that_is_not_mtom_gets_an_answer_that_says_so(
    client: SoapClient, patient: str
) -> None:
    answer = xds.provide_and_register(client, xds.Document(PDF, patient), mtom=False)

    assert xds.status(answer) != xds.SUCCESS
    assert "mtom" in answer.text().lower()
    assert xds.find_documents(client, patient) == []


def test_an_unknown_document_and_an_unknown_repository_are_told_apart(
    pianku: RunningPianku, client: SoapClient
) -> None:
    ours = xds.retrieve_answer(client, pianku.demo["repository_oid"], [new_uid()])
    other = xds.retrieve_answer(client, "2.25.99", [new_uid()])

    assert xds.errors(ours) == ["XDSDocumentUniqueIdError"]
    assert xds.errors(other) == ["XDSUnknownRepositoryId"]


class _MtomReader(Transport):
    """zeep's own transport, which keeps the raw answer for the parts zeep does not decode."""

    def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> Any:
        self.last = super().post_xml(address, envelope, headers)
        return self.last


@pytest.mark.tender("R-6.2.3.1")
@pytest.mark.tender("R-6.2.6.3")
def test_zeep_finds_and_retrieves_by_our_wsdl(
    pianku: RunningPianku, client: SoapClient, patient: str
) -> None:
    document = xds.Document(PDF, patient)
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS
    transport = _MtomReader()
    registry = zeep.Client(f"{pianku.http}/xds/registry?wsdl", transport=transport)
    repository = zeep.Client(f"{pianku.http}/xds/repository?wsdl", transport=transport)

    found = registry.service["DocumentRegistry_RegistryStoredQuery"](
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={
            "id": xds.FIND_DOCUMENTS,
            "Slot": [
                {"name": "$XDSDocumentEntryPatientId", "ValueList": {"Value": [f"'{patient}'"]}},
                {"name": "$XDSDocumentEntryStatus", "ValueList": {"Value": [f"('{xds.APPROVED}')"]}},
            ],
        },
    )  # fmt: skip
    assert found.status == xds.SUCCESS
    assert document.unique_id.encode() in transport.last.content

    repository.service["DocumentRepository_RetrieveDocumentSet"](
        DocumentRequest=[{
            "RepositoryUniqueId": pianku.demo["repository_oid"],
            "DocumentUniqueId": document.unique_id,
        }]
    )  # fmt: skip
    assert PDF in transport.last.content


def test_the_wsdl_names_this_servers_address(pianku: RunningPianku) -> None:
    for path in ("/xds/registry", "/xds/repository"):
        answer = httpx.get(f"{pianku.http}{path}?wsdl")
        assert answer.status_code == 200
        assert f"{pianku.http}{path}" in answer.text
