"""The decode matrix: every transfer syntax, depth, sign and colour against what was drawn.

docs/reference/pixel-formats.md tells the same table; the last test holds them together.
"""

import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels import convert_color_space

from repository.instances.compression import JPEG_2000_LOSSLESS, JPEG_BASELINE, LOSSLESS, RLE
from repository.instances.pixels import as_explicit_little, decode
from repository.instances.refusals import NotRenderable
from repository.instances.transcoding import LOSSY_MAKEABLE, MAKEABLE, frame_in, to_transfer_syntax
from tests.support import drawn

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
NATIVE = (IMPLICIT, EXPLICIT, BIG, DEFLATED)
CHANCE = np.random.default_rng(11)


def grey(dtype, stored):
    low = -(1 << (stored - 1)) if np.dtype(dtype).kind == "i" else 0
    made = CHANCE.integers(low, low + (1 << stored), (33, 38)).astype(dtype)
    made[:4] = made[0, 0]  # runs, so that codecs have something to do
    return made


DEPTHS = [("u1", 8), ("i1", 8), ("u2", 10), ("u2", 12), ("u2", 16), ("i2", 12), ("i2", 16)]
RGB = CHANCE.integers(0, 256, (34, 36, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("syntax", "dtype", "stored"),
    # Octets in big endian words: pydicom's own files, in test_frames.
    [(one, *depth) for one in NATIVE for depth in DEPTHS if one != BIG or depth[1] > 8],
)
def test_native_pixels_are_what_was_drawn(syntax, dtype, stored):
    drawn_pixels = grey(dtype, stored)
    header, (frame,) = drawn.opened(drawn.image(drawn_pixels, syntax=syntax, BitsStored=stored))
    samples, photometric = decode(header, frame)
    assert photometric == "MONOCHROME2"
    assert np.array_equal(samples, drawn_pixels)
    assert as_explicit_little(header, frame) == drawn_pixels.astype(f"<{dtype}").tobytes()


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize(("dtype", "stored"), DEPTHS)
def test_lossless_syntaxes_give_back_every_value_to_us_and_to_pydicom(syntax, dtype, stored):
    pixels = grey(dtype, stored)
    before = drawn.image(np.stack([pixels, pixels[::-1]]), frames=2, BitsStored=stored)
    made = to_transfer_syntax(before, syntax)
    header, frames = drawn.opened(made)
    assert np.array_equal(decode(header, frames[0])[0], pixels)
    assert np.array_equal(decode(header, frames[1])[0], pixels[::-1])
    theirs = pydicom.dcmread(pydicom.filebase.DicomBytesIO(made))
    assert np.array_equal(theirs.pixel_array[0], pixels)
    assert (theirs.BitsAllocated, theirs.BitsStored) == (8 * np.dtype(dtype).itemsize, stored)
    # And back again, octet for octet.
    again = to_transfer_syntax(made, EXPLICIT)
    assert drawn.opened(again)[1] == drawn.opened(before)[1]
    assert "Lossy" not in str(theirs.get("LossyImageCompression", ""))


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("planar", [0, 1])
def test_colour_is_kept_and_told_rightly(syntax, planar):
    stored = RGB if planar == 0 else np.moveaxis(RGB, -1, 0)
    source = drawn.image(RGB, "RGB", PlanarConfiguration=planar, PixelData=b"")
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(source))
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()
    source = drawn.written(dataset)
    made = to_transfer_syntax(source, syntax)
    theirs = pydicom.dcmread(pydicom.filebase.DicomBytesIO(made))
    expected = {"1.2.840.10008.1.2.4.90": "YBR_RCT"}.get(syntax, "RGB")
    assert theirs.PhotometricInterpretation == expected
    # Also for RLE, whose segments are planes whatever this says (PS3.5 8.2.2).
    assert theirs.PlanarConfiguration == 0
    assert np.array_equal(theirs.pixel_array, RGB)
    header, (frame,) = drawn.opened(made)
    samples, photometric = decode(header, frame)
    assert photometric == "RGB"
    assert np.array_equal(samples, RGB)
    plain = to_transfer_syntax(made, EXPLICIT)
    back = pydicom.dcmread(pydicom.filebase.DicomBytesIO(plain))
    assert (back.PhotometricInterpretation, back.PlanarConfiguration) == ("RGB", 0)
    assert back.PixelData == RGB.tobytes()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(LOSSLESS),
    st.integers(12, 40),
    st.integers(12, 40),
    st.sampled_from(DEPTHS),
    st.integers(0, 2**32 - 1),
)
def test_any_size_comes_back(syntax, rows, columns, depth, seed):
    dtype, stored = depth
    low = -(1 << (stored - 1)) if dtype.startswith("i") else 0
    chance = np.random.default_rng(seed)
    if syntax == JPEG_2000_LOSSLESS:
        rows, columns = rows + 28, columns + 28
    pixels = chance.integers(low, low + (1 << stored), (rows, columns)).astype(dtype)
    made = to_transfer_syntax(drawn.image(pixels, BitsStored=stored), syntax)
    header, (frame,) = drawn.opened(made)
    assert np.array_equal(decode(header, frame)[0], pixels)


def test_jpeg_baseline_tells_of_its_loss():
    smooth = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)
    made = to_transfer_syntax(drawn.image(smooth), JPEG_BASELINE)
    told = pydicom.dcmread(pydicom.filebase.DicomBytesIO(made))
    assert told.LossyImageCompression == "01"
    assert told.LossyImageCompressionMethod == "ISO_10918_1"
    assert float(told.LossyImageCompressionRatio) >= 1
    assert told.ImageType[0] == "DERIVED"
    assert np.abs(told.pixel_array.astype(int) - smooth).max() < 8
    colour = np.stack([smooth, smooth[::-1], smooth.T], axis=-1)
    theirs = pydicom.dcmread(
        pydicom.filebase.DicomBytesIO(to_transfer_syntax(drawn.image(colour, "RGB"), JPEG_BASELINE))
    )
    assert theirs.PhotometricInterpretation == "YBR_FULL_422"
    rgb = theirs.pixel_array.astype(int)
    assert np.abs(rgb - colour).mean() < 12


@pytest.mark.parametrize(
    ("pixels", "attributes", "syntax"),
    [
        (grey("u2", 12), {"BitsStored": 12}, JPEG_BASELINE),
        (grey("i1", 8), {}, JPEG_BASELINE),
        (grey("u4", 32), {}, "1.2.840.10008.1.2.4.90"),
        (np.zeros((8, 8), np.float32), {}, RLE),
    ],
)
def test_what_a_syntax_does_not_take_is_refused(pixels, attributes, syntax):
    with pytest.raises(NotRenderable):
        to_transfer_syntax(drawn.image(pixels, **attributes), syntax)


def test_rle_takes_32_bits_and_floats_stay_native():
    deep = CHANCE.integers(0, 1 << 32, (6, 7), dtype=np.uint32)
    header, (frame,) = drawn.opened(to_transfer_syntax(drawn.image(deep), RLE))
    assert np.array_equal(decode(header, frame)[0], deep)
    parametric = np.linspace(-3, 9, 42, dtype=np.float32).reshape(6, 7)
    header, (frame,) = drawn.opened(drawn.image(parametric))
    assert np.array_equal(decode(header, frame)[0], parametric)
    with pytest.raises(NotRenderable):
        frame_in(header, frame, RLE)


def test_ybr_full_is_made_rgb_as_pydicom_makes_it():
    header, (frame,) = drawn.opened(drawn.image(RGB, "YBR_FULL"))
    samples, photometric = decode(header, frame)
    assert photometric == "RGB"
    assert np.array_equal(samples, convert_color_space(RGB, "YBR_FULL", "RGB"))
    rle = to_transfer_syntax(drawn.image(RGB, "YBR_FULL"), RLE)
    header, (frame,) = drawn.opened(rle)
    assert np.array_equal(decode(header, frame)[0], samples)


def test_partial_range_ybr_is_spread():
    black_and_white = np.zeros((2, 4, 2), np.uint8)
    # 4:2:2, pixel pairs: two luminances, then blue and red for both.
    packed = bytes([16, 235, 128, 128] * 4)
    source = drawn.image(
        black_and_white[..., 0], "YBR_PARTIAL_422", SamplesPerPixel=3, PlanarConfiguration=0
    )
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(source))
    dataset.PixelData = packed
    header, (frame,) = drawn.opened(drawn.written(dataset))
    samples, photometric = decode(header, frame)
    assert photometric == "RGB"
    assert samples[0, :2].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_unused_bits_are_no_part_of_the_value():
    pixels = grey("u2", 12)
    dirty = pixels | np.uint16(0x8000)
    header, (frame,) = drawn.opened(drawn.image(dirty, BitsStored=12))
    assert np.array_equal(decode(header, frame)[0], pixels)
    signed = grey("i2", 12)
    dirty = (signed & np.int16(0x0FFF)) | np.int16(0x1000)
    header, (frame,) = drawn.opened(drawn.image(dirty, BitsStored=12))
    assert np.array_equal(decode(header, frame)[0], signed)


def test_a_native_frame_that_is_too_short_is_refused():
    header, (frame,) = drawn.opened(drawn.image(grey("u2", 12), BitsStored=12))
    with pytest.raises(NotRenderable):
        decode(header, frame[:-2])


def test_a_deflate_bomb_is_refused_and_not_held(monkeypatch):
    monkeypatch.setattr("repository.instances.transcoding.MAX_TRANSCODED", 1 << 16)
    bomb = drawn.image(np.zeros((300, 300), np.uint8), syntax=DEFLATED)
    assert len(bomb) < 3000
    with pytest.raises(NotRenderable):
        to_transfer_syntax(bomb, EXPLICIT)


def test_the_page_lists_what_we_write():
    page = (Path(__file__).parents[3] / "docs/reference/pixel-formats.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| `([0-9.]+)` \| ([^|]+) \| ([^|]+) \|", page, re.MULTILINE)
    assert {uid for uid, _read, write in rows if write.strip() != "no"} == MAKEABLE | LOSSY_MAKEABLE
    assert {uid for uid, _read, write in rows if "lossy" in write} == LOSSY_MAKEABLE
