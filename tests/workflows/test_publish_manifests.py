"""Manifests with description, and studies of which something or everything was rejected."""

import io
from datetime import UTC, datetime, timedelta, timezone

import pydicom
import pytest
from pydicom.dataset import Dataset

from kernel.context import Envelope
from registry.documents.commands import Rules
from registry.documents.events import AssociationAsserted, DocumentDeprecated, DocumentRegistered
from registry.documents.values import AssociationType
from registry.studies.events import ManifestPublished, ManifestWithdrawn
from repository.instances.manifest import read
from tests.support.archive import AUTHORITY, instance, octets, open_archive, stable
from tests.support.manifests import KOS, coded, foreign_kos
from workflows.anatomic_regions import regions
from workflows.describe_manifest import ManifestPolicy
from workflows.identify_patient import PatientPolicy
from workflows.publish_study import PublishStudy, StudyPublisher
from workflows.register_documents import RegisterDocuments

LATER = datetime.now(UTC) + timedelta(hours=1)
QUALITY = ("113001", "DCM", "Rejected for Quality Reasons")
SAFETY = ("113037", "DCM", "Rejected for Patient Safety Reasons")


@pytest.fixture
def archive(tmp_path, engine_dsn, request):
    postgres = (engine_dsn, request.getfixturevalue("postgres_schema")) if engine_dsn else None
    made = open_archive(tmp_path, postgres=postgres)
    yield made
    made.close()


def store(archive, *datasets):
    files = [one if isinstance(one, bytes) else octets(one) for one in datasets]
    archive.intake.store_many([archive.offer(file) for file in files], Envelope())


def publish(archive, *, described=False):
    policy = ManifestPolicy(
        repository_oid="1.2.3.4",
        source_oid="1.2.3.5",
        accession_authority="1.2.3.6",
        retrieve_ae_title="PIANKU",
        described=described,
        retrieve_url="https://pianku.example/dicom-web" if described else "",
        institution="Test Hospital",
        zone=timezone(timedelta(hours=8)),
    )
    register = RegisterDocuments(
        archive.ledger, archive.patient_keys, rules=Rules(patient_feed_required=False)
    )
    made = PublishStudy(
        archive.ledger, archive.blobs, archive.views.index, register,
        patients=PatientPolicy(AUTHORITY), policy=policy,
    )  # fmt: skip
    return StudyPublisher(
        archive.views.index, made, quiet_seconds=5, clock=lambda: LATER
    ).publish_due()


def note(*rejects, series="1", title=QUALITY, study="A", number=1):
    """A rejection note as a modality sends it."""
    return foreign_kos(
        stable(study),
        {stable(study, series): rejects},
        title=title,
        sop_uid=stable("note", study, number),
        PatientID=f"PAT-{study}",
        SeriesInstanceUID=stable(study, "notes"),
        AccessionNumber=f"ACC-{study}",
    )


def manifests(archive):
    return [
        (fact, archive.blobs.read(fact.object_sha256)) for fact in archive.facts(DocumentRegistered)
    ]


def named(file):
    return {one.sop_uid for one in read(file).instances}


def test_mado_a_published_manifest_describes_the_study(archive):
    region = coded("51185008", "SCT", "Chest")
    enhanced = instance(
        1, series="2", NumberOfFrames=3, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1",
        SeriesDate="20260301", SeriesTime="101600",
    )  # fmt: skip
    key = foreign_kos(
        stable("A"), {stable("A", "1"): (stable("A", "1", 1),)},
        title=("113000", "DCM", "Of Interest"), PatientID="PAT-A", sop_uid=stable("key"),
        AccessionNumber="ACC-A",
    )  # fmt: skip
    store(archive, instance(1, AnatomicRegionSequence=[region]), instance(2), enhanced, key)
    assert publish(archive, described=True) == 1
    ((fact, file),) = manifests(archive)
    told = read(file)
    theirs = pydicom.dcmread(io.BytesIO(file))
    assert told.described
    assert (fact.unique_id, told.sop_uid) == (theirs.SOPInstanceUID, fact.unique_id)
    assert told.patient_id_authority == AUTHORITY
    assert told.institution == "Test Hospital"
    assert told.retrieve_url == "https://pianku.example/dicom-web"
    assert told.accession_numbers == {"ACC-A"}
    assert told.orders[0].accession_authority == "1.2.3.6"
    assert told.modalities == {"CT", "KO"}
    assert [one.value for one in told.regions] == ["67734004"]
    assert theirs.TimezoneOffsetFromUTC == "+0800"
    by_uid = {one.uid: one for one in told.series}
    assert by_uid[stable("A", "1")].region.value == "51185008"
    assert by_uid[stable("A", "1")].description == "Axial"
    assert by_uid[stable("A", "2")].date == "20260301"
    text = str(theirs)
    assert "Number of Frames" in text
    assert "Of Interest" in text
    entry = fact.entry
    assert entry.format_code.value == KOS
    assert {code.value for code in entry.event_codes} == {"CT", "51185008", "67734004"}
    assert "ACC-A^^^&1.2.3.6&ISO^urn:ihe:iti:xds:2013:accession" in entry.reference_ids


def test_mado_orders_and_procedures_are_found(archive):
    request = Dataset()
    request.AccessionNumber, request.PlacerOrderNumberImagingServiceRequest = "ACC-A", "PO-1"
    placer = Dataset()
    placer.UniversalEntityID, placer.UniversalEntityIDType = "1.2.3.9", "ISO"
    request.OrderPlacerIdentifierSequence = [placer]
    store(
        archive,
        instance(
            1,
            RequestAttributesSequence=[request],
            ProcedureCodeSequence=[coded("18747-6", "LN", "CT study")],
        ),
    )
    publish(archive, described=True)
    ((fact, file),) = manifests(archive)
    (order,) = read(file).orders
    assert (order.placer_number, order.placer_authority) == ("PO-1", "1.2.3.9")
    assert "PO-1^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order" in fact.entry.reference_ids
    assert "18747-6" in {code.value for code in fact.entry.event_codes}


def test_mado_a_study_without_accession_number_gets_one_of_ours(archive):
    store(archive, instance(1, AccessionNumber=""))
    publish(archive, described=True)
    ((fact, file),) = manifests(archive)
    (number,) = read(file).accession_numbers
    assert len(number) == 16
    assert f"{number}^^^&1.2.3.5&ISO^urn:ihe:iti:xds:2013:accession" in fact.entry.reference_ids
    assert [one.value for one in read(file).regions] == ["38266002"]


def test_a_changed_flavour_does_not_publish_again_but_names_manifests_apart(archive):
    store(archive, instance(1))
    assert publish(archive) == 1
    assert publish(archive, described=True) == 0
    store(archive, instance(2))
    assert publish(archive, described=True) == 1
    (old, _), (new, file) = manifests(archive)
    assert old.unique_id != new.unique_id
    assert read(file).described
    assert [one.entry_uuid for one in archive.facts(DocumentDeprecated)] == [old.entry_uuid]


def test_a_rejected_instance_leaves_the_manifest(archive):
    store(archive, instance(1), instance(2), instance(1, series="2", Modality="MR"))
    publish(archive)
    store(archive, note(stable("A", "2", 1), series="2"))
    assert publish(archive) == 1
    (old, before), (new, after) = manifests(archive)
    assert named(before) - named(after) == {stable("A", "2", 1)}
    assert stable("note", "A", 1) not in named(after)
    assert [code.value for code in new.entry.event_codes] == ["CT"]
    replaces = [
        one.association
        for one in archive.facts(AssociationAsserted)
        if one.association.type is AssociationType.RPLC
    ]
    assert [(one.source, one.target) for one in replaces] == [(new.entry_uuid, old.entry_uuid)]


@pytest.mark.parametrize("title", [QUALITY, SAFETY])
def test_when_all_is_rejected_the_manifest_is_deprecated_without_replacement(archive, title):
    store(archive, instance(1), instance(2))
    publish(archive)
    store(archive, note(stable("A", "1", 1), stable("A", "1", 2), title=title))
    assert publish(archive) == 1
    ((only, _),) = manifests(archive)
    assert [one.entry_uuid for one in archive.facts(DocumentDeprecated)] == [only.entry_uuid]
    assert archive.facts(ManifestWithdrawn) == [
        ManifestWithdrawn(study_uid=stable("A"), instance_count=3, entry_uuid=only.entry_uuid)
    ]
    row = archive.views.index.study(stable("A"), held=True)
    assert (row.manifest_uid, row.manifest_entry, row.published_count) == ("", None, 3)
    assert publish(archive) == 0


def test_a_withdrawn_study_that_grows_is_published_anew(archive):
    store(archive, instance(1))
    publish(archive)
    store(archive, note(stable("A", "1", 1)))
    publish(archive)
    store(archive, instance(2))
    assert publish(archive) == 1
    file = manifests(archive)[-1][1]
    assert named(file) == {stable("A", "1", 2)}
    assert not [
        one for one in archive.facts(AssociationAsserted)
        if one.association.type is AssociationType.RPLC
    ]  # fmt: skip


def test_a_study_rejected_before_it_was_published_is_never_published(archive):
    store(archive, instance(1), note(stable("A", "1", 1)))
    assert publish(archive) == 1
    assert manifests(archive) == []
    assert archive.facts(ManifestWithdrawn)[0].entry_uuid is None
    assert publish(archive) == 0


def test_other_key_objects_reject_nothing(archive):
    store(archive, instance(1), note(stable("A", "1", 1), title=("113000", "DCM", "Of Interest")))
    publish(archive)
    ((_, file),) = manifests(archive)
    assert named(file) == {stable("A", "1", 1), stable("note", "A", 1)}
    assert len(archive.facts(ManifestPublished)) == 1


@pytest.mark.parametrize(
    ("parts", "codes", "found"),
    [
        (["CHEST", "ABDOMEN"], [], ["67734004", "63337009"]),
        (["LSPINE", "c spine"], [], ["1141981001"]),
        (["CHEST"], ["72696002"], ["61685007", "67734004"]),
        (["", "GIZZARD"], ["1"], ["38266002"]),
        ([], [], ["38266002"]),
    ],
)
def test_mado_regions_are_few_and_never_none(parts, codes, found):
    assert [one.value for one in regions(parts, codes)] == found
