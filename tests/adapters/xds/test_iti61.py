"""ITI-61 and on-demand retrieval over the wire (ITI TF-2 3.61, 3.43; TF-3 4.2.2.2.6)."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import msgspec
import pytest
from lxml import etree

from adapters.xds import names
from kernel.codes import Code
from registry.documents.values import ON_DEMAND, STABLE, AssociationType, DocumentEntry
from tests.support import xds
from tests.support.removing import on_demand, register_on_demand, responses
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import AUTHORITY, REPOSITORY, association, entry, submission
from tests.support.update_client import done, failed
from tests.support.updates import metadata_update, new_version, send_update
from tests.support.xds_node import Node, provide, register, without_octets

DEPRECATED = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')"
GET_RELATED = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"


@pytest.fixture
def patient(node: Node) -> str:
    made = f"O{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    node.identify(made)
    return made


def registered(client: SoapClient, patient: str, **changes) -> DocumentEntry:
    document = on_demand(patient_id=patient, **changes)
    answer = register_on_demand(client, submission(document))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return document


def found(client: SoapClient, patient: str, *types: str, **more: str) -> set[str]:
    parameters = {f"$XDSDocumentEntry{name}": value for name, value in more.items()}
    if types:
        listed = ",".join(f"'{one}'" for one in types)
        parameters["$XDSDocumentEntryType"] = f"({listed})"
    return {xds.unique_id(e) for e in xds.find_documents(client, patient, parameters)}


def fetched(client: SoapClient, document: DocumentEntry) -> tuple[dict[str, str], bytes]:
    answer = xds.retrieve_answer(client, REPOSITORY, [document.unique_id])
    assert xds.errors(answer) == [], answer.text()
    (told,), (octets,) = responses(answer), answer.parts.values()
    return told, octets


def refused(answer: Answer, attribute: str) -> None:
    assert xds.errors(answer) == ["XDSRegistryMetadataError"], answer.text()
    assert answer.action == names.ITI_61_RESPONSE
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert attribute in error.get("codeContext")


def test_q6_only_who_asks_for_on_demand_documents_sees_them(
    client: SoapClient, patient: str
) -> None:
    document = on_demand(patient_id=patient)
    answer = register_on_demand(client, submission(document))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert answer.action == "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse"
    stable = entry(patient)
    assert xds.status(register(client, submission(stable))) == xds.SUCCESS
    assert found(client, patient) == {stable.unique_id}
    assert found(client, patient, STABLE) == {stable.unique_id}
    assert found(client, patient, ON_DEMAND) == {document.unique_id}
    assert found(client, patient, ON_DEMAND, STABLE) == {document.unique_id, stable.unique_id}
    (told,) = xds.find_documents(client, patient, {"$XDSDocumentEntryType": f"('{ON_DEMAND}')"})
    assert told.get("objectType") == ON_DEMAND
    assert [xds.slot(told, name) for name in ("hash", "size", "creationTime")] == [[], [], []]
    assert xds.slot(told, "repositoryUniqueId") == [REPOSITORY]


def test_each_transaction_refuses_the_other_type(client: SoapClient, patient: str) -> None:
    refused(register_on_demand(client, submission(entry(patient))), "objectType")
    stable_door = register(client, submission(on_demand(patient_id=patient)))
    assert xds.errors(stable_door) == ["XDSRegistryMetadataError"]
    provided = on_demand(patient_id=patient)
    answer = provide(client, submission(provided), {provided.entry_uuid: b"octets"})
    assert xds.errors(answer) == ["XDSRegistryMetadataError"]


@pytest.mark.parametrize(
    ("attribute", "changes"),
    [
        ("hash", {"hash": "a" * 40}),
        ("size", {"size": 12}),
        ("creationTime", {"creation_time": "20260101"}),
        ("legalAuthenticator", {"legal_authenticator": "^A^B"}),
        ("repositoryUniqueId", {"repository_unique_id": ""}),
        ("classCode", {"class_code": None}),
        ("mimeType", {"mime_type": "image/png"}),
    ],
)
def test_what_an_on_demand_entry_may_and_must_tell(
    client: SoapClient, patient: str, attribute: str, changes: dict[str, object]
) -> None:
    answer = register_on_demand(client, submission(on_demand(patient_id=patient, **changes)))
    refused(answer, attribute)
    assert found(client, patient, ON_DEMAND) == set()


def test_another_repository_makes_what_it_likes(client: SoapClient, patient: str) -> None:
    document = registered(
        client, patient, repository_unique_id="1.1.4567248.1.1", mime_type="text/x-other"
    )
    assert found(client, patient, ON_DEMAND) == {document.unique_id}
    answer = xds.retrieve_answer(client, "1.1.4567248.1.1", [document.unique_id])
    assert xds.errors(answer) == ["XDSUnknownRepositoryId"]


def test_r9_a_snapshot_of_another_repository(client: SoapClient, patient: str) -> None:
    document = registered(client, patient, repository_unique_id="1.1.4567248.1.1")
    snapshot = entry(patient, repository_unique_id="1.1.4567248.1.2")
    edge = association(AssociationType.IS_SNAPSHOT_OF, snapshot.entry_uuid, document.entry_uuid)
    answer = register(client, submission(snapshot, edge))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    related = xds.stored_query(client, GET_RELATED, {
        "$XDSDocumentEntryUniqueId": f"'{snapshot.unique_id}'",
        "$AssociationTypes": f"('{AssociationType.IS_SNAPSHOT_OF}')",
        "$XDSDocumentEntryType": f"('{STABLE}','{ON_DEMAND}')",
    })  # fmt: skip
    kinds = [etree.QName(thing).localname for thing in xds.objects(related)]
    assert sorted(kinds) == ["Association", "ExtrinsicObject", "ExtrinsicObject"]


def test_r9_only_on_demand_documents_have_snapshots(client: SoapClient, patient: str) -> None:
    stable, snapshot = entry(patient), entry(patient)
    assert xds.status(register(client, submission(stable))) == xds.SUCCESS
    edge = association(AssociationType.IS_SNAPSHOT_OF, snapshot.entry_uuid, stable.entry_uuid)
    answer = register(client, submission(snapshot, edge))
    assert xds.errors(answer) == ["XDSRegistryMetadataError"]


def test_the_document_is_made_when_it_is_asked_for(client: SoapClient, patient: str) -> None:
    document = registered(client, patient, language_code="en")
    told, octets = fetched(client, document)
    assert octets.decode().startswith(f"Imaging summary\nPatient: {patient}\n")
    assert "Documents: none" in octets.decode()
    assert told["RepositoryUniqueId"] == told["NewRepositoryUniqueId"] == REPOSITORY
    assert told["DocumentUniqueId"] == document.unique_id != told["NewDocumentUniqueId"]
    assert told["mimeType"] == "text/plain"


def test_it_changes_with_the_record_and_only_then(client: SoapClient, patient: str) -> None:
    document = registered(client, patient, language_code="en")
    first, before = fetched(client, document)
    assert fetched(client, document) == (first, before)
    report = without_octets(entry(patient, title="Chest CT  report"))
    answer = provide(client, submission(report), {report.entry_uuid: b"content"})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    second, after = fetched(client, document)
    assert "Chest CT report" in after.decode()
    assert report.unique_id in after.decode()
    assert second["NewDocumentUniqueId"] != first["NewDocumentUniqueId"]
    assert fetched(client, document) == (second, after)
    # What was handed out can be fetched again by its own name, and the newest one found.
    for told, octets in ((first, before), (second, after)):
        name = told["NewDocumentUniqueId"]
        assert xds.retrieve(client, REPOSITORY, [name]) == {name: octets}
    assert found(client, patient) == {report.unique_id, second["NewDocumentUniqueId"]}
    assert found(client, patient, Status=DEPRECATED) == {first["NewDocumentUniqueId"]}


def test_r9_a_snapshot_tells_of_what_it_is_one(client: SoapClient, patient: str) -> None:
    document = registered(client, patient)
    told, octets = fetched(client, document)
    (snapshot,) = xds.find_documents(client, patient)
    assert xds.unique_id(snapshot) == told["NewDocumentUniqueId"]
    assert xds.slot(snapshot, "hash") == [hashlib.sha1(octets).hexdigest()]
    assert xds.slot(snapshot, "size") == [str(len(octets))]
    assert snapshot.get("objectType") == STABLE
    related = xds.stored_query(client, GET_RELATED, {
        "$XDSDocumentEntryUniqueId": f"'{document.unique_id}'",
        "$AssociationTypes": f"('{AssociationType.IS_SNAPSHOT_OF}')",
        "$XDSDocumentEntryType": f"('{STABLE}','{ON_DEMAND}')",
    })  # fmt: skip
    (edge,) = [t for t in xds.objects(related) if t.get("associationType")]
    assert edge.get("sourceObject") == snapshot.get("id")
    assert edge.get("targetObject") == f"urn:uuid:{document.entry_uuid}"


def test_xml_is_made_for_who_registered_xml(client: SoapClient, patient: str) -> None:
    report = without_octets(entry(patient, title="<&> 报告"))
    provide(client, submission(report), {report.entry_uuid: b"content"})
    document = registered(client, patient, mime_type="text/xml")
    _, octets = fetched(client, document)
    root = etree.fromstring(octets)
    assert root.tag == "{urn:pianku:imaging-summary:1}imagingSummary"
    assert root.get("patientId") == patient
    (line,) = root
    assert (line.get("title"), line.get("uniqueId")) == ("<&> 报告", report.unique_id)


def test_text_speaks_the_language_of_its_entry(client: SoapClient, patient: str) -> None:
    _, octets = fetched(client, registered(client, patient, language_code="zh-CN"))
    assert octets.decode().startswith("影像摘要\n")


def test_an_updated_entry_is_made_as_it_now_says(client: SoapClient, patient: str) -> None:
    document = registered(client, patient, language_code="zh-CN")
    first, octets = fetched(client, document)
    assert octets.decode().startswith("影像摘要\n")
    stable = msgspec.structs.replace(new_version(document), hash="ab" * 20, size=3)
    failed(send_update(client, metadata_update(stable)), "XDSRegistryMetadataError")
    typed = msgspec.structs.replace(new_version(document), object_type=STABLE)
    failed(send_update(client, metadata_update(typed)), "XDSMetadataUpdateError")
    new = new_version(document, language_code="en-US", title="Renamed")
    done(send_update(client, metadata_update(new)))

    told, octets = fetched(client, document)
    assert not octets.decode().startswith("影像摘要")
    assert told["NewDocumentUniqueId"] != first["NewDocumentUniqueId"]
    assert found(client, patient) == {told["NewDocumentUniqueId"]}
    (current,) = xds.find_documents(client, patient, {"$XDSDocumentEntryType": f"('{ON_DEMAND}')"})
    assert current.get("id") == f"urn:uuid:{new.entry_uuid}"
    assert current.get("lid") == f"urn:uuid:{document.entry_uuid}"
    # Restricted: the same, and once more it is the latest that is made.
    more = new_version(new, language_code="zh-CN")
    done(send_update(client, metadata_update(more, previous="2"), names.ITI_92))
    assert fetched(client, document)[1].decode().startswith("影像摘要\n")


def test_a_deprecated_entry_is_made_without_a_snapshot(
    node: Node, client: SoapClient, patient: str
) -> None:
    old, new = registered(client, patient), on_demand(patient_id=patient)
    edge = association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid)
    answer = register_on_demand(client, submission(new, edge))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    told, octets = fetched(client, old)
    assert octets
    assert "NewRepositoryUniqueId" not in told
    assert told["NewDocumentUniqueId"]
    assert found(client, patient) == set()
    assert node.incoming() == []


def test_stable_and_on_demand_documents_in_one_request(client: SoapClient, patient: str) -> None:
    report = without_octets(entry(patient))
    provide(client, submission(report), {report.entry_uuid: b"content"})
    document = registered(client, patient)
    answer = xds.retrieve_answer(client, REPOSITORY, [document.unique_id, report.unique_id])
    assert xds.errors(answer) == []
    made, stored = responses(answer)
    assert made["NewDocumentUniqueId"]
    assert "NewDocumentUniqueId" not in stored


def test_an_unknown_code_is_refused_here_too(client: SoapClient, patient: str) -> None:
    wrong = on_demand(patient_id=patient, class_code=Code("NO-SUCH", "1.2.3", "?"))
    refused(register_on_demand(client, submission(wrong)), "classCode")
