"""The intake: durable before it answers, each instance once, other content refused and kept."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from kernel.context import Envelope
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, LedgerUnavailable, StreamAppend
from registry.patients.events import PatientDemographicsChanged, PatientIdentified, PatientShredded
from registry.patients.refusals import PatientErased
from registry.studies.events import InstanceRefused, InstancesStored
from registry.studies.refusals import (
    InstanceDiffers,
    IntakeClosed,
    PatientNotKnown,
    PatientNotUsable,
)
from registry.studies.values import Outcome
from repository.tiers.ports import StorageUnavailable
from tests.support.archive import AUTHORITY, instance, octets, open_archive
from workflows.identify_patient import PatientPolicy

CT1 = Envelope(subject="CT1", subject_kind="ae", protocol="dimse", source="CT1")
MR1 = Envelope(subject="MR1", subject_kind="ae", protocol="dimse", source="MR1")


@pytest.fixture
def archive(tmp_path, engine_dsn, request):
    postgres = (engine_dsn, request.getfixturevalue("postgres_schema")) if engine_dsn else None
    made = open_archive(tmp_path, postgres=postgres)
    yield made
    made.close()


class BlindTo:
    """A ledger that has not seen the patient yet when it is asked."""

    def __init__(self, ledger):
        self.append_all, self.claims = ledger.append_all, ledger.claims

    def fold(self, stream, initial, apply):
        return initial, 0


def offered(archive, ds):
    return archive.offer(octets(ds))


def test_an_instance_is_recorded_with_its_octets(archive):
    data = octets(instance(1))
    assert archive.intake.store(archive.offer(data), CT1) is Outcome.STORED
    ((uid, key),) = archive.stored().items()
    assert uid == instance(1).SOPInstanceUID
    assert archive.blobs.read(key) == data
    (event,) = archive.facts(InstancesStored)
    assert event.sizes == (len(data),)
    recorded = archive.ledger.load(archive.ledger.read(0)[-1].stream)
    assert recorded[0].envelope.subject == "CT1"


def test_the_same_file_again_is_held_without_a_new_event(archive):
    archive.intake.store(offered(archive, instance(1)), CT1)
    head = archive.ledger.head()
    assert archive.intake.store(offered(archive, instance(1)), MR1) is Outcome.ALREADY_HELD
    assert archive.ledger.head() == head


def test_octets_that_were_lost_come_back_with_the_same_file(archive):
    archive.intake.store(offered(archive, instance(1)), CT1)
    (key,) = archive.stored().values()
    archive.blobs.path(key).unlink()
    assert archive.intake.store(offered(archive, instance(1)), CT1) is Outcome.ALREADY_HELD
    assert archive.blobs.read(key) == octets(instance(1))


def test_another_wrapper_round_the_same_data_set_is_the_same_instance(archive):
    archive.intake.store(offered(archive, instance(1)), CT1)
    other = instance(1)
    other.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    assert octets(other) != octets(instance(1))
    assert archive.intake.store(offered(archive, other), CT1) is Outcome.ALREADY_HELD
    assert archive.facts(InstanceRefused) == []


@pytest.mark.parametrize(
    "change",
    [
        {"WindowCenter": "40"},
        {"PixelData": b"\1" * 64 * 64 * 2},
        {"syntax": ImplicitVRLittleEndian},
    ],
)
def test_other_content_under_a_held_uid_is_refused_and_kept_apart(archive, change):
    archive.intake.store(offered(archive, instance(1)), CT1)
    data = octets(instance(1, **change))
    for _again in range(2):
        with pytest.raises(InstanceDiffers):
            archive.intake.store(archive.offer(data), MR1)
    sha256 = hashlib.sha256(data).hexdigest()
    (refused,) = archive.facts(InstanceRefused)
    assert refused.offered_sha256 == sha256
    assert refused.held_sha256 == archive.stored()[instance(1).SOPInstanceUID]
    assert archive.blobs.quarantined(sha256).read_bytes() == data
    assert archive.blobs.read(refused.held_sha256) == octets(instance(1))


def test_two_contents_at_the_same_time_give_one_stored_and_one_refused(archive, monkeypatch):
    # Neither sees the other in the claims: the append decides.
    real, barrier = archive.ledger.claims, threading.Barrier(2)
    first = threading.local()

    def both_look_first(kind, keys):
        found = real(kind, keys)
        if not getattr(first, "seen", False):
            first.seen = True
            barrier.wait(5)
        return found

    monkeypatch.setattr(archive.ledger, "claims", both_look_first)
    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(archive.intake.store, offered(archive, instance(1, StudyID=text)), who)
            for text, who in (("1", CT1), ("2", MR1))
        ]
        results = [one.exception() or one.result() for one in done]
    assert sorted(type(r).__name__ for r in results) == ["InstanceDiffers", "Outcome"]
    (refused,) = archive.facts(InstanceRefused)
    assert archive.blobs.quarantined(refused.offered_sha256).exists()


def test_the_same_uid_twice_in_one_request(archive):
    results = archive.intake.store_many(
        [
            offered(archive, ds)
            for ds in (instance(1), instance(1), instance(1, StudyID="9"), instance(2))
        ],
        CT1,
    )
    assert results[0] is Outcome.STORED
    assert results[1] is Outcome.ALREADY_HELD
    assert isinstance(results[2], InstanceDiffers)
    assert results[3] is Outcome.STORED


def test_one_request_becomes_few_events(archive):
    offers = [offered(archive, instance(n, size=4)) for n in range(100)]
    assert archive.intake.store_many(offers, CT1) == [Outcome.STORED] * 100
    assert [len(e.sop_uids) for e in archive.facts(InstancesStored)] == [64, 36]


def test_many_senders_share_events_and_every_answer_is_true(archive):
    def send(sender):
        return [
            archive.intake.store(offered(archive, instance(n, series=str(sender), size=8)), CT1)
            for n in range(25)
        ]

    with ThreadPoolExecutor(8) as pool:
        for results in pool.map(send, range(8)):
            assert results == [Outcome.STORED] * 25
    stored = archive.stored()
    assert len(stored) == 200
    assert all(archive.blobs.size(key) for key in stored.values())
    assert len(archive.facts(PatientIdentified)) == 1


def test_senders_with_other_names_get_events_of_their_own(archive):
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda n: archive.intake.store(
                    offered(archive, instance(n, size=8)), CT1 if n % 2 else MR1
                ),
                range(40),
            )
        )
    by_whom = {
        uid: r.envelope.subject
        for r in archive.ledger.read(0)
        if isinstance(r.fact, InstancesStored)
        for uid in r.fact.sop_uids
    }
    assert all(
        by_whom[instance(n).SOPInstanceUID] == ("CT1" if n % 2 else "MR1") for n in range(40)
    )


def test_a_patient_is_made_known_once_with_his_demographics(archive):
    for n in range(3):
        archive.intake.store(offered(archive, instance(n)), CT1)
    (patient,) = archive.facts(PatientIdentified)
    assert patient.patient_id == f"PAT-A^^^&{AUTHORITY}&ISO"
    assert patient.origin == "dicom"
    assert (patient.demographics.name, patient.demographics.birth_date) == (
        "Test^Archive",
        "19700102",
    )
    assert patient.patient_key == archive.patient_keys.key(PatientId("PAT-A", AUTHORITY))
    assert archive.facts(InstancesStored)[0].patient_key == patient.patient_key


def test_a_patient_made_known_meanwhile_by_another_process(archive, tmp_path):
    archive.intake.store(offered(archive, instance(1)), CT1)
    other = archive.intake.__class__(
        archive.ledger, archive.blobs, archive.patient_keys, PatientPolicy(AUTHORITY)
    )
    other._ledger = BlindTo(archive.ledger)
    assert other.store(offered(archive, instance(2)), CT1) is Outcome.STORED
    assert len(archive.facts(PatientIdentified)) == 1
    other.close()


def test_a_later_image_fills_blanks_but_never_overrides(archive):
    archive.intake.store(offered(archive, instance(1, PatientBirthDate="")), CT1)
    again = archive.intake.__class__(
        archive.ledger, archive.blobs, archive.patient_keys, PatientPolicy(AUTHORITY)
    )
    again.store(offered(archive, instance(2, PatientName="Other^Name")), CT1)
    (changed,) = archive.facts(PatientDemographicsChanged)
    assert (changed.demographics.name, changed.demographics.birth_date) == (
        "Test^Archive",
        "19700102",
    )
    again.close()


def test_images_of_an_erased_patient_are_refused_before_long(archive, monkeypatch):
    archive.intake.store(offered(archive, instance(1)), CT1)
    key = archive.facts(PatientIdentified)[0].patient_key
    archive.ledger.append(
        Append((StreamAppend(key, (PatientShredded(patient_key=key, reason="test"),)),))
    )
    moment = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: moment + 100)
    with pytest.raises(PatientErased):
        archive.intake.store(offered(archive, instance(2)), CT1)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"PatientID": "7"}, f"7^^^&{AUTHORITY}&ISO"),
        ({"PatientID": "7", "IssuerOfPatientID": "1.2.3"}, "7^^^&1.2.3&ISO"),
        ({"PatientID": "7", "IssuerOfPatientID": "RIS"}, "7^^^&1.9.9&ISO"),
        ({"PatientID": "7^8&9"}, f"7%5E8%269^^^&{AUTHORITY}&ISO"),
    ],
)
def test_issuers_and_odd_ids(tmp_path, attributes, expected):
    archive = open_archive(tmp_path, issuers={"RIS": "1.9.9"})
    archive.intake.store(offered(archive, instance(1, **attributes)), CT1)
    assert archive.facts(PatientIdentified)[0].patient_id == expected
    archive.close()


def test_an_unknown_issuer_never_shares_our_numbers(archive):
    archive.intake.store(offered(archive, instance(1, study="A", PatientID="7")), CT1)
    archive.intake.store(
        offered(archive, instance(1, study="B", PatientID="7", IssuerOfPatientID="OTHER")), CT1
    )
    assert len({p.patient_key for p in archive.facts(PatientIdentified)}) == 2


@pytest.mark.parametrize("empty", ["", None])
def test_without_a_patient_id_each_study_has_a_patient_of_its_own(archive, empty):
    for study in ("A", "B"):
        for n in (1, 2):
            archive.intake.store(offered(archive, instance(n, study=study, PatientID=empty)), CT1)
    assert len(archive.facts(PatientIdentified)) == 2


def test_the_policy_may_refuse_instead(tmp_path):
    archive = open_archive(tmp_path, create=False, placeholder=False)
    with pytest.raises(PatientNotUsable):
        archive.intake.store(offered(archive, instance(1, PatientID="")), CT1)
    with pytest.raises(PatientNotKnown):
        archive.intake.store(offered(archive, instance(1)), CT1)
    assert archive.stored() == {}
    archive.close()


def test_a_full_disk_is_told_and_nothing_is_recorded(archive, monkeypatch):
    offer = offered(archive, instance(1))
    monkeypatch.setattr(
        archive.blobs, "_keep", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(StorageUnavailable):
        archive.intake.store(offer, CT1)
    assert archive.ledger.head() == 0


def test_a_ledger_that_cannot_be_written_is_told_and_the_intake_goes_on(archive, monkeypatch):
    def unavailable(batches):
        return [LedgerUnavailable("planted") for _ in batches]

    with monkeypatch.context() as patch:
        patch.setattr(archive.ledger, "append_all", unavailable)
        with pytest.raises(LedgerUnavailable):
            archive.intake.store(offered(archive, instance(1)), CT1)
    assert archive.intake.store(offered(archive, instance(1)), CT1) is Outcome.STORED


def test_a_bug_while_leading_does_not_stop_the_others(archive, monkeypatch):
    real, calls = archive.intake._append, []

    def breaks_once(group):
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("planted")
        return real(group)

    monkeypatch.setattr(archive.intake, "_append", breaks_once)
    with ThreadPoolExecutor(4) as pool:
        done = [
            pool.submit(archive.intake.store, offered(archive, instance(n, size=8)), CT1)
            for n in range(12)
        ]
        failed = [one for one in done if one.exception()]
    assert 1 <= len(failed) < 12
    assert len(archive.stored()) == 12 - len(failed)


def test_a_closed_intake_takes_nothing(archive):
    archive.intake.close()
    with pytest.raises(IntakeClosed):
        archive.intake.store(offered(archive, instance(1)), CT1)


def test_nothing_stays_in_the_incoming_folder(archive):
    archive.intake.store(offered(archive, instance(1)), CT1)
    archive.intake.store(offered(archive, instance(1)), CT1)
    with pytest.raises(InstanceDiffers):
        archive.intake.store(offered(archive, instance(1, StudyID="2")), CT1)
    left = [
        p
        for p in (archive.folder / "blobs" / "incoming").rglob("*")
        if p.is_file() and p.name != ".lock"
    ]
    assert left == []
