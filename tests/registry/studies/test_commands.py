"""Given past events, when a command, then these facts (PS3.4 B, RAD TF-2 4.68)."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from kernel.context import Envelope
from kernel.events import Recorded
from kernel.ledger.ports import StreamAppend
from registry.patients.events import PatientIdentified
from registry.studies import commands
from registry.studies.events import (
    InstancesStored,
    ManifestPublished,
    ManifestWithdrawn,
    StudyCompleted,
)
from registry.studies.refusals import StudyNotKnown
from registry.studies.values import Instance, StudyBatch

STUDY = "1.2.3"
PATIENT = UUID(int=7)
ENTRY = UUID(int=9)
WHO = Envelope(subject="CT1", subject_kind="ae", protocol="dimse")
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def instance(number, series="1.2.3.1", sop_class=CT):
    return Instance(
        f"1.2.3.4.{number}", series, sop_class, EXPLICIT, 100 + number, f"{number:064x}"
    )


def batch(*instances):
    return StudyBatch(STUDY, PATIENT, instances)


def given(*facts):
    study = commands.NOTHING
    for version, fact in enumerate(facts, 1):
        study = commands.fold(
            study,
            Recorded(
                stream=commands.study_stream(STUDY),
                version=version,
                position=version,
                at=datetime.now(UTC),
                topic=fact.TOPIC,
                fact=fact,
                envelope=WHO,
            ),
        )
    return study, len(facts)


def stored(count):
    (stream,) = commands.store([batch(*map(instance, range(count)))], (), WHO).streams
    return stream.facts


def test_instances_are_recorded_in_columns():
    made = commands.store([batch(instance(1), instance(2, "1.2.3.2"), instance(3))], (), WHO)
    (stream,) = made.streams
    assert stream.expected_version is None
    assert stream.facts == (
        InstancesStored(
            study_uid=STUDY,
            patient_key=PATIENT,
            series_uids=("1.2.3.1", "1.2.3.2"),
            sop_classes=(CT,),
            transfer_syntaxes=(EXPLICIT,),
            sop_uids=("1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"),
            series=(0, 1, 0),
            sop_class=(0, 0, 0),
            transfer_syntax=(0, 0, 0),
            sizes=(101, 102, 103),
            sha256=(f"{1:064x}", f"{2:064x}", f"{3:064x}"),
        ),
    )
    assert [(c.kind, c.key, c.fingerprint, c.shared) for c in made.claims] == [
        ("sop-instance", f"1.2.3.4.{n}", bytes.fromhex(f"{n:064x}"), False) for n in (1, 2, 3)
    ]


def test_an_event_holds_at_most_64_instances():
    assert [len(fact.sop_uids) for fact in stored(150)] == [64, 64, 22]


def test_what_becomes_known_of_a_patient_comes_in_the_same_append():
    known = StreamAppend(
        PATIENT, (PatientIdentified(patient_key=PATIENT, origin="dicom"),), 0, PATIENT
    )
    made = commands.store([batch(instance(1))], [known], WHO)
    assert made.streams[0] is known
    assert made.streams[1].stream == commands.study_stream(STUDY)


def test_a_refusal_is_claimed_so_that_it_is_recorded_once():
    made = commands.refuse(
        STUDY, "1.2.3.4.1", held_sha256="a" * 64, offered_sha256="b" * 64, envelope=WHO
    )
    assert [c.key for c in made.claims] == ["1.2.3.4.1/" + "b" * 64]
    assert made.streams[0].facts[0].offered_sha256 == "b" * 64


def test_a_study_is_completed_at_the_version_seen():
    study, version = given(*stored(3))
    made = commands.complete(study, version, WHO)
    assert made.streams[0].expected_version == 1
    assert made.streams[0].facts == (StudyCompleted(study_uid=STUDY, instance_count=3),)


def test_a_complete_study_is_not_completed_again():
    study, version = given(*stored(3), StudyCompleted(study_uid=STUDY, instance_count=3))
    assert commands.complete(study, version, WHO) is None


def test_a_study_that_grew_is_completed_again():
    study, version = given(
        *stored(3), StudyCompleted(study_uid=STUDY, instance_count=3), *stored(2)
    )
    assert commands.complete(study, version, WHO).streams[0].facts[0].instance_count == 5


def test_an_unknown_study_cannot_be_completed():
    with pytest.raises(StudyNotKnown):
        commands.complete(*given(), WHO)


def test_publication_expects_the_version_the_manifest_was_built_on():
    study, version = given(*stored(3), StudyCompleted(study_uid=STUDY, instance_count=3))
    made = commands.publish(study, version, entry_uuid=ENTRY, unique_id="2.25.5", instance_count=3)
    assert made.expected_version == 2
    assert made.facts == (
        ManifestPublished(study_uid=STUDY, entry_uuid=ENTRY, unique_id="2.25.5", instance_count=3),
    )


def test_a_study_that_grew_counts_as_not_published():
    facts = [
        *stored(3),
        ManifestPublished(study_uid=STUDY, entry_uuid=ENTRY, unique_id="2.25.5", instance_count=3),
    ]
    assert given(*facts)[0].is_published
    assert not given(*facts, *stored(1))[0].is_published


def test_a_study_of_which_nothing_is_shared_counts_as_published_until_it_grows():
    published = ManifestPublished(
        study_uid=STUDY, entry_uuid=ENTRY, unique_id="2.25.5", instance_count=2
    )
    study, version = given(*stored(2), published, *stored(1))
    made = commands.withdraw(study, version)
    assert made.expected_version == version
    assert made.facts == (ManifestWithdrawn(study_uid=STUDY, instance_count=3, entry_uuid=ENTRY),)
    after, _ = given(*stored(2), published, *stored(1), *made.facts)
    assert after.is_published
    assert after.manifest is None
    grown, _ = given(*stored(2), published, *stored(1), *made.facts, *stored(1))
    assert not grown.is_published


def test_a_study_that_was_never_published_is_withdrawn_from_nothing():
    study, version = given(*stored(2))
    assert commands.withdraw(study, version).facts[0].entry_uuid is None
