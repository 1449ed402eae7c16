"""ITI-41 and RAD-68 over the wire: stored and registered, or neither (ITI TF-2 3.41)."""

from __future__ import annotations

import base64
import hashlib
from uuid import uuid4

import msgspec
import pytest

from kernel.codes import Code
from registry.documents.events import SubmissionAccepted
from repository.objects.events import ObjectStored
from tests.support import xds
from tests.support.manifests import foreign_kos
from tests.support.soap import SoapClient
from tests.support.submissions import (
    DCM,
    OTHER_PATIENT,
    PATIENT,
    REPOSITORY,
    entry,
    submission,
    submission_set,
)
from tests.support.xds_node import Node, provide, provide_body, without_octets


def count(node: Node, kind: type) -> int:
    return len(node.place.facts.read(0, 100_000, [kind.TOPIC]))


def sent(**changes: object):
    return without_octets(entry(**changes))


def test_provided_found_and_retrieved_with_equal_octets(node: Node, client: SoapClient) -> None:
    content = b"%PDF-1.4 some octets\r\n--b" + bytes(range(256)) * 2000
    document = xds.Document(content, PATIENT)
    answer = xds.provide_and_register(client, document)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert answer.relates_to == answer.message_id
    (found,) = [
        e for e in xds.find_documents(client, PATIENT) if xds.unique_id(e) == document.unique_id
    ]
    assert xds.slot(found, "hash") == [hashlib.sha1(content).hexdigest()]
    assert xds.slot(found, "size") == [str(len(content))]
    assert xds.slot(found, "repositoryUniqueId") == [REPOSITORY]
    assert xds.retrieve(client, REPOSITORY, [document.unique_id]) == {document.unique_id: content}
    assert node.incoming() == []


def test_a_submission_is_one_append_with_its_object(node: Node, client: SoapClient) -> None:
    before = node.place.facts.head()
    document = sent()
    assert xds.status(provide(client, submission(document), {document.entry_uuid: b"abc"}))
    topics = [e.topic.partition(":")[0] for e in node.place.facts.read(before)]
    assert topics == [
        "object.stored", "submission.accepted", "document.registered", "association.asserted"
    ]  # fmt: skip
    (accepted,) = [
        e for e in node.place.facts.read(before) if isinstance(e.fact, SubmissionAccepted)
    ]
    assert accepted.envelope.subject == "loopback"
    assert accepted.envelope.protocol == "iti-41"
    assert accepted.envelope.source == "1.2.250.99.3"


def test_several_documents_of_any_type_in_one_submission(node: Node, client: SoapClient) -> None:
    one, two, three = sent(), sent(mime_type="text/goofy"), sent()
    contents = {one.entry_uuid: b"1" * 700_000, two.entry_uuid: b"", three.entry_uuid: b"3"}
    answer = provide(client, submission(one, two, three), contents)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    got = xds.retrieve_answer(client, REPOSITORY, [d.unique_id for d in (one, two, three)])
    types = [e.text for e in got.body.iterfind(".//xds:mimeType", xds.NAMES)]
    assert types == ["application/pdf", "text/goofy", "application/pdf"]
    assert [len(p) for p in got.parts.values()] == [700_000, 0, 1]


def test_rad68_files_a_manifest_with_its_references(node: Node, client: SoapClient) -> None:
    study = "1.2.826.0.1.3680043.8.498.7"
    manifest = sent(
        mime_type="application/dicom",
        format_code=Code("1.2.840.10008.5.1.4.1.1.88.59", DCM, "Key Object Selection"),
        class_code=Code("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images"),
        event_codes=(
            Code("CT", DCM, "Computed Tomography"),
            Code("51185008", "2.16.840.1.113883.6.96"),
        ),
        reference_ids=(f"{study}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",),
        service_start_time="202601020900",
    )
    kos = foreign_kos(study, {f"{study}.1": [f"{study}.1.1"]}, sop_uid=manifest.unique_id)
    assert (
        xds.status(provide(client, submission(manifest), {manifest.entry_uuid: kos})) == xds.SUCCESS
    )
    answer = xds.stored_query(
        client, xds.FIND_BY_REFERENCE,
        {
            "$XDSDocumentEntryPatientId": f"'{PATIENT}'",
            "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
            "$XDSDocumentEntryReferenceIdList": f"('{manifest.reference_ids[0]}')",
            "$XDSDocumentEntryEventCodeList": f"('CT^^{DCM}')",
        },
    )  # fmt: skip
    assert [xds.unique_id(e) for e in xds.objects(answer)] == [manifest.unique_id]
    assert xds.retrieve(client, REPOSITORY, [manifest.unique_id])[manifest.unique_id] == kos


def test_inline_base64_inside_the_package(node: Node, client: SoapClient) -> None:
    content = b"inline \x00\xff octets"
    inline = base64.encodebytes(content).decode()
    document = xds.Document(content, PATIENT)
    answer = client.call("/xds/repository", xds.ITI41, xds.submission(document, inline), mtom=True)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert xds.retrieve(client, REPOSITORY, [document.unique_id])[document.unique_id] == content


def test_given_hash_and_size_are_checked_in_either_case(node: Node, client: SoapClient) -> None:
    content = b"checked"
    right = msgspec.structs.replace(
        sent(), hash=hashlib.sha1(content).hexdigest().upper(), size=len(content)
    )
    answer = provide(client, submission(right), {right.entry_uuid: content})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    for wrong in ({"hash": "0" * 40}, {"size": 3}):
        document = msgspec.structs.replace(sent(), **wrong)
        before = node.place.facts.head(), node.stored()
        answer = provide(client, submission(document), {document.entry_uuid: content})
        assert xds.errors(answer) == ["XDSRepositoryMetadataError"]
        assert next(iter(wrong)) in answer.text()
        assert (node.place.facts.head(), node.stored()) == before


def test_a_document_without_octets_or_without_metadata(node: Node, client: SoapClient) -> None:
    one, two = sent(), sent()
    before = node.place.facts.head(), node.stored()
    answer = provide(client, submission(one, two), {one.entry_uuid: b"1"})
    assert xds.errors(answer) == ["XDSMissingDocument"]
    answer = provide(client, submission(one), {one.entry_uuid: b"1", uuid4(): b"2"})
    assert xds.errors(answer) == ["XDSMissingDocumentMetadata"]
    answer = client.call(
        "/xds/repository", xds.ITI41,
        provide_body(submission(one), f'<xds:Document id="urn:uuid:{one.entry_uuid}"/>'), mtom=True,
    )  # fmt: skip
    assert xds.errors(answer) == ["XDSMissingDocument"]
    assert (node.place.facts.head(), node.stored()) == before
    assert node.incoming() == []


def test_registry_errors_come_back_and_nothing_is_kept(node: Node, client: SoapClient) -> None:
    document = sent()
    before = node.place.facts.head(), node.stored()
    other = submission(document, whole=submission_set(OTHER_PATIENT))
    answer = provide(client, other, {document.entry_uuid: b"never kept"})
    assert xds.errors(answer) == ["XDSPatientIdDoesNotMatch"]
    assert answer.http_status == 200
    assert (node.place.facts.head(), node.stored()) == before
    assert node.incoming() == []


def test_sent_again_with_the_same_octets_and_with_others(node: Node, client: SoapClient) -> None:
    first = sent()
    assert (
        xds.status(provide(client, submission(first), {first.entry_uuid: b"same"})) == xds.SUCCESS
    )
    again = sent(unique_id=first.unique_id)
    stored = count(node, ObjectStored)
    assert (
        xds.status(provide(client, submission(again), {again.entry_uuid: b"same"})) == xds.SUCCESS
    )
    assert count(node, ObjectStored) >= stored
    other = sent(unique_id=first.unique_id)
    answer = provide(client, submission(other), {other.entry_uuid: b"different"})
    assert xds.errors(answer) == ["XDSNonIdenticalHash"]


def test_not_mtom_gets_a_fault_that_names_mtom(node: Node, client: SoapClient) -> None:
    document = xds.Document(b"x", PATIENT)
    answer = client.call("/xds/repository", xds.ITI41, xds.submission(document, "eA=="))
    assert answer.is_fault
    assert "MTOM" in answer.text()


@pytest.mark.parametrize("round_", range(2))
def test_a_large_document_streams_through(node: Node, client: SoapClient, round_: int) -> None:
    content = bytes([round_]) * (3 << 20) + b"end"
    document = xds.Document(content, PATIENT)
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS
    assert xds.retrieve(client, REPOSITORY, [document.unique_id])[document.unique_id] == content
