"""Sections 7 to 9: another product updates, removes and registers on demand.

ITI TF-2 3.57, 3.92, 3.61, 3.62, 3.86; what it registered before it asks back by stored queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

import pytest

from adapters.xds import names
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import HAS_MEMBER, IHE, Element
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import REPOSITORY

STATUS = names.STATUS
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
DOCUMENT = "Document01"


def registered(client: SoapClient, patient: str, unique_id: str) -> str:
    """Register a document and return its entryUUID."""
    answer = foreign.register(client, foreign.one_document(patient, unique_id=unique_id))
    assert xds.errors(answer) == [], answer.text()
    return next(
        e.get("id", "")
        for e in foreign.documents_of(client, patient)
        if xds.unique_id(e) == unique_id
    )


def member(previous: str, propagation: str = "") -> str:
    """Return the HasMember that makes an update of its target."""
    slots = foreign.slot("SubmissionSetStatus", "Original")
    slots += foreign.slot("PreviousVersion", previous) if previous else ""
    slots += foreign.slot("AssociationPropagation", propagation) if propagation else ""
    return foreign.link(HAS_MEMBER, "SubmissionSet01", DOCUMENT, slots)


def new_version(
    patient: str, unique_id: str, lid: str, *, previous: str = "1", propagation: str = ""
) -> Element:
    """Return the update of a document with a symbolic id of its own."""
    submit = foreign.request(
        foreign.document(patient, unique_id=unique_id, slots={"languageCode": "zh-CN"}),
        foreign.submission_set(patient),
        member(previous, propagation),
    )
    if lid:
        foreign.find(submit, "ExtrinsicObject").set("lid", lid)
    return submit


def send(client: SoapClient, submit: Element, action: str = names.ITI_57) -> Answer:
    return client.call("/xds/registry", action, foreign.text(submit))


def versions(client: SoapClient, lid: str) -> dict[str, Element]:
    answer = foreign.query(
        client, GET_DOCUMENTS, {"$XDSDocumentEntryLogicalID": f"('{lid}')", "$MetadataLevel": "2"}
    )
    found = {}
    for one in xds.objects(answer):
        version = one.find("rim:VersionInfo", xds.NAMES)
        assert version is not None
        found[str(version.get("versionName"))] = one
    return found


@pytest.fixture
def unique_id() -> str:
    return f"2.25.{uuid4().int}"


# -- 7: update ----------------------------------------------------------------------------------


@pytest.mark.tender("R-6.2.6.3", "H-2")
@pytest.mark.parametrize("action", [names.ITI_57, names.ITI_92])
def test_u1_another_products_new_version(
    client: SoapClient, patient: str, unique_id: str, action: str
) -> None:
    # The eight facts of T:15800.
    lid = registered(client, patient, unique_id)
    answer = send(client, new_version(patient, unique_id, lid), action)
    assert xds.errors(answer) == [], answer.text()
    found = versions(client, lid)
    assert sorted(found) == ["1", "2"]
    first, second = found["1"], found["2"]
    assert first.get("id") == first.get("lid") == second.get("lid") == lid
    assert second.get("id") not in {lid, DOCUMENT}
    assert second.get("id", "").startswith("urn:uuid:")
    assert [first.get("status"), second.get("status")] == [
        f"{STATUS}Deprecated", f"{STATUS}Approved",
    ]  # fmt: skip
    assert xds.unique_id(first) == xds.unique_id(second) == unique_id
    (shown,) = foreign.documents_of(client, patient)
    assert xds.slot(shown, "languageCode") == ["zh-CN"]


REFUSED = {
    "no such lid": ("7c1d0a94-0000-4000-8000-000000000001", "1", "", "XDSMetadataVersionError"),
    "another version": ("own", "7", "", "XDSMetadataVersionError"),
    "no lid": ("", "1", "", "XDSMetadataUpdateError"),
    "no PreviousVersion": ("own", "", "", "XDSMetadataUpdateError"),
    "propagation maybe": ("own", "1", "maybe", "XDSRegistryMetadataError"),
}
RESTRICTED = {
    "no such lid": ("7c1d0a94-0000-4000-8000-000000000001", "1", "", "UnresolvedReferenceException"),
    "another version": ("own", "7", "", "XDSMetadataVersionError"),
    "no lid": ("", "1", "", "XDSInvalidRequestException"),
    "no PreviousVersion": ("own", "", "", "XDSMetadataAnnotationError"),
    "propagation no": ("own", "1", "no", "XDSMetadataAnnotationError"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "case"),
    [(names.ITI_57, c) for c in REFUSED] + [(names.ITI_92, c) for c in RESTRICTED],
)
def test_u2_u3_another_products_update_is_refused(
    client: SoapClient, patient: str, unique_id: str, action: str, case: str
) -> None:
    lid, previous, propagation, code = (REFUSED if action == names.ITI_57 else RESTRICTED)[case]
    own = registered(client, patient, unique_id)
    told = own if lid == "own" else f"urn:uuid:{lid}" if lid else ""
    asked = new_version(patient, unique_id, told, previous=previous, propagation=propagation)
    answer = send(client, asked, action)
    assert xds.errors(answer) == [code], answer.text()
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert error.get("codeContext")
    assert patient.partition("^")[0] not in answer.text()
    assert list(versions(client, own)) == ["1"]


def trigger(kind: str, target: str, **slots: str) -> str:
    inside = "".join(foreign.slot(name, value) for name, value in slots.items())
    return foreign.link(kind, "SubmissionSet01", target, inside)


def test_u4_another_product_deprecates_and_approves(
    client: SoapClient, patient: str, unique_id: str
) -> None:
    own = registered(client, patient, unique_id)
    old, new = f"{STATUS}Approved", f"{STATUS}Deprecated"
    for before, after, codes in (
        (new, old, ["XDSMetadataUpdateError"]),
        (old, new, []),
        (old, new, ["XDSMetadataUpdateError"]),
        (new, old, []),
    ):
        change = trigger(
            names.UPDATE_AVAILABILITY_STATUS, own, OriginalStatus=before, NewStatus=after
        )
        answer = send(client, foreign.request(foreign.submission_set(patient), change))
        assert xds.errors(answer) == codes, answer.text()
    (found,) = foreign.documents_of(client, patient)
    assert found.get("id") == own


def test_u5_another_product_relates_two_documents_once(client: SoapClient, patient: str) -> None:
    one, two = (registered(client, patient, f"2.25.{uuid4().int}") for _ in range(2))

    def relate() -> Answer:
        related = foreign.link(f"{IHE}APND", two, one, own_id="related")
        asked = trigger(names.SUBMIT_ASSOCIATION, "related")
        return send(client, foreign.request(foreign.submission_set(patient), related, asked))

    assert xds.errors(relate()) == []
    assert xds.errors(relate()) != []
    kinds = [
        e.get("associationType")
        for e in xds.objects(foreign.query(client, GET_ASSOCIATIONS, {"$uuid": f"('{one}')"}))
    ]
    assert kinds.count(f"{IHE}APND") == 1


# -- 8: removal ---------------------------------------------------------------------------------


def remove(client: SoapClient, ids: Iterable[str]) -> Answer:
    listed = "".join(f'<q:ObjectRef id="{one}"/>' for one in ids)
    body = (
        f'<RemoveObjectsRequest xmlns="{names.LCM}" xmlns:q="{names.RIM}"><q:ObjectRefList>{listed}'
        "</q:ObjectRefList></RemoveObjectsRequest>"
    )
    return client.call("/xds/registry", names.ITI_62, body)


@pytest.mark.tender("R-6.2.6.3")
def test_d1_d2_another_product_removes_metadata(
    client: SoapClient, patient: str, unique_id: str
) -> None:
    own = registered(client, patient, unique_id)
    edges = xds.objects(foreign.query(client, GET_ASSOCIATIONS, {"$uuid": f"('{own}')"}))
    (edge,) = edges
    whole, link = edge.get("sourceObject", ""), edge.get("id", "")
    unknown = f"urn:uuid:{uuid4()}"
    assert xds.errors(remove(client, [unknown])) == ["UnresolvedReferenceException"]
    assert xds.errors(remove(client, [own])) == ["ReferencesExistException"]
    left = remove(client, [link])  # T:30001 to 30003: neither end may be left alone
    assert set(xds.errors(left)) == {"XDSUnreferencedObjectException"}
    assert [e.get("id") for e in foreign.documents_of(client, patient)] == [own]
    assert xds.errors(remove(client, [whole, link, own])) == []
    assert foreign.documents_of(client, patient) == []


@pytest.mark.tender("R-6.2.6.3")
def test_d3_another_product_removes_a_document(
    client: SoapClient, patient: str, unique_id: str
) -> None:
    submit = foreign.one_document(patient, octets_elsewhere=False, unique_id=unique_id)
    assert xds.errors(foreign.provide(client, submit, {DOCUMENT: b"gone"})) == []

    def removed(repository: str, document: str) -> list[str]:
        body = (
            f'<RemoveDocumentsRequest xmlns="{names.RMD}" xmlns:d="{names.XDSB}">'
            f"<d:DocumentRequest><d:RepositoryUniqueId>{repository}</d:RepositoryUniqueId>"
            f"<d:DocumentUniqueId>{document}</d:DocumentUniqueId></d:DocumentRequest>"
            "</RemoveDocumentsRequest>"
        )
        return xds.errors(client.call("/xds/repository", names.ITI_86, body))

    assert removed("1.2.3", unique_id) == ["XDSUnknownRepositoryId"]
    assert removed(REPOSITORY, "1.2.3") == ["XDSDocumentUniqueIdError"]
    assert removed(REPOSITORY, unique_id) == []
    fetched = xds.retrieve_answer(client, REPOSITORY, [unique_id])
    assert xds.errors(fetched) == ["XDSDocumentUniqueIdError"]
    assert len(foreign.documents_of(client, patient)) == 1


# -- 9: on demand -------------------------------------------------------------------------------


def test_9_another_product_registers_on_demand(
    client: SoapClient, patient: str, unique_id: str
) -> None:
    def made(kind: str) -> Element:
        document = foreign.document(
            patient, unique_id=unique_id, octets_elsewhere=kind != ON_DEMAND,
            slots={"repositoryUniqueId": "1.19.6.24.109"},
        )  # fmt: skip
        submit = foreign.request(document, foreign.submission_set(patient), member(""))
        foreign.find(submit, "ExtrinsicObject").set("objectType", kind)
        if kind == ON_DEMAND:
            foreign.drop(foreign.find(submit, "Slot", name="creationTime"))
        return submit

    stable = foreign.xds_stable()
    assert xds.errors(send(client, made(ON_DEMAND), names.ITI_42)) == ["XDSRegistryMetadataError"]
    assert xds.errors(send(client, made(stable), names.ITI_61)) == ["XDSRegistryMetadataError"]
    answer = send(client, made(ON_DEMAND), names.ITI_61)
    assert (xds.errors(answer), answer.action) == ([], names.ITI_61_RESPONSE)
    assert foreign.documents_of(client, patient) == []  # Q6: nobody asked for its type
    found = foreign.query(client, xds.FIND_DOCUMENTS, {
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')", "$XDSDocumentEntryType": f"('{ON_DEMAND}')",
    })  # fmt: skip
    (entry,) = xds.objects(found)
    assert entry.get("objectType") == ON_DEMAND
