"""Corrected headers over the wire: every resource tells the new values, pixels stay, ETags change."""

import io
import json
import zipfile
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from tests.support.archive import instance, stable
from tests.support.correcting import RENAMED, correct, move

STUDY = f"/studies/{stable('A')}"
SERIES = f"{STUDY}/series/{stable('A', '1')}"
ONE = f"{SERIES}/instances/{stable('A', '1', 1)}"
FILE = {"accept": "application/dicom"}
PARTS = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@pytest.fixture
def filled(door):
    """Three instances of a study, two of another."""
    door.files = door.imaging.store(
        *(instance(n, study="A", PatientName="Zhang^San") for n in (1, 2, 3)),
        *(instance(n, study="B") for n in (1, 2)),
    )
    return door


def correct_a(door, changes=RENAMED):
    correct(door.imaging.house.facts, door.imaging.index, stable("A"), changes)


def parts_of(answer):
    boundary = answer.headers["content-type"].partition("boundary=")[2].strip('"')
    pieces = answer.content.split(f"--{boundary}".encode())[1:-1]
    return [piece.partition(b"\r\n\r\n")[2][:-2] for piece in pieces]


def names(octets):
    ds = pydicom.dcmread(io.BytesIO(octets))
    return str(ds.PatientName), ds.PatientID


def test_an_instance_has_its_new_header_and_its_old_pixels(filled):
    before = filled.http.get(ONE, headers=FILE)
    assert before.content == filled.files[0]
    correct_a(filled)
    after = filled.http.get(ONE, headers=FILE)
    new = pydicom.dcmread(io.BytesIO(after.content))
    assert (str(new.PatientName), new.PatientID) == ("Li^Si=李^四", "RIGHT-1")
    assert new.SpecificCharacterSet == "ISO_IR 192"
    (item,) = new.OriginalAttributesSequence
    assert str(item.ModifiedAttributesSequence[0].PatientName) == "Zhang^San"
    assert item.AttributeModificationDateTime
    assert new.PixelData == pydicom.dcmread(io.BytesIO(before.content)).PixelData
    assert int(after.headers["content-length"]) == len(after.content)
    # Another version has another tag, and nobody keeps one without asking.
    assert after.headers["etag"] != before.headers["etag"]
    assert "no-cache" in before.headers["cache-control"]
    again = filled.http.get(ONE, headers={**FILE, "if-none-match": before.headers["etag"]})
    assert again.status_code == 200
    again = filled.http.get(ONE, headers={**FILE, "if-none-match": after.headers["etag"]})
    assert again.status_code == 304


def test_ranges_are_those_of_the_corrected_file(filled):
    correct_a(filled)
    whole = filled.http.get(ONE, headers=FILE).content
    for start, end in ((0, 199), (400, len(whole) - 1), (len(whole) - 20, len(whole) - 1)):
        part = filled.http.get(ONE, headers={**FILE, "range": f"bytes={start}-{end}"})
        assert part.status_code == 206
        assert part.content == whole[start : end + 1]
        assert part.headers["content-range"] == f"bytes {start}-{end}/{len(whole)}"


@pytest.mark.parametrize("path", [STUDY, SERIES])
def test_many_instances_come_with_new_headers(filled, path):
    correct_a(filled)
    found = parts_of(filled.http.get(path, headers=PARTS))
    assert [names(one) for one in found] == [("Li^Si=李^四", "RIGHT-1")] * 3
    other = parts_of(filled.http.get(f"/studies/{stable('B')}", headers=PARTS))
    assert other == filled.files[3:]


def test_a_zip_file_holds_new_headers(filled):
    correct_a(filled)
    answer = filled.http.get(STUDY, headers={"accept": "application/zip"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {names(archive.read(name)) for name in archive.namelist()} == {
            ("Li^Si=李^四", "RIGHT-1")
        }


def test_what_is_transcoded_has_its_new_header(filled):
    correct_a(filled)
    syntax = "1.2.840.10008.1.2"
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
    (one,) = parts_of(filled.http.get(ONE, headers={"accept": accept}))
    assert pydicom.dcmread(io.BytesIO(one)).file_meta.TransferSyntaxUID == syntax
    assert names(one) == ("Li^Si=李^四", "RIGHT-1")


def test_metadata_tell_what_the_file_tells(filled):
    before = filled.http.get(f"{SERIES}/metadata")
    correct_a(filled)
    after = filled.http.get(f"{SERIES}/metadata", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    for one in after.json():
        assert one["00100010"]["Value"] == RENAMED["00100010"]["Value"]
        (history,) = one["04000561"]["Value"]
        previous = history["04000550"]["Value"][0]
        assert previous["00100010"]["Value"] == [{"Alphabetic": "Zhang^San"}]
        assert one["00080005"]["Value"] == ["ISO_IR 192"]
    (single,) = filled.http.get(f"{ONE}/metadata").json()
    assert single in after.json()
    file = pydicom.dcmread(io.BytesIO(filled.http.get(ONE, headers=FILE).content))
    told = json.loads(file.to_json(bulk_data_element_handler=lambda _: "x"))
    for tag in ("00080005", "00100010", "00100020", "04000561"):
        assert single[tag] == told[tag], tag


def test_one_instances_metadata_have_another_tag_afterwards(filled):
    before = filled.http.get(f"{ONE}/metadata")
    correct_a(filled)
    after = filled.http.get(f"{ONE}/metadata", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json()[0]["00100020"]["Value"] == ["RIGHT-1"]


def test_the_original_can_be_asked_for_and_that_is_recorded(filled):
    correct_a(filled)
    asked = filled.http.get(f"{ONE}?original=true", headers=FILE)
    assert asked.content == filled.files[0]
    assert "immutable" in asked.headers["cache-control"]
    assert parts_of(filled.http.get(f"{STUDY}?original=true", headers=PARTS)) == filled.files[:3]
    (told,) = filled.http.get(f"{ONE}/metadata?original=true").json()
    assert told["00100010"]["Value"] == [{"Alphabetic": "Zhang^San"}]
    assert "04000561" not in told
    many = filled.http.get(f"{SERIES}/metadata?original=true").json()
    assert {one["00100020"]["Value"][0] for one in many} == {told["00100020"]["Value"][0]}
    accesses = [(fact.action, fact.detail) for fact in filled.accesses()]
    assert accesses.count(("retrieve", "original")) == 2
    assert ("view", "original") in accesses
    assert filled.http.get(f"{ONE}?original=perhaps", headers=FILE).status_code == 400
    nobody = filled.client(filled.imaging.house.token("system_admin"))
    assert nobody.get(f"{ONE}?original=true", headers=FILE).status_code == 403


def test_frames_and_pixels_cost_nothing_and_stay_as_they_are(filled):
    frame = {"accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
    before = filled.http.get(f"{ONE}/frames/1", headers=frame)
    bulk = filled.http.get(f"{ONE}/bulkdata/7FE00010")
    correct_a(filled)
    after = filled.http.get(f"{ONE}/frames/1", headers=frame)
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    again = filled.http.get(f"{ONE}/bulkdata/7FE00010")
    assert (again.content, again.headers["etag"]) == (bulk.content, bulk.headers["etag"])
    assert "immutable" in again.headers["cache-control"]


def test_values_of_the_header_are_those_of_the_corrected_one(filled):
    comment = "记" * 600
    correct_a(filled, {**RENAMED, "00104000": {"vr": "LT", "Value": [comment]}})
    answer = filled.http.get(f"{ONE}/bulkdata/00104000")
    assert answer.content.decode().strip() == comment
    assert "no-cache" in answer.headers["cache-control"]
    assert filled.http.get(f"{ONE}/bulkdata/00104000?original=true").status_code == 404
    previous = filled.http.get(f"{ONE}/bulkdata/04000561/0/04000550/0/00100010")
    assert previous.content.strip() == b"Zhang^San"


def test_a_moved_study_is_given_under_its_new_identifier(filled):
    move(
        filled.imaging.house.facts,
        filled.imaging.index,
        stable("A"),
        stable("B"),
        (stable("A", "1"),),
    )
    moved = f"/studies/{stable('B')}/series/{stable('A', '1')}/instances/{stable('A', '1', 1)}"
    answer = filled.http.get(moved, headers=FILE)
    assert answer.status_code == 200
    new = pydicom.dcmread(io.BytesIO(answer.content))
    assert new.StudyInstanceUID == stable("B")
    item = new.OriginalAttributesSequence[0]
    assert item.ReasonForTheAttributeModification == "COERCE"
    assert item.ModifiedAttributesSequence[0].StudyInstanceUID == stable("A")
    (told,) = filled.http.get(f"{moved}/metadata").json()
    assert told["0020000D"]["Value"] == [stable("B")]
    assert told["7FE00010"]["BulkDataURI"] == f"{filled.base}/dicom-web{moved}/bulkdata/7FE00010"
    assert filled.http.get(told["7FE00010"]["BulkDataURI"]).content == new.PixelData


def test_compressed_files_take_a_correction(door):
    path = get_testdata_file("MR_small_RLE.dcm")
    octets = Path(path).read_bytes()
    door.imaging.store(octets)
    ds = pydicom.dcmread(path)
    correct(door.imaging.house.facts, door.imaging.index, str(ds.StudyInstanceUID))
    (got,) = door.dicomweb.retrieve_study(str(ds.StudyInstanceUID))
    assert str(got.PatientName) == "Li^Si=李^四"
    assert got.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert got.PixelData == ds.PixelData
