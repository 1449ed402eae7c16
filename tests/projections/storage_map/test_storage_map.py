"""The storage map: where instances and frames lie, on both engines."""

from pathlib import Path
from uuid import uuid4

import pytest
from pydicom.data import get_testdata_file

from repository.instances.header import identify
from tests.support.archive import instance, octets, stable
from tests.support.imaging import imaging
from tests.support.postgres import drop_schema


@pytest.fixture
def archive(engine_dsn, tmp_path):
    schema = f"test_{uuid4().hex[:12]}" if engine_dsn else ""
    with imaging(tmp_path, dsn=engine_dsn, schema=schema) as made:
        yield made
    if engine_dsn is not None:
        drop_schema(engine_dsn, schema)


def test_a_frame_is_one_lookup_and_one_read(archive):
    dataset = instance(1, study="A", NumberOfFrames=2)
    dataset.PixelData *= 2
    (file,) = archive.store(dataset)
    found = archive.storage.locate(stable("A", "1", 1))
    assert found.frames.count == 2
    ((offset, length),) = found.frames.ranges(2)
    assert archive.blobs.read(found.key, offset, length) == dataset.PixelData[length:]
    assert archive.blobs.read(found.key) == file
    assert (found.study_uid, found.series_uid, found.size) == (
        stable("A"),
        stable("A", "1"),
        len(file),
    )
    assert archive.storage.remembered(stable("A", "1", 1)) is found
    assert archive.storage.remembered("1.2.3") is None


def test_compressed_frames_are_found_too(archive):
    file = Path(get_testdata_file("SC_rgb_rle_2frame.dcm")).read_bytes()
    archive.store(file)
    (found,) = archive.storage.locate_many([stable("A"), *_uid(file)]).values()
    assert found.frames.count == 2
    assert found.transfer_syntax == "1.2.840.10008.1.2.5"


def _uid(file):
    return [identify(file).sop_uid]


def test_instances_come_in_the_order_they_were_stored(archive):
    archive.store(*(octets(instance(n, study="A")) for n in (3, 1)))
    archive.store(instance(2, study="A"), instance(1, study="A", series="2"))
    listed = archive.storage.instances(stable("A"), stable("A", "1"))
    assert [one.sop_uid for one in listed] == [stable("A", "1", n) for n in (3, 1, 2)]
    assert len(archive.storage.instances(stable("A"))) == 4
    assert archive.storage.instances("1.2.3") == []


def test_odd_pixel_data_leave_an_instance_without_frames(archive):
    archive.store(instance(2, study="A", Rows=4000))
    assert archive.storage.locate(stable("A", "1", 2)).frames.count == 0
