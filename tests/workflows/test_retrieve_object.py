"""Opening a stored instance: as it lies there, or uncompressed; what cannot be had is refused."""

import io

import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from adapters.storage.local import LocalBlobStore
from repository.instances.refusals import NotPart10, NotRenderable
from repository.tiers.ports import ObjectMissing
from tests.support.archive import instance, octets
from workflows import retrieve_object
from workflows.retrieve_object import open_as, open_dataset


@pytest.fixture
def blobs(tmp_path):
    made = LocalBlobStore(tmp_path)
    yield made
    made.close()


def put(blobs, data):
    incoming = blobs.incoming()
    incoming.write(data)
    incoming.seal()
    return incoming.keep()


def compressed(syntax):
    ds = instance(1)
    ds.compress(syntax, generate_instance_uid=False)
    return ds


def read(opened):
    data = b"".join(opened.chunks())
    assert len(data) == opened.size
    return data


def test_the_data_set_comes_without_its_wrapper(blobs, monkeypatch):
    monkeypatch.setattr(retrieve_object, "_CHUNK", 1000)
    part10 = octets(instance(1))
    opened = open_dataset(blobs, put(blobs, part10))
    assert opened.transfer_syntax == ExplicitVRLittleEndian
    assert part10.endswith(read(opened))
    assert read(opened)[:4] == b"\x08\x00\x05\x00"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    "stored", [JPEGLSLossless, RLELossless, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian]
)
def test_uncompressed_for_who_reads_nothing_else(blobs, stored, syntax):
    ds = (
        compressed(stored)
        if stored in {JPEGLSLossless, RLELossless}
        else instance(1, syntax=stored)
    )
    data = read(open_as(blobs, put(blobs, octets(ds)), syntax))
    got = (
        pydicom.dcmread(io.BytesIO(data), force=True)
        if syntax == ImplicitVRLittleEndian
        else _explicit(data)
    )
    assert got.PixelData == instance(1).PixelData
    assert got.SOPInstanceUID == instance(1).SOPInstanceUID
    assert got.PatientName == "Test^Archive"


def _explicit(data):
    return pydicom.filereader.read_dataset(
        io.BytesIO(data), is_implicit_VR=False, is_little_endian=True
    )


def test_its_own_syntax_is_not_touched(blobs):
    part10 = octets(compressed(JPEGLSLossless))
    assert part10.endswith(read(open_as(blobs, put(blobs, part10), JPEGLSLossless)))


@pytest.mark.parametrize("wanted", [JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("stored", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_compressed_without_loss_for_who_reads_nothing_else(blobs, stored, wanted):
    ds = instance(1, syntax=stored)
    ds["PixelData"].VR = "OW"
    opened = open_as(blobs, put(blobs, octets(ds)), wanted)
    got = _explicit(read(opened))
    got.file_meta = pydicom.dataset.FileMetaDataset()
    got.file_meta.TransferSyntaxUID = wanted
    before = pydicom.dcmread(io.BytesIO(octets(ds)))
    assert (got.pixel_array == before.pixel_array).all()
    assert got.SOPInstanceUID == ds.SOPInstanceUID


@pytest.mark.parametrize("wanted", ["1.2.840.10008.1.2.4.91", ExplicitVRBigEndian])
def test_what_we_do_not_make(blobs, wanted):
    with pytest.raises(NotRenderable):
        open_as(blobs, put(blobs, octets(instance(1))), wanted)


def test_broken_pixels_are_refused(blobs):
    ds = instance(1, syntax=JPEGLSLossless)
    ds.PixelData = encapsulate([b"nonsense"])
    ds["PixelData"].is_undefined_length = True
    with pytest.raises(NotRenderable):
        open_as(blobs, put(blobs, octets(ds)), ExplicitVRLittleEndian)


def test_what_is_not_there_or_no_instance(blobs):
    with pytest.raises(ObjectMissing):
        open_dataset(blobs, "a" * 64)
    with pytest.raises(NotPart10):
        open_dataset(blobs, put(blobs, b"not dicom" * 50))
