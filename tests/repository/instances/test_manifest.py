"""Manifests: what is built is read back, and dciodvfy finds no error in it."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from repository.instances.manifest import Manifest, ManifestInstance, build, read
from repository.instances.refusals import NotAManifest

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"


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
        study_id="S1",
        study_date="20260503",
        study_time="101100",
        study_description="胸部CT",
        retrieve_ae_title="PIANKU",
        retrieve_location_uid="1.2.250.1",
    )


def test_what_is_built_is_read_back():
    made = a_manifest()
    assert read(build(made)) == replace(made, created=None)
    assert build(made) == build(made)


def test_pydicom_sees_the_references_and_where_to_retrieve_them():
    theirs = pydicom.dcmread(BytesIO(build(a_manifest())))
    assert theirs.ConceptNameCodeSequence[0].CodeValue == "113030"
    series = theirs.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [len(s.ReferencedSOPSequence) for s in series] == [2, 1, 1]
    assert {s.RetrieveLocationUID for s in series} == {"1.2.250.1"}
    assert [item.ValueType for item in theirs.ContentSequence] == [
        "IMAGE",
        "IMAGE",
        "COMPOSITE",
        "WAVEFORM",
    ]
    assert theirs.PatientName.ideographic == "王^小明"


@pytest.mark.peer("dicom3tools")
@pytest.mark.parametrize("accession", ["A1", ""])
def test_dciodvfy_finds_no_error(tmp_path, accession):
    path = tmp_path / "kos.dcm"
    path.write_bytes(build(replace(a_manifest(), accession_number=accession)))
    told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    assert "Error" not in told.stdout + told.stderr, told.stderr


def test_other_instances_are_not_manifests():
    with pytest.raises(NotAManifest):
        read(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    with pytest.raises(NotAManifest):
        build(replace(a_manifest(), instances=()))
