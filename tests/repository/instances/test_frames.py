"""Frame tables against pydicom's own frames, and the pictures made of them."""

import contextlib
import json
import random
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file, get_testdata_files
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import JPEG2000Lossless

from kernel.refusals import Refusal
from repository.instances.dicom_json import to_json
from repository.instances.frames import FrameTable, frame_table
from repository.instances.header import read_header
from repository.instances.pixels import as_explicit_little, decode
from repository.instances.refusals import (
    MalformedInstance,
    NoPixelData,
    NoSuchFrame,
    NotRenderable,
    TruncatedInstance,
)
from repository.instances.rendering import PNG, Rendering, Window, document, grey_or_rgb, render


def opened(octets):
    def read(offset, length):
        return octets[offset : offset + length]

    header = read_header(octets)
    return header, frame_table(header, read, len(octets)), read


def images():
    for path in get_testdata_files():
        if not path.endswith(".dcm"):
            continue
        octets = Path(path).read_bytes()
        try:
            header, table, read = opened(octets)
        except Refusal:
            continue
        if table.count:
            yield path, header, table, read


def test_every_bundled_frame_is_where_the_table_says():
    seen = 0
    for path, header, table, read in images():
        assert FrameTable.unpack(table.pack()) == table
        theirs = pydicom.dcmread(path)
        if header.pixels.length is None:
            frames = list(generate_frames(theirs.PixelData, number_of_frames=table.count))
            assert [table.read(n + 1, read) for n in range(table.count)] == frames, path
        elif table.frame_bits % 8 == 0:
            size = table.frame_bits // 8
            value = (
                theirs.get("PixelData")
                or theirs.get("FloatPixelData")
                or theirs.get("DoubleFloatPixelData")
            )
            for n in range(table.count):
                assert table.read(n + 1, read) == value[n * size : (n + 1) * size], path
        seen += 1
    assert seen > 50


def test_every_bundled_frame_decodes_as_pydicom_decodes_it():
    seen = 0
    for path, header, table, read in images():
        try:
            samples, _ = decode(header, table.read(table.count, read))
        except NotRenderable:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                theirs = pixel_array(pydicom.dcmread(path), index=table.count - 1)
            except (ValueError, RuntimeError):
                continue
        if "odd_big_endian" not in path:
            assert np.array_equal(samples, theirs), path
        seen += 1
    assert seen > 50


def encapsulated(pixels: bytes, frames: int, **attributes):
    source = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    source.NumberOfFrames = frames
    source.PixelData = pixels
    for keyword, value in attributes.items():
        setattr(source, keyword, value)
    target = BytesIO()
    source.save_as(target)
    return target.getvalue()


STREAM = b"\xff\x4f\xff\x51" + bytes(range(200)) + b"\xff\xd9"


def test_fragments_are_assigned_by_basic_and_extended_offset_tables_and_by_markers():
    three = [STREAM, STREAM + b"\x01\x01", STREAM]
    basic = encapsulate(three, fragments_per_frame=2, has_bot=True)
    assert pydicom.uid.UID(JPEG2000Lossless).is_compressed
    for pixels, extra in (
        (basic, {}),
        (encapsulate(three, fragments_per_frame=2, has_bot=False), {}),
        (encapsulate_extended(three)[0], {}),
    ):
        _header, table, read = opened(encapsulated(pixels, 3, **extra))
        assert [table.read(n, read) for n in (1, 2, 3)] == three
        assert FrameTable.unpack(table.pack()) == table


def test_a_single_frame_in_many_fragments_is_put_together():
    _header, table, read = opened(
        encapsulated(encapsulate([STREAM], fragments_per_frame=5, has_bot=False), 1)
    )
    assert len(table.ranges(1)) > 1
    assert table.read(1, read) == STREAM


def test_frames_out_of_range_and_broken_fragments_are_refused():
    octets = encapsulated(encapsulate([STREAM, STREAM]), 2)
    _header, table, _read = opened(octets)
    for number in (0, 3, -1):
        with pytest.raises(NoSuchFrame):
            table.ranges(number)
    with pytest.raises(TruncatedInstance):
        opened(octets[: octets.index(STREAM) + 100])
    with pytest.raises((MalformedInstance, TruncatedInstance)):
        opened(octets.replace(b"\xfe\xff\x00\xe0" + b"\xce\0\0\0", b"\xfe\xff\x01\xe0\xce\0\0\0"))
    with pytest.raises(MalformedInstance):
        opened(encapsulated(encapsulate([b"\0" * 50] * 3, has_bot=False), 2))
    with pytest.raises(TruncatedInstance):
        opened(Path(get_testdata_file("MR_truncated.dcm")).read_bytes())


def test_one_bit_frames_that_begin_inside_an_octet_are_shifted():
    dataset = pydicom.dcmread(get_testdata_file("liver_1frame.dcm"))
    rows, columns, frames = 3, 5, 4
    chance = np.random.default_rng(5)
    bits = chance.integers(0, 2, (frames, rows, columns), dtype=np.uint8)
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = rows, columns, frames
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    target = BytesIO()
    dataset.save_as(target)
    header, table, read = opened(target.getvalue())
    for n in range(frames):
        samples, _ = decode(header, table.read(n + 1, read))
        assert np.array_equal(samples, bits[n])


def synthetic(pixels: np.ndarray, photometric="MONOCHROME2", **attributes):
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = "1.2.3.4", "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.5"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return opened(target.getvalue())


RAMP = np.arange(-1000, 1000, 10, dtype=np.int16).reshape(10, 20)


def shown(made, window=None):
    header, table, read = made
    return grey_or_rgb(header, table.read(1, read), 1, window)


def test_the_window_of_the_header_is_used_and_that_of_the_request_goes_before_it():
    made = synthetic(RAMP, WindowCenter=0, WindowWidth=200, RescaleSlope=1, RescaleIntercept=0)
    picture = shown(made)
    assert picture[0, 0] == 0
    assert picture[-1, -1] == 255
    assert 120 <= picture[RAMP == 0][0] <= 135
    assert shown(made, Window(900, 100))[RAMP == 0][0] == 0


def test_rescale_is_applied_before_the_window():
    made = synthetic(
        RAMP, WindowCenter=-1024, WindowWidth=10, RescaleSlope=2, RescaleIntercept=-1024
    )
    picture = shown(made)
    assert picture[RAMP == -10][0] == 0
    assert picture[RAMP == 10][0] == 255


def test_monochrome1_is_shown_inverted_and_no_window_means_the_full_range():
    plain, inverted = shown(synthetic(RAMP)), shown(synthetic(RAMP, "MONOCHROME1"))
    assert (int(plain.min()), int(plain.max())) == (0, 255)
    assert np.array_equal(plain, 255 - inverted)
    # Every DX and MG image in MONOCHROME1 says so a second time.
    twice = shown(synthetic(RAMP, "MONOCHROME1", PresentationLUTShape="INVERSE"))
    assert np.array_equal(twice, inverted)
    assert np.array_equal(shown(synthetic(RAMP, PresentationLUTShape="IDENTITY")), plain)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_every_voi_function_rises(function):
    made = synthetic(RAMP, WindowCenter=0, WindowWidth=500, VOILUTFunction=function)
    row = shown(made).ravel().astype(int)
    assert (np.diff(row) >= 0).all()
    assert row[0] < 30
    assert row[-1] > 220


def test_palettes_voi_luts_and_colour_are_shown():
    for name in (
        "examples_palette.dcm",
        "examples_ybr_color.dcm",
        "examples_rgb_color.dcm",
        "rtdose.dcm",
        "MR_small_bigendian.dcm",
    ):
        header, table, read = opened(Path(get_testdata_file(name)).read_bytes())
        picture = grey_or_rgb(header, table.read(table.count, read), table.count)
        assert picture.dtype == np.uint8
        assert picture.std() > 5, name
    header, table, read = opened(Path(get_testdata_file("examples_palette.dcm")).read_bytes())
    theirs = pydicom.pixels.apply_color_lut(
        pydicom.dcmread(get_testdata_file("examples_palette.dcm")).pixel_array,
        pydicom.dcmread(get_testdata_file("examples_palette.dcm")),
    )
    mine = grey_or_rgb(header, table.read(1, read), 1)
    assert np.array_equal(mine, (theirs >> 8 if theirs.dtype == np.uint16 else theirs))


def test_pictures_have_the_size_and_type_asked_for():
    header, table, read = opened(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    octets = table.read(1, read)
    small = Image.open(BytesIO(render(header, octets, 1, Rendering(viewport=(64, 32)))))
    assert (small.format, small.size) == ("JPEG", (32, 32))
    cut = Image.open(
        BytesIO(render(header, octets, 1, Rendering(media_type=PNG, region=(0, 0, 60, 20))))
    )
    assert (cut.format, cut.size) == ("PNG", (60, 20))


def test_compressed_frames_become_plain_ones():
    lossless = opened(Path(get_testdata_file("MR_small_jp2klossless.dcm")).read_bytes())
    plain = opened(Path(get_testdata_file("MR_small.dcm")).read_bytes())
    assert as_explicit_little(lossless[0], lossless[1].read(1, lossless[2])) == plain[1].read(
        1, plain[2]
    )


def test_instances_without_pixels_are_told_apart():
    header, table, _read = opened(Path(get_testdata_file("rtplan.dcm")).read_bytes())
    assert table.count == 0
    with pytest.raises(NoPixelData):
        decode(header, b"")
    with pytest.raises(NoPixelData):
        document(header)


def test_garbage_in_a_compressed_frame_is_refused():
    header, _table, _read = opened(
        Path(get_testdata_file("MR_small_jp2klossless.dcm")).read_bytes()
    )
    with pytest.raises(NotRenderable):
        decode(header, b"\xff\x4f garbage")


def test_a_voi_lut_and_a_modality_lut_are_applied():
    lut = Dataset()
    lut.LUTDescriptor = [200, -1000, 16]
    lut["LUTDescriptor"].VR = "SS"
    lut.LUTData = (np.linspace(65535, 0, 200).astype("<u2")).tobytes()
    lut["LUTData"].VR = "OW"
    falling = shown(synthetic(RAMP, VOILUTSequence=[lut])).ravel().astype(int)
    assert falling[0] > 240
    assert (np.diff(falling) <= 0).all()
    rising = shown(synthetic(RAMP, ModalityLUTSequence=[lut])).ravel().astype(int)
    assert rising[0] == 255
    assert rising[-1] == 0


def test_a_segmented_palette_is_expanded():
    colour = {}
    for name in ("Red", "Green", "Blue"):
        colour[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        words = np.array([0, 1, 0, 1, 255, 65535], dtype="<u2")  # one entry, then a line
        colour[f"Segmented{name}PaletteColorLookupTableData"] = words.tobytes()
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = shown(synthetic(pixels, "PALETTE COLOR", **colour))
    assert picture.shape == (16, 16, 3)
    assert (picture[0, 0, 0], picture[-1, -1, 2]) == (0, 255)


@pytest.mark.parametrize("seed", [2, 19, 301])
def test_mutated_files_end_in_a_picture_or_a_refusal(seed):
    chance = random.Random(seed)
    paths = [
        p for p in get_testdata_files() if p.endswith(".dcm") and Path(p).stat().st_size < 60_000
    ]
    for path in chance.sample(paths, 20):
        octets = bytearray(Path(path).read_bytes())
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(132, min(len(octets), 6000))
            if chance.random() < 0.7:
                octets[at] = chance.randrange(256)
            else:
                del octets[at : at + chance.randint(1, 20)]
        with contextlib.suppress(Refusal):
            header, table, read = opened(bytes(octets))
            json.loads(to_json(header, b"x"))
            if 0 < table.frame_bits < 8 << 20 or table.parts:
                render(header, table.read(1, read), 1, Rendering())
