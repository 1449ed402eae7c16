"""A stored file in another transfer syntax: uncompressed, losslessly compressed, JPEG baseline.

Implements PS3.18 8.7.3.5.2, PS3.5 A and PS3.4 C.6.1.1 (the instance stays the same). Called in
worker threads by WADO-RS, WADO-URI, RAD-69 and, through `workflows`, C-MOVE and C-GET.
"""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID

from kernel.refusals import Refusal
from repository.instances.compression import (
    JPEG_BASELINE,
    LOSSLESS,
    LOSSY,
    QUALITY,
    RLE,
    Compressed,
    compress,
)
from repository.instances.frames import frame_table, native_table
from repository.instances.header import InstanceHeader, read_header
from repository.instances.part10 import (
    DEFLATED_EXPLICIT,
    EXPLICIT_VR_BIG,
    EXPLICIT_VR_LITTLE,
    IMPLICIT_VR_LITTLE,
    is_encapsulated,
    read_meta,
)
from repository.instances.pixels import Samples, as_stored_type, decode
from repository.instances.refusals import NotRenderable

UNCOMPRESSED: Final = frozenset({IMPLICIT_VR_LITTLE, EXPLICIT_VR_LITTLE, DEFLATED_EXPLICIT})
COMPRESSED: Final = frozenset(LOSSLESS)
MAKEABLE: Final = UNCOMPRESSED | COMPRESSED
"""Transfer syntaxes that we can bring an instance into; none of them loses anything."""
LOSSY_MAKEABLE: Final = frozenset(LOSSY)
"""Those that lose something: only for a client that takes nothing else."""
MAX_TRANSCODED: Final = 1 << 30
"""The largest file we read into memory to transcode it."""
MAX_DECOMPRESSED: Final = 2 << 30
"""The most octets of pixels that we make of one file."""
_LOSSY_JPEG: Final = frozenset((JPEG_BASELINE, "1.2.840.10008.1.2.4.51"))
_WORDS: Final = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
_PIECE: Final = 1 << 20
_MOST_BOT: Final = 0xFFFF0000


def to_transfer_syntax(octets: bytes, wanted: str, *, quality: int = QUALITY) -> bytes:
    """Return a Part 10 file in one of `MAKEABLE` or `LOSSY_MAKEABLE`; it stays the same instance.

    Raises NotRenderable when the pixel data cannot be decoded or not be written so.
    """
    if wanted not in MAKEABLE and wanted not in LOSSY_MAKEABLE:
        raise NotRenderable("we do not write this transfer syntax", transfer_syntax=wanted)
    try:
        meta = read_meta(octets)
        if meta.transfer_syntax == wanted:
            return octets
        if meta.transfer_syntax == DEFLATED_EXPLICIT:
            _check_inflated(octets[meta.dataset_offset :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(BytesIO(octets))
            if wanted in UNCOMPRESSED:
                made = _uncompressed(dataset, octets)
            else:
                made = _compressed(dataset, octets, wanted, quality)
            return _written(made, wanted)
    except Refusal as refusal:
        if isinstance(refusal, NotRenderable):
            raise
        raise NotRenderable(
            "the instance cannot be transcoded", transfer_syntax=wanted
        ) from refusal
    except Exception as problem:  # the codecs raise whatever their C libraries raise
        raise NotRenderable(
            "the instance cannot be transcoded", transfer_syntax=wanted
        ) from problem


def frame_in(header: InstanceHeader, octets: bytes, wanted: str) -> bytes:
    """Return one frame as the bit stream of a compressed transfer syntax (PS3.18 8.7.3.2)."""
    return _stream(header, octets, wanted, QUALITY).octets


def _stream(header: InstanceHeader, octets: bytes, wanted: str, quality: int) -> Compressed:
    # JPEG has its own YBR; the others keep the colours as they are.
    if wanted in LOSSY:
        samples, photometric = decode(header, octets)
    else:
        samples, photometric = _whole_pixels(header, octets)
    samples = as_stored_type(header, samples)
    stored = header.dataset.integer(0x00280101, 0) or 8 * samples.dtype.itemsize
    if stored < 8 and wanted != RLE:
        stored = 8 if samples.dtype.itemsize == 1 else stored
    return compress(samples, wanted, photometric=photometric, stored=stored, quality=quality)


def _whole_pixels(header: InstanceHeader, octets: bytes) -> tuple[Samples, str]:
    """Return a frame and its colours, which are not YBR_FULL_422: every pixel has all samples.

    JPEG becomes RGB as PS3.3 asks of visible light (A.32), and as other decoders make it.
    """
    samples, photometric = decode(header, octets, raw=True)
    if photometric != "YBR_FULL_422" or samples.shape[-1] != 3:
        return samples, photometric
    if header.transfer_syntax in _LOSSY_JPEG:
        return decode(header, octets)
    return samples, "YBR_FULL"


def _uncompressed(dataset: pydicom.FileDataset, octets: bytes) -> pydicom.FileDataset:
    """Return the data set with native little endian values."""
    stored = str(dataset.file_meta.TransferSyntaxUID)
    if is_encapsulated(stored) and "PixelData" in dataset:
        header = read_header(octets)
        pixels, photometric = bytearray(), ""
        for frame in _frames(header, octets):
            samples, photometric = _whole_pixels(header, frame)
            pixels += as_stored_type(header, samples).tobytes()
            if len(pixels) > MAX_DECOMPRESSED:
                raise NotRenderable("the instance is too large to decompress as a whole")
        dataset.PixelData = bytes(pixels) + b"\x00" * (len(pixels) & 1)
        dataset["PixelData"].is_undefined_length = False
        dataset["PixelData"].VR = "OB" if int(dataset.BitsAllocated) <= 8 else "OW"
        dataset.PhotometricInterpretation = photometric
        if int(dataset.get("SamplesPerPixel", 1)) > 1:
            dataset.PlanarConfiguration = 0
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in dataset:
                del dataset[keyword]
    return _native(dataset, stored)


def _native(dataset: pydicom.FileDataset, stored: str) -> pydicom.FileDataset:
    if stored == EXPLICIT_VR_BIG:
        _swap(dataset)
    # Elements that pydicom has not looked at yet would be written as they were read.
    for element in dataset.iterall():
        if element.VR == "SQ":
            for item in element.value:
                item.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return dataset


def _compressed(
    dataset: pydicom.FileDataset, octets: bytes, wanted: str, quality: int
) -> pydicom.FileDataset:
    if "PixelData" not in dataset:
        raise NotRenderable(
            "an instance without integer pixels is not compressed", transfer_syntax=wanted
        )
    header = read_header(octets)
    native_size = 0
    streams: list[Compressed] = []
    for frame in _frames(header, octets):
        streams.append(_stream(header, frame, wanted, quality))
        native_size += _frame_octets(header)
    stored = str(dataset.file_meta.TransferSyntaxUID)
    dataset = _native(dataset, stored)
    frames = [one.octets for one in streams]
    total = sum(map(len, frames))
    if total > _MOST_BOT and "ExtendedOffsetTable" not in dataset:
        pixels, offsets, lengths = encapsulate_extended(frames)
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    else:
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in dataset:
                del dataset[keyword]
        pixels = encapsulate(frames)
    dataset.PixelData = pixels
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.PhotometricInterpretation = streams[0].photometric
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        dataset.PlanarConfiguration = streams[0].planar
    if wanted == JPEG_BASELINE:
        _tell_of_loss(dataset, native_size / max(1, total))
    return dataset


def _tell_of_loss(dataset: pydicom.FileDataset, ratio: float) -> None:
    """Say that the pixels lost something (PS3.3 C.7.6.1.1.5), and that they are derived."""
    ratios = list(_values(dataset.get("LossyImageCompressionRatio")))
    methods = list(_values(dataset.get("LossyImageCompressionMethod")))
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = [*ratios, f"{max(ratio, 1.0):.2f}"]
    dataset.LossyImageCompressionMethod = [*methods, "ISO_10918_1"]
    kind = list(_values(dataset.get("ImageType")))
    if kind:
        dataset.ImageType = ["DERIVED", *kind[1:]]


def _values(value: object) -> Iterator[object]:
    if value is None or value == "":
        return
    if isinstance(value, str | int | float):
        yield value
        return
    yield from value  # type: ignore[misc]


def _frames(header: InstanceHeader, octets: bytes) -> Iterator[bytes]:
    """Yield the stored octets of every frame."""
    if header.pixels is None:
        raise NotRenderable("the instance has no pixel data")
    source: bytes | memoryview = memoryview(octets)
    if header.deflated:
        source = memoryview(header.dataset.buffer)

    def read(offset: int, length: int) -> bytes:
        return bytes(source[offset : offset + length])

    if header.deflated:
        table = native_table(header, len(source))
    else:
        table = frame_table(header, read, len(source))
    for number in range(1, table.count + 1):
        yield table.read(number, read)


def _frame_octets(header: InstanceHeader) -> int:
    tags = (0x00280010, 0x00280011, 0x00280002, 0x00280100)
    return math.prod(header.dataset.integer(tag, 1) or 1 for tag in tags) // 8


def _check_inflated(octets: bytes) -> None:
    """Refuse a deflated data set that grows beyond what we hold, without holding it."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size, rest = 0, octets
    while rest and not inflater.eof:
        size += len(inflater.decompress(rest, _PIECE))
        rest = inflater.unconsumed_tail
        if size > MAX_TRANSCODED:
            raise NotRenderable("the deflated data set is too large to inflate")


def _swap(dataset: Dataset) -> None:
    """Turn the octets of words around, which pydicom leaves as they are (PS3.5 7.3)."""
    for element in dataset.iterall():
        size = _WORDS.get(str(element.VR), 0)
        if element.keyword == "PixelData" and size:
            size = max(size, int(dataset.get("BitsAllocated", 16)) // 8)
        value = element.value
        if size and isinstance(value, bytes) and len(value) % size == 0:
            swapped = bytearray(len(value))
            for place in range(size):
                swapped[place::size] = value[size - 1 - place :: size]
            element.value = bytes(swapped)


def _written(dataset: pydicom.FileDataset, wanted: str) -> bytes:
    dataset.file_meta.TransferSyntaxUID = UID(wanted)
    target = BytesIO()
    dataset.save_as(
        target,
        little_endian=True,
        implicit_vr=wanted == IMPLICIT_VR_LITTLE,
        enforce_file_format=True,
    )
    return target.getvalue()
