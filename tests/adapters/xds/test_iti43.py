"""ITI-43 over the wire: what is here is handed out, what is not is told (ITI TF-2 3.43)."""

from __future__ import annotations

from adapters.xds import names
from kernel.identifiers import new_uid
from projections.audit_trail.view import AuditTrail
from registry.documents.values import AssociationType
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import PATIENT, REPOSITORY, association, entry, submission
from tests.support.xds_node import Node, provide, register, without_octets


def stored(client: SoapClient, content: bytes = b"content", *more):
    document = without_octets(entry())
    answer = provide(client, submission(document, *more), {document.entry_uuid: content})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return document


def response_status(answer) -> str:
    return answer.body.find("rs:RegistryResponse", xds.NAMES).get("status")


def test_all_some_and_none(node: Node, client: SoapClient) -> None:
    document, missing = stored(client), new_uid()
    good = xds.retrieve_answer(client, REPOSITORY, [document.unique_id])
    assert response_status(good) == names.SUCCESS
    assert good.action == f"{names.ITI_43}Response"
    some = xds.retrieve_answer(client, REPOSITORY, [missing, document.unique_id])
    assert response_status(some) == "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
    assert list(some.parts.values()) == [b"content"]
    (error,) = some.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert error.get("errorCode") == "XDSDocumentUniqueIdError"
    assert missing in error.get("codeContext")
    assert error.get("severity") == names.ERROR
    none = xds.retrieve_answer(client, REPOSITORY, [missing])
    assert response_status(none) == names.FAILURE
    assert none.parts == {}


def test_another_repository_is_unknown(node: Node, client: SoapClient) -> None:
    document = stored(client)
    answer = xds.retrieve_answer(client, "1.2.3.4", [document.unique_id])
    assert xds.errors(answer) == ["XDSUnknownRepositoryId"]


def test_a_request_for_too_many_is_a_fault(node: Node, client: SoapClient) -> None:
    answer = xds.retrieve_answer(client, REPOSITORY, ["1.2.3"] * 1001)
    assert (answer.http_status, answer.is_fault) == (413, True)


def test_a_document_that_lies_elsewhere_is_not_here(node: Node, client: SoapClient) -> None:
    document = entry(repository_unique_id="1.2.3.4")
    assert xds.status(register(client, submission(document))) == xds.SUCCESS
    answer = xds.retrieve_answer(client, REPOSITORY, [document.unique_id])
    assert xds.errors(answer) == ["XDSDocumentUniqueIdError"]


def test_a_deprecated_document_stays_retrievable(node: Node, client: SoapClient) -> None:
    old = stored(client, b"old")
    new = without_octets(entry())
    edge = association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid)
    answer = provide(client, submission(new, edge), {new.entry_uuid: b"new"})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert old.unique_id not in map(xds.unique_id, xds.find_documents(client, PATIENT))
    assert xds.retrieve(client, REPOSITORY, [old.unique_id]) == {old.unique_id: b"old"}


def test_octets_that_are_gone_are_an_error_of_that_document(node: Node, client: SoapClient) -> None:
    one, two = stored(client, b"will be lost"), stored(client, b"stays here")
    located = node.index.locate(one.entry_uuid)
    assert located is not None
    node.store.path(located.object_sha256).unlink()
    answer = xds.retrieve_answer(client, REPOSITORY, [one.unique_id, two.unique_id])
    assert xds.errors(answer) == ["XDSRepositoryError"]
    assert list(answer.parts.values()) == [b"stays here"]


def test_every_retrieval_is_recorded_before_it_goes_out(node: Node, client: SoapClient) -> None:
    document, missing = stored(client), new_uid()
    before = node.place.access.head()
    xds.retrieve_answer(client, REPOSITORY, [document.unique_id, missing])
    facts = [e.fact for e in node.place.access.read(before)]
    assert [(f.action, f.outcome, f.transaction, f.document_ids) for f in facts] == [
        ("retrieve", "success", "ITI-43", (document.unique_id,)),
        ("retrieve", "failed", "ITI-43", (missing,)),
    ]
    assert facts[0].patient_keys == (node.place.keys.key(_patient()),)
    assert AuditTrail(node.place.views) is not None


def _patient():
    from kernel.identifiers import PatientId  # noqa: PLC0415

    return PatientId.parse(PATIENT)
