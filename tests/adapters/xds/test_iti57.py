"""ITI-57 and ITI-92 over the wire, and what queries then tell of versions (ITI TF-2 3.57, 3.92)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from lxml import etree

from adapters.xds import names
from kernel.codes import Code
from registry.documents.values import AssociationType, Author, DocumentEntry, Folder, Slot, Status
from tests.support import xds
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import (
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from tests.support.updates import metadata_update, new_version, send_update, update_body
from tests.support.xds_node import Node, provide, register, without_octets

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
APND = AssociationType.APND
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_FOLDERS = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_FOLDER_AND_CONTENTS = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7"
GET_RELATED = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"
LEVEL_TWO = {"$MetadataLevel": "2"}
OFFLINE = "urn:ihe:iti:2010:DocumentAvailability:Offline"


def done(answer: Answer) -> Answer:
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return answer


def failed(answer: Answer, code: str) -> None:
    assert xds.status(answer) == names.FAILURE, answer.text()
    assert xds.errors(answer) == [code]


def registered(client: SoapClient, *things: Any, **more: Any) -> None:
    done(register(client, submission(*things, **more)))


def asked(
    client: SoapClient, query: str, parameters: Mapping[str, str], **more: Any
) -> list[etree._Element]:
    return xds.objects(done(xds.stored_query(client, query, parameters, **more)))


def uuids(found: list[etree._Element]) -> set[str]:
    return {str(one.get("id")) for one in found}


def urns(*things: DocumentEntry | Folder) -> set[str]:
    return {f"urn:uuid:{thing.entry_uuid}" for thing in things}


def versions(client: SoapClient, logical_id: UUID, query: str = GET_DOCUMENTS) -> dict[str, Any]:
    kind = "DocumentEntry" if query == GET_DOCUMENTS else "Folder"
    found = asked(
        client, query, {f"$XDS{kind}LogicalID": f"('urn:uuid:{logical_id}')", **LEVEL_TWO}
    )
    return {one.find("rim:VersionInfo", xds.NAMES).get("versionName"): one for one in found}


@pytest.mark.parametrize("make", [entry, folder])
def test_u1_new_version_deprecates_the_previous(client: SoapClient, make: Any) -> None:
    old = make()
    registered(client, old)
    new = new_version(old, title="Corrected")
    answer = done(send_update(client, metadata_update(new)))
    assert answer.action == f"{names.ITI_57}Response"

    query = GET_DOCUMENTS if make is entry else GET_FOLDERS
    found = versions(client, old.entry_uuid, query)
    assert set(found) == {"1", "2"}
    first, second = found["1"], found["2"]
    assert first.get("id") == first.get("lid") == second.get("lid") == f"urn:uuid:{old.entry_uuid}"
    assert second.get("id") == f"urn:uuid:{new.entry_uuid}"
    assert (first.get("status"), second.get("status")) == (
        f"{names.STATUS}Deprecated", f"{names.STATUS}Approved",
    )  # fmt: skip
    scheme = names.DOCUMENT_UNIQUE_ID if make is entry else names.FOLDER_UNIQUE_ID
    path = f"rim:ExternalIdentifier[@identificationScheme='{scheme}']/@value"
    assert first.xpath(path, namespaces=xds.NAMES) == second.xpath(path, namespaces=xds.NAMES)


def test_q5_level_one_shows_the_current_version_and_level_two_all(client: SoapClient) -> None:
    old = entry()
    registered(client, old)
    new = new_version(old)
    done(send_update(client, metadata_update(new)))

    by_unique_id = {"$XDSDocumentEntryUniqueId": f"('{old.unique_id}')"}
    assert uuids(asked(client, GET_DOCUMENTS, by_unique_id)) == urns(new)
    assert uuids(asked(client, GET_DOCUMENTS, {**by_unique_id, "$MetadataLevel": "1"})) == urns(new)
    assert uuids(asked(client, GET_DOCUMENTS, {**by_unique_id, **LEVEL_TWO})) == urns(old, new)
    # A version that is named by its own entryUUID is shown.
    by_uuid = {"$XDSDocumentEntryEntryUUID": f"('urn:uuid:{old.entry_uuid}')"}
    (shown,) = asked(client, GET_DOCUMENTS, by_uuid)
    assert shown.get("status") == f"{names.STATUS}Deprecated"
    level_one = {"$XDSDocumentEntryLogicalID": f"('urn:uuid:{old.entry_uuid}')"}
    failed(xds.stored_query(client, GET_DOCUMENTS, level_one), "XDSRegistryError")

    deprecated = {"$XDSDocumentEntryStatus": f"('{names.STATUS}Deprecated')"}
    everything = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'", **deprecated}
    assert urns(old) & uuids(asked(client, xds.FIND_DOCUMENTS, everything)) == set()
    assert urns(old) <= uuids(
        asked(client, xds.FIND_DOCUMENTS, {**everything, **LEVEL_TWO}, return_type="ObjectRef")
    )


def test_q5_offline_documents_need_level_two(client: SoapClient) -> None:
    old = entry()
    registered(client, old)
    new = new_version(old, document_availability=OFFLINE)
    done(send_update(client, metadata_update(new)))
    by_unique_id = {"$XDSDocumentEntryUniqueId": f"('{old.unique_id}')"}
    assert asked(client, GET_DOCUMENTS, by_unique_id) == []
    shown = asked(client, GET_DOCUMENTS, {**by_unique_id, **LEVEL_TWO})
    assert [xds.slot(one, "documentAvailability") for one in shown] == [[], [OFFLINE]]


CHANGES: dict[str, dict[str, Any]] = {
    "author": {"authors": (Author(person="^Other^Eve"),)},
    "classCode": {"class_code": Code("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images")},
    "comments": {"comments": "Another comment"},
    "confidentialityCode": {
        "confidentiality_codes": (Code("R", "2.16.840.1.113883.5.25", "restricted"),)
    },
    "creationTime": {"creation_time": "20260102"},
    "eventCodeList": {"event_codes": (Code("CT", "1.2.840.10008.2.6.1", "CT"),)},
    "hash": {"hash": "ab" * 20},
    "languageCode": {"language_code": "en-US"},
    "legalAuthenticator": {"legal_authenticator": "^Other^Eve"},
    "mimeType": {"mime_type": "text/plain"},
    "referenceIdList": {
        "reference_ids": ("77^^^&1.2.250.99.7&ISO^urn:ihe:iti:xds:2013:accession",)
    },
    "serviceStartTime": {"service_start_time": "20260101"},
    "serviceStopTime": {"service_stop_time": "20260103"},
    "size": {"size": 4711},
    "sourcePatientInfo": {"source_patient_info": ("PID-8|M",)},
    "title": {"title": "Another title"},
    "URI": {"uri": "http://example.org/other"},
    "extra": {"extra": (Slot("urn:example:ward", ("9",)),)},
}
ONLY_UPDATE: dict[str, dict[str, Any]] = {
    "sourcePatientId": {"source_patient_id": OTHER_PATIENT},
    "repositoryUniqueId": {"repository_unique_id": "1.2.250.99.77"},
    "documentAvailability": {"document_availability": OFFLINE},
}


@pytest.mark.parametrize("action", [names.ITI_57, names.ITI_92])
def test_u7_attributes_are_updated_one_after_the_other(client: SoapClient, action: str) -> None:
    current = entry()
    registered(client, current)
    steps = {**CHANGES, **(ONLY_UPDATE if action == names.ITI_57 else {})}
    for number, (attribute, changes) in enumerate(steps.items(), start=1):
        current = new_version(current, **changes)
        answer = send_update(client, metadata_update(current, previous=str(number)), action)
        assert answer.action == f"{action}Response"
        assert xds.status(answer) == xds.SUCCESS, (attribute, answer.text())
    found = versions(client, current.logical_id or uuid4())
    assert set(found) == {str(n) for n in range(1, len(steps) + 2)}
    last = found[str(len(steps) + 1)]
    assert xds.slot(last, "hash") == ["ab" * 20]
    assert xds.slot(last, "size") == ["4711"]
    assert xds.slot(last, "urn:example:ward") == ["9"]
    assert last.get("mimeType") == "text/plain"
    assert last.find("rim:Name/rim:LocalizedString", xds.NAMES).get("value") == "Another title"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"repository_unique_id": "1.2.3"}, "UnmodifiableMetadataError"),
        ({"source_patient_id": OTHER_PATIENT}, "UnmodifiableMetadataError"),
        ({"document_availability": OFFLINE}, "UnmodifiableMetadataError"),
        ({"object_type": names.FOLDER}, "UnmodifiableMetadataError"),
        ({"availability_status": DEPRECATED}, "UnmodifiableMetadataError"),
        ({"patient_id": OTHER_PATIENT}, "XDSPatientIDReconciliationError"),
        ({"unique_id": "1.2.3"}, "XDSMetadataIdentifierError"),
        ({"logical_id": None}, "XDSInvalidRequestException"),
        ({"logical_id": uuid4()}, "UnresolvedReferenceException"),
    ],
)
def test_u7_what_a_restricted_update_may_not_change(
    client: SoapClient, changes: dict[str, Any], code: str
) -> None:
    old = entry()
    registered(client, old)
    answer = send_update(client, metadata_update(new_version(old, **changes)), names.ITI_92)
    failed(answer, code)
    assert set(versions(client, old.entry_uuid)) == {"1"}


@pytest.mark.parametrize(
    ("changes", "more", "code"),
    [
        ({"logical_id": uuid4()}, {}, "XDSMetadataVersionError"),
        ({}, {"previous": "2"}, "XDSMetadataVersionError"),
        ({"logical_id": None}, {}, "XDSMetadataUpdateError"),
        ({}, {"previous": ""}, "XDSMetadataUpdateError"),
        ({"unique_id": "1.2.3"}, {}, "XDSMetadataUpdateError"),
        ({"type_code": None}, {}, "XDSRegistryMetadataError"),
        ({"class_code": Code("NO-SUCH", "1.2.3", "?")}, {}, "XDSRegistryMetadataError"),
        ({}, {"propagation": "perhaps"}, "XDSRegistryMetadataError"),
        ({}, {"whole": submission_set(OTHER_PATIENT)}, "XDSPatientIDReconciliationError"),
        (
            {"patient_id": "NOBODY^^^&1.2&ISO"},
            {"whole": submission_set("NOBODY^^^&1.2&ISO")},
            "XDSUnknownPatientId",
        ),
    ],
)
def test_u2_what_an_update_refuses(
    client: SoapClient, changes: dict[str, Any], more: dict[str, Any], code: str
) -> None:
    old = entry()
    registered(client, old)
    failed(send_update(client, metadata_update(new_version(old, **changes), **more)), code)
    assert set(versions(client, old.entry_uuid)) == {"1"}


def test_u2_an_update_by_the_wrong_transaction(client: SoapClient) -> None:
    old, other = entry(), entry()
    registered(client, old, other)
    for wrong in (
        metadata_update(new_version(old)),
        metadata_update((old.entry_uuid, APPROVED, DEPRECATED)),
        metadata_update(association(APND, other.entry_uuid, old.entry_uuid)),
    ):
        answer = client.call("/xds/registry", names.ITI_42, update_body(wrong))
        failed(answer, "XDSRegistryMetadataError")
    # PreviousVersion alone makes no update of a registration (T:21000).
    fresh = entry()
    whole = submission_set()
    listed = msgspec.structs.replace(
        member(whole.entry_uuid, fresh.entry_uuid, "Original"),
        extra=(Slot("PreviousVersion", ("1",)),),
    )
    wrong_set = msgspec.structs.replace(submission(fresh, whole=whole), associations=(listed,))
    failed(register(client, wrong_set), "XDSRegistryMetadataError")
    plain = client.call("/xds/registry", names.ITI_57, update_body_of(fresh))
    failed(plain, "XDSMetadataUpdateError")
    failed(
        client.call("/xds/registry", names.ITI_92, update_body_of(folder())), "XDSObjectTypeError"
    )


def update_body_of(thing: DocumentEntry | Folder) -> str:
    """Return a registration's body, which asks an update of nothing."""
    return update_body(metadata_update(thing, previous=""))


def test_u2_the_same_object_twice(client: SoapClient) -> None:
    old = entry()
    registered(client, old)
    twice = metadata_update(new_version(old), new_version(old))
    failed(send_update(client, twice), "XDSMetadataUpdateOperationError")


def test_u3_a_folder_keeps_its_documents_unless_it_is_told_not_to(client: SoapClient) -> None:
    case, one, two = folder(), entry(), entry()
    inside = [member(case.entry_uuid, d.entry_uuid) for d in (one, two)]
    registered(client, case, one, two, *inside)
    second = new_version(case, title="Renamed")
    whole = submission_set()
    done(send_update(client, metadata_update(second, whole=whole)))

    contents = asked(
        client, GET_FOLDER_AND_CONTENTS, {"$XDSFolderEntryUUID": f"'urn:uuid:{second.entry_uuid}'"}
    )
    assert [etree.QName(c).localname for c in contents] == [
        "ExtrinsicObject", "ExtrinsicObject", "RegistryPackage", "Association", "Association",
    ]  # fmt: skip
    of_set = {"$uuid": f"('urn:uuid:{whole.entry_uuid}')", **LEVEL_TWO}
    listed = asked(client, GET_ASSOCIATIONS, of_set)
    assert sorted(xds.slot(a, "PreviousVersion") for a in listed) == [[], [], ["1"]]
    copied = uuids([c for c in contents if c.tag.endswith("Association")])
    assert {a.get("targetObject") for a in listed} == copied | urns(second)

    third = new_version(second)
    done(send_update(client, metadata_update(third, previous="2", propagation="no")))
    by_unique_id = {"$XDSFolderUniqueId": f"'{case.unique_id}'"}
    (left,) = asked(client, GET_FOLDER_AND_CONTENTS, by_unique_id)
    assert left.get("id") == f"urn:uuid:{third.entry_uuid}"
    found = asked(client, GET_FOLDER_AND_CONTENTS, {**by_unique_id, **LEVEL_TWO})
    kinds = [etree.QName(c).localname for c in found]
    assert (kinds.count("RegistryPackage"), kinds.count("Association")) == (3, 4)


def test_u4_a_status_is_taken_and_given_back(client: SoapClient) -> None:
    old = entry()
    registered(client, old)
    down = metadata_update((old.entry_uuid, APPROVED, DEPRECATED))
    up = metadata_update((old.entry_uuid, DEPRECATED, APPROVED))
    failed(send_update(client, up), "XDSMetadataUpdateError")
    done(send_update(client, down))
    by_uuid = {"$XDSDocumentEntryEntryUUID": f"('urn:uuid:{old.entry_uuid}')"}
    (shown,) = asked(client, GET_DOCUMENTS, by_uuid)
    assert shown.get("status") == f"{names.STATUS}Deprecated"
    # A restricted update follows even what is Deprecated, and leaves it so (T:12319).
    new = new_version(old, title="Late")
    failed(send_update(client, metadata_update(new)), "XDSMetadataUpdateError")
    done(send_update(client, metadata_update(new), names.ITI_92))
    found = versions(client, old.entry_uuid)
    assert {one.get("status") for one in found.values()} == {f"{names.STATUS}Deprecated"}
    again = metadata_update((new.entry_uuid, DEPRECATED, APPROVED))
    failed(send_update(client, again, names.ITI_92), "UnmodifiableMetadataError")
    done(send_update(client, again))
    assert versions(client, old.entry_uuid)["2"].get("status") == xds.APPROVED
    older = metadata_update((old.entry_uuid, DEPRECATED, APPROVED))
    failed(send_update(client, older), "XDSMetadataUpdateError")


def test_u4_u5_an_association_comes_goes_and_comes_back(client: SoapClient) -> None:
    one, two = entry(), entry()
    registered(client, one, two)
    edge = association(APND, one.entry_uuid, two.entry_uuid)
    done(send_update(client, metadata_update(edge)))
    again = association(APND, one.entry_uuid, two.entry_uuid)
    failed(send_update(client, metadata_update(again)), "XDSMetadataUpdateError")
    related = {
        "$XDSDocumentEntryEntryUUID": f"'urn:uuid:{one.entry_uuid}'",
        "$AssociationTypes": f"('{APND}')",
    }
    assert len(asked(client, GET_RELATED, related)) == 3
    done(send_update(client, metadata_update((edge.entry_uuid, APPROVED, DEPRECATED))))
    assert asked(client, GET_RELATED, related) == []
    found = asked(client, GET_RELATED, {**related, **LEVEL_TWO})
    assert [f.get("status") for f in found if f.tag.endswith("Association")] == [
        f"{names.STATUS}Deprecated"
    ]
    done(send_update(client, metadata_update((edge.entry_uuid, DEPRECATED, APPROVED))))
    assert len(asked(client, GET_RELATED, related)) == 3


def test_u5_an_association_to_another_patient(client: SoapClient) -> None:
    mine, other = entry(), entry(OTHER_PATIENT)
    registered(client, mine)
    registered(client, other)
    edge = association(APND, mine.entry_uuid, other.entry_uuid)
    failed(send_update(client, metadata_update(edge)), "XDSPatientIDReconciliationError")


@pytest.mark.parametrize("make", [entry, folder])
def test_u6_an_object_goes_to_another_patient(client: SoapClient, make: Any) -> None:
    old = make()
    registered(client, old)
    done(send_update(client, metadata_update(new_version(old, patient_id=OTHER_PATIENT))))
    kind = "DocumentEntry" if make is entry else "Folder"
    query = GET_DOCUMENTS if make is entry else GET_FOLDERS
    both = {f"$XDS{kind}LogicalID": f"('urn:uuid:{old.entry_uuid}')", **LEVEL_TWO}
    assert len(asked(client, query, both, return_type="ObjectRef")) == 2
    failed(xds.stored_query(client, query, both), "XDSResultNotSinglePatient")


def test_u8_one_bad_operation_undoes_all(client: SoapClient) -> None:
    old, other = entry(), entry()
    registered(client, old, other)
    new = new_version(old)
    edge = association(APND, new.entry_uuid, other.entry_uuid)
    bad = metadata_update(new, edge, (new.entry_uuid, DEPRECATED, APPROVED))
    failed(send_update(client, bad), "XDSMetadataUpdateError")
    assert set(versions(client, old.entry_uuid)) == {"1"}
    good = metadata_update(new, edge, (other.entry_uuid, APPROVED, DEPRECATED))
    done(send_update(client, good))
    assert set(versions(client, old.entry_uuid)) == {"1", "2"}


def test_u1_symbolic_ids_and_a_set_that_stands_last(client: SoapClient) -> None:
    old = entry()
    registered(client, old)
    new = new_version(old, title="Symbolic")
    asked_update = metadata_update(new, (new.entry_uuid, APPROVED, DEPRECATED))
    body = update_body(asked_update)
    whole = asked_update.submission.submission_set
    for uuid, name in ((new.entry_uuid, "Document01"), (whole.entry_uuid, "SubmissionSet01")):
        body = body.replace(f"urn:uuid:{uuid}", name)
    done(client.call("/xds/registry", names.ITI_57, body))
    found = versions(client, old.entry_uuid)
    assert {one.get("status") for one in found.values()} == {f"{names.STATUS}Deprecated"}
    assert found["2"].get("id") not in urns(new)


def test_u1_of_updates_at_the_same_time_one_wins(node: Node, client: SoapClient) -> None:
    old = entry()
    registered(client, old)

    def send(number: int) -> list[str]:
        own = SoapClient(node.http)
        try:
            asked_update = metadata_update(new_version(old, title=f"Number {number}"))
            return xds.errors(send_update(own, asked_update))
        finally:
            own.close()

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(send, range(4)))
    assert said == [[], *[["XDSMetadataVersionError"]] * 3]
    assert set(versions(client, old.entry_uuid)) == {"1", "2"}


def test_u1_the_document_stays_retrievable(client: SoapClient) -> None:
    content = b"the octets that no update touches"
    old = without_octets(entry(content=content))
    done(provide(client, submission(old), {old.entry_uuid: content}))
    (first,) = versions(client, old.entry_uuid).values()
    kept = msgspec.structs.replace(
        old,
        hash=xds.slot(first, "hash")[0],
        size=int(xds.slot(first, "size")[0]),
        repository_unique_id=xds.slot(first, "repositoryUniqueId")[0],
    )
    new = new_version(kept, mime_type="text/plain", size=1)
    done(send_update(client, metadata_update(new)))
    got = xds.retrieve(client, kept.repository_unique_id, [old.unique_id])
    assert got == {old.unique_id: content}


def test_bad_bodies_are_refused_as_messages(client: SoapClient) -> None:
    answer = client.call("/xds/registry", names.ITI_57, f'<x xmlns="{names.RIM}"/>')
    assert answer.is_fault
    nowhere = update_body(metadata_update((uuid4(), APPROVED, DEPRECATED)))
    failed(client.call("/xds/registry", names.ITI_57, nowhere), "XDSMetadataUpdateError")
    broken = nowhere.replace('targetObject="urn:uuid:', 'targetObject="urn:uuid:x')
    assert xds.status(client.call("/xds/registry", names.ITI_57, broken)) == names.FAILURE
