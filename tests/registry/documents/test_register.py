"""Register: given the past, when a submission comes, then facts or a refusal.

ITI TF-2 3.42.4.1.3, checklist R1 to R6; pure, no store.
"""

from __future__ import annotations

import pytest

from registry.documents.commands import Rules
from registry.documents.events import AssociationAsserted, DocumentRegistered, SubmissionAccepted
from registry.documents.refusals import (
    DocumentHashDiffers,
    DocumentSizeDiffers,
    EntryUuidTaken,
    PatientIdMismatch,
    PatientUnknown,
    UniqueIdTaken,
    UniqueIdTwice,
)
from registry.documents.values import Status
from tests.support.registry_past import KEYS, Registry, facts
from tests.support.submissions import (
    CONTENT,
    OTHER_PATIENT,
    PATIENT,
    entry,
    folder,
    submission,
    submission_set,
)


def test_a_document_becomes_one_append_of_all_its_facts() -> None:
    document = entry(availability_status=Status.DEPRECATED, home_community_id="urn:oid:1.2.3")
    batch = Registry().when(submission(document))

    (accepted,) = facts(batch, SubmissionAccepted)
    (registered,) = facts(batch, DocumentRegistered)
    (asserted,) = facts(batch, AssociationAsserted)
    assert accepted.patient_key == registered.patient_key == KEYS[PATIENT]
    assert registered.unique_id == document.unique_id
    assert registered.entry.availability_status is Status.APPROVED, (
        "what was sent counts for nothing"
    )
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
