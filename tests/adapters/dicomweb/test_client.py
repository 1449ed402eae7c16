"""dicomweb-client (written by others) stores, searches and retrieves byte-identical instances."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from repository.instances.header import identify
from tests.support.archive import instance, octets, stable

SYNTAXES = [
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_rle_2frame.dcm",
    "rtplan.dcm",
    "examples_ybr_color.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
]


@pytest.mark.parametrize("name", SYNTAXES)
def test_instances_come_back_byte_for_byte_in_the_syntax_they_were_sent(door, name):
    file = Path(get_testdata_file(name)).read_bytes()
    ids = identify(file)
    answer = door.http.post("/studies", content=file, headers={"content-type": "application/dicom"})
    assert answer.status_code == 200, answer.text
    path = f"/studies/{ids.study_uid}/series/{ids.series_uid}/instances/{ids.sop_uid}"
    back = door.http.get(path, headers={"accept": "application/dicom"})
    assert back.content == file
    assert ids.transfer_syntax in back.headers["content-type"]
    (client_copy,) = door.dicomweb.iter_study(
        ids.study_uid, media_types=(("application/dicom", "*"),)
    )
    assert client_copy.file_meta.TransferSyntaxUID == ids.transfer_syntax
    assert client_copy == pydicom.dcmread(BytesIO(file))


def test_the_client_stores_searches_and_retrieves(door):
    sent = [instance(n, study="A", PatientName="Wang^Xiaoming=王^小明") for n in (1, 2, 3)]
    told = door.dicomweb.store_instances(sent)
    assert len(told.ReferencedSOPSequence) == 3
    assert "FailedSOPSequence" not in told
    (study,) = door.dicomweb.search_for_studies(search_filters={"PatientName": "王*"})
    assert study["00201208"]["Value"] == [3]
    (series,) = door.dicomweb.search_for_series(stable("A"))
    assert series["00201209"]["Value"] == [3]
    found = door.dicomweb.search_for_instances(
        stable("A"), stable("A", "1"), fields=["BitsStored"], limit=2
    )
    assert len(found) == 2
    assert found[0]["00280101"]["Value"] == [12]
    back = door.dicomweb.retrieve_series(stable("A"), stable("A", "1"))
    assert [octets(one) for one in back] == [octets(one) for one in sent]
    one = door.dicomweb.retrieve_instance(stable("A"), stable("A", "1"), stable("A", "1", 2))
    assert octets(one) == octets(sent[1])


def test_the_client_reads_metadata_frames_bulk_data_and_pictures(door):
    dataset = instance(1, study="A", NumberOfFrames=3)
    dataset.PixelData = b"".join(bytes([n, 1]) * (64 * 64) for n in (1, 2, 3))
    door.dicomweb.store_instances([dataset])
    where = (stable("A"), stable("A", "1"), stable("A", "1", 1))
    metadata = door.dicomweb.retrieve_instance_metadata(*where)
    assert metadata["00280008"]["Value"] == [3]
    frames = door.dicomweb.retrieve_instance_frames(*where, frame_numbers=[3, 1])
    assert frames == [bytes([3, 1]) * 4096, bytes([1, 1]) * 4096]
    (value,) = door.dicomweb.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])
    assert value == dataset.PixelData
    picture = door.dicomweb.retrieve_instance_rendered(*where, media_types=("image/png",))
    assert Image.open(BytesIO(picture)).size == (64, 64)
    frame = door.dicomweb.retrieve_instance_frames_rendered(
        *where, frame_numbers=[2], media_types=("image/jpeg",)
    )
    assert Image.open(BytesIO(frame)).format == "JPEG"


def test_compressed_frames_are_sent_as_stored_or_decoded_as_asked(door):
    file = Path(get_testdata_file("MR_small_jp2klossless.dcm")).read_bytes()
    door.http.post("/studies", content=file, headers={"content-type": "application/dicom"})
    ids = identify(file)
    where = (ids.study_uid, ids.series_uid, ids.sop_uid)
    (stored,) = door.dicomweb.retrieve_instance_frames(
        *where, frame_numbers=[1], media_types=(("image/jp2", ids.transfer_syntax),)
    )
    assert stored[:4] == b"\xff\x4f\xff\x51"
    (plain,) = door.dicomweb.retrieve_instance_frames(
        *where,
        frame_numbers=[1],
        media_types=(("application/octet-stream", "1.2.840.10008.1.2.1"),),
    )
    expected = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm")).pixel_array
    assert np.array_equal(np.frombuffer(plain, "<i2").reshape(64, 64), expected)
    (whole,) = door.dicomweb.iter_series(
        *where[:2], media_types=(("application/dicom", "1.2.840.10008.1.2.1"),)
    )
    assert whole.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert np.array_equal(whole.pixel_array, expected)
