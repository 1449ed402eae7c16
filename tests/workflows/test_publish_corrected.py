"""Manifests follow corrections: replaced, or deprecated for one patient and made for another."""

import io

import pydicom
import pytest

from registry.documents.events import AssociationAsserted, DocumentDeprecated
from registry.documents.values import AssociationType
from registry.patients.values import Told
from tests.support.archive import AUTHORITY, instance, open_archive, stable
from tests.workflows.test_correct_studies import WHY, House, pid
from tests.workflows.test_publish_manifests import note
from tests.workflows.test_publish_study import documents, kos, named, publisher
from workflows.correct_studies import AskedMove

A, B = stable("A"), stable("B")


@pytest.fixture
def house(tmp_path):
    made = open_archive(tmp_path)
    yield House(made)
    made.close()


def published(house):
    """Publish what is due; returns what was registered for it."""
    before = len(documents(house.archive))
    publisher(house.archive).publish_due()
    assert publisher(house.archive).publish_due() == 0  # once is enough
    return documents(house.archive)[before:]


def deprecated(house):
    return [fact.entry_uuid for fact in house.archive.facts(DocumentDeprecated)]


@pytest.mark.tender("R-6.3.4")
def test_the_manifest_of_a_corrected_study_is_replaced(house):
    house.store(instance(1), instance(2))
    (first,) = published(house)
    house.studies.correct(A, {"AccessionNumber": "RIGHT", "PatientName": "Li^Si"}, reason=WHY)
    (second,) = published(house)
    assert deprecated(house) == [first.entry_uuid]
    replacing = [
        fact
        for fact in house.archive.facts(AssociationAsserted)
        if fact.association.type is AssociationType.RPLC
    ]
    assert [one.association.target for one in replacing] == [first.entry_uuid]
    assert str(kos(house.archive, second).PatientName) == "Li^Si"
    assert "RIGHT" in str(second.entry.reference_ids)
    assert len(named(kos(house.archive, second))) == 2


@pytest.mark.tender("R-6.3.4")
def test_the_manifest_of_a_reassigned_study_is_the_new_patients(house):
    house.store(instance(1), instance(1, study="B"))
    first, _ = published(house)
    house.studies.reassign(A, pid("PAT-B"), reason=WHY)
    assert deprecated(house) == [first.entry_uuid]
    (second,) = published(house)
    assert second.entry.patient_id == f"PAT-B^^^&{AUTHORITY}&ISO"
    assert second.patient_key == house.archive.patient_keys.key(pid("PAT-B"))
    assert kos(house.archive, second).PatientID == "PAT-B"
    house.studies.revert(A, reason="no")
    assert deprecated(house) == [first.entry_uuid, second.entry_uuid]
    (third,) = published(house)
    assert third.entry.patient_id == f"PAT-A^^^&{AUTHORITY}&ISO"


@pytest.mark.tender("R-6.3.4")
def test_the_manifests_of_both_studies_follow_a_split_and_a_merge(house):
    house.store(instance(1), instance(2, series="2"))
    (first,) = published(house)
    done = house.studies.move(AskedMove(study_uid=A, series_uids=[stable("A", "2")]), reason=WHY)
    made = {
        kos(house.archive, one).CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID: one
        for one in published(house)
    }
    assert made.keys() == {A, done.to_study_uid}
    assert {uid: named(kos(house.archive, one)) for uid, one in made.items()} == {
        A: {stable("A", "1", 1)},
        done.to_study_uid: {stable("A", "2", 2)},
    }
    house.store(instance(3, series="2"))  # follows its series
    (grown,) = published(house)
    assert named(kos(house.archive, grown)) == {stable("A", "2", 2), stable("A", "2", 3)}
    house.studies.move(AskedMove(study_uid=A, to_study_uid=done.to_study_uid), reason=WHY)
    (all_of_it,) = published(house)
    assert len(named(kos(house.archive, all_of_it))) == 3
    ended = [first, made[A], made[done.to_study_uid], grown]
    assert set(deprecated(house)) == {one.entry_uuid for one in ended}
    house.studies.revert(A, reason="two exams")
    assert len(published(house)) == 2


@pytest.mark.tender("R-6.3.4")
def test_the_manifest_follows_what_a_feed_tells(house):
    house.store(instance(1))
    (first,) = published(house)
    house.feed.receive([pid("PAT-A")], Told(name="Li^Si", sex="F"))
    (second,) = published(house)
    assert deprecated(house) == [first.entry_uuid]
    assert str(kos(house.archive, second).PatientName) == "Li^Si"
    house.feed.receive([pid("PAT-A")], Told(name="Li^Si", sex="F"))
    assert published(house) == []  # nothing new
    house.feed.receive([pid("PAT-A")], Told(name="Test^Archive", sex="F"))
    (third,) = published(house)
    assert str(kos(house.archive, third).PatientName) == "Test^Archive"
    house.feed.receive([pid("PAT-Z")], Told(name="Test^Archive", sex="F"))
    house.feed.merge(pid("PAT-A"), pid("PAT-Z"), Told())
    (fourth,) = published(house)
    assert kos(house.archive, fourth).PatientID == "PAT-Z"
    assert fourth.entry.patient_id == f"PAT-Z^^^&{AUTHORITY}&ISO"
    assert len({one.entry.unique_id for one in (first, second, third, fourth)}) == 4
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_a_rejected_instance_is_in_no_manifest_wherever_it_is_moved(house):
    house.store(instance(1), instance(2), instance(3), instance(1, series="2"))
    house.store(pydicom.dcmread(io.BytesIO(note(stable("A", "1", 1)))))
    series = [stable("A", "1")]
    done = house.studies.move(AskedMove(study_uid=A, series_uids=series), reason=WHY)
    made = [named(kos(house.archive, one)) for one in published(house)]
    both = {stable("A", "1", 2), stable("A", "1", 3)}
    assert sorted(made, key=len) == [{stable("A", "2", 1)}, both]
    asked = AskedMove(study_uid=done.to_study_uid, sop_uids=[stable("A", "1", 1)])
    gone = house.studies.move(asked, reason=WHY).to_study_uid
    assert [named(kos(house.archive, one)) for one in published(house)] == [both]
    assert house.index.study(gone) is None
