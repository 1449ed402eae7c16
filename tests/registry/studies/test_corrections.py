"""Given past events, when a study is corrected, reassigned or moved, then these facts (R-6.3.4)."""

from dataclasses import replace
from uuid import UUID

import msgspec
import pytest

from registry.patients.values import Demographics
from registry.studies import commands
from registry.studies.corrections import ATTRIBUTES, NOTHING, correction, patient_of
from registry.studies.events import (
    InstancesAdopted,
    InstancesMoved,
    ManifestPublished,
    ManifestWithdrawn,
    StudyCorrected,
    StudyReassigned,
)
from registry.studies.refusals import (
    InstancesNotOfStudy,
    NothingChanges,
    StudyNotKnown,
    StudyOfAnotherPatient,
)
from registry.studies.values import Move, MovedSeries, Reassignment
from tests.registry.studies.test_commands import ENTRY, PATIENT, STUDY, given, stored

OTHER = UUID(int=8)
THERE = "1.2.9"
PUBLISHED = ManifestPublished(
    study_uid=STUDY, entry_uuid=ENTRY, unique_id="2.25.1", instance_count=2
)
MOVE = Move(
    STUDY,
    THERE,
    PATIENT,
    (MovedSeries("1.2.3.1", "1.2.3.1"), MovedSeries("1.2.3.2", "2.25.7", ("1.2.3.4.9",))),
    instance_count=2,
    whole=False,
    reason="why",
)


def corrected(study, version):
    stream = commands.correct(
        study, version, correction({"StudyID": "7"}), patient_key=PATIENT, reason="why"
    )
    assert (stream.expected_version, stream.patient_key) == (version, PATIENT)
    return stream.facts


def test_a_correction_makes_the_manifest_old_until_one_is_published():
    study, version = given(*stored(2), PUBLISHED)
    assert study.is_published
    (fact,) = corrected(study, version)
    assert fact == StudyCorrected(
        study_uid=STUDY,
        patient_key=PATIENT,
        tags=("00200010",),
        values='{"00200010":{"Value":["7"],"vr":"SH"}}',
        reason="why",
    )
    study, _ = given(*stored(2), PUBLISHED, fact)
    assert not study.is_published
    study, _ = given(*stored(2), PUBLISHED, fact, PUBLISHED)
    assert study.is_published
    with pytest.raises(StudyNotKnown):
        corrected(*given())


def test_a_reassignment_withdraws_the_manifest_and_names_the_patient():
    study, version = given(*stored(2), PUBLISHED)
    asked = Reassignment(STUDY, PATIENT, OTHER, NOTHING, "why")
    stream = commands.reassign(study, version, asked)
    withdrawn, fact = stream.facts
    assert withdrawn == ManifestWithdrawn(study_uid=STUDY, instance_count=2, entry_uuid=ENTRY)
    assert fact == StudyReassigned(
        study_uid=STUDY, from_patient_key=PATIENT, patient_key=OTHER, reason="why"
    )
    assert stream.patient_key == OTHER  # who seals what it says of him
    study, _ = given(*stored(2), PUBLISHED, withdrawn, fact, *stored(1))
    assert (study.patient_key, study.stored_for, study.manifest) == (OTHER, PATIENT, None)
    assert not study.is_published
    with pytest.raises(NothingChanges):
        commands.reassign(study, version, replace(asked, taker=PATIENT))
    with pytest.raises(StudyNotKnown):
        commands.reassign(*given(), asked)


def test_a_move_is_told_in_the_streams_of_both_studies():
    source, target = given(*stored(3)), given()
    left, came = commands.move(source, target, MOVE)
    assert left.facts == (
        InstancesMoved(
            study_uid=STUDY,
            patient_key=PATIENT,
            to_study_uid=THERE,
            whole=False,
            series_uids=("1.2.3.1", "1.2.3.2"),
            to_series_uids=("1.2.3.1", "2.25.7"),
            whole_series=(True, False),
            sop_uids=("1.2.3.4.9",),
            series=(1,),
            instance_count=2,
            reason="why",
        ),
    )
    assert came.facts == (
        InstancesAdopted(
            study_uid=THERE, patient_key=PATIENT, from_study_uid=STUDY, instance_count=2
        ),
    )
    assert (left.expected_version, came.expected_version) == (source[1], 0)
    study, _ = given(*stored(3), *left.facts)
    assert (study.instance_count, study.moved) == (1, True)
    assert commands.as_held(study, 5).instance_count == 5
    there, _ = given(*came.facts)
    assert (there.study_uid, there.instance_count) == (THERE, 2)


def test_a_study_that_goes_whole_loses_its_manifest():
    source = given(*stored(2), PUBLISHED)
    left, _ = commands.move(source, given(), replace(MOVE, whole=True))
    assert left.facts[1] == ManifestWithdrawn(study_uid=STUDY, instance_count=0, entry_uuid=ENTRY)
    study, _ = given(*stored(2), PUBLISHED, *left.facts)
    assert (study.instance_count, study.manifest) == (0, None)


def test_what_cannot_be_moved_is_refused():
    source = given(*stored(2))
    with pytest.raises(StudyNotKnown):
        commands.move(given(), given(), MOVE)
    with pytest.raises(NothingChanges):
        commands.move(source, given(), replace(MOVE, to_study_uid=STUDY))
    with pytest.raises(InstancesNotOfStudy):
        commands.move(source, given(), replace(MOVE, series=()))
    with pytest.raises(StudyOfAnotherPatient):
        commands.move(source, given(*stored(1)), replace(MOVE, patient_key=OTHER))


def test_every_attribute_is_told_with_its_own_representation():
    texts = {"DA": "20260301", "TM": "1015", "AS": "042Y", "CS": "F", "PN": "Li^Si=李^四"}
    for keyword, (tag, vr) in ATTRIBUTES.items():
        (told,) = correction({keyword: texts.get(vr, "x")}).members.items()
        assert (told[0], told[1]["vr"]) == (tag, vr)
        assert correction({keyword: ""}).members == {tag: {"vr": vr}}
    members = msgspec.json.decode(correction({"PatientName": texts["PN"]}).values)
    assert members["00100010"]["Value"] == [{"Alphabetic": "Li^Si", "Ideographic": "李^四"}]


def test_another_patient_leaves_nothing_of_the_first_one():
    change = patient_of("P2", Demographics(name="Li^Si"), issuer="1.2.3.4")
    assert change.members["00100030"] == {"vr": "DA"}
    assert change.members["00101002"] == {"vr": "SQ"}
    (item,) = change.members["00100024"]["Value"]
    assert item["00400032"]["Value"] == ["1.2.3.4"]
    assert "00100021" not in patient_of("P2", Demographics(), issuer=None).members
