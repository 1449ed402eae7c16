"""ITI-18 over the wire: what the conformance tables leave out (ITI TF-2 3.18)."""

from __future__ import annotations

from adapters.xds import names
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import AUTHORITY, entry, submission
from tests.support.xds_node import MAX_RESULTS, Node, register


def test_too_many_leaves_are_refused_and_as_many_references_given(
    node: Node, client: SoapClient
) -> None:
    patient = f"MANY^^^&{AUTHORITY}&ISO"
    node.identify(patient)
    answer = register(client, submission(*(entry(patient) for _ in range(MAX_RESULTS + 1))))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    parameters = {
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
    }
    leaves = xds.stored_query(client, xds.FIND_DOCUMENTS, parameters)
    assert xds.errors(leaves) == ["XDSTooManyResults"]
    assert xds.objects(leaves) == []
    references = xds.stored_query(client, xds.FIND_DOCUMENTS, parameters, return_type="ObjectRef")
    assert len(xds.objects(references)) == MAX_RESULTS + 1


def test_what_was_acknowledged_is_found_at_once(node: Node, client: SoapClient) -> None:
    patient = f"NOW^^^&{AUTHORITY}&ISO"
    node.identify(patient)
    for count in range(1, 11):
        assert xds.status(register(client, submission(entry(patient)))) == xds.SUCCESS
        other = SoapClient(node.http)
        assert len(xds.find_documents(other, patient)) == count
        other.close()


def test_a_query_is_recorded_with_its_id_and_its_patient(node: Node, client: SoapClient) -> None:
    patient = f"SEEN^^^&{AUTHORITY}&ISO"
    node.identify(patient)
    register(client, submission(entry(patient)))
    before = node.place.access.head()
    answer = xds.stored_query(
        client, xds.FIND_DOCUMENTS,
        {
            "$XDSDocumentEntryPatientId": f"'{patient}'",
            "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
        },
    )  # fmt: skip
    assert answer.action == f"{names.ITI_18}Response"
    (event,) = node.place.access.read(before)
    assert (event.fact.action, event.fact.outcome, event.fact.count) == ("query", "success", 1)
    assert event.fact.detail == xds.FIND_DOCUMENTS
    assert len(event.fact.patient_keys) == 1
    xds.stored_query(client, "urn:uuid:0", {})
    (failed,) = node.place.access.read(event.position)
    assert (failed.fact.outcome, failed.fact.detail) == ("failed", "urn:uuid:0 query_unknown")


def test_another_return_type_is_refused(node: Node, client: SoapClient) -> None:
    answer = xds.stored_query(client, xds.FIND_DOCUMENTS, {}, return_type="RegistryObject")
    assert xds.errors(answer) == ["XDSRegistryError"]
