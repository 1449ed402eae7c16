"""The portal's lists, metadata and what waits to be published, on both engines."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from projections.study_index.view import StudyFilters
from registry.patients.events import PatientShredded
from registry.studies.events import ManifestPublished, StudyCompleted
from repository.instances.dicom_json import to_json
from repository.instances.header import read_header
from repository.tiers.ports import ObjectMissing
from tests.support.archive import instance, stable
from tests.support.imaging import imaging
from tests.support.postgres import drop_schema

ALL = sa.true()


@pytest.fixture
def archive(engine_dsn, tmp_path):
    schema = f"test_{uuid4().hex[:12]}" if engine_dsn else ""
    with imaging(tmp_path, dsn=engine_dsn, schema=schema) as made:
        yield made
    if engine_dsn is not None:
        drop_schema(engine_dsn, schema)


def record(archive, study_uid, *facts):
    archive.house.facts.append(Append((StreamAppend(stream_id("study", study_uid), facts),)))


def later():
    return datetime.now(UTC) + timedelta(minutes=1)


def test_the_list_is_narrowed_sorted_and_paged(archive):
    archive.store(
        instance(1, study="A", PatientName="Wang^Xiaoming=王^小明", StudyDate="20260301"),
        instance(1, study="B", PatientName="Zhao^Yi=赵^一", StudyDate="20260302", Modality="MR"),
        instance(
            1, study="C", PatientName="An^Ning", StudyDate="20260303", StudyDescription="Knee left"
        ),
    )

    def found(sort="-study_date", offset=0, limit=50, **filters):
        total, rows = archive.index.search_studies(
            StudyFilters(**filters), policy=ALL, sort=sort, offset=offset, limit=limit
        )
        return total, "".join(row.patient_id[-1] for row in rows)

    assert found() == (3, "CBA")
    assert found(sort="study_date") == (3, "ABC")
    assert found(sort="-arrival")[0] == 3
    assert found(sort="patient_id", offset=1, limit=1) == (3, "B")
    assert found(sort="nonsense") == (3, "ABC")
    assert found(name="wxm") == (1, "A")
    assert found(name="赵") == (1, "B")
    assert found(patient_id="PAT-A") == (1, "A")
    assert found(accession="ACC-") == (3, "CBA")
    assert found(modalities=("MR", "US")) == (1, "B")
    assert found(date_from="20260302") == (2, "CB")
    assert found(date_from="20260301", date_to="20260302") == (2, "BA")
    assert found(description="LEFT") == (1, "C")
    assert archive.index.search_studies(StudyFilters(), policy=sa.false()) == (0, ())
    key = archive.index.study(stable("A")).patient_key
    assert found(patient_key=key) == (1, "A")
    assert len(archive.index.studies_of_patient(key, policy=ALL)) == 1


def test_a_study_counts_what_came(archive):
    archive.store(instance(1, study="A"), instance(2, study="A"))
    archive.store(instance(1, study="A", series="2", Modality="SR", BodyPartExamined="CHEST"))
    study = archive.index.study(stable("A"))
    assert (study.series_count, study.instance_count) == (2, 3)
    assert study.modalities == ("CT", "SR")
    assert study.body_parts == ("CHEST",)
    assert not study.complete
    series = archive.index.series_of(stable("A"))
    assert [(s.number, s.instance_count) for s in series] == [(1, 2), (2, 1)]
    assert series[0].first_sop_uid == stable("A", "1", 1)
    assert len(archive.index.instances_of(stable("A"), stable("A", "1"))) == 2
    assert archive.index.study("1.2.3") is None


def test_metadata_are_those_of_the_files_in_chunks_and_one_by_one(archive):
    files = archive.store(*(instance(n, study="A") for n in range(1, 6)))
    files += archive.store(instance(6, study="A"))
    uid, series = stable("A"), stable("A", "1")
    body = b"[" + b",".join(archive.index.metadata(uid, series)) + b"]"
    listed = json.loads(body.replace(b"\x01", b"http://h"))
    bulk = f"http://h/studies/{uid}/series/{series}/instances/{stable('A', '1', 6)}/bulkdata"
    assert listed[5] == json.loads(to_json(read_header(files[5]), bulk.encode()))
    assert listed[5]["7FE00010"]["BulkDataURI"] == f"{bulk}/7FE00010"
    for number in (1, 3, 6):
        one = archive.index.instance_metadata(uid, series, stable("A", "1", number))
        assert json.loads(one.replace(b"\x01", b"http://h")) == listed[number - 1]
    assert archive.index.instance_metadata(uid, series, "1.2.3") is None
    assert archive.index.instance_metadata(uid, "1.2", stable("A", "1", 1)) is None


def test_the_revision_moves_with_every_instance(archive):
    archive.store(instance(1, study="A"))
    before = archive.index.revision(stable("A"), stable("A", "1"))
    archive.store(instance(2, study="A"))
    after = archive.index.revision(stable("A"), stable("A", "1"))
    assert after[0] > before[0]
    assert after[1] == before[1]
    assert archive.index.revision("1.2.3") is None


def test_a_study_waits_to_be_published_until_a_manifest_names_all_its_instances(archive):
    archive.store(instance(1, study="A"), instance(2, study="A"))
    uid = stable("A")
    assert [s.study_uid for s in archive.index.pending_publication(later())] == [uid]
    assert archive.index.pending_publication(datetime.now(UTC) - timedelta(minutes=5)) == []
    assert [i.sop_uid for i in archive.index.instances_for_manifest(uid)] == [
        stable("A", "1", 1),
        stable("A", "1", 2),
    ]
    entry = uuid4()
    record(
        archive,
        uid,
        StudyCompleted(study_uid=uid, instance_count=2),
        ManifestPublished(study_uid=uid, entry_uuid=entry, unique_id="2.25.1", instance_count=2),
    )
    study = archive.index.study(uid)
    assert archive.index.pending_publication(later()) == []
    assert (study.complete, study.published_count) == (True, 2)
    assert (study.manifest_uid, study.manifest_entry) == ("2.25.1", entry)
    archive.store(instance(3, study="A"))
    assert not archive.index.study(uid).complete
    assert len(archive.index.pending_publication(later())) == 1


def test_a_shredded_patient_is_gone_from_every_table(archive):
    archive.store(instance(1, study="A"), instance(1, study="B"))
    key = archive.index.study(stable("A")).patient_key
    archive.house.facts.append(
        Append((StreamAppend(key, (PatientShredded(patient_key=key, reason="asked"),)),))
    )
    assert archive.index.study(stable("A")) is None
    assert archive.index.series_of(stable("A")) == ()
    assert archive.index.metadata(stable("A")) == []
    assert archive.index.study(stable("B")) is not None
    assert archive.storage.instances(stable("A")) == []
    assert archive.storage.locate(stable("A", "1", 1)) is None


@pytest.mark.filterwarnings("ignore:Invalid value:UserWarning", "ignore:The value:UserWarning")
def test_hostile_values_are_indexed_as_far_as_they_go(archive):
    long, written = "x" * 9000, "王" * 900
    archive.store(
        instance(
            1,
            study="A",
            PatientName=f"{long}={written}",
            PatientID="P" + written[:100],
            StudyDate="2026\x0001",
            StudyDescription="a\x00b" + long,
            AccessionNumber=written,
            Modality="M" * 500,
            IssuerOfPatientID="i\x00" + long,
            StudyTime=long,
        ),
        instance(
            1,
            study="B",
            PatientName="\\",
            StudyDate="\\\\",
            InstanceNumber="9" * 12,
            SeriesNumber=-(2**31),
        ),
    )
    study = archive.index.study(stable("A"))
    assert (len(study.name), study.study_date) == (256, "202601")
    assert study.description.startswith("ab")
    assert archive.index.study(stable("B")).instance_count == 1
    assert len(archive.index.metadata(stable("A"))) == 1


def test_octets_that_are_gone_leave_what_the_event_told(archive):
    stored = archive.stored
    header = stored.header
    stored.header = lambda _key: (_ for _ in ()).throw(_missing())
    try:
        archive.store(instance(1, study="A"))
        study = archive.index.study(stable("A"))
    finally:
        stored.header = header
    assert (study.instance_count, study.patient_id) == (1, "")
    (one,) = archive.index.metadata(stable("A"))
    assert json.loads(one)["00080018"]["Value"] == [stable("A", "1", 1)]


def _missing():
    return ObjectMissing()
