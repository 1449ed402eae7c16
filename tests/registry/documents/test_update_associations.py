"""What a metadata update does to associations and statuses (ITI TF-2 3.57): given/when/then."""

from __future__ import annotations

from uuid import uuid4

import msgspec

from registry.documents import refusals
from registry.documents.events import (
    AssociationApproved,
    AssociationAsserted,
    AssociationDeprecated,
    DocumentRelated,
    FolderDeprecated,
    FolderUpdated,
)
from registry.documents.update_terms import RESTRICTED_UPDATE
from registry.documents.values import AssociationType, Status
from tests.support.registry_past import Registry, deprecated, facts
from tests.support.submissions import OTHER_PATIENT, association, entry, folder, member, submission
from tests.support.update_past import asserted, decide, edges, refused, updated
from tests.support.updates import metadata_update, new_version

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
APND = AssociationType.APND
OFFLINE = "urn:ihe:iti:2010:DocumentAvailability:Offline"


def test_u3_propagation_copies_what_is_not_deprecated() -> None:
    old, addition, gone, case = entry(), entry(), entry(), folder()
    past = Registry().holds(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    kept = association(APND, addition.entry_uuid, old.entry_uuid)
    ended = association(APND, gone.entry_uuid, old.entry_uuid)
    past.holds(submission(addition, kept)).holds(submission(gone, ended))
    updated(past, metadata_update((ended.entry_uuid, APPROVED, DEPRECATED)))
    new = new_version(old)
    batch = updated(past, metadata_update(new))

    assert edges(batch, APND) == {(addition.entry_uuid, new.entry_uuid)}
    assert (case.entry_uuid, new.entry_uuid) in edges(batch, AssociationType.HAS_MEMBER)
    assert [f.entry_uuid for f in facts(batch, FolderUpdated)] == [case.entry_uuid]
    assert {f.entry_uuid for f in facts(batch, DocumentRelated)} == {new.entry_uuid}
    assert not facts(batch, AssociationDeprecated)  # the old version keeps its own
    # What replaces the new version deprecates its additions, as it would have before.
    newest = entry()
    replaced = past.when(
        submission(newest, association(AssociationType.RPLC, newest.entry_uuid, new.entry_uuid))
    )
    assert deprecated(replaced) == {new.entry_uuid, addition.entry_uuid}


def test_u3_an_association_that_starts_at_the_document_is_copied_once_a_version() -> None:
    old, target = entry(), entry()
    past = Registry().holds(submission(target))
    past.holds(submission(old, association(APND, old.entry_uuid, target.entry_uuid)))
    second = new_version(old)
    third = new_version(second)
    assert edges(updated(past, metadata_update(second)), APND) == {
        (second.entry_uuid, target.entry_uuid)
    }
    batch = updated(past, metadata_update(third, previous="2"))
    assert edges(batch, APND) == {(third.entry_uuid, target.entry_uuid)}


def test_u3_both_ends_updated_together_are_linked_once() -> None:
    old, case = entry(), folder()
    past = Registry().holds(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    new, renamed = new_version(old), new_version(case)
    batch = decide(past, metadata_update(new, renamed))
    folders = {case.entry_uuid, renamed.entry_uuid}
    assert {e for e in edges(batch, AssociationType.HAS_MEMBER) if e[0] in folders} == {
        (renamed.entry_uuid, new.entry_uuid)
    }


def test_u3_propagation_no_leaves_them_behind() -> None:
    old, case = entry(), folder()
    past = Registry().holds(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    asked = metadata_update(new_version(old), propagation="no")
    assert len(asserted(decide(past, asked))) == 1
    refused(past, asked, refusals.AnnotationInvalid, RESTRICTED_UPDATE)


def test_u4_the_status_of_a_document_goes_and_comes() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    wrong = metadata_update((old.entry_uuid, DEPRECATED, APPROVED))
    refused(past, wrong, refusals.UpdateRefused)
    updated(past, metadata_update((old.entry_uuid, APPROVED, DEPRECATED)))
    assert past.objects[old.entry_uuid].status is DEPRECATED
    updated(past, wrong)
    assert past.objects[old.entry_uuid].status is APPROVED
    refused(past, metadata_update((old.entry_uuid, DEPRECATED, APPROVED)), refusals.UpdateRefused)


def test_u4_only_the_current_version_has_a_status_to_change() -> None:
    old, case = entry(), folder()
    past = Registry().holds(submission(old, case))
    updated(past, metadata_update(new_version(old), new_version(case)))
    for uuid in (old.entry_uuid, case.entry_uuid):
        refused(past, metadata_update((uuid, DEPRECATED, APPROVED)), refusals.UpdateRefused)


def test_u4_u8_a_new_version_is_approved_before_its_status_changes() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    new = new_version(old, availability_status=DEPRECATED)
    wrong = metadata_update(new, (new.entry_uuid, DEPRECATED, APPROVED))
    refused(past, wrong, refusals.UpdateRefused)
    batch = decide(past, metadata_update(new, (new.entry_uuid, APPROVED, DEPRECATED)))
    assert deprecated(batch) == {old.entry_uuid, new.entry_uuid}


def test_u4_folders_and_associations_have_a_status_but_no_membership_of_a_set() -> None:
    case, old, addition = folder(), entry(), entry()
    edge = association(APND, addition.entry_uuid, old.entry_uuid)
    inside = member(case.entry_uuid, old.entry_uuid)
    asked = submission(case, old, addition, edge, inside)
    past = Registry().holds(asked)
    targets = (case.entry_uuid, edge.entry_uuid, inside.entry_uuid)
    batch = updated(past, metadata_update(*((t, APPROVED, DEPRECATED) for t in targets)))
    assert len(facts(batch, FolderDeprecated)) == 1
    assert len(facts(batch, AssociationDeprecated)) == 2
    batch = updated(past, metadata_update((edge.entry_uuid, DEPRECATED, APPROVED)))
    assert len(facts(batch, AssociationApproved)) == 1
    listed = asked.associations[0].entry_uuid
    for target in (listed, uuid4(), asked.submission_set.entry_uuid):
        refused(past, metadata_update((target, APPROVED, DEPRECATED)), refusals.UpdateRefused)


def test_u4_the_operation_starts_at_the_set_and_names_both_statuses() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    asked = metadata_update((old.entry_uuid, APPROVED, DEPRECATED))
    (change,) = asked.status_changes
    for changes, refusal in (
        ({"source": old.entry_uuid}, refusals.UpdateRefused),
        ({"original": None}, refusals.UpdateNotUnderstood),
        ({"new": None}, refusals.UpdateNotUnderstood),
        ({"new": APPROVED}, refusals.UpdateNotUnderstood),
    ):
        wrong = msgspec.structs.replace(change, **changes)
        refused(past, msgspec.structs.replace(asked, status_changes=(wrong,)), refusal)


def test_u4_u5_a_restricted_update_has_new_versions_of_documents_only() -> None:
    old, other, case = entry(), entry(), folder()
    past = Registry().holds(submission(old, other, case))
    edge = association(APND, other.entry_uuid, old.entry_uuid)
    for asked, refusal in (
        (metadata_update((old.entry_uuid, APPROVED, DEPRECATED)), refusals.AttributeFixed),
        (metadata_update(edge), refusals.AttributeFixed),
        (metadata_update(new_version(case)), refusals.ObjectKindRefused),
    ):
        refused(past, asked, refusal, RESTRICTED_UPDATE)


def test_u5_an_association_is_added_once() -> None:
    one, two, case = entry(), entry(), folder()
    past = Registry().holds(submission(one, two, case))
    edge = association(APND, one.entry_uuid, two.entry_uuid)
    inside = member(case.entry_uuid, one.entry_uuid)
    batch = updated(past, metadata_update(edge, inside))
    assert edges(batch, APND) == {(one.entry_uuid, two.entry_uuid)}
    assert [f.entry_uuid for f in facts(batch, FolderUpdated)] == [case.entry_uuid]
    again = association(AssociationType.XFRM, one.entry_uuid, two.entry_uuid)
    refused(past, metadata_update(again), refusals.UpdateRefused)
    updated(past, metadata_update((edge.entry_uuid, APPROVED, DEPRECATED)))
    assert facts(decide(past, metadata_update(again)), AssociationAsserted)


def test_u5_what_an_association_may_not_link() -> None:
    one, two, case, other = entry(), entry(), folder(), entry(OTHER_PATIENT)
    past = Registry().holds(submission(one, two, case)).holds(submission(other))
    updated(past, metadata_update((two.entry_uuid, APPROVED, DEPRECATED)))
    for edge, refusal in (
        (association(APND, one.entry_uuid, two.entry_uuid), refusals.UpdateRefused),
        (association(APND, one.entry_uuid, uuid4()), refusals.UpdateRefused),
        (association(APND, case.entry_uuid, one.entry_uuid), refusals.UpdateRefused),
        (member(one.entry_uuid, two.entry_uuid), refusals.UpdateRefused),
        (association(APND, one.entry_uuid, one.entry_uuid), refusals.UpdateRefused),
        (association(APND, one.entry_uuid, other.entry_uuid), refusals.PatientNotReconciled),
    ):
        refused(past, metadata_update(edge), refusal)


def test_u5_u8_what_is_propagated_is_not_added_to_by_hand() -> None:
    old, other, case = entry(), entry(), folder()
    past = Registry().holds(submission(old, other, case))
    new = new_version(old)
    for edge in (
        association(APND, new.entry_uuid, other.entry_uuid),
        association(APND, other.entry_uuid, new.entry_uuid),
        member(case.entry_uuid, new.entry_uuid),
    ):
        refused(past, metadata_update(new, edge), refusals.UpdateNotUnderstood)
        batch = decide(past, metadata_update(new, edge, propagation="no"))
        assert (edge.source, edge.target) in edges(batch, edge.type)
    # Elsewhere associations may be added in the same breath.
    elsewhere = member(case.entry_uuid, other.entry_uuid)
    assert decide(past, metadata_update(new, elsewhere))


def test_r8_a_replacement_goes_into_folders_that_stand() -> None:
    old, kept, given_up = entry(), folder(), folder()
    inside = [member(one.entry_uuid, old.entry_uuid) for one in (kept, given_up)]
    past = Registry().holds(submission(old, kept, given_up, *inside))
    updated(past, metadata_update((given_up.entry_uuid, APPROVED, DEPRECATED)))
    later = new_version(kept)
    updated(past, metadata_update(later))
    newest = entry()
    replacing = association(AssociationType.RPLC, newest.entry_uuid, old.entry_uuid)
    batch = past.when(submission(newest, replacing))
    folders = {kept.entry_uuid, later.entry_uuid, given_up.entry_uuid}
    found = edges(batch, AssociationType.HAS_MEMBER)
    assert {edge for edge in found if edge[0] in folders} == {(later.entry_uuid, newest.entry_uuid)}


def test_u4_a_replacement_takes_along_only_what_is_still_linked() -> None:
    old, addition, case, newest = entry(), entry(), folder(), entry()
    edge = association(APND, addition.entry_uuid, old.entry_uuid)
    inside = member(case.entry_uuid, old.entry_uuid)
    past = Registry().holds(submission(old, case, inside)).holds(submission(addition, edge))
    replacing = association(AssociationType.RPLC, newest.entry_uuid, old.entry_uuid)
    ended = [(a.entry_uuid, APPROVED, DEPRECATED) for a in (edge, inside)]
    updated(past, metadata_update(*ended))
    batch = past.when(submission(newest, replacing))
    assert deprecated(batch) == {old.entry_uuid}
    assert not facts(batch, FolderUpdated)
    updated(past, metadata_update(*((uuid, new, old_) for uuid, old_, new in ended)))
    batch = past.when(submission(newest, replacing))
    assert deprecated(batch) == {old.entry_uuid, addition.entry_uuid}
    assert len(facts(batch, FolderUpdated)) == 1


def test_u5_u8_an_association_is_added_and_deprecated_in_one_submission() -> None:
    one, two = entry(), entry()
    past = Registry().holds(submission(one, two))
    edge = association(APND, one.entry_uuid, two.entry_uuid)
    updated(past, metadata_update(edge, (edge.entry_uuid, APPROVED, DEPRECATED)))
    assert past.objects[edge.entry_uuid].status is DEPRECATED
    assert past.objects[two.entry_uuid].inbound == ()


def test_u3_a_folder_takes_the_current_versions_of_its_documents_along() -> None:
    old, case = entry(), folder()
    past = Registry().holds(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    new, renamed = new_version(old), new_version(case)
    updated(past, metadata_update(new))
    batch = updated(past, metadata_update(renamed))
    inside = {e for e in edges(batch, AssociationType.HAS_MEMBER) if e[0] == renamed.entry_uuid}
    assert inside == {(renamed.entry_uuid, new.entry_uuid)}
