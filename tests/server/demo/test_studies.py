"""The generated studies are deterministic, conform to their IODs and differ as promised."""

from __future__ import annotations

import hashlib
import io
import subprocess
from datetime import date

import numpy as np
import pytest
from pydicom import dcmread

from kernel.identifiers import is_oid
from server.demo import people
from server.demo.catalogue import catalogue
from server.demo.studies import KINDS, ct_series, generate, sample_exam

TODAY = date(2026, 5, 4)
SMALL = {
    "CT": {"count": 8, "size": 64},
    "CT prior": {"count": 4, "size": 64},
    "PT": {"count": 3},
    "MR": {"count": 3, "size": 64},
    "US": {"frames": 2},
    "US abdomen": {"frames": 2},
    "XA": {"frames": 2, "size": 64},
    "ES": {"count": 1},
    "SM": {"size": 512},
    "SEG": {"count": 60, "size": 64},
    "KO": {"count": 8, "size": 64},
    "PR": {"count": 8, "size": 64},
}


def part10(ds) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture(scope="module", params=KINDS)
def made(request):
    return request.param, generate(request.param, **SMALL.get(request.param, {}))


def test_every_kind_survives_a_round_trip_and_is_the_same_every_time(made):
    kind, instances = made
    again = generate(kind, **SMALL.get(kind, {}))
    for ds, other in zip(instances, again, strict=True):
        file = part10(ds)
        assert hashlib.sha256(file).digest() == hashlib.sha256(part10(other)).digest()
        read = dcmread(io.BytesIO(file))
        assert read.SOPInstanceUID == ds.SOPInstanceUID == read.file_meta.MediaStorageSOPInstanceUID
        assert is_oid(str(read.SOPInstanceUID))
        assert str(read.PatientName) == "Zhang^San Demo=张^三=Zhāng^Sān"
        if "PixelData" in read:
            pixels = read.pixel_array
            assert pixels.max() > pixels.min()


@pytest.mark.peer("dicom3tools")
def test_dciodvfy_finds_no_error(made, tmp_path):
    kind, instances = made
    if kind in {"RT", "FILES"}:
        pytest.skip("files bundled by pydicom are shown as they are, valid or not")
    (tmp_path / "x.dcm").write_bytes(part10(instances[-1]))
    done = subprocess.run(["dciodvfy", str(tmp_path / "x.dcm")], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    assert [line for line in lines if line.startswith("Error")] == []


def test_instances_of_a_study_have_their_own_uids():
    for study in catalogue(TODAY):
        if study.kinds[0] not in {"ECG", "RT", "FILES", "ES", "OP", "PT", "MR"}:
            continue
        uids = [ds.SOPInstanceUID for ds in study.instances()]
        assert len(set(uids)) == len(uids)


def test_the_catalogue_shows_the_standing_variety():
    studies = catalogue(TODAY)
    ages = {(TODAY - s.exam.when.date()).days for s in studies}
    assert {0, 1, 3, 7} <= ages
    assert max(ages) > 360
    assert len({s.exam.patient.id for s in studies}) >= 10
    assert len({s.exam.campus for s in studies}) >= 3
    assert len({s.exam.department for s in studies}) >= 12
    assert {s.exam.patient.charset for s in studies} == {
        people.UTF_8,
        people.GB18030,
        people.GBK,
        people.GB2312,
    }
    assert {s.door for s in studies} == {"dimse", "stow"}
    assert len({s.exam.accession for s in studies}) == len(studies)
    assert all(len(s.exam.accession) <= 16 for s in studies)
    of_zhang = {s.kinds[0] for s in studies if s.exam.patient is people.ZHANG_SAN}
    assert {"CT", "ECG", "DX", "PT", "CT prior"} <= of_zhang


def test_uids_follow_the_day():
    first, same, later = catalogue(TODAY), catalogue(TODAY), catalogue(date(2026, 5, 5))
    assert [s.exam.study_uid for s in first] == [s.exam.study_uid for s in same]
    assert not {s.exam.study_uid for s in first} & {s.exam.study_uid for s in later}


def test_one_person_is_registered_twice_and_one_is_a_vip():
    again, first = people.LI_SI_AGAIN, people.LI_SI
    assert (again.ideographic, again.birth_date, again.sex) == (
        first.ideographic,
        first.birth_date,
        first.sex,
    )
    assert again.id != first.id
    assert [p.id for p in people.PATIENTS if p.vip] == [people.GUI_BIN.id]


@pytest.mark.parametrize("patient", people.PATIENTS, ids=lambda p: p.id)
def test_names_are_written_in_the_declared_character_set(patient):
    exam = sample_exam("ECG", patient=patient)
    file = part10(generate("ECG", exam=exam)[0])
    encoded = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}.get(patient.charset)
    name = patient.ideographic.partition("^")[0]
    wire = name.encode(encoded) if encoded else b"\x1b$)A" + name.encode("gb2312")
    assert wire in file
    if encoded:  # pydicom 3.0 keeps the escape sequences of GB 2312 when it reads
        assert str(dcmread(io.BytesIO(file)).PatientName) == patient.person_name


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("patient", [people.QIAN_QI, people.LI_SI], ids=lambda p: p.id)
def test_dcmtk_reads_the_names(patient, tmp_path):
    exam = sample_exam("ECG", patient=patient)
    (tmp_path / "x.dcm").write_bytes(part10(generate("ECG", exam=exam)[0]))
    shown = subprocess.run(
        ["dcmdump", "+U8", "+P", "PatientName", "+P", "StudyDescription", str(tmp_path / "x.dcm")],
        capture_output=True,
        check=True,
    )
    assert f"[{patient.person_name}]" in shown.stdout.decode()
    assert "ECG 样例" in shown.stdout.decode()


def test_a_mislabelled_study_declares_latin_over_gb18030():
    file = part10(generate("ECG", mislabelled=True)[0])
    assert "张".encode("gb18030") in file
    assert dcmread(io.BytesIO(file)).SpecificCharacterSet == "ISO_IR 100"


def test_a_ct_series_is_a_volume():
    series = ct_series(6, 128, patient=people.WANG_WU, study_uid="2.25.77")
    assert {ds.StudyInstanceUID for ds in series} == {"2.25.77"}
    assert {ds.PatientID for ds in series} == {"PK100003"}
    steps = np.diff([float(ds.ImagePositionPatient[2]) for ds in series])
    assert np.allclose(steps, steps[0])
    assert steps[0] == pytest.approx(-float(series[0].SliceThickness), abs=0.01)
    hounsfield = series[3].pixel_array + float(series[3].RescaleIntercept)
    assert hounsfield.min() < -900
    assert hounsfield.max() > 400


def test_noise_keeps_ct_from_compressing_away():
    import zlib  # noqa: PLC0415

    pixels = ct_series(1, 512)[0].PixelData
    assert len(zlib.compress(pixels, 1)) > 0.4 * len(pixels)


def test_bundled_files_keep_their_transfer_syntax_and_lose_their_people():
    syntaxes = {ds.file_meta.TransferSyntaxUID for ds in generate("FILES")}
    assert len(syntaxes) >= 9
    assert {ds.PatientID for ds in generate("RT")} == {"PK100001"}
