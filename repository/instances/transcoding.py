"""A stored file in another transfer syntax: uncompressed, RLE or JPEG-LS lossless.

Implements PS3.18 8.7.3.5.2 (default transfer syntax), PS3.5 A and PS3.4 C.6.1.1 (the instance stays
the same). Called in worker threads by WADO-RS, WADO-URI and RAD-69.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from repository.instances.part10 import (
    DEFLATED_EXPLICIT,
    EXPLICIT_VR_BIG,
    EXPLICIT_VR_LITTLE,
    IMPLICIT_VR_LITTLE,
    is_encapsulated,
)
from repository.instances.refusals import NotRenderable

UNCOMPRESSED: Final = frozenset({IMPLICIT_VR_LITTLE, EXPLICIT_VR_LITTLE, DEFLATED_EXPLICIT})
COMPRESSED: Final = {"1.2.840.10008.1.2.5": "pydicom", "1.2.840.10008.1.2.4.80": "pyjpegls"}
"""RLE and JPEG-LS lossless with their encoders; GDCM's RLE encoder aborts the process on images
of odd size."""
MAKEABLE: Final = UNCOMPRESSED | COMPRESSED.keys()
"""Transfer syntaxes that we can bring an instance into; none of them loses anything."""
MAX_TRANSCODED: Final = 1 << 30
"""The largest file we read into memory to transcode it."""
_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_WORDS: Final = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}


def to_transfer_syntax(octets: bytes, wanted: str) -> bytes:
    """Return a Part 10 file in a transfer syntax of `MAKEABLE`; it stays the same instance.

    Raises NotRenderable when the pixel data cannot be decoded or not be written so.
    """
    if wanted not in MAKEABLE:
        raise NotRenderable("we do not write this transfer syntax", transfer_syntax=wanted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(BytesIO(octets))
            if dataset.file_meta.TransferSyntaxUID == wanted:
                return octets
            return _written(_native(dataset), wanted)
    except NotRenderable:
        raise
    except Exception as problem:  # the codecs raise whatever their C libraries raise
        raise NotRenderable(
            "the instance cannot be transcoded", transfer_syntax=wanted
        ) from problem


def _native(dataset: pydicom.FileDataset) -> pydicom.FileDataset:
    """Return the data set with native little endian values."""
    stored = str(dataset.file_meta.TransferSyntaxUID)
    if is_encapsulated(stored) and "PixelData" in dataset:
        dataset.decompress(as_rgb=False, generate_instance_uid=False)
    if stored == EXPLICIT_VR_BIG:
        _swap(dataset)
    # Elements that pydicom has not looked at yet would be written as they were read.
    for element in dataset.iterall():
        if element.VR == "SQ":
            for item in element.value:
                item.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return dataset


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
    if wanted in UNCOMPRESSED:
        dataset.file_meta.TransferSyntaxUID = UID(wanted)
    else:
        if "PixelData" not in dataset:
            raise NotRenderable(
                "an instance without pixel data is not compressed", transfer_syntax=wanted
            )
        if any(keyword in dataset for keyword in _PIXELS[1:]):
            raise NotRenderable("floating point pixels are not compressed", transfer_syntax=wanted)
        dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT_VR_LITTLE)
        dataset.compress(
            UID(wanted), encoding_plugin=COMPRESSED[wanted], generate_instance_uid=False
        )
    target = BytesIO()
    dataset.save_as(
        target,
        little_endian=True,
        implicit_vr=wanted == IMPLICIT_VR_LITTLE,
        enforce_file_format=True,
    )
    return target.getvalue()
