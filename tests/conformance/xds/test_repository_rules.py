"""Sections 4 and 5: ITI-41 (P1 to P5) and ITI-43 (G1 to G3), by another product's messages.

ITI TF-2 3.41.4.1.3, 3.43.4.2. Each test bears the row it proves.
"""

from __future__ import annotations

import hashlib

import pytest
from lxml import etree

from adapters.xds import names
from adapters.xds.validation import validate
from kernel.identifiers import new_uid
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import IHE, Element
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import OTHER_PATIENT, REPOSITORY
from tests.support.xds_node import Node

PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"


def one(patient: str, *, slots: dict[str, str] | None = None, **more: object) -> Element:
    return foreign.one_document(patient, octets_elsewhere=False, slots=slots or {}, **more)


def untouched(node: Node) -> tuple[int, list[str]]:
    return node.place.facts.head(), node.stored()


def status_of(answer: Answer) -> str:
    found = answer.body.find("rs:RegistryResponse", xds.NAMES)
    assert found is not None
    return str(found.get("status"))


def test_p1_a_document_that_was_not_sent(node: Node, client: SoapClient, patient: str) -> None:
    # T:11983.
    before = untouched(node)
    answer = foreign.provide(client, one(patient), {})
    assert xds.errors(answer) == ["XDSMissingDocument"]
    assert untouched(node) == before


def test_p1_a_document_nobody_describes(node: Node, client: SoapClient, patient: str) -> None:
    before = untouched(node)
    answer = foreign.provide(client, one(patient), {"Document01": b"four", "Document02": b"more"})
    assert xds.errors(answer) == ["XDSMissingDocumentMetadata"]
    assert untouched(node) == before


@pytest.mark.parametrize("slots", [{"hash": "0" * 40}, {"size": "5"}])
def test_p2_a_wrong_hash_or_size(
    node: Node, client: SoapClient, patient: str, slots: dict[str, str]
) -> None:
    # T:11981, T:12369.
    before = untouched(node)
    answer = foreign.provide(client, one(patient, slots=slots), {"Document01": b"four"})
    assert xds.errors(answer) == ["XDSRepositoryMetadataError"]
    assert untouched(node) == before


@pytest.mark.parametrize("slots", [{}, {"hash": foreign.HASH.upper(), "size": "4"}])
def test_p2_hash_size_and_repository_are_the_repositorys(
    client: SoapClient, patient: str, slots: dict[str, str]
) -> None:
    answer = foreign.provide(client, one(patient, slots=slots), {"Document01": b"four"})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    (found,) = foreign.documents_of(client, patient)
    assert xds.slot(found, "hash") == [foreign.HASH]
    assert xds.slot(found, "size") == ["4"]
    assert xds.slot(found, "repositoryUniqueId") == [REPOSITORY]


def test_p2_line_ends_and_nulls_count_as_they_are(client: SoapClient, patient: str) -> None:
    content, unique_id = b"\r\n--\n\x00\xff\r\n", new_uid()
    answer = foreign.provide(client, one(patient, unique_id=unique_id), {"Document01": content})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    (found,) = foreign.documents_of(client, patient)
    assert xds.slot(found, "hash") == [hashlib.sha1(content).hexdigest()]
    assert xds.retrieve(client, REPOSITORY, [unique_id]) == {unique_id: content}


def test_p3_the_registrys_errors_come_back(node: Node, client: SoapClient, patient: str) -> None:
    # T:11986.
    submit = foreign.request(
        foreign.document(OTHER_PATIENT, octets_elsewhere=False),
        foreign.submission_set(patient),
        foreign.member("Document01"),
    )
    before = untouched(node)
    answer = foreign.provide(client, submit, {"Document01": b"four"})
    assert xds.errors(answer) == ["XDSPatientIdDoesNotMatch"]
    assert untouched(node) == before


@pytest.mark.tender("R-6.2.3.3")
def test_p4_any_mime_type_comes_back_as_it_was(client: SoapClient, patient: str) -> None:
    # T:12360.
    unique_id = new_uid()
    submit = one(patient, unique_id=unique_id)
    foreign.find(submit, "ExtrinsicObject").set("mimeType", "text/goofy")
    assert xds.errors(foreign.provide(client, submit, {"Document01": b"x"})) == []
    answer = xds.retrieve_answer(client, REPOSITORY, [unique_id])
    assert answer.body.findtext(".//xds:mimeType", "", xds.NAMES) == "text/goofy"


def test_p5_the_same_octets_again_and_others(client: SoapClient, patient: str) -> None:
    unique_id = new_uid()
    codes = [
        xds.errors(
            foreign.provide(client, one(patient, unique_id=unique_id), {"Document01": octets})
        )
        for octets in (b"four", b"four", b"five")
    ]
    assert codes == [[], [], ["XDSNonIdenticalHash"]]
    assert len(foreign.documents_of(client, patient)) == 2


def test_r4_two_documents_of_one_id_in_a_provide(client: SoapClient, patient: str) -> None:
    submit = foreign.request(
        *(foreign.document(patient, f"D{n}", octets_elsewhere=False, unique_id="1.2.3") for n in "12"),
        foreign.submission_set(patient), foreign.member("D1"), foreign.member("D2"),
    )  # fmt: skip
    answer = foreign.provide(client, submit, {"D1": b"1", "D2": b"2"})
    assert xds.errors(answer) == ["XDSRepositoryDuplicateUniqueIdInMessage"]


def stored(client: SoapClient, patient: str, content: bytes = b"four") -> str:
    unique_id = new_uid()
    answer = foreign.provide(client, one(patient, unique_id=unique_id), {"Document01": content})
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return unique_id


@pytest.mark.tender("R-6.2.11")
def test_g1_all_some_none(client: SoapClient, patient: str) -> None:
    # T:15816.
    here, missing = stored(client, patient), new_uid()
    assert status_of(xds.retrieve_answer(client, REPOSITORY, [here])) == names.SUCCESS
    some = xds.retrieve_answer(client, REPOSITORY, [missing, here])
    assert status_of(some) == PARTIAL
    assert xds.errors(some) == ["XDSDocumentUniqueIdError"]
    (error,) = some.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert missing in error.get("codeContext", "")
    none = xds.retrieve_answer(client, REPOSITORY, [missing])
    assert status_of(none) == names.FAILURE


def test_g1_another_repository(client: SoapClient, patient: str) -> None:
    answer = xds.retrieve_answer(client, "1.2.3.4.5", [stored(client, patient)])
    assert (status_of(answer), xds.errors(answer)) == (names.FAILURE, ["XDSUnknownRepositoryId"])


def test_g1_a_request_that_is_not_coded_as_it_must(client: SoapClient) -> None:
    body = (
        f'<RetrieveDocumentSetRequest xmlns="{names.XDSB}"><DocumentRequest>'
        "<DocumentUniqueId>1.2</DocumentUniqueId></DocumentRequest></RetrieveDocumentSetRequest>"
    )
    answer = client.call("/xds/repository", xds.ITI43, body, mtom=True)
    assert (status_of(answer), xds.errors(answer)) == (names.FAILURE, ["XDSRepositoryError"])


def test_g2_the_order_of_a_response_is_the_schemas(client: SoapClient, patient: str) -> None:
    answer = xds.retrieve_answer(client, REPOSITORY, [stored(client, patient), new_uid()])
    document = answer.body.find("xds:DocumentResponse", xds.NAMES)
    assert document is not None
    told = [etree.QName(child).localname for child in document]
    assert told == ["RepositoryUniqueId", "DocumentUniqueId", "mimeType", "Document"]
    plain = etree.fromstring(etree.tostring(answer.body))
    for include in list(plain.iter(f"{{{foreign_xop()}}}Include")):
        foreign.drop(include)
    validate(plain, "xds-b.xsd")


def foreign_xop() -> str:
    return "http://www.w3.org/2004/08/xop/include"


def test_g2_a_home_community_in_the_request_does_no_harm(client: SoapClient, patient: str) -> None:
    unique_id = stored(client, patient)
    body = (
        f'<RetrieveDocumentSetRequest xmlns="{names.XDSB}"><DocumentRequest>'
        f"<HomeCommunityId>urn:oid:1.2.3</HomeCommunityId><RepositoryUniqueId> {REPOSITORY}\n"
        f"</RepositoryUniqueId><DocumentUniqueId>\n {unique_id} </DocumentUniqueId>"
        "</DocumentRequest></RetrieveDocumentSetRequest>"
    )
    answer = client.call("/xds/repository", xds.ITI43, body, mtom=True)
    assert list(answer.parts.values()) == [b"four"]


def test_g3_a_deprecated_document_is_still_handed_out(client: SoapClient, patient: str) -> None:
    unique_id = stored(client, patient, b"old")
    (old,) = foreign.documents_of(client, patient)
    submit = foreign.request(
        foreign.document(patient, octets_elsewhere=False),
        foreign.submission_set(patient),
        foreign.member("Document01"),
        foreign.link(f"{IHE}RPLC", "Document01", old.get("id", "")),
    )
    assert xds.errors(foreign.provide(client, submit, {"Document01": b"new"})) == []
    assert xds.retrieve(client, REPOSITORY, [unique_id]) == {unique_id: b"old"}
