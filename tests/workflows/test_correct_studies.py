"""Correction, feed, merge, split, reassignment: every view follows, and each is taken back."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from kernel.context import Envelope
from kernel.identifiers import BadIdentifier, PatientId
from kernel.ledger.ports import Append, StreamAppend, StreamMoved
from kernel.ledger.sealing import MemoryRing
from projections.study_index.attributes import MARK, Level
from projections.study_index.search import Search
from registry.documents.commands import Rules
from registry.patients.events import PatientShredded
from registry.patients.values import Told
from registry.studies.events import StudyCorrected
from registry.studies.refusals import (
    CorrectionInvalid,
    InstancesNotOfStudy,
    NothingChanges,
    PatientNotKnown,
    StudyNotKnown,
    StudyOfAnotherPatient,
)
from tests.support.archive import AUTHORITY, instance, octets, open_archive, stable
from tests.support.rebuilding import anew, live
from workflows.correct_studies import AskedMove, CorrectStudies
from workflows.receive_identity_feed import IdentityFeed
from workflows.register_documents import RegisterDocuments

A, B, C = stable("A"), stable("B"), stable("C")
ALL = sa.true()
WHY = "wrong worklist entry"


class House:
    """An archive, its feed and what corrects it."""

    def __init__(self, archive):
        self.archive = archive
        register = RegisterDocuments(archive.ledger, archive.patient_keys, rules=Rules())
        self.index = archive.views.index
        self.studies = CorrectStudies(archive.ledger, self.index, register, archive.patient_keys)
        self.feed = IdentityFeed(archive.ledger, archive.patient_keys, AUTHORITY)

    def store(self, *datasets):
        offers = [self.archive.offer(octets(one)) for one in datasets]
        for outcome in self.archive.intake.store_many(offers, Envelope()):
            assert not isinstance(outcome, Exception), outcome

    def find(self, level=Level.STUDY, **more):
        found = self.archive.views.searches.find(Search(level=level, **more), policy=ALL)
        return [json.loads(one.replace(MARK, b"")) for one in found.items]

    def metadata(self, study, series="", **more):
        body = b"[" + b",".join(self.index.metadata(study, series, **more)) + b"]"
        return {one["00080018"]["Value"][0]: one for one in json.loads(body.replace(MARK, b""))}

    def same_anew(self):
        events = self.archive.ledger.read(0, 100_000)
        now = live(self.archive.views)
        for batch in (1, 1000):
            again = anew(events, self.archive.blobs, batch=batch)
            for name, rows in now.items():
                assert again[name] == rows, (name, batch)


@pytest.fixture
def house(tmp_path, engine_dsn, request):
    postgres = (engine_dsn, request.getfixturevalue("postgres_schema")) if engine_dsn else None
    made = open_archive(tmp_path, postgres=postgres)
    yield House(made)
    made.close()


@pytest.fixture
def sqlite(tmp_path):
    made = open_archive(tmp_path)
    yield House(made)
    made.close()


def pid(local, authority=AUTHORITY):
    return PatientId(local, authority)


def value(attributes, tag):
    return attributes[tag].get("Value", [None])[0]


@pytest.mark.tender("R-6.3.4")
def test_a_correction_is_told_everywhere_and_taken_back(house):
    house.store(instance(1), instance(2), instance(1, series="2"))
    before = (house.find(), house.metadata(A), house.index.revision(A))
    done = house.studies.correct(
        A, {"AccessionNumber": "ACC-NEW", "PatientName": "Li^Si=李^四"}, reason=WHY
    )
    assert (done.kind, done.instance_count) == ("corrected", 3)
    assert done.position
    assert house.find(filters=((0x00080050, "ACC-A"),)) == []
    (study,) = house.find(filters=((0x00080050, "ACC-NEW"), (0x00100010, "lisi*")))
    assert study["00100010"]["Value"] == [{"Alphabetic": "Li^Si", "Ideographic": "李^四"}]
    row = house.index.study(A)
    assert (row.accession, row.alphabetic, row.pinyin) == ("ACC-NEW", "Li Si", "lisi")
    told = house.metadata(A)
    assert {value(one, "00080050") for one in told.values()} == {"ACC-NEW"}
    assert house.metadata(A, original=True) == before[1]
    (one,) = house.find(
        Level.INSTANCE,
        filters=((0x00080018, stable("A", "2", 1)),),
        include=frozenset({0x00080050}),
    )
    assert value(one, "00080050") == "ACC-NEW"
    assert house.index.revision(A) > before[2]
    changes = house.index.corrections([stable("A", "1", 1), "1.2.3"])
    assert changes.keys() == {stable("A", "1", 1)}
    assert changes[stable("A", "1", 1)]["00080050"] == {"vr": "SH", "Value": ["ACC-NEW"]}
    (item,) = changes[stable("A", "1", 1)]["04000561"]["Value"]
    assert item["04000565"]["Value"] == ["CORRECT"]
    house.same_anew()
    with pytest.raises(NothingChanges):
        house.studies.correct(A, {"AccessionNumber": "ACC-NEW"}, reason=WHY)
    house.studies.revert(A, reason="it was right")
    assert (house.find(), house.metadata(A)) == before[:2]
    assert house.index.corrections([stable("A", "1", 1)]) == {}
    first, second = house.studies.history(A)
    assert (first.reverted, first.reason, second.reverts) == (True, WHY, first.position)
    with pytest.raises(NothingChanges):
        house.studies.revert(A, reason="again")
    house.same_anew()


def test_what_was_corrected_before_comes_back_when_the_later_one_is_taken_back(sqlite):
    sqlite.store(instance(1))
    sqlite.studies.correct(A, {"StudyDescription": "one", "StudyID": "7"}, reason=WHY)
    sqlite.studies.correct(A, {"StudyDescription": ""}, reason=WHY)
    assert "Value" not in sqlite.find()[0]["00081030"]
    sqlite.studies.revert(A, reason=WHY)
    assert value(sqlite.find()[0], "00081030") == "one"
    first = sqlite.studies.history(A)[0].position
    sqlite.studies.revert(A, first, reason=WHY)
    (study,) = sqlite.find()
    assert (value(study, "00081030"), value(study, "00200010")) == ("Study A", "1")
    sqlite.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_what_a_feed_tells_goes_out_with_every_image_of_the_patient(house):
    house.store(instance(1, PatientName="Test^Archive=测^试"))
    assert house.index.corrections([stable("A", "1", 1)]) == {}
    house.feed.receive([pid("PAT-A")], Told(name="Test^Archive", birth_date="19700102", sex="O"))
    assert house.index.corrections([stable("A", "1", 1)]) == {}  # the headers say so, and more
    house.feed.receive([pid("PAT-A")], Told(name="Neu^Name", sex="F"))
    changes = house.index.corrections([stable("A", "1", 1)])[stable("A", "1", 1)]
    assert changes.keys() == {"00100010", "00100040", "04000561"}
    assert changes["04000561"]["Value"][0]["04000565"]["Value"] == ["COERCE"]
    assert house.index.study(A).name == "Neu^Name"
    # An image that comes later, and one of a new study, are told like the others.
    house.store(instance(2), instance(1, study="B", PatientID="PAT-A"))
    uids = [stable("A", "1", 2), stable("B", "1", 1)]
    assert house.index.corrections(uids).keys() == set(uids)
    assert [row["00100010"]["Value"][0]["Alphabetic"] for row in house.find()] == ["Neu^Name"] * 2
    house.same_anew()


def test_an_image_that_names_its_patient_otherwise_than_the_others_is_told_too(sqlite):
    sqlite.feed.receive([pid("PAT-A")], Told(name="Test^Archive", birth_date="19700102", sex="O"))
    sqlite.store(instance(1))
    assert sqlite.index.corrections([stable("A", "1", 1)]) == {}
    sqlite.store(instance(2, PatientName="Tset^Archive"))
    changes = sqlite.index.corrections([stable("A", "1", 2)])[stable("A", "1", 2)]
    assert changes["00100010"]["Value"] == [{"Alphabetic": "Test^Archive"}]
    sqlite.same_anew()


def test_a_feed_that_speaks_after_a_correction_counts(sqlite):
    sqlite.store(instance(1))
    sqlite.studies.correct(A, {"PatientName": "Hand^Made", "StudyID": "9"}, reason=WHY)
    sqlite.feed.receive([pid("PAT-A")], Told(name="Fed^Later"))
    row = sqlite.index.study(A)
    assert (row.name, row.study_id) == ("Fed^Later", "9")
    sqlite.studies.correct(A, {"PatientName": "Hand^Again"}, reason=WHY)
    assert sqlite.index.study(A).name == "Hand^Again"
    sqlite.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_after_a_merge_of_patients_images_name_the_survivor(house):
    house.store(instance(1), instance(1, study="B"))
    house.feed.receive([pid("PAT-B")], Told(name="Sur^Vivor"))
    house.feed.merge(pid("PAT-A"), pid("PAT-B"), Told())
    row = house.index.study(A)
    assert (row.patient_id, row.name) == ("PAT-B", "Sur^Vivor")
    changes = house.index.corrections([stable("A", "1", 1)])[stable("A", "1", 1)]
    assert changes["00100020"] == {"vr": "LO", "Value": ["PAT-B"]}
    assert "00100021" not in changes
    assert len(house.find(filters=((0x00100020, "PAT-B"),))) == 2
    house.store(instance(2))  # still sent under the old identifier
    assert house.index.corrections([stable("A", "1", 2)])
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_a_study_is_given_to_another_patient_and_back(house):
    house.store(instance(1), instance(2), instance(1, study="B", PatientSex="F"))
    house.feed.receive([pid("X1", "1.2.3.4")], Told(name="Other^Domain"))
    key = house.archive.patient_keys.key
    with pytest.raises(PatientNotKnown):
        house.studies.reassign(A, pid("NOBODY"), reason=WHY)
    with pytest.raises(NothingChanges):
        house.studies.reassign(A, pid("PAT-A"), reason=WHY)
    tried = house.studies.reassign(A, pid("PAT-B"), reason=WHY, dry_run=True)
    assert (tried.position, house.index.study(A).patient_id) == (0, "PAT-A")
    house.studies.reassign(A, pid("PAT-B"), reason=WHY)
    row = house.index.study(A)
    assert (row.patient_id, row.sex, row.patient_key) == ("PAT-B", "F", key(pid("PAT-B")))
    uid = stable("A", "1", 2)
    assert house.archive.views.map.locate_many([uid])[uid].patient_key == key(pid("PAT-B"))
    house.store(instance(3))  # the modality does not know
    late = stable("A", "1", 3)
    assert house.archive.views.map.locate_many([late])[late].patient_key == key(pid("PAT-B"))
    assert value(house.index.corrections([late])[late], "00100020") == "PAT-B"
    house.studies.reassign(A, pid("X1", "1.2.3.4"), reason=WHY)
    changes = house.index.corrections([uid])[uid]
    assert value(changes, "00100021") == "1.2.3.4"
    assert changes["00101000"] == {"vr": "LO"}
    row = house.index.study(A)
    assert (row.issuer, row.name) == ("1.2.3.4", "Other^Domain")
    house.same_anew()
    house.studies.revert(A, reason="no")
    assert house.index.study(A).patient_id == "PAT-B"
    house.studies.revert(A, reason="no")
    row = house.index.study(A)
    assert (row.patient_id, row.name, row.sex, row.issuer) == ("PAT-A", "Test^Archive", "O", "")
    assert house.index.corrections([uid, late]) == {}
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_a_study_is_split_by_series_and_by_instance_and_put_together_again(house):
    house.store(*(instance(n, series=s) for s in "12" for n in (1, 2, 3)))
    house.studies.correct(A, {"AccessionNumber": "RIGHT"}, reason=WHY)
    before = (house.find(), house.metadata(A))
    some = AskedMove(study_uid=A, series_uids=[stable("A", "2")], sop_uids=[stable("A", "1", 2)])
    done = house.studies.move(some, reason=WHY)
    there, divided = done.to_study_uid, next(s.to_series_uid for s in done.series if s.sop_uids)
    assert done.instance_count == 4
    rows = {row["0020000D"]["Value"][0]: row for row in house.find()}
    assert {uid: value(row, "00201208") for uid, row in rows.items()} == {A: 2, there: 4}
    assert value(rows[there], "00080050") == "RIGHT"
    assert rows[there]["00081190"]["Value"] == [f"/studies/{there}"]
    assert house.metadata(A).keys() == {stable("A", "1", 1), stable("A", "1", 3)}
    moved = house.metadata(there, divided)[stable("A", "1", 2)]
    assert (value(moved, "0020000D"), value(moved, "0020000E")) == (there, divided)
    at = f"/studies/{there}/series/{divided}/instances/{stable('A', '1', 2)}/bulkdata/7FE00010"
    assert moved["7FE00010"]["BulkDataURI"] == at
    (found,) = house.find(Level.INSTANCE, study_uid=there, series_uid=divided)
    assert value(found, "0020000D") == there
    assert len(house.find(Level.SERIES, study_uid=there)) == 2
    place = house.archive.views.map.instances(there, divided)
    assert [one.sop_uid for one in place] == [stable("A", "1", 2)]
    changes = house.index.corrections([stable("A", "2", 1)])[stable("A", "2", 1)]
    assert value(changes, "0020000D") == there
    assert "0020000E" not in changes
    # A series that went whole is followed; a divided one keeps what comes.
    house.store(instance(4, series="2"), instance(4, series="1"), instance(1, series="3"))
    assert house.index.study(there).instance_count == 5
    assert house.index.study(A).instance_count == 4
    assert house.index.study(A).held_count == 4
    assert value(house.index.corrections([stable("A", "2", 4)])[stable("A", "2", 4)], "0020000D")
    house.same_anew()
    house.studies.revert(A, reason="together")
    assert house.index.study(there) is None
    assert house.metadata(A).keys() == before[1].keys() | {
        stable("A", "1", 4), stable("A", "2", 4), stable("A", "3", 1)
    }  # fmt: skip
    assert house.metadata(A)[stable("A", "1", 2)] == before[1][stable("A", "1", 2)]
    assert house.index.study(A).series_count == 3
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_studies_are_merged_and_what_comes_late_follows(house):
    house.store(instance(1), instance(1, study="B", PatientID="PAT-A", StudyDate="20260404"))
    house.store(instance(1, study="C"))
    before = house.find()
    with pytest.raises(StudyOfAnotherPatient):
        house.studies.move(AskedMove(study_uid=A, to_study_uid=C), reason=WHY)
    house.studies.move(AskedMove(study_uid=A, to_study_uid=B), reason=WHY)
    assert house.index.study(A) is None
    row = house.index.study(B)
    assert (row.series_count, row.instance_count, row.study_date) == (2, 2, "20260404")
    house.store(instance(2), instance(1, series="7"))
    assert house.index.study(B).instance_count == 4
    changes = house.index.corrections([stable("A", "7", 1)])[stable("A", "7", 1)]
    assert value(changes, "00080020") == "20260404"
    assert value(changes, "0020000D") == B
    told = house.metadata(B, stable("A", "7"))[stable("A", "7", 1)]
    assert (value(told, "00080050"), value(told, "0020000D")) == ("ACC-B", B)
    house.same_anew()
    house.studies.revert(A, reason="two exams")
    assert house.index.study(B).instance_count == 1
    rows = [row for row in house.find() if value(row, "0020000D") != A]
    assert rows == [row for row in before if value(row, "0020000D") != A]
    row = house.index.study(A)
    assert (row.instance_count, row.accession, row.series_count) == (3, "ACC-A", 2)
    assert house.index.corrections([stable("A", "7", 1), stable("B", "1", 1)]) == {}
    house.store(instance(3))
    assert house.index.study(A).instance_count == 4
    house.same_anew()


def test_refusals_say_what_is_wrong_and_record_nothing(sqlite):
    sqlite.store(instance(1), instance(1, study="B"))
    head = sqlite.archive.ledger.head()
    studies = sqlite.studies
    for values in ({}, {"PatientID": "X"}, {"StudyDate": "20261301"}, {"PatientSex": "X"},
                   {"AccessionNumber": "x" * 17}, {"StudyDescription": "a\\b"},
                   {"StudyTime": "2561"}, {"PatientName": "a=b=c=d"}, {"StudyID": "\x00"}):  # fmt: skip
        with pytest.raises(CorrectionInvalid):
            studies.correct(A, values, reason=WHY)
    with pytest.raises(StudyNotKnown):
        studies.correct("1.2.3", {"StudyID": "7"}, reason=WHY)
    with pytest.raises(StudyNotKnown):
        studies.history("1.2.3")
    for asked in (
        AskedMove(study_uid=A, series_uids=["1.2.3"]),
        AskedMove(study_uid=A, sop_uids=[stable("B", "1", 1)]),
    ):
        with pytest.raises(InstancesNotOfStudy):
            studies.move(asked, reason=WHY)
    with pytest.raises(NothingChanges):
        studies.move(AskedMove(study_uid=A, to_study_uid=A), reason=WHY)
    with pytest.raises(BadIdentifier):
        studies.reassign(A, PatientId.parse("nonsense"), reason=WHY)
    studies.move(AskedMove(study_uid=A), reason=WHY, dry_run=True)
    assert sqlite.archive.ledger.head() == head


def test_who_decides_on_an_older_state_decides_again_once(sqlite, monkeypatch):
    sqlite.store(instance(1))
    stream = sqlite.studies._fold
    calls = []

    def older(study_uid):
        study, version = stream(study_uid)
        calls.append(version)
        return study, version - (1 if len(calls) == 1 else 0)

    monkeypatch.setattr(sqlite.studies, "_fold", older)
    assert sqlite.studies.correct(A, {"StudyID": "7"}, reason=WHY).position
    assert len(calls) == 2
    monkeypatch.setattr(sqlite.studies, "_fold", lambda uid: (stream(uid)[0], 1))
    with pytest.raises(StreamMoved):
        sqlite.studies.correct(A, {"StudyID": "8"}, reason=WHY)


def test_values_go_with_the_key_that_seals_them(tmp_path):
    ring = MemoryRing()
    made = open_archive(tmp_path, ring=ring)
    house = House(made)
    house.store(instance(1), instance(1, study="B"))
    house.studies.correct(A, {"StudyDescription": "of the first patient"}, reason=WHY)
    house.studies.reassign(A, pid("PAT-B"), reason=WHY)
    key = made.patient_keys.key(pid("PAT-A"))
    ring.destroy(key)
    fact = PatientShredded(patient_key=key, reason="test")
    made.ledger.append(Append((StreamAppend(key, (fact,)),)))
    row = house.index.study(A)
    assert (row.patient_id, row.description) == ("PAT-B", "Study A")
    (corrected,) = made.facts(StudyCorrected)
    assert (corrected.values, corrected.tags) == ("", ("00081030",))
    house.same_anew()
    key = made.patient_keys.key(pid("PAT-B"))
    ring.destroy(key)
    fact = PatientShredded(patient_key=key, reason="test")
    made.ledger.append(Append((StreamAppend(key, (fact,)),)))
    assert house.find() == []
    house.same_anew()
    made.close()


def test_a_corrected_study_waits_for_a_new_manifest(sqlite):
    sqlite.store(instance(1))
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert [row.study_uid for row in sqlite.index.pending_publication(later)] == [A]
