"""A quiet study becomes one registered manifest, once, whatever crashes and whoever competes."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

import schemas
from kernel.context import Envelope
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, LedgerUnavailable, StreamAppend
from registry.documents.code_sets import CodeSets
from registry.documents.commands import Rules
from registry.documents.events import (
    AssociationAsserted,
    DocumentDeprecated,
    DocumentRegistered,
    MetadataRemoved,
    SubmissionAccepted,
)
from registry.documents.values import AssociationType
from registry.patients.values import Told
from registry.studies.events import ManifestPublished, StudyCompleted
from tests.support.archive import AUTHORITY, instance, octets, open_archive, stable
from workflows.describe_manifest import ManifestPolicy, start_time
from workflows.identify_patient import PatientPolicy
from workflows.publish_study import PublishStudy, StudyPublisher
from workflows.receive_identity_feed import IdentityFeed
from workflows.register_documents import RegisterDocuments

LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def archive(tmp_path, engine_dsn, request):
    postgres = (engine_dsn, request.getfixturevalue("postgres_schema")) if engine_dsn else None
    made = open_archive(tmp_path, postgres=postgres)
    yield made
    made.close()


def store(archive, *datasets):
    archive.intake.store_many([archive.offer(octets(ds)) for ds in datasets], Envelope())


def code_sets():
    return CodeSets.parse(
        (Path(schemas.__file__).parent / "codes" / "affinity-domain.json").read_bytes()
    )


def publisher(archive, **more):
    sets = code_sets()
    publish = PublishStudy(
        archive.ledger,
        archive.blobs,
        archive.views.index,
        RegisterDocuments(
            archive.ledger,
            archive.patient_keys,
            rules=Rules(code_sets=sets, patient_feed_required=False),
        ),
        patients=PatientPolicy(AUTHORITY),
        policy=ManifestPolicy(
            repository_oid="1.2.3.4",
            source_oid="1.2.3.5",
            accession_authority="1.2.3.6",
            retrieve_ae_title="PIANKU",
            code_sets=sets,
        ),
    )
    return StudyPublisher(
        archive.views.index, publish, quiet_seconds=5, clock=lambda: LATER, **more
    )


def documents(archive):
    return archive.facts(DocumentRegistered)


def kos(archive, registered):
    return pydicom.dcmread(io.BytesIO(archive.blobs.read(registered.object_sha256)))


def named(manifest):
    return {
        ref.ReferencedSOPInstanceUID
        for study in manifest.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for ref in series.ReferencedSOPSequence
    }


def code(value, scheme, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def test_a_quiet_study_is_completed_and_its_manifest_registered(archive):
    store(archive, *[instance(n, series=str(1 + n % 2)) for n in range(4)])
    assert publisher(archive).publish_due() == 1
    assert archive.facts(StudyCompleted) == [
        StudyCompleted(study_uid=stable("A"), instance_count=4)
    ]
    (registered,) = documents(archive)
    manifest = kos(archive, registered)
    assert manifest.SOPInstanceUID == registered.unique_id
    assert manifest.Modality == "KO"
    assert manifest.StudyInstanceUID == stable("A")
    assert named(manifest) == set(archive.stored())
    series = manifest.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {s.RetrieveLocationUID for s in series} == {"1.2.3.4"}
    assert {s.RetrieveAETitle for s in series} == {"PIANKU"}
    (said,) = archive.facts(ManifestPublished)
    assert (said.unique_id, said.entry_uuid, said.instance_count) == (
        registered.unique_id,
        registered.entry_uuid,
        4,
    )


def test_registration_and_publication_are_one_append(archive):
    store(archive, instance(1))
    publisher(archive).publish_due()
    at = {type(r.fact).__name__: r.at for r in archive.ledger.read(0)}
    positions = [
        r.position
        for r in archive.ledger.read(0)
        if isinstance(r.fact, ManifestPublished | DocumentRegistered | SubmissionAccepted)
    ]
    assert max(positions) - min(positions) <= 4
    assert at["ManifestPublished"] == at["DocumentRegistered"] == at["SubmissionAccepted"]


def test_the_metadata_of_a_manifest(archive):
    store(
        archive,
        instance(
            1,
            ProcedureCodeSequence=[code("18747-6", "LN", "CT study")],
            AnatomicRegionSequence=[code("51185008", "SCT", "Chest")],
        ),
        instance(2, series="2", Modality="MR"),
        instance(3, series="3", Modality="SR"),
    )
    publisher(archive).publish_due()
    entry = documents(archive)[0].entry
    patient = f"PAT-A^^^&{AUTHORITY}&ISO"
    assert entry.mime_type == "application/dicom"
    assert (entry.format_code.value, entry.format_code.scheme) == (
        "1.2.840.10008.5.1.4.1.1.88.59",
        "1.2.840.10008.2.6.1",
    )
    assert (entry.type_code.value, entry.type_code.scheme) == ("18747-6", "2.16.840.1.113883.6.1")
    assert entry.class_code.value == "IMAGES"
    assert {(c.value, c.scheme) for c in entry.event_codes} == {
        ("CT", "1.2.840.10008.2.6.1"),
        ("MR", "1.2.840.10008.2.6.1"),
        ("51185008", "2.16.840.1.113883.6.96"),
    }
    assert set(entry.reference_ids) == {
        "ACC-A^^^&1.2.3.6&ISO^urn:ihe:iti:xds:2013:accession",
        f"{stable('A')}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
    }
    assert entry.service_start_time == "20260301101500"
    assert entry.patient_id == entry.source_patient_id == patient
    assert entry.source_patient_info == (
        f"PID-3|{patient}",
        "PID-5|Test^Archive",
        "PID-7|19700102",
        "PID-8|O",
    )
    assert entry.title == "Study A"
    assert entry.repository_unique_id == "1.2.3.4"


def test_a_local_procedure_code_gives_way_to_the_domains(archive):
    store(archive, instance(1, ProcedureCodeSequence=[code("X77", "99LOCAL", "odd")]))
    publisher(archive).publish_due()
    assert documents(archive)[0].entry.type_code.value == "18748-4"


def test_issuers_and_requests_of_accession_numbers(archive):
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = "1.2.9", "ISO"
    request = Dataset()
    request.AccessionNumber = "SECOND"
    store(
        archive,
        instance(1, IssuerOfAccessionNumberSequence=[issuer], RequestAttributesSequence=[request]),
    )
    publisher(archive).publish_due()
    assert documents(archive)[0].entry.reference_ids[:2] == (
        "ACC-A^^^&1.2.9&ISO^urn:ihe:iti:xds:2013:accession",
        "SECOND^^^&1.2.3.6&ISO^urn:ihe:iti:xds:2013:accession",
    )


def test_nothing_is_published_twice(archive):
    store(archive, instance(1))
    one = publisher(archive)
    assert [one.publish_due() for _ in range(3)] == [1, 0, 0]
    assert publisher(archive).publish_due() == 0
    assert len(documents(archive)) == 1


def test_a_study_that_is_not_quiet_waits(archive):
    store(archive, instance(1))
    waiting = StudyPublisher(archive.views.index, publisher(archive)._publish, quiet_seconds=60)
    assert waiting.publish_due() == 0
    assert archive.facts(StudyCompleted) == []


def test_a_study_that_grew_replaces_its_manifest(archive):
    store(archive, instance(1))
    one = publisher(archive)
    one.publish_due()
    store(archive, instance(2))
    assert one.publish_due() == 1
    first, second = documents(archive)
    assert named(kos(archive, second)) == set(archive.stored())
    assert [d.entry_uuid for d in archive.facts(DocumentDeprecated)] == [first.entry_uuid]
    (replaces,) = [
        a.association
        for a in archive.facts(AssociationAsserted)
        if a.association.type is AssociationType.RPLC
    ]
    assert (replaces.source, replaces.target) == (second.entry_uuid, first.entry_uuid)
    assert [m.instance_count for m in archive.facts(ManifestPublished)] == [1, 2]


def test_a_manifest_whose_metadata_were_removed_is_not_replaced(archive):
    store(archive, instance(1))
    assert publisher(archive).publish_due() == 1
    (first,) = documents(archive)
    removed = MetadataRemoved(entry_uuid=first.entry_uuid)
    archive.ledger.append(Append((StreamAppend(first.entry_uuid, (removed,)),)))
    store(archive, instance(2))
    assert publisher(archive).publish_due() == 1
    assert len(documents(archive)) == 2
    assert archive.facts(DocumentDeprecated) == []


def test_competing_publishers_publish_once(archive):
    store(archive, *[instance(1, study=s) for s in "ABCDEF"])
    rivals = [publisher(archive) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda p: p.publish_due(), rivals))
    assert sum(counts) == 6
    assert len(documents(archive)) == 6
    assert len(archive.facts(ManifestPublished)) == 6
    assert all(not p._failed for p in rivals)


def test_a_crash_before_the_append_leaves_it_to_the_next(archive, monkeypatch):
    store(archive, instance(1))
    one = publisher(archive)
    real = archive.ledger.append

    def crash(batch):
        if any(isinstance(f, ManifestPublished) for s in batch.streams for f in s.facts):
            raise LedgerUnavailable("planted")
        return real(batch)

    with monkeypatch.context() as patch:
        patch.setattr(archive.ledger, "append", crash)
        assert one.publish_due() == 0
    assert documents(archive) == []
    assert one.publish_due() == 0  # waits before it tries again
    assert publisher(archive).publish_due() == 1
    assert len(documents(archive)) == 1


def test_one_bad_study_does_not_stop_the_others(archive):
    store(archive, instance(1, study="A"), instance(1, study="B"))
    one = publisher(archive)
    real = one._publish

    def odd(row):
        if row.study_uid == stable("A"):
            raise KeyError("planted")
        return real(row)

    one._publish = odd
    assert one.publish_due() == 1
    assert [m.study_uid for m in archive.facts(ManifestPublished)] == [stable("B")]


def test_the_loop_publishes_and_stops(archive):
    store(archive, instance(1))
    stopping = threading.Event()
    one = publisher(archive, look_seconds=0.05)
    thread = threading.Thread(target=one.run, args=(stopping,))
    thread.start()
    for _ in range(200):
        if documents(archive):
            break
        threading.Event().wait(0.05)
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(documents(archive)) == 1


def test_a_study_without_patient_id_is_published_for_its_own_patient(archive):
    store(archive, instance(1, PatientID=""))
    assert publisher(archive).publish_due() == 1
    assert documents(archive)[0].entry.patient_id == f"NOID-{stable('A')}^^^&{AUTHORITY}&ISO"


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("20260301", "101500.123", "20260301101500"),
        ("20260301", "10", "2026030110"),
        ("20260301", "", "20260301"),
        ("20260301", "99", ""),
        ("", "101500", ""),
        ("2026", "101500", "2026"),
        ("20261399", "", ""),
        ("garbage", "", ""),
    ],
)
def test_start_time(date, time, expected):
    assert start_time(date, time) == expected


def test_a_study_of_a_subsumed_patient_is_published_for_the_survivor(archive):
    store(archive, instance(1, study="A"), instance(1, study="B"))
    old, new = PatientId("PAT-A", AUTHORITY), PatientId("PAT-B", AUTHORITY)
    IdentityFeed(archive.ledger, archive.patient_keys, AUTHORITY).merge(old, new, Told())
    assert publisher(archive).publish_due() == 2
    facts = documents(archive)
    assert len(facts) == 2
    assert {fact.patient_key for fact in facts} == {archive.patient_keys.key(new)}
    assert {fact.entry.patient_id for fact in facts} == {str(new)}
