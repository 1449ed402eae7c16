"""Manifests, classic and with description: what is built is read back; dciodvfy finds no error."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from kernel.codes import Code
from repository.instances.manifest import (
    MANIFEST_WITH_DESCRIPTION,
    Manifest,
    ManifestInstance,
    ManifestOrder,
    ManifestSeries,
    read,
)
from repository.instances.manifest_document import build
from repository.instances.refusals import NotAManifest

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def a_manifest() -> Manifest:
    return Manifest(
        sop_uid="2.25.77",
        study_uid="1.2.3",
        instances=(
            ManifestInstance("1.2.3.1", CT, "1.2.3.1.1"),
            ManifestInstance("1.2.3.1", CT, "1.2.3.1.2"),
            ManifestInstance("1.2.3.2", SR, "1.2.3.2.1"),
            ManifestInstance("1.2.3.3", ECG, "1.2.3.3.1"),
        ),
        created=datetime(2026, 5, 3, 10, 12, tzinfo=UTC),
        patient_id="P-1",
        patient_name="Wang^Xiaoming=王^小明",
        patient_birth_date="19700101",
        patient_sex="M",
        accession_number="A1",
        orders=(ManifestOrder(accession_number="A1"),),
        study_id="S1",
        study_date="20260503",
        study_time="101100",
        study_description="胸部CT",
        retrieve_ae_title="PIANKU",
        retrieve_location_uid="1.2.250.1",
    )


def a_described_manifest() -> Manifest:
    return replace(
        a_manifest(),
        title=MANIFEST_WITH_DESCRIPTION,
        created=datetime(2026, 5, 3, 10, 12, tzinfo=timezone(timedelta(hours=8))),
        instances=(
            ManifestInstance("1.2.3.1", CT, "1.2.3.1.1", number="1"),
            ManifestInstance("1.2.3.1", CT, "1.2.3.1.2", number="2"),
            ManifestInstance("1.2.3.2", ENHANCED_CT, "1.2.3.2.1", frames=7),
            ManifestInstance(
                "1.2.3.3",
                KOS,
                "1.2.3.3.1",
                key_title=Code("113000", "DCM", "Of Interest"),
                key_description="结节",
            ),
        ),
        series=(
            ManifestSeries(
                uid="1.2.3.1",
                modality="CT",
                description="胸部 1mm",
                number="1",
                date="20260503",
                time="101500",
                region=Code("51185008", "SCT", "Chest"),
            ),
            ManifestSeries(uid="1.2.3.2", modality="CT"),
            ManifestSeries(uid="1.2.3.3", modality="KO"),
        ),
        regions=(Code("67734004", "SCT", "Upper trunk"),),
        patient_id_authority="1.2.250.2",
        orders=(
            ManifestOrder(
                accession_number="A1",
                accession_authority="1.2.250.3",
                placer_number="PO-9",
                placer_authority="1.2.250.4",
            ),
        ),
        institution="Test Hospital",
        retrieve_url="https://pianku.example/dicom-web",
    )


def bare(manifest: Manifest) -> Manifest:
    """The manifest without what only its description tells of single instances."""
    return replace(
        manifest,
        created=None,
        instances=tuple(
            ManifestInstance(one.series_uid, one.sop_class_uid, one.sop_uid)
            for one in manifest.instances
        ),
    )


def test_what_is_built_is_read_back():
    made = a_manifest()
    assert read(build(made)) == replace(made, created=None)
    assert build(made) == build(made)


def test_a_described_manifest_is_read_back():
    made = a_described_manifest()
    found = read(build(made))
    assert found == bare(made)
    assert found.described
    assert found.modalities == {"CT", "KO"}
    assert found.accession_numbers == {"A1"}
    assert build(made) == build(made)


def test_pydicom_sees_the_references_and_where_to_retrieve_them():
    theirs = pydicom.dcmread(BytesIO(build(a_manifest())))
    assert theirs.ConceptNameCodeSequence[0].CodeValue == "113030"
    series = theirs.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [len(s.ReferencedSOPSequence) for s in series] == [2, 1, 1]
    assert {s.RetrieveLocationUID for s in series} == {"1.2.250.1"}
    assert not any("RetrieveURL" in s for s in series)
    assert [item.ValueType for item in theirs.ContentSequence] == [
        "IMAGE",
        "IMAGE",
        "COMPOSITE",
        "WAVEFORM",
    ]
    assert theirs.PatientName.ideographic == "王^小明"
    assert "OtherPatientIDsSequence" not in theirs
    assert "TimezoneOffsetFromUTC" not in theirs


def test_a_reader_of_classic_manifests_finds_all_it_knows_in_a_described_one():
    classic = replace(a_described_manifest(), title=a_manifest().title)
    old, new = (pydicom.dcmread(BytesIO(build(m))) for m in (classic, a_described_manifest()))
    assert old.SOPClassUID == new.SOPClassUID == KOS
    evidence = "CurrentRequestedProcedureEvidenceSequence"
    assert old[evidence] == new[evidence]
    count = len(old.ContentSequence)
    assert list(old.ContentSequence) == list(new.ContentSequence[:count])
    assert [item.ValueType for item in new.ContentSequence[count:]] == ["CONTAINER"]
    assert old.ContentTemplateSequence == new.ContentTemplateSequence


def said(items) -> dict[str, object]:
    """Content items by the code of their concept."""
    values = {"CODE": lambda i: i.ConceptCodeSequence[0].CodeValue, "TEXT": lambda i: i.TextValue}
    values |= {"NUM": lambda i: int(i.MeasuredValueSequence[0].NumericValue)}
    values |= {"UIDREF": lambda i: i.UID, "DATE": lambda i: i.Date, "TIME": lambda i: i.Time}
    return {
        i.ConceptNameCodeSequence[0].CodeValue: values[i.ValueType](i)
        for i in items
        if i.RelationshipType == "HAS ACQ CONTEXT"
    }


def test_mado_the_image_library_tells_what_the_profile_requires():
    theirs = pydicom.dcmread(BytesIO(build(a_described_manifest())))
    title = theirs.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("MADOTEMP001", "99IHE")
    library = theirs.ContentSequence[-1]
    assert library.ConceptNameCodeSequence[0].CodeValue == "111028"
    modalities = [
        i.ConceptCodeSequence[0].CodeValue
        for i in library.ContentSequence
        if i.ValueType == "CODE" and i.ConceptNameCodeSequence[0].CodeValue == "121139"
    ]
    assert modalities == ["CT", "KO"]
    assert said(library.ContentSequence)["123014"] == "67734004"
    assert said(library.ContentSequence)["MADOTEMP009"] == 3
    groups = [i for i in library.ContentSequence if i.ValueType == "CONTAINER"]
    assert [g.ConceptNameCodeSequence[0].CodeValue for g in groups] == ["126200"] * 3
    assert said(groups[0].ContentSequence) == {
        "121139": "CT",
        "MADOTEMP003": "20260503",
        "MADOTEMP004": "101500",
        "MADOTEMP002": "胸部 1mm",
        "113607": "1",
        "112002": "1.2.3.1",
        "123014": "51185008",
        "MADOTEMP007": 2,
    }
    entries = [[i for i in g.ContentSequence if "ReferencedSOPSequence" in i] for g in groups]
    assert [e.ValueType for group in entries for e in group] == [
        "IMAGE",
        "IMAGE",
        "IMAGE",
        "COMPOSITE",
    ]
    assert said(entries[0][1].ContentSequence) == {"113609": "2"}
    assert said(entries[1][0].ContentSequence) == {"121140": 7}
    assert said(entries[2][0].ContentSequence) == {"121144": "113000", "113012": "结节"}


def test_mado_identifiers_carry_their_authorities():
    theirs = pydicom.dcmread(BytesIO(build(a_described_manifest())))
    for place in (theirs, theirs.OtherPatientIDsSequence[0]):
        assert place.PatientID == "P-1"
        (qualifiers,) = place.IssuerOfPatientIDQualifiersSequence
        assert (qualifiers.UniversalEntityID, qualifiers.UniversalEntityIDType) == (
            "1.2.250.2",
            "ISO",
        )
    assert theirs.IssuerOfAccessionNumberSequence[0].UniversalEntityID == "1.2.250.3"
    (request,) = theirs.ReferencedRequestSequence
    assert request.AccessionNumber == "A1"
    assert request.PlacerOrderNumberImagingServiceRequest == "PO-9"
    assert request.OrderPlacerIdentifierSequence[0].UniversalEntityID == "1.2.250.4"
    assert theirs.TimezoneOffsetFromUTC == "+0800"
    assert (theirs.ContentDate, theirs.ContentTime) == ("20260503", "101200")
    assert theirs.InstitutionName == "Test Hospital"
    series = theirs.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {s.RetrieveURL for s in series} == {"https://pianku.example/dicom-web"}


def test_mado_of_several_accession_numbers_none_is_the_studys():
    several = replace(
        a_described_manifest(),
        orders=tuple(ManifestOrder(accession_number=n) for n in ("A1", "A2")),
    )
    theirs = pydicom.dcmread(BytesIO(build(several)))
    assert theirs.AccessionNumber == ""
    assert [r.AccessionNumber for r in theirs.ReferencedRequestSequence] == ["A1", "A2"]
    assert read(build(several)).accession_numbers == {"A1", "A2"}


@pytest.mark.peer("dicom3tools")
@pytest.mark.parametrize("accession", ["A1", ""])
@pytest.mark.tender("R-3.1")
def test_dciodvfy_finds_no_error(tmp_path, accession):
    made = replace(a_manifest(), accession_number=accession, orders=())
    assert "Error" not in _validated(tmp_path, made)


@pytest.mark.peer("dicom3tools")
def test_dciodvfy_minds_nothing_but_what_mado_adds(tmp_path):
    told = _validated(tmp_path, a_described_manifest())
    # CP-2595 lets KOS documents hold these value types; dciodvfy does not know it yet.
    new = ("<DATE>", "<NUM>", "<TIME>")
    errors = [line for line in told.splitlines() if "Error" in line]
    assert [e for e in errors if "<Value Type>" not in e or not any(n in e for n in new)] == []


def _validated(tmp_path: Path, manifest: Manifest) -> str:
    path = tmp_path / "kos.dcm"
    path.write_bytes(build(manifest))
    told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    return told.stdout + told.stderr


def test_other_instances_are_not_manifests():
    with pytest.raises(NotAManifest):
        read(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    with pytest.raises(NotAManifest):
        build(replace(a_manifest(), instances=()))


def test_a_foreign_manifest_in_another_character_set_and_transfer_syntax_is_read():
    theirs = pydicom.dcmread(BytesIO(build(a_described_manifest())))
    theirs.SpecificCharacterSet = "GB18030"
    theirs.private_block(0x0009, "SOMEBODY", create=True).add_new(1, "SQ", [Dataset()])
    theirs.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    out = BytesIO()
    theirs.save_as(out, enforce_file_format=True)
    found = read(out.getvalue())
    assert found.series[0].description == "胸部 1mm"
    assert found.study_description == "胸部CT"
    assert found.regions[0].value == "67734004"
