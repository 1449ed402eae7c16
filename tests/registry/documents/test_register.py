"""Register: given what the registry holds, when a submission comes, then these facts or a refusal.

ITI TF-2 3.42.4.1.3, checklist R1 to R12; pure, no store.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from kernel.codes import Code
from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.ledger.ports import Append, ClaimHeld
from registry.documents import commands
from registry.documents.commands import Known, Registration, Rules
from registry.documents.events import (
    AssociationAsserted,
    DocumentDeprecated,
    DocumentRegistered,
    DocumentRelated,
    FolderCreated,
    FolderUpdated,
    SubmissionAccepted,
)
from registry.documents.refusals import (
    DocumentHashDiffers,
    DocumentSizeDiffers,
    EntryUuidTaken,
    MetadataInvalid,
    PatientIdMismatch,
    PatientUnknown,
    ReferenceUnresolved,
    TargetDeprecated,
    UniqueIdTaken,
    UniqueIdTwice,
)
from registry.documents.values import AssociationType, Status, Submission
from tests.support.submissions import (
    CONTENT,
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)

KEYS = {PATIENT: uuid4(), OTHER_PATIENT: uuid4()}
MOMENT = datetime(2026, 5, 3, 10, 12, tzinfo=UTC)


class Registry:
    """The past: streams and claims that earlier appends made."""

    def __init__(self, *, patient_known: bool = True) -> None:
        self.objects = {}
        self.claims: dict[str, ClaimHeld] = {}
        self.patient_known = patient_known
        self.position = 0

    def holds(self, asked: Submission) -> Registry:
        self.take(self.when(asked))
        return self

    def when(self, asked: Submission, rules: Rules | None = None) -> Append:
        key = KEYS[asked.submission_set.patient_id]
        known = Known(self.patient_known, self.objects, self.claims)
        return commands.register(Registration(asked, key, MOMENT), known, rules or Rules())

    def take(self, batch: Append) -> None:
        for stream in batch.streams:
            state = self.objects.get(stream.stream, commands.initial(stream.stream))
            assert stream.expected_version in {None, state.version}
            for fact in stream.facts:
                self.position += 1
                state = commands.evolve(
                    state,
                    Recorded(
                        stream=stream.stream, version=state.version + 1, position=self.position,
                        at=MOMENT, topic=fact.TOPIC, fact=fact, envelope=Envelope(),
                    ),
                )  # fmt: skip
            self.objects[stream.stream] = state
        for claim in batch.claims:
            if claim.kind == commands.UNIQUE_ID_CLAIM:
                self.claims.setdefault(claim.key, ClaimHeld(claim.fingerprint, self.position))


def facts(batch: Append, kind: type[Fact]) -> list:
    return [f for s in batch.streams for f in s.facts if isinstance(f, kind)]


def deprecated(batch: Append) -> set[UUID]:
    return {f.entry_uuid for f in facts(batch, DocumentDeprecated)}


def test_a_document_becomes_one_append_of_all_its_facts() -> None:
    document = entry(availability_status=Status.DEPRECATED, home_community_id="urn:oid:1.2.3")
    batch = Registry().when(submission(document))

    (accepted,) = facts(batch, SubmissionAccepted)
    (registered,) = facts(batch, DocumentRegistered)
    (asserted,) = facts(batch, AssociationAsserted)
    assert accepted.patient_key == registered.patient_key == KEYS[PATIENT]
    assert registered.unique_id == document.unique_id
    assert registered.entry.availability_status is Status.APPROVED, "what was sent counts for nothing"
    assert registered.entry.home_community_id == ""
    assert (registered.logical_id, registered.version) == (document.entry_uuid, 1)
    assert asserted.association.target == document.entry_uuid
    assert all(s.expected_version == 0 for s in batch.streams)
    assert {(c.kind, c.key, c.shared) for c in batch.claims} >= {
        ("unique-id", document.unique_id, True), ("unique-id", accepted.unique_id, False),
    }  # fmt: skip


def test_personal_fields_are_sealed_under_the_patient() -> None:
    batch = Registry().when(submission(entry(), folder()))
    for stream in batch.streams:
        if any(f.PERSONAL for f in stream.facts):
            assert stream.patient_key == KEYS[PATIENT]


def test_an_unknown_patient_is_refused_unless_no_feed_is_required() -> None:
    with pytest.raises(PatientUnknown):
        Registry(patient_known=False).when(submission(entry()))
    batch = Registry(patient_known=False).when(
        submission(entry()), Rules(patient_feed_required=False)
    )
    assert facts(batch, DocumentRegistered)


@pytest.mark.parametrize("thing", [entry(OTHER_PATIENT), folder(OTHER_PATIENT)])
def test_all_objects_belong_to_one_patient(thing) -> None:
    with pytest.raises(PatientIdMismatch):
        Registry().when(submission(thing, whole=submission_set(PATIENT)))


def test_a_unique_id_may_occur_once_in_a_submission() -> None:
    one = entry()
    with pytest.raises(UniqueIdTwice):
        Registry().when(submission(one, entry(unique_id=one.unique_id)))


def test_a_submission_set_is_registered_once() -> None:
    first = submission(entry())
    with pytest.raises(UniqueIdTaken):
        Registry().holds(first).when(
            submission(entry(), whole=submission_set(unique_id=first.submission_set.unique_id))
        )


def test_a_folder_is_registered_once_and_its_id_is_no_documents() -> None:
    first = folder()
    past = Registry().holds(submission(first))
    with pytest.raises(UniqueIdTaken):
        past.when(submission(folder(unique_id=first.unique_id)))
    with pytest.raises(UniqueIdTaken):
        past.when(submission(entry(unique_id=first.unique_id)))


def test_the_same_document_registers_again() -> None:
    first = entry()
    past = Registry().holds(submission(first))
    again = past.when(submission(entry(unique_id=first.unique_id, hash=first.hash.upper())))
    assert len(facts(again, DocumentRegistered)) == 1


def test_other_octets_under_a_known_unique_id_are_refused() -> None:
    first = entry()
    past = Registry().holds(submission(first))
    with pytest.raises(DocumentHashDiffers):
        past.when(submission(entry(unique_id=first.unique_id, content=b"other")))
    with pytest.raises(DocumentSizeDiffers):
        past.when(submission(entry(unique_id=first.unique_id, size=len(CONTENT) + 1)))


def test_an_entry_uuid_is_used_once() -> None:
    first = entry()
    past = Registry().holds(submission(first))
    with pytest.raises(EntryUuidTaken):
        past.when(submission(entry(entry_uuid=first.entry_uuid)))


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
        submission(
            addition, association(AssociationType.APND, addition.entry_uuid, old.entry_uuid)
        )
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
        Registry().when(
            submission(new, association(AssociationType.APND, new.entry_uuid, uuid4()))
        )


def test_a_replacement_joins_the_folders_of_what_it_replaces() -> None:
    old, case = entry(), folder()
    past = Registry().holds(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    new = entry()
    batch = past.when(
        submission(new, association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid))
    )

    edges = {(f.association.source, f.association.target) for f in facts(batch, AssociationAsserted)}
    assert (case.entry_uuid, new.entry_uuid) in edges
    (updated,) = facts(batch, FolderUpdated)
    assert (updated.entry_uuid, updated.last_update_time) == (case.entry_uuid, "20260503101200")
    # And once more: the membership is known to the new document's own stream.
    past.take(batch)
    newest = entry()
    again = past.when(
        submission(newest, association(AssociationType.RPLC, newest.entry_uuid, new.entry_uuid))
    )
    edges = {(f.association.source, f.association.target) for f in facts(again, AssociationAsserted)}
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
        Registry().when(
            Submission(submission_set=whole, entries=(document,), associations=(edge,))
        )


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
