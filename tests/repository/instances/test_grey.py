"""Grey as pydicom's own processing computes it: modality LUT, VOI LUT, windows, palettes."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_files
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, apply_windowing

from repository.instances.pixels import decode
from repository.instances.rendering import Rendering, Window, grey_or_rgb, render
from tests.support import drawn

CHANCE = np.random.default_rng(3)
SIGNED = CHANCE.integers(-2000, 2000, (16, 20)).astype(np.int16)


def theirs_of(octets):
    return pydicom.dcmread(BytesIO(octets))


def shown(octets, number=1, **options):
    header, frames = drawn.opened(octets)
    return grey_or_rgb(header, frames[number - 1], number, **options)


def windowed_by_pydicom(octets):
    dataset = theirs_of(octets)
    values = apply_modality_lut(dataset.pixel_array, dataset)
    if not isinstance(values, np.ndarray) or values.dtype.kind in "iu":
        values = values.astype(np.float64)
    spread = apply_windowing(values, dataset)
    low, high = spread_of(dataset)
    return np.clip((spread - low) / (high - low), 0, 1) * 255


def spread_of(dataset):
    """Return the output range that pydicom's windows have (PS3.3 C.11.2.1.2)."""
    if "ModalityLUTSequence" in dataset:
        return 0, (1 << dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    bits = dataset.BitsStored
    low = -(1 << (bits - 1)) if dataset.PixelRepresentation else 0
    ends = np.array([low, low + (1 << bits) - 1], float)
    if "RescaleSlope" in dataset:
        ends = ends * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    return ends.min(), ends.max()


@settings(max_examples=60, deadline=None)
@given(
    center=st.floats(-3000, 3000),
    width=st.floats(1, 5000),
    function=st.sampled_from(("LINEAR", "LINEAR_EXACT", "SIGMOID")),
    slope=st.sampled_from((1.0, 0.5, 2.25)),
    intercept=st.sampled_from((0.0, -1024.0, 17.5)),
)
def test_windows_are_pydicoms(center, width, function, slope, intercept):
    octets = drawn.image(
        SIGNED, BitsStored=12, WindowCenter=f"{center:.4f}", WindowWidth=f"{width:.4f}",
        VOILUTFunction=function, RescaleSlope=slope, RescaleIntercept=intercept,
    )  # fmt: skip
    assert np.abs(shown(octets) - windowed_by_pydicom(octets)).max() <= 0.51


@pytest.mark.parametrize("bits", [8, 16])  # pydicom's own takes no others
def test_modality_and_voi_tables_are_pydicoms(bits):
    most = (1 << bits) - 1
    rising = np.sort(CHANCE.integers(0, most + 1, 3000))
    octets = drawn.image(
        SIGNED, ModalityLUTSequence=[drawn.table(rising, -1500, bits, "SS")],
        VOILUTSequence=[drawn.table(rising[::-1] if bits > 8 else np.arange(256), 0, bits)],
    )  # fmt: skip
    dataset = theirs_of(octets)
    expected = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    assert np.abs(shown(octets) - expected * 255.0 / most).max() <= 0.51


def test_the_window_goes_before_the_table_and_that_of_the_request_before_both():
    table = drawn.table(np.full(100, 65535), 0, 16)
    octets = drawn.image(SIGNED, WindowCenter=0, WindowWidth=100, VOILUTSequence=[table])
    assert shown(octets).min() == 0
    only_table = drawn.image(SIGNED, VOILUTSequence=[table])
    assert shown(only_table).min() == 255
    assert shown(only_table, window=Window(5000, 2)).max() == 0


def test_a_window_that_cannot_be_is_passed_over_for_the_next():
    octets = drawn.image(SIGNED, WindowCenter=[0, 500], WindowWidth=[0, 100])
    picture = shown(octets)
    assert picture[SIGNED < 400].max() == 0
    assert picture[SIGNED > 600].min() == 255


def test_a_picture_without_a_window_shows_all_but_its_padding():
    padded = SIGNED.copy()
    padded[:8] = -32768
    octets = drawn.image(padded, PixelPaddingValue=-32768)
    picture = shown(octets)
    assert (picture[8:].min(), picture[8:].max()) == (0, 255)
    ranged = padded.copy()
    ranged[:4] = -32000
    octets = drawn.image(ranged, PixelPaddingValue=-32768, PixelPaddingRangeLimit=-31000)
    picture = shown(octets)
    assert (picture[8:].min(), picture[8:].max()) == (0, 255)


def test_a_few_outliers_do_not_make_the_picture_black():
    body = CHANCE.integers(0, 400, (64, 64)).astype(np.int16)
    body[0, :3] = 32767  # a detector's dead pixels
    assert np.median(shown(drawn.image(body))) > 60


def test_nothing_is_cut_where_labels_are_few():
    labels = np.zeros((64, 64), np.uint16)
    labels[3, 3] = 7
    picture = shown(drawn.image(labels))
    assert (picture[3, 3], picture[0, 0]) == (255, 0)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_parametric_maps_with_holes_are_shown(value):
    parametric = np.linspace(-3, 9, 42, dtype=np.float32).reshape(6, 7)
    parametric[0, 0] = value
    picture = shown(drawn.image(parametric))
    assert picture[-1, -1] == 255
    assert picture.dtype == np.uint8


def test_bundled_files_are_shown_as_pydicom_processes_them():
    seen = 0
    for path in get_testdata_files():
        dataset = Path(path)
        if not path.endswith(".dcm") or dataset.stat().st_size > 1 << 20:
            continue
        try:
            theirs = pydicom.dcmread(path)
            header, frames = drawn.opened(dataset.read_bytes())
            samples, photometric = decode(header, frames[0])
        except Exception:  # noqa: BLE001 - what pydicom or we refuse is no golden
            continue
        if "WindowWidth" not in theirs or samples.ndim != 2 or photometric == "PALETTE COLOR":
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = apply_modality_lut(samples, theirs).astype(np.float64)
            expected = apply_windowing(values, theirs)
        low, high = spread_of(theirs)
        eight = np.clip((expected - low) / (high - low), 0, 1) * 255
        if theirs.PhotometricInterpretation == "MONOCHROME1":
            eight = 255 - eight
        mine = grey_or_rgb(header, frames[0], 1)
        assert np.abs(mine - eight).max() <= 0.51, path
        seen += 1
    assert seen >= 3


def test_palettes_are_pydicoms_with_words_octets_and_segments():
    indexes = CHANCE.integers(0, 256, (9, 9), dtype=np.uint8)
    words = {
        f"{c}PaletteColorLookupTableData": (np.arange(256) * 257 % 65536).astype("<u2").tobytes()
        for c in ("Red", "Green", "Blue")
    }
    described = {
        f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")
    }
    octets = drawn.image(indexes, "PALETTE COLOR", **words, **described)
    expected = apply_color_lut(indexes, theirs_of(octets)) >> 8
    assert np.array_equal(shown(octets), expected)
    # A discrete start, a line up, and an indirect segment that repeats the line.
    line = [0, 2, 0, 0, 1, 100, 65535]
    segments = np.array([*line, 2, 1, 4, 0], "<u2").tobytes()
    segmented = {
        f"Segmented{c}PaletteColorLookupTableData": segments for c in ("Red", "Green", "Blue")
    }
    described = {
        f"{c}PaletteColorLookupTableDescriptor": [202, 0, 16] for c in ("Red", "Green", "Blue")
    }
    octets = drawn.image(indexes % 202, "PALETTE COLOR", **segmented, **described)
    expected = apply_color_lut(indexes % 202, theirs_of(octets)) >> 8
    assert np.array_equal(shown(octets), expected)


def test_enhanced_frames_have_their_own_windows():
    stack = np.stack([SIGNED, SIGNED])
    group = [
        drawn.item(FrameVOILUTSequence=[drawn.item(WindowCenter=center, WindowWidth=10)])
        for center in (-5000, 5000)
    ]
    octets = drawn.image(stack, frames=2, PerFrameFunctionalGroupsSequence=group)
    assert shown(octets, 1).min() == 255
    assert shown(octets, 2).max() == 0


def test_one_bit_pixels_are_black_and_white():
    header, (frame,) = drawn.opened(drawn.image(SIGNED))
    assert render(header, frame, 1, Rendering())[:2] == b"\xff\xd8"
    bits = CHANCE.integers(0, 2, (8, 8), dtype=np.uint8)
    source = theirs_of(drawn.image(bits))
    source.BitsAllocated, source.BitsStored, source.HighBit = 1, 1, 0
    source.PixelData = np.packbits(bits, bitorder="little").tobytes()
    assert np.array_equal(shown(drawn.written(source)), bits * 255)
