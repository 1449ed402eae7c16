"""ITI-62 over the wire: all that hangs together goes together (ITI TF-2 3.62.4.1.3)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from adapters.xds import names
from kernel.identifiers import PatientId
from projections.audit_trail.view import AuditQuery, AuditTrail
from registry.documents.values import AssociationType, Status, Submission
from tests.support import xds
from tests.support.removing import ITI62, get_all, remove_metadata, remove_metadata_body
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import (
    AUTHORITY,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from tests.support.update_client import GET_DOCUMENTS, GET_FOLDERS, LEVEL_TWO, done
from tests.support.updates import metadata_update, new_version, send_update
from tests.support.xds_node import Node, register


@pytest.fixture
def patient(node: Node) -> str:
    made = f"R{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    node.identify(made)
    return made


def registered(client: SoapClient, asked: Submission) -> Submission:
    answer = register(client, asked)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return asked


def refused(answer: Answer, code: str, named: object) -> None:
    assert xds.status(answer) == names.FAILURE, answer.text()
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert error.get("errorCode") == code
    assert str(named) in error.get("codeContext")


def everything(*asked: Submission) -> list[object]:
    return [
        thing
        for one in asked
        for thing in (one.submission_set, *one.entries, *one.folders, *one.associations)
    ]


def test_d1_an_object_that_was_never_there(client: SoapClient, patient: str) -> None:
    unknown = uuid4()
    refused(remove_metadata(client, unknown), "UnresolvedReferenceException", unknown)
    refused(remove_metadata(client, "no-uuid"), "UnresolvedReferenceException", "no-uuid")


def test_d1_one_unknown_object_among_known_ones_removes_nothing(
    client: SoapClient, patient: str
) -> None:
    asked = registered(client, submission(entry(patient)))
    before = get_all(client, patient)
    answer = remove_metadata(client, *everything(asked), uuid4())
    assert xds.errors(answer) == ["UnresolvedReferenceException"]
    assert get_all(client, patient) == before != set()


def test_d2_a_document_goes_with_its_submission_set_only(client: SoapClient, patient: str) -> None:
    asked = registered(client, submission(entry(patient)))
    (document,), (edge,) = asked.entries, asked.associations
    whole = asked.submission_set
    refused(remove_metadata(client, whole), "ReferencesExistException", whole.entry_uuid)
    refused(remove_metadata(client, document), "ReferencesExistException", document.entry_uuid)
    refused(
        remove_metadata(client, document, edge), "XDSUnreferencedObjectException", whole.entry_uuid
    )
    refused(remove_metadata(client, edge), "XDSUnreferencedObjectException", "urn:uuid:")
    answer = remove_metadata(client, document, edge, whole)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert answer.action == f"{ITI62}Response"
    assert get_all(client, patient) == set()
    assert xds.find_documents(client, patient) == []
    refused(remove_metadata(client, whole), "UnresolvedReferenceException", whole.entry_uuid)


def test_d2_a_folder_lets_a_document_go(client: SoapClient, patient: str) -> None:
    document, drawer = entry(patient), folder(patient)
    whole = submission_set(patient)
    inside = member(drawer.entry_uuid, document.entry_uuid)
    listed = member(whole.entry_uuid, inside.entry_uuid)
    asked = registered(client, submission(document, drawer, inside, listed, whole=whole))
    all_but_set = [thing for thing in everything(asked) if thing is not asked.submission_set]
    refused(
        remove_metadata(client, *all_but_set), "XDSUnreferencedObjectException", whole.entry_uuid
    )
    refused(remove_metadata(client, inside), "ReferencesExistException", inside.entry_uuid)
    refused(remove_metadata(client, listed), "XDSUnreferencedObjectException", inside.entry_uuid)
    assert xds.status(remove_metadata(client, inside, listed)) == xds.SUCCESS
    left = get_all(client, patient)
    assert f"urn:uuid:{drawer.entry_uuid}" in left
    assert f"urn:uuid:{inside.entry_uuid}" not in left
    # The replacement of the document must not come back into the folder it left.
    newer = entry(patient)
    edge = association(AssociationType.RPLC, newer.entry_uuid, document.entry_uuid)
    more = registered(client, submission(newer, edge))
    assert len(get_all(client, patient)) == len(left) + len(everything(more))


def story(client: SoapClient, patient: str) -> tuple[Submission, Submission, Submission]:
    """DE0, an addition to it, and a transformed replacement of it."""
    first = registered(client, submission(entry(patient)))
    target = first.entries[0].entry_uuid
    addition, replacement = entry(patient), entry(patient)
    added = association(AssociationType.APND, addition.entry_uuid, target)
    second = registered(client, submission(addition, added))
    replaced = association(AssociationType.XFRM_RPLC, replacement.entry_uuid, target)
    third = registered(client, submission(replacement, replaced))
    return first, second, third


def test_d2_relationships_hold_documents(client: SoapClient, patient: str) -> None:
    first, second, third = story(client, patient)
    refused(
        remove_metadata(client, *everything(first)),
        "ReferencesExistException", first.entries[0].entry_uuid,
    )  # fmt: skip
    without = [a for a in everything(second) if a is not second.associations[1]]
    refused(
        remove_metadata(client, *without), "ReferencesExistException", second.entries[0].entry_uuid
    )
    assert xds.status(remove_metadata(client, *everything(first, second, third))) == xds.SUCCESS
    assert get_all(client, patient) == set()


def test_d2_what_was_replaced_stays_deprecated(client: SoapClient, patient: str) -> None:
    first, second, third = story(client, patient)
    assert xds.status(remove_metadata(client, *everything(third))) == xds.SUCCESS
    assert xds.find_documents(client, patient) == []
    deprecated = {
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')"
    }
    found = {e.get("id") for e in xds.find_documents(client, patient, deprecated)}
    assert found == {f"urn:uuid:{one.entries[0].entry_uuid}" for one in (first, second)}
    # An association alone may go: both its ends belong to their submission sets.
    assert xds.status(remove_metadata(client, second.associations[1])) == xds.SUCCESS
    assert xds.status(remove_metadata(client, *everything(first))) == xds.SUCCESS


@pytest.mark.parametrize("make", [entry, folder])
def test_what_came_before_a_removed_version_is_the_latest(
    client: SoapClient, patient: str, make: Any
) -> None:
    old = make(patient)
    registered(client, submission(old))
    asked = metadata_update(new := new_version(old, title="Wrong"))
    done(send_update(client, asked))
    going = (asked.submission.submission_set, new, *asked.submission.associations)
    done(remove_metadata(client, *going))

    kind, query = ("Folder", GET_FOLDERS) if make is folder else ("DocumentEntry", GET_DOCUMENTS)
    by_unique_id = {f"$XDS{kind}UniqueId": f"('{old.unique_id}')"}
    for level in {}, LEVEL_TWO:
        found = xds.objects(done(xds.stored_query(client, query, {**by_unique_id, **level})))
        # It stays Deprecated, as what was replaced does: level 1 knows of no such folders.
        expected = [] if make is folder and not level else [f"{names.STATUS}Deprecated"]
        assert [one.get("status") for one in found] == expected
    status = (old.entry_uuid, Status.DEPRECATED, Status.APPROVED)
    whole = submission_set(patient)
    done(send_update(client, metadata_update(status, whole=whole)))
    (again,) = xds.objects(done(xds.stored_query(client, query, by_unique_id)))
    assert again.get("id") == f"urn:uuid:{old.entry_uuid}"
    done(send_update(client, metadata_update(new_version(old, title="Right"))))
    (right,) = xds.objects(done(xds.stored_query(client, query, by_unique_id)))
    assert right.find("rim:VersionInfo", xds.NAMES).get("versionName") == "2"


def test_the_ids_of_what_was_removed_stay_taken(client: SoapClient, patient: str) -> None:
    asked = registered(client, submission(entry(patient)))
    assert xds.status(remove_metadata(client, *everything(asked))) == xds.SUCCESS
    again = register(client, asked)
    assert xds.errors(again) == ["XDSDuplicateUniqueIdInRegistry"]
    same_uuid = submission(entry(patient, entry_uuid=asked.entries[0].entry_uuid))
    assert xds.errors(register(client, same_uuid)) == ["XDSRegistryError"]
    # The same octets may be registered again, other octets may not have their uniqueId.
    unique_id = asked.entries[0].unique_id
    other = submission(entry(patient, unique_id=unique_id, content=b"other"))
    assert xds.errors(register(client, other)) == ["XDSNonIdenticalHash"]
    registered(client, submission(entry(patient, unique_id=unique_id)))


def test_nothing_can_be_related_to_what_was_removed(client: SoapClient, patient: str) -> None:
    asked = registered(client, submission(entry(patient)))
    assert xds.status(remove_metadata(client, *everything(asked))) == xds.SUCCESS
    newer = entry(patient)
    edge = association(AssociationType.APND, newer.entry_uuid, asked.entries[0].entry_uuid)
    assert xds.errors(register(client, submission(newer, edge))) == ["UnresolvedReferenceException"]


@pytest.mark.parametrize(
    ("more", "attributes"),
    [
        ('<r:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"/>', ""),
        ("", (' deletionScope="urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:'
             'DeleteRepositoryItemOnly"')),
    ],
)  # fmt: skip
def test_d1_no_query_and_no_scope(
    client: SoapClient, patient: str, more: str, attributes: str
) -> None:
    asked = registered(client, submission(entry(patient)))
    refs = [f"urn:uuid:{thing.entry_uuid}" for thing in everything(asked)]
    body = remove_metadata_body(refs, more, attributes)
    answer = client.call("/xds/registry", ITI62, body)
    assert xds.status(answer) == names.FAILURE
    assert get_all(client, patient) == set(refs)


def test_an_empty_request_is_refused(client: SoapClient) -> None:
    assert xds.status(remove_metadata(client)) == names.FAILURE


def test_upper_case_ids_and_repeated_ones_are_the_same(client: SoapClient, patient: str) -> None:
    asked = registered(client, submission(entry(patient)))
    refs = [f"urn:uuid:{str(thing.entry_uuid).upper()}" for thing in everything(asked)]
    assert xds.status(remove_metadata(client, *refs, refs[0].lower())) == xds.SUCCESS
    assert get_all(client, patient) == set()


def test_a_removal_is_recorded(node: Node, client: SoapClient, patient: str) -> None:
    asked = registered(client, submission(entry(patient)))
    assert xds.status(remove_metadata(client, *everything(asked))) == xds.SUCCESS
    key = node.place.keys.key(PatientId.parse(patient))
    told = AuditTrail(node.place.views).search(AuditQuery(patient_key=key), policy=sa.true())
    last = told.items[0]
    assert (last.action, last.outcome, last.transaction) == ("remove", "success", "ITI-62")
    assert set(last.document_ids) == {f"urn:uuid:{t.entry_uuid}" for t in everything(asked)}
