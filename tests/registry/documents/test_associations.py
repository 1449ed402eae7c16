"""Associations: replacement, additions, folders, signatures, and what follows from them.

ITI TF-3 4.2.2 and TF-2 3.42.4.1.3.3, checklist R7 to R10; pure, no store.
"""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest

from kernel.codes import Code
from registry.documents import commands
from registry.documents.events import (
    AssociationAsserted,
    DocumentDeprecated,
    DocumentRelated,
    FolderCreated,
    FolderUpdated,
)
from registry.documents.refusals import (
    MetadataInvalid,
    PatientIdMismatch,
    ReferenceUnresolved,
    TargetDeprecated,
)
from registry.documents.values import AssociationType, Status, Submission
from tests.support.registry_past import Registry, deprecated, facts
from tests.support.submissions import (
    OTHER_PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)


def test_replacement_deprecates_and_tells_the_target() -> None:
    old, new = entry(), entry()
    past = Registry().holds(submission(old))
    edge = association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid)
    batch = past.when(submission(new, edge))

    assert deprecated(batch) == {old.entry_uuid}
    (target,) = [s for s in batch.streams if s.stream == old.entry_uuid]
    assert target.expected_version == past.objects[old.entry_uuid].version
    assert [type(f) for f in target.facts] == [DocumentRelated, DocumentDeprecated]
    past.take(batch)
    assert past.objects[old.entry_uuid].status is Status.DEPRECATED
    assert past.objects[new.entry_uuid].status is Status.APPROVED


@pytest.mark.parametrize("kind", [AssociationType.RPLC, AssociationType.XFRM_RPLC])
def test_what_depends_on_the_replaced_is_deprecated_too(kind: AssociationType) -> None:
    old, addition, transform = entry(), entry(), entry()
    past = Registry().holds(submission(old))
    past.holds(
        submission(addition, association(AssociationType.APND, addition.entry_uuid, old.entry_uuid))
    )
    past.holds(
        submission(
            transform, association(AssociationType.XFRM, transform.entry_uuid, addition.entry_uuid)
        )
    )
    new = entry()
    asked = submission(new, association(kind, new.entry_uuid, old.entry_uuid))
    assert deprecated(past.when(asked)) == {
        old.entry_uuid, addition.entry_uuid, transform.entry_uuid
    }  # fmt: skip


def test_what_must_be_loaded_is_told_step_by_step() -> None:
    old, addition = entry(), entry()
    past = Registry().holds(submission(old))
    edge = association(AssociationType.APND, addition.entry_uuid, old.entry_uuid)
    past.holds(submission(addition, edge))
    new = entry()
    asked = submission(new, association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid))

    assert commands.references(asked) == {old.entry_uuid}
    loaded = {old.entry_uuid: past.objects[old.entry_uuid]}
    assert commands.dependents(asked, loaded) == {addition.entry_uuid}
    loaded[addition.entry_uuid] = past.objects[addition.entry_uuid]
    assert commands.dependents(asked, loaded) == frozenset()


@pytest.mark.parametrize(
    "kind",
    [AssociationType.RPLC, AssociationType.APND, AssociationType.XFRM, AssociationType.XFRM_RPLC],
)
def test_a_deprecated_document_is_no_target(kind: AssociationType) -> None:
    old, newer, newest = entry(), entry(), entry()
    past = Registry().holds(submission(old))
    past.holds(
        submission(newer, association(AssociationType.RPLC, newer.entry_uuid, old.entry_uuid))
    )
    with pytest.raises(TargetDeprecated):
        past.when(submission(newest, association(kind, newest.entry_uuid, old.entry_uuid)))


@pytest.mark.parametrize("kind", [AssociationType.APND, AssociationType.XFRM])
def test_additions_and_transforms_leave_the_target_approved(kind: AssociationType) -> None:
    old, new = entry(), entry()
    batch = (
        Registry()
        .holds(submission(old))
        .when(submission(new, association(kind, new.entry_uuid, old.entry_uuid)))
    )
    assert deprecated(batch) == set()
    assert len(facts(batch, DocumentRelated)) == 1


def test_a_replacement_of_another_patients_document_is_refused() -> None:
    old, new = entry(), entry(OTHER_PATIENT)
    with pytest.raises(PatientIdMismatch):
        Registry().holds(submission(old)).when(
            submission(new, association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid))
        )


def test_a_document_may_not_replace_what_its_own_submission_brings() -> None:
    old, new = entry(), entry()
    with pytest.raises(MetadataInvalid):
        Registry().when(
            submission(old, new, association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid))
        )


def test_two_documents_may_not_replace_the_same_one() -> None:
    old, one, two = entry(), entry(), entry()
    with pytest.raises(TargetDeprecated):
        Registry().holds(submission(old)).when(
            submission(
                one, two,
                association(AssociationType.RPLC, one.entry_uuid, old.entry_uuid),
                association(AssociationType.RPLC, two.entry_uuid, old.entry_uuid),
            )
        )  # fmt: skip


def test_an_association_to_nothing_is_refused() -> None:
    new = entry()
    with pytest.raises(ReferenceUnresolved):
        Registry().when(submission(new, association(AssociationType.APND, new.entry_uuid, uuid4())))


def test_a_replacement_joins_the_folders_of_what_it_replaces() -> None:
    old, case = entry(), folder()
    past = Registry().holds(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    new = entry()
    batch = past.when(
        submission(new, association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid))
    )

    edges = {
        (f.association.source, f.association.target) for f in facts(batch, AssociationAsserted)
    }
    assert (case.entry_uuid, new.entry_uuid) in edges
    (updated,) = facts(batch, FolderUpdated)
    assert (updated.entry_uuid, updated.last_update_time) == (case.entry_uuid, "20260503101200")
    # And once more: the membership is known to the new document's own stream.
    past.take(batch)
    newest = entry()
    again = past.when(
        submission(newest, association(AssociationType.RPLC, newest.entry_uuid, new.entry_uuid))
    )
    edges = {
        (f.association.source, f.association.target) for f in facts(again, AssociationAsserted)
    }
    assert (case.entry_uuid, newest.entry_uuid) in edges


def test_the_registry_sets_a_folders_update_time() -> None:
    batch = Registry().when(submission(folder(last_update_time="19990101")))
    (created,) = facts(batch, FolderCreated)
    assert created.folder.last_update_time == "20260503101200"


def test_a_new_document_joins_a_registered_folder() -> None:
    case, new = folder(), entry()
    past = Registry().holds(submission(case))
    batch = past.when(submission(new, member(case.entry_uuid, new.entry_uuid)))
    assert [f.entry_uuid for f in facts(batch, FolderUpdated)] == [case.entry_uuid]


def test_a_registered_document_joins_a_registered_folder() -> None:
    case, old = folder(), entry()
    past = Registry().holds(submission(case)).holds(submission(old))
    whole = submission_set()
    inside = member(case.entry_uuid, old.entry_uuid)
    listed = member(whole.entry_uuid, inside.entry_uuid)
    batch = past.when(submission(inside, listed, whole=whole))
    assert len(facts(batch, AssociationAsserted)) == 2
    assert [f.entry_uuid for f in facts(batch, DocumentRelated)] == [old.entry_uuid]


def test_a_submission_may_refer_to_a_registered_document_even_of_another_patient() -> None:
    old = entry()
    past = Registry().holds(submission(old))
    whole = submission_set(OTHER_PATIENT)
    batch = past.when(
        submission(member(whole.entry_uuid, old.entry_uuid, "Reference"), whole=whole)
    )
    assert len(facts(batch, AssociationAsserted)) == 1


@pytest.mark.parametrize("status", ["", "Reference", "original"])
def test_the_membership_of_a_new_document_is_original(status: str) -> None:
    document, whole = entry(), submission_set()
    asked = Submission(
        submission_set=whole,
        entries=(document,),
        associations=(member(whole.entry_uuid, document.entry_uuid, status),),
    )
    with pytest.raises(MetadataInvalid, match="SubmissionSetStatus"):
        Registry().when(asked)


def test_every_new_object_is_a_member_once() -> None:
    with pytest.raises(MetadataInvalid, match="HasMember"):
        Registry().when(Submission(submission_set=submission_set(), entries=(entry(),)))
    whole, document = submission_set(), entry()
    twice = submission(
        document, member(whole.entry_uuid, document.entry_uuid, "Original"), whole=whole
    )
    with pytest.raises(MetadataInvalid, match="HasMember"):
        Registry().when(twice)


def test_an_association_may_not_point_at_itself() -> None:
    document = entry()
    with pytest.raises(MetadataInvalid, match="itself"):
        Registry().when(
            submission(
                document,
                association(AssociationType.APND, document.entry_uuid, document.entry_uuid),
            )
        )


def test_documentation_belongs_on_relationships() -> None:
    document, whole = entry(), submission_set()
    edge = msgspec.structs.replace(
        member(whole.entry_uuid, document.entry_uuid, "Original"), documentation=Code("a", "1.2.3")
    )
    with pytest.raises(MetadataInvalid, match="Documentation"):
        Registry().when(Submission(submission_set=whole, entries=(document,), associations=(edge,)))


def test_only_a_signature_document_signs() -> None:
    signed, plain = entry(), entry()
    past = Registry().holds(submission(signed))
    edge = association(AssociationType.SIGNS, plain.entry_uuid, signed.entry_uuid)
    with pytest.raises(MetadataInvalid, match="signature"):
        past.when(submission(plain, edge))
    signature = msgspec.structs.replace(
        plain, format_code=Code("urn:ihe:iti:dsg:detached:2014", "1.3.6.1.4.1.19376.1.2.3")
    )
    assert facts(past.when(submission(signature, edge)), DocumentRelated)


def test_a_snapshot_needs_an_on_demand_document() -> None:
    old, new = entry(), entry()
    with pytest.raises(MetadataInvalid):
        Registry().holds(submission(old)).when(
            submission(
                new, association(AssociationType.IS_SNAPSHOT_OF, new.entry_uuid, old.entry_uuid)
            )
        )
