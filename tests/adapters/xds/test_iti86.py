"""ITI-86 over the wire: documents go, their metadata stay (ITI TF-2 3.86.4.1.3)."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import msgspec
import pytest

from adapters.xds import names
from kernel.identifiers import new_uid
from registry.documents.values import DocumentEntry
from tests.support import xds
from tests.support.removing import (
    ITI86,
    RMD,
    get_all,
    on_demand,
    register_on_demand,
    remove_documents,
    remove_metadata,
)
from tests.support.soap import SoapClient
from tests.support.submissions import AUTHORITY, REPOSITORY, entry, submission
from tests.support.update_client import done
from tests.support.updates import metadata_update, new_version, send_update
from tests.support.xds_node import Node, provide, without_octets


@pytest.fixture
def patient(node: Node) -> str:
    made = f"D{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    node.identify(made)
    return made


def stored(client: SoapClient, patient: str, content: bytes, **more) -> DocumentEntry:
    document = without_octets(entry(patient, **more))
    answer = provide(client, submission(document), {document.entry_uuid: content})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return document


def test_d3_two_documents_go_and_their_metadata_stay(
    node: Node, client: SoapClient, patient: str
) -> None:
    one, two = stored(client, patient, b"one"), stored(client, patient, b"two")
    before = get_all(client, patient)
    answer = remove_documents(client, (REPOSITORY, one.unique_id), (REPOSITORY, two.unique_id))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert answer.action == f"{ITI86}Response"
    for gone in (one, two):
        fetched = xds.retrieve_answer(client, REPOSITORY, [gone.unique_id])
        assert xds.errors(fetched) == ["XDSDocumentUniqueIdError"]
    assert get_all(client, patient) == before
    (found,) = [e for e in xds.find_documents(client, patient) if xds.unique_id(e) == one.unique_id]
    assert xds.slot(found, "size") == ["3"]
    again = remove_documents(client, (REPOSITORY, one.unique_id))
    assert xds.errors(again) == ["XDSDocumentUniqueIdError"]


@pytest.mark.parametrize("namespace", [xds.XDS, RMD])
def test_d3_a_wrong_repository_and_a_wrong_id(
    client: SoapClient, patient: str, namespace: str
) -> None:
    document = stored(client, patient, b"stays")
    elsewhere = remove_documents(client, ("1.2.3.4", document.unique_id), namespace=namespace)
    assert xds.status(elsewhere) == names.FAILURE
    assert xds.errors(elsewhere) == ["XDSUnknownRepositoryId"]
    unknown = remove_documents(client, (REPOSITORY, new_uid()), namespace=namespace)
    assert xds.errors(unknown) == ["XDSDocumentUniqueIdError"]
    assert xds.retrieve(client, REPOSITORY, [document.unique_id])


def test_d3_what_can_be_removed_is_removed(client: SoapClient, patient: str) -> None:
    document, missing = stored(client, patient, b"goes"), new_uid()
    answer = remove_documents(client, (REPOSITORY, missing), (REPOSITORY, document.unique_id))
    assert xds.status(answer) == names.PARTIAL_SUCCESS
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert missing in error.get("codeContext")
    fetched = xds.retrieve_answer(client, REPOSITORY, [document.unique_id])
    assert xds.errors(fetched) == ["XDSDocumentUniqueIdError"]


def test_an_on_demand_document_has_nothing_to_remove(client: SoapClient, patient: str) -> None:
    document = on_demand(patient_id=patient)
    assert xds.status(register_on_demand(client, submission(document))) == xds.SUCCESS
    answer = remove_documents(client, (REPOSITORY, document.unique_id))
    assert xds.errors(answer) == ["XDSRemoveDocumentsError"]


def test_a_document_can_be_removed_after_its_metadata(client: SoapClient, patient: str) -> None:
    document = stored(client, patient, b"outlives its metadata")
    assert xds.status(remove_metadata(client, *get_all(client, patient))) == xds.SUCCESS
    fetched = xds.retrieve_answer(client, REPOSITORY, [document.unique_id])
    assert xds.errors(fetched) == ["XDSDocumentUniqueIdError"]
    answer = remove_documents(client, (REPOSITORY, document.unique_id))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert xds.errors(remove_documents(client, (REPOSITORY, document.unique_id)))


@pytest.mark.parametrize("remove_first", [True, False])
def test_an_update_brings_no_removed_document_back(
    client: SoapClient, patient: str, remove_first: bool
) -> None:
    content = b"stays away"
    document = stored(client, patient, content)
    described = msgspec.structs.replace(
        document,
        repository_unique_id=REPOSITORY,
        hash=hashlib.sha1(content).hexdigest(),
        size=len(content),
    )
    gone = (REPOSITORY, document.unique_id)
    if remove_first:
        assert xds.status(remove_documents(client, gone)) == xds.SUCCESS
    done(send_update(client, metadata_update(new_version(described, title="Corrected"))))
    if not remove_first:
        assert xds.retrieve(client, REPOSITORY, [document.unique_id])
        assert xds.status(remove_documents(client, gone)) == xds.SUCCESS
    fetched = xds.retrieve_answer(client, REPOSITORY, [document.unique_id])
    assert xds.errors(fetched) == ["XDSDocumentUniqueIdError"]
    assert xds.errors(remove_documents(client, gone)) == ["XDSDocumentUniqueIdError"]


def test_a_removed_document_may_be_provided_again(client: SoapClient, patient: str) -> None:
    document = stored(client, patient, b"comes back")
    assert xds.status(remove_documents(client, (REPOSITORY, document.unique_id))) == xds.SUCCESS
    stored(client, patient, b"comes back", unique_id=document.unique_id)
    assert xds.retrieve(client, REPOSITORY, [document.unique_id]) == {
        document.unique_id: b"comes back"
    }


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<x/>",
        f'<x:DocumentRequest xmlns:x="{xds.XDS}"/>',
        (
            f'<x:DocumentRequest xmlns:x="{xds.XDS}"><x:RepositoryUniqueId>1.2</x:RepositoryUniqueId>'
            "</x:DocumentRequest>"
        ),
    ],
)
def test_what_is_no_request_is_a_fault(client: SoapClient, inside: str) -> None:
    body = f'<RemoveDocumentsRequest xmlns="{RMD}">{inside}</RemoveDocumentsRequest>'
    answer = client.call("/xds/repository", ITI86, body)
    assert answer.is_fault
