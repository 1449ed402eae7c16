"""What a metadata update does and refuses (ITI TF-2 3.57.4.1.3, 3.92.4.1.3): given/when/then."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec
import pytest

from kernel.ledger.ports import Append
from kernel.refusals import Refusal
from registry.documents import refusals, update
from registry.documents.commands import Kind
from registry.documents.events import (
    DocumentDeprecated,
    DocumentRegistered,
    DocumentRevised,
    FolderCreated,
    FolderDeprecated,
    FolderRevised,
    SubmissionAccepted,
)
from registry.documents.update_terms import RESTRICTED_UPDATE, UPDATE
from registry.documents.values import ON_DEMAND, AssociationType, DocumentEntry, Slot, Status
from tests.support.registry_past import KEYS, Registry, deprecated, facts
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
from tests.support.update_past import asserted, decide, edges, refused, updated
from tests.support.updates import metadata_update, new_version

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
APND = AssociationType.APND
OFFLINE = "urn:ihe:iti:2010:DocumentAvailability:Offline"


def test_u1_new_version_deprecates_the_previous() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    new = new_version(old, title="Better")
    batch = updated(past, metadata_update(new))

    (fact,) = facts(batch, DocumentRegistered)
    assert (fact.entry_uuid, fact.logical_id, fact.version) == (new.entry_uuid, old.entry_uuid, 2)
    assert (fact.entry.title, fact.entry.version) == ("Better", 2)
    assert deprecated(batch) == {old.entry_uuid}
    (revised,) = facts(batch, DocumentRevised)
    assert (revised.logical_id, revised.entry_uuid) == (old.entry_uuid, new.entry_uuid)
    assert len(facts(batch, SubmissionAccepted)) == 1
    assert past.objects[new.entry_uuid].kind is Kind.DOCUMENT


def test_u1_a_third_version_follows_the_second() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    second = new_version(old)
    updated(past, metadata_update(second))
    batch = updated(past, metadata_update(new_version(second), previous="2"))
    assert deprecated(batch) == {second.entry_uuid}
    assert facts(batch, DocumentRegistered)[0].version == 3
    assert {s.stream for s in batch.streams} >= {old.entry_uuid, second.entry_uuid}


def test_u1_two_updates_of_one_version_collide_on_the_first_versions_stream() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    one, other = (decide(past, metadata_update(new_version(old))) for _ in range(2))
    guarded = [
        {s.stream: s.expected_version for s in batch.streams if s.stream in past.objects}
        for batch in (one, other)
    ]
    assert guarded[0] == guarded[1] == {old.entry_uuid: past.objects[old.entry_uuid].version}


def test_u1_the_octets_stay_what_they_are() -> None:
    old = entry()
    past = Registry()
    kept = msgspec.structs.replace
    batch = past.when(submission(old))
    streams = tuple(
        kept_stream
        if not isinstance(kept_stream.facts[0], DocumentRegistered)
        else type(kept_stream)(
            kept_stream.stream,
            (kept(kept_stream.facts[0], object_sha256="ab" * 32), *kept_stream.facts[1:]),
            0,
            kept_stream.patient_key,
        )
        for kept_stream in batch.streams
    )
    past.take(Append(streams, batch.claims))
    new = new_version(old, hash="00" * 20, size=1)
    (fact,) = facts(decide(past, metadata_update(new)), DocumentRegistered)
    assert (fact.object_sha256, fact.hash, fact.size) == ("ab" * 32, old.hash, old.size)
    assert (fact.entry.hash, fact.entry.size) == ("00" * 20, 1)


@pytest.mark.parametrize(
    ("changes", "full", "restricted"),
    [
        ({"unique_id": "1.2.3"}, refusals.UpdateRefused, refusals.IdentifierChanged),
        ({"object_type": ON_DEMAND}, refusals.UpdateRefused, refusals.AttributeFixed),
        ({"logical_id": None}, refusals.UpdateRefused, refusals.NotAnUpdate),
        ({"logical_id": uuid4()}, refusals.VersionMismatch, refusals.ReferenceUnresolved),
        ({"class_code": None}, refusals.MetadataInvalid, refusals.MetadataInvalid),
        ({"repository_unique_id": "1.2.9"}, None, refusals.AttributeFixed),
        ({"source_patient_id": OTHER_PATIENT}, None, refusals.AttributeFixed),
        ({"document_availability": OFFLINE}, None, refusals.AttributeFixed),
        ({"availability_status": DEPRECATED}, None, refusals.AttributeFixed),
        ({"patient_id": OTHER_PATIENT}, None, refusals.PatientNotReconciled),
        ({"hash": "11" * 20, "size": 7, "mime_type": "text/plain"}, None, None),
    ],
)
def test_u2_u7_what_a_new_version_may_change(
    changes: dict[str, Any], full: type[Refusal] | None, restricted: type[Refusal] | None
) -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update(new_version(old, **changes))
    for terms, refusal in ((UPDATE, full), (RESTRICTED_UPDATE, restricted)):
        if refusal is None:
            assert facts(decide(past, asked, terms), DocumentRegistered)
        else:
            refused(past, asked, refusal, terms)


def test_u2_the_first_version_is_no_update() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    again = msgspec.structs.replace(old, entry_uuid=uuid4())
    again = msgspec.structs.replace(again, logical_id=again.entry_uuid)
    refused(past, metadata_update(again), refusals.UpdateRefused)
    refused(past, metadata_update(again), refusals.NotAnUpdate, RESTRICTED_UPDATE)


@pytest.mark.parametrize("previous", ["2", "0", "01", "x"])
def test_u2_previous_version_must_be_the_current_one(previous: str) -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update(new_version(old), previous=previous)
    refused(past, asked, refusals.VersionMismatch)
    refused(past, asked, refusals.VersionMismatch, RESTRICTED_UPDATE)


def test_u2_an_older_version_is_not_followed_twice() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    updated(past, metadata_update(new_version(old)))
    refused(past, metadata_update(new_version(old)), refusals.VersionMismatch)


def test_u2_the_id_of_a_later_version_is_no_logical_id() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    second = new_version(old)
    updated(past, metadata_update(second))
    third = new_version(second, logical_id=second.entry_uuid)
    refused(past, metadata_update(third, previous="2"), refusals.VersionMismatch)


def test_u2_without_previous_version() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update(new_version(old), previous="")
    refused(past, asked, refusals.UpdateRefused)
    refused(past, asked, refusals.AnnotationInvalid, RESTRICTED_UPDATE)


def test_u2_without_has_member() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update(new_version(old))
    bare = msgspec.structs.replace(
        asked, submission=msgspec.structs.replace(asked.submission, associations=()), revisions=()
    )
    refused(past, bare, refusals.UpdateRefused)
    refused(past, bare, refusals.AnnotationInvalid, RESTRICTED_UPDATE)


def test_u2_the_same_logical_id_twice() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update(new_version(old), new_version(old))
    refused(past, asked, refusals.UpdateNotUnderstood)


def test_u2_a_submission_without_operations() -> None:
    refused(Registry(), metadata_update(), refusals.UpdateNotUnderstood)


def test_u2_an_association_that_belongs_to_no_operation() -> None:
    old, other = entry(), entry()
    past = Registry().holds(submission(old, other))
    asked = metadata_update(new_version(old))
    stray = association(APND, other.entry_uuid, old.entry_uuid)
    submitted = msgspec.structs.replace(
        asked.submission, associations=(*asked.submission.associations, stray)
    )
    refused(
        past, msgspec.structs.replace(asked, submission=submitted), refusals.UpdateNotUnderstood
    )


def test_u2_the_entry_uuid_must_be_new() -> None:
    old, other = entry(), entry()
    past = Registry().holds(submission(old, other))
    taken = msgspec.structs.replace(new_version(old), entry_uuid=other.entry_uuid)
    refused(past, metadata_update(taken), refusals.EntryUuidTaken)


def test_u2_what_is_no_update_is_told_before_how_it_is_written() -> None:
    old = folder()
    past = Registry().holds(submission(old))
    badly = msgspec.structs.replace(submission_set(), unique_id="no-oid")
    for first in (None, old.entry_uuid):
        again = msgspec.structs.replace(old, logical_id=first, unique_id="no-oid")
        refused(past, metadata_update(again, whole=badly), refusals.UpdateRefused)
        refused(
            past, metadata_update(entry(logical_id=first, entry_uuid=first or uuid4())),
            refusals.NotAnUpdate, RESTRICTED_UPDATE,
        )  # fmt: skip


def test_u2_the_submission_set_must_be_new_and_its_patient_known() -> None:
    old = entry()
    past = Registry().holds(submission(old, whole=(whole := submission_set())))
    twice = msgspec.structs.replace(whole, entry_uuid=uuid4())
    refused(past, metadata_update(new_version(old), whole=twice), refusals.UniqueIdTaken)
    past.patient_known = False
    refused(past, metadata_update(new_version(old)), refusals.PatientUnknown)


def test_u1_a_deprecated_version_is_followed_by_a_restricted_update_only() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    updated(past, metadata_update((old.entry_uuid, APPROVED, DEPRECATED)))
    new = new_version(old)
    refused(past, metadata_update(new), refusals.UpdateRefused)
    batch = updated(past, metadata_update(new), RESTRICTED_UPDATE)
    assert deprecated(batch) == {new.entry_uuid}
    assert past.objects[new.entry_uuid].status is DEPRECATED


def test_u1_folders_have_versions_too() -> None:
    case, document = folder(), entry()
    inside = member(case.entry_uuid, document.entry_uuid)
    past = Registry().holds(submission(case, document, inside))
    new = new_version(case, title="Renamed", last_update_time="19990101")
    batch = updated(past, metadata_update(new))

    (created,) = facts(batch, FolderCreated)
    assert (created.folder.version, created.folder.logical_id) == (2, case.entry_uuid)
    assert created.folder.last_update_time == "20260503101200"
    assert [f.entry_uuid for f in facts(batch, FolderDeprecated)] == [case.entry_uuid]
    assert facts(batch, FolderRevised)[0].entry_uuid == new.entry_uuid
    memberships = edges(batch, AssociationType.HAS_MEMBER)
    assert (new.entry_uuid, document.entry_uuid) in memberships
    # The new membership is in the SubmissionSet too; it is the document's for later updates.
    (copied,) = [a for a in asserted(batch) if a.source == new.entry_uuid]
    whole = facts(batch, SubmissionAccepted)[0].entry_uuid
    assert (whole, copied.entry_uuid) in memberships
    assert past.objects[document.entry_uuid].inbound[-1] == copied
    for changes in ({"unique_id": "1.2.3"}, {"logical_id": None}):
        asked = metadata_update(new_version(new, **changes), previous="2")
        refused(past, asked, refusals.UpdateRefused)


def test_u2_a_folder_may_not_follow_a_document() -> None:
    case, document = folder(), entry()
    past = Registry().holds(submission(case, document))
    asked = metadata_update(new_version(case, logical_id=document.entry_uuid))
    refused(past, asked, refusals.VersionMismatch)


def test_u6_a_document_may_go_to_another_patient_unless_its_associations_stay() -> None:
    old, case = entry(), folder()
    past = Registry().holds(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    moved = new_version(old, patient_id=OTHER_PATIENT)
    refused(past, metadata_update(moved), refusals.PatientNotReconciled)
    batch = decide(past, metadata_update(moved, propagation="no"))
    (fact,) = facts(batch, DocumentRegistered)
    assert fact.patient_key == KEYS[OTHER_PATIENT]
    assert deprecated(batch) == {old.entry_uuid}
    together = metadata_update(moved, new_version(case, patient_id=OTHER_PATIENT))
    assert len(facts(decide(past, together), FolderCreated)) == 1


def test_u6_objects_of_two_patients_in_one_set() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update(new_version(old), whole=submission_set(OTHER_PATIENT))
    refused(past, asked, refusals.PatientNotReconciled)


def test_u2_a_slot_that_is_none_of_the_profiles() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update(new_version(old))
    (revision,) = asked.revisions
    listed = msgspec.structs.replace(
        revision.member, extra=(*revision.member.extra, Slot("Color", ("blue",)))
    )
    broken = msgspec.structs.replace(
        asked,
        submission=msgspec.structs.replace(asked.submission, associations=(listed,)),
        revisions=(msgspec.structs.replace(revision, member=listed),),
    )
    refused(past, broken, refusals.MetadataInvalid)


def test_a_version_that_was_replaced_is_deprecated_and_not_updated() -> None:
    old, newer = entry(), entry()
    past = Registry().holds(submission(old))
    second = new_version(old)
    updated(past, metadata_update(second))
    replacing = association(AssociationType.RPLC, newer.entry_uuid, second.entry_uuid)
    batch = past.when(submission(newer, replacing))
    assert isinstance(batch, Append)
    assert {f.entry_uuid for f in facts(batch, DocumentDeprecated)} == {second.entry_uuid}
    past.take(batch)
    refused(past, metadata_update(new_version(second), previous="2"), refusals.UpdateRefused)


def test_what_must_be_loaded_is_told_step_by_step() -> None:
    old, addition = entry(), entry()
    past = Registry().holds(submission(old))
    edge = association(APND, addition.entry_uuid, old.entry_uuid)
    past.holds(submission(addition, edge))
    second = new_version(old)
    updated(past, metadata_update(second))
    asked = metadata_update(new_version(second), previous="2")
    assert asked.outside() == {old.entry_uuid}
    loaded = {old.entry_uuid: past.objects[old.entry_uuid]}
    assert update.wanted(loaded) == {second.entry_uuid}
    loaded[second.entry_uuid] = past.objects[second.entry_uuid]
    assert update.wanted(loaded) == frozenset()
    loaded[edge.entry_uuid] = past.objects[edge.entry_uuid]
    assert update.wanted(loaded) == {addition.entry_uuid}


def test_one_patient_in_all_of_it() -> None:
    document = entry(PATIENT)
    assert isinstance(document, DocumentEntry)
    past = Registry().holds(submission(document))
    whole = submission_set(OTHER_PATIENT)
    asked = metadata_update((document.entry_uuid, APPROVED, DEPRECATED), whole=whole)
    refused(past, asked, refusals.PatientNotReconciled)
