"""ITI-57 over the wire: versions, statuses and associations (ITI TF-2 3.57)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from lxml import etree

from adapters.xds import names
from kernel.codes import Code
from registry.documents.values import AssociationType, DocumentEntry, Folder, Slot, Status
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import (
    OTHER_PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from tests.support.update_client import (
    GET_DOCUMENTS,
    GET_FOLDERS,
    LEVEL_TWO,
    asked,
    done,
    failed,
    registered,
    urns,
    uuids,
    versions,
)
from tests.support.updates import metadata_update, new_version, send_update, update_body
from tests.support.xds_node import Node, provide, register, without_octets

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
APND = AssociationType.APND
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_FOLDER_AND_CONTENTS = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7"
GET_RELATED = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"
EXTRA_SLOT = (
    '<rim:Slot name="PreviousVersion"><rim:ValueList><rim:Value>1</rim:Value></rim:ValueList>'
    "</rim:Slot>"
)


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
    # T:20001, 20005: a consumer of level 2 says so if it wants to see what is deprecated.
    assert asked(client, GET_RELATED, {**related, **LEVEL_TWO}) == []
    both = {"$XDSAssociationStatus": f"('{names.STATUS}Deprecated','{names.STATUS}Approved')"}
    assert asked(client, GET_RELATED, {**related, **both}) == []
    found = asked(client, GET_RELATED, {**related, **LEVEL_TWO, **both})
    assert len(found) == 3
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
    status = (new.entry_uuid, DEPRECATED, APPROVED)
    bad = metadata_update(new, edge, status, propagation="no")
    failed(send_update(client, bad), "XDSMetadataUpdateError")
    # T:20006: associations are either propagated or given by hand.
    failed(send_update(client, metadata_update(new, edge)), "XDSMetadataUpdateOperationError")
    assert set(versions(client, old.entry_uuid)) == {"1"}
    status = (other.entry_uuid, APPROVED, DEPRECATED)
    good = metadata_update(new, edge, status, propagation="no")
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


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("</rim:Slot></rim:Association>", f"</rim:Slot>{EXTRA_SLOT}</rim:Association>"),
        ('name="OriginalStatus"', 'name="urn:example:other"'),
        ('name="NewStatus"', 'name="urn:example:other"'),
        ("StatusType:Deprecated</rim:Value>", "StatusType:Obsolete</rim:Value>"),
        ("StatusType:Approved</rim:Value>", "StatusType:Submitted</rim:Value>"),
        ("StatusType:Deprecated</rim:Value>", "StatusType:Approved</rim:Value>"),
    ],
)
def test_u4_a_change_of_status_that_is_not_written_as_one(
    client: SoapClient, written: str, sent: str
) -> None:
    old = entry()
    registered(client, old)
    body = update_body(metadata_update((old.entry_uuid, APPROVED, DEPRECATED)))
    assert body.count(written) == 1
    answer = client.call("/xds/registry", names.ITI_57, body.replace(written, sent))
    failed(answer, "XDSMetadataUpdateOperationError")
