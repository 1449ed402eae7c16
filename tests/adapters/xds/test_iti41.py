"""ITI-41 over the wire: stored and registered, or neither (ITI TF-2 3.41)."""

from __future__ import annotations

from tests.adapters.xds.conftest import Node
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import PATIENT


def test_smoke(node: Node, client: SoapClient) -> None:
    document = xds.Document(b"%PDF-1.4 some octets", PATIENT)
    answer = xds.provide_and_register(client, document)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    found = xds.find_documents(client, PATIENT)
    assert document.unique_id in map(xds.unique_id, found)
    (repository,) = xds.slot(found[-1], "repositoryUniqueId")
    got = xds.retrieve(client, repository, [document.unique_id])
    assert got[document.unique_id] == document.content
