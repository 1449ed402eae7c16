"""What streams tell of themselves, and that those which lie never reach a codec."""

import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file

from repository.instances import pixels
from repository.instances.codestreams import JPEG_2000, JPEG_LS, codestream
from repository.instances.compression import (
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LS_LOSSLESS,
    LOSSLESS,
    compress,
)
from repository.instances.jpeg_extended import decode_extended
from repository.instances.refusals import NotRenderable
from tests.support import drawn
from tests.support.peers import peer, program

SAMPLES = (np.arange(50 * 40).reshape(50, 40) % 4096).astype(np.uint16)


@pytest.mark.parametrize(
    ("syntax", "process"), [(JPEG_LS_LOSSLESS, JPEG_LS), (JPEG_2000_LOSSLESS, JPEG_2000)]
)
def test_streams_tell_size_and_depth(syntax, process):
    octets = compress(SAMPLES, syntax, photometric="MONOCHROME2", stored=12).octets
    told = codestream(octets)
    assert (told.process, told.rows, told.columns) == (process, 50, 40)
    assert (told.components, told.precision, told.transformed) == (1, 12, False)


def test_a_jpeg_and_a_colour_jpeg_2000_tell_theirs():
    target = BytesIO()
    Image.new("RGB", (7, 5)).save(target, "JPEG")
    told = codestream(target.getvalue())
    assert (told.process, told.rows, told.columns, told.components) == (0xC0, 5, 7, 3)
    colour = np.zeros((40, 40, 3), np.uint8)
    made = compress(colour, JPEG_2000_LOSSLESS, photometric="RGB", stored=8)
    assert codestream(made.octets).transformed
    assert made.photometric == "YBR_RCT"


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  \xff\x4f\xff\x51", b"")
    ),
    st.binary(max_size=120),
)
def test_whatever_follows_it_ends(begin, octets):
    try:
        codestream(begin + octets)
    except NotRenderable:
        return


def lying(octets: bytes, syntax: str) -> bytes:
    """Return the stream with a claim of 60,000 by 60,000 pixels."""
    at = octets.index(b"\xff\x51" if syntax == JPEG_2000_LOSSLESS else b"\xff\xf7")
    if syntax == JPEG_2000_LOSSLESS:
        big = (60_000).to_bytes(4, "big")
        return octets[: at + 6] + big + big + octets[at + 14 :]
    big = (60_000).to_bytes(2, "big")
    return octets[: at + 5] + big + big + octets[at + 9 :]


@pytest.mark.parametrize("syntax", [JPEG_2000_LOSSLESS, JPEG_LS_LOSSLESS])
def test_a_stream_that_claims_more_than_the_header_never_reaches_its_codec(syntax, monkeypatch):
    stream = lying(compress(SAMPLES, syntax, photometric="MONOCHROME2", stored=12).octets, syntax)
    header, _ = drawn.opened(drawn.image(SAMPLES, BitsStored=12))
    header.transfer_syntax = syntax
    header.pixels = pixels_of(header)

    def reached(*_told, **_options):
        raise AssertionError("a codec was called")

    monkeypatch.setattr(pixels, "get_decoder", reached)
    with pytest.raises(NotRenderable):
        pixels.decode(header, stream)


def pixels_of(header):
    """Return the place of the pixels as if they were fragments."""
    return type(header.pixels)(header.pixels.tag, b"OB", header.pixels.offset, None)


@pytest.mark.parametrize("syntax", [*LOSSLESS, JPEG_BASELINE])
@pytest.mark.parametrize("cut", [0, 3, 20, 0.5])
def test_cut_streams_end_in_samples_or_a_refusal(syntax, cut):
    eight = (SAMPLES % 256).astype(np.uint8)
    octets = compress(eight, syntax, photometric="MONOCHROME2", stored=8).octets
    octets = octets[: int(cut * len(octets)) if isinstance(cut, float) else cut]
    header, _ = drawn.opened(drawn.image(eight))
    header.transfer_syntax = syntax
    header.pixels = pixels_of(header)
    try:
        samples, _ = pixels.decode(header, octets)
    except NotRenderable:
        return
    assert samples.shape == (50, 40)


def test_a_frame_larger_than_we_hold_is_refused_before_anything_is_read():
    header, _ = drawn.opened(drawn.image(SAMPLES))
    raw = bytearray(header.dataset.buffer)
    for tag in (0x00280010, 0x00280011):
        _vr, at, _size, _items = header.dataset.elements[tag]
        raw[at : at + 2] = b"\xff\xff"
    header.dataset.buffer = bytes(raw)
    with pytest.raises(NotRenderable):
        pixels.decode(header, b"")


def test_twelve_bit_jpeg_extended_is_decoded():
    header, (frame,) = drawn.opened(Path(get_testdata_file("JPGExtended.dcm")).read_bytes())
    assert codestream(frame).precision == 12
    samples, photometric = pixels.decode(header, frame)
    assert photometric == "MONOCHROME2"
    assert samples.shape == (header.dataset.integer(0x00280010), header.dataset.integer(0x00280011))
    assert samples.std() > 5


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_twelve_bit_jpeg_extended_is_what_dcmtk_makes_of_it(name, tmp_path):
    peer("dcmtk")
    path = get_testdata_file(name)
    subprocess.run(
        [program("dcmdjpeg"), path, tmp_path / "plain.dcm"], check=True, capture_output=True
    )
    theirs = pydicom.dcmread(tmp_path / "plain.dcm").pixel_array
    header, (frame,) = drawn.opened(Path(path).read_bytes())
    # The inverse transform may round the other way (ISO 10918-2).
    assert np.abs(pixels.decode(header, frame)[0].astype(int) - theirs).max() <= 1


def test_restart_intervals_are_read():
    target = BytesIO()
    grey = Image.fromarray((np.add.outer(np.arange(40), np.arange(48)) * 2).astype(np.uint8))
    grey.save(target, "JPEG", quality=95, restart_marker_blocks=5)
    with Image.open(BytesIO(target.getvalue())) as theirs:
        expected = np.asarray(theirs).astype(int)
    assert np.abs(decode_extended(target.getvalue()).astype(int) - expected).max() <= 1
