"""Files brought into another transfer syntax show the same pixels and stay the same instance."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from repository.instances.part10 import read_meta
from repository.instances.refusals import NotRenderable
from repository.instances.transcoding import MAKEABLE, UNCOMPRESSED, to_transfer_syntax

COMPRESSED = [
    "SC_rgb_rle_2frame.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "examples_jpeg2k.dcm",
]
NATIVE = ["CT_small.dcm", "MR_small_implicit.dcm", "SC_rgb_small_odd.dcm", "image_dfl.dcm"]


def file(name: str) -> bytes:
    return Path(get_testdata_file(name)).read_bytes()


def read(octets: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(BytesIO(octets))


@pytest.mark.parametrize("wanted", sorted(MAKEABLE))
@pytest.mark.parametrize("name", COMPRESSED + NATIVE)
def test_i1_the_pixels_and_the_instance_stay_the_same(name, wanted):
    before = read(file(name))
    if name == "SC_rgb_small_odd.dcm" and wanted.startswith("1.2.840.10008.1.2.4."):
        with pytest.raises(NotRenderable):  # JPEG-LS and JPEG 2000 take no image of 3 by 3
            to_transfer_syntax(file(name), wanted)
        return
    made = to_transfer_syntax(file(name), wanted)
    after = read(made)
    assert read_meta(made).transfer_syntax == wanted
    assert after.SOPInstanceUID == before.SOPInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == before.SOPInstanceUID
    assert np.array_equal(
        pydicom.pixels.pixel_array(after, raw=True), pydicom.pixels.pixel_array(before, raw=True)
    )
    assert {e.tag for e in before if e.tag.group < 0x7FE0} <= {e.tag for e in after}


@pytest.mark.parametrize("wanted", sorted(UNCOMPRESSED))
@pytest.mark.parametrize(
    "name", ["MR_small_bigendian.dcm", "SC_rgb_small_odd_big_endian.dcm", "rtdose_expb.dcm"]
)
def test_i1_big_endian_words_are_turned_around(name, wanted):
    before = read(file(name)).pixel_array
    assert np.array_equal(read(to_transfer_syntax(file(name), wanted)).pixel_array, before)


def test_what_is_wanted_already_is_not_touched():
    octets = file("CT_small.dcm")
    assert to_transfer_syntax(octets, "1.2.840.10008.1.2.1") is octets


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("CT_small.dcm", "1.2.840.10008.1.2.4.50"),
        ("CT_small.dcm", "1.2.840.10008.1.2.1.999"),
        ("CT_small.dcm", ""),
        ("rtplan.dcm", "1.2.840.10008.1.2.5"),
        ("MR_small_RLE.dcm", "1.2.840.10008.1.2.2"),
    ],
)
def test_i1_what_cannot_be_made_is_refused(name, wanted):
    with pytest.raises(NotRenderable):
        to_transfer_syntax(file(name), wanted)


def test_i1_broken_pixel_data_are_refused():
    broken = read(file("MR_small_jpeg_ls_lossless.dcm"))
    broken.PixelData = broken.PixelData[:40] + bytes(len(broken.PixelData) - 40)
    out = BytesIO()
    broken.save_as(out)
    with pytest.raises(NotRenderable):
        to_transfer_syntax(out.getvalue(), "1.2.840.10008.1.2.1")
