"""A SOAP client nobody here wrote loads our WSDL, imports our schemas, and asks (zeep)."""

from __future__ import annotations

import httpx
import pytest
import zeep

from adapters.xds.validation import SCHEMA_NAMES
from kernel.identifiers import new_uid
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import PATIENT, REPOSITORY
from tests.support.xds_node import Node


def test_zeep_finds_and_retrieves(node: Node, client: SoapClient) -> None:
    document = xds.Document(b"found by zeep", PATIENT, title="报告")
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS
    registry = zeep.Client(f"{node.http}/xds/registry?wsdl")
    found = registry.service["DocumentRegistry_RegistryStoredQuery"](
        ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
        AdhocQuery={
            "id": "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
            "Slot": [
                {
                    "name": "$XDSDocumentEntryUniqueId",
                    "ValueList": {"Value": [f"('{document.unique_id}')"]},
                }
            ],
        },
    )
    assert found.status == xds.SUCCESS
    (entry,) = [o["ExtrinsicObject"] for o in found.RegistryObjectList["_value_1"]]
    assert entry.Name.LocalizedString[0].value == "报告"
    assert entry.mimeType == "application/pdf"

    repository = zeep.Client(f"{node.http}/xds/repository?wsdl")
    got = repository.service["DocumentRepository_RetrieveDocumentSet"](
        DocumentRequest=[
            {"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": document.unique_id},
            {"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": new_uid()},
        ]
    )
    text = str(got)
    assert "PartialSuccess" in text
    assert "XDSDocumentUniqueIdError" in text


def test_zeep_removes_a_document_and_then_its_metadata(node: Node, client: SoapClient) -> None:
    document = xds.Document(b"removed by zeep", PATIENT)
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS
    repository = zeep.Client(f"{node.http}/xds/repository?wsdl")
    gone = repository.service["DocumentRepository_RemoveDocuments"](
        DocumentRequest=[{"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": document.unique_id}]
    )
    assert gone.status == xds.SUCCESS
    (found,) = [
        e for e in xds.find_documents(client, PATIENT) if xds.unique_id(e) == document.unique_id
    ]
    registry = zeep.Client(f"{node.http}/xds/registry?wsdl")
    refused = registry.service["DocumentRegistry_DeleteDocumentSet"](
        ObjectRefList={"ObjectRef": [{"id": found.get("id")}]}
    )
    assert "ReferencesExistException" in str(refused)


@pytest.mark.parametrize("path", ["/xds/registry", "/xds/repository"])
def test_the_wsdl_names_the_address_that_was_asked(node: Node, path: str) -> None:
    answer = httpx.get(f"{node.http}{path}?WSDL")
    assert answer.headers["content-type"].startswith("text/xml")
    assert f'location="{node.http}{path}"' in answer.text
    assert f"{node.http}{path}?xsd=" in answer.text
    for name in SCHEMA_NAMES:
        assert httpx.get(f"{node.http}{path}?xsd={name}").status_code == 200


@pytest.mark.parametrize("query", ["", "?xsd=../../pyproject.toml", "?xsd=registry.wsdl", "?xsd="])
def test_nothing_else_is_served(node: Node, query: str) -> None:
    assert httpx.get(f"{node.http}/xds/registry{query}").status_code == 404
