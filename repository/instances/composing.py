"""A Part 10 file made of DICOM JSON metadata and bulk data that came apart from it.

Implements PS3.18 10.5 (Store Transaction with metadata and bulk data), F (DICOM JSON) and PS3.5 A.4
(fragments). Called by STOW-RS in a worker thread.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from PIL import Image
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from kernel.refusals import Refusal
from repository.instances.part10 import (
    EXPLICIT_VR_LITTLE,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION,
    is_encapsulated,
)
from repository.instances.refusals import MalformedInstance, MissingAttribute

_PIXEL_DATA: Final = "7FE00010"
_DOCUMENT: Final = 0x00420011
_JPEG: Final = "1.2.840.10008.1.2.4."
_BY_MEDIA: Final = {
    "image/jls": _JPEG + "80",
    "image/jp2": _JPEG + "90",
    "image/jpx": _JPEG + "92",
    "image/jphc": _JPEG + "201",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "video/mpeg": _JPEG + "100",
    "video/mpeg2": _JPEG + "100",
    "video/mp4": _JPEG + "102",
}
"""The transfer syntax of a media type that names none (PS3.18 8.7.3)."""
_BY_PROCESS: Final = {0xC0: _JPEG + "50", 0xC1: _JPEG + "51", 0xC3: _JPEG + "70"}
"""JPEG's start of frame marker tells the process (PS3.5 A.4.1)."""
_IDENTIFIERS: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
)  # fmt: skip
_IMAGE: Final = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bulk:
    """Bulk data under one URI: one value, or the frames of an image in their order."""

    media_type: str
    transfer_syntax: str
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Composed:
    """The file, and whether attributes were added that the metadata did not tell."""

    octets: bytes
    completed: bool


def compose(metadata: Mapping[str, Any], bulk: Mapping[str, Bulk], *, study_uid: str) -> Composed:
    """Return the file of one instance; raises MalformedInstance, MissingAttribute.

    `study_uid` is that of the path, for metadata that name none.
    """
    try:
        return _composed(metadata, bulk, study_uid)
    except Refusal:
        raise
    except Exception as problem:  # values of any kind may stand where one kind is expected
        raise MalformedInstance("the metadata cannot be written as a data set") from problem


def _composed(metadata: Mapping[str, Any], bulk: Mapping[str, Bulk], study_uid: str) -> Composed:
    members = {tag: value for tag, value in metadata.items() if not tag.startswith("0002")}
    pixels = members.pop(_PIXEL_DATA, None)
    dataset = _dataset(members, bulk)
    if study_uid and not dataset.get("StudyInstanceUID"):
        dataset.StudyInstanceUID = UID(study_uid)
    for keyword in _IDENTIFIERS:
        if not dataset.get(keyword):
            raise MissingAttribute(f"{keyword} is absent or empty", keyword=keyword)
    completed = _complete_document(dataset, metadata, bulk)
    syntax = EXPLICIT_VR_LITTLE
    if pixels is not None:
        syntax, added = _add_pixels(dataset, pixels, bulk)
        completed = completed or added
    return Composed(_written(dataset, syntax), completed)


def _dataset(members: Mapping[str, Any], bulk: Mapping[str, Bulk]) -> Dataset:
    missing: list[str] = []

    def value_of(_tag: str, _vr: str, uri: str) -> bytes:
        found = bulk.get(uri)
        if found is None:
            missing.append(uri)
            return b""
        return b"".join(found.values)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = Dataset.from_json(dict(members), value_of)
    except Exception as problem:  # pydicom raises what its parsers raise
        raise MalformedInstance("the metadata are no DICOM JSON data set") from problem
    if missing:
        raise MissingAttribute("bulk data that the metadata name did not come", count=len(missing))
    return dataset


def _complete_document(
    dataset: Dataset, metadata: Mapping[str, Any], bulk: Mapping[str, Bulk]
) -> bool:
    """Fill in what PS3.3 C.24.2 wants beside an encapsulated document."""
    if _DOCUMENT not in dataset:
        return False
    found = bulk.get(metadata[f"{_DOCUMENT:08X}"].get("BulkDataURI", ""))
    added = False
    if "EncapsulatedDocumentLength" not in dataset:
        dataset.EncapsulatedDocumentLength = len(dataset[_DOCUMENT].value or b"")
        added = True
    if found is not None and not dataset.get("MIMETypeOfEncapsulatedDocument"):
        dataset.MIMETypeOfEncapsulatedDocument = found.media_type
        added = True
    return added


def _add_pixels(
    dataset: Dataset, member: Mapping[str, Any], bulk: Mapping[str, Bulk]
) -> tuple[str, bool]:
    if "BulkDataURI" not in member:
        inline = _dataset({_PIXEL_DATA: member}, bulk)
        if "PixelData" in inline:
            dataset.add(inline[0x7FE00010])
        return EXPLICIT_VR_LITTLE, False
    found = bulk.get(member["BulkDataURI"])
    if found is None:
        raise MissingAttribute("bulk data that the metadata name did not come", count=1)
    syntax = _syntax(found)
    if not is_encapsulated(syntax):
        words = (dataset.get("BitsAllocated") or 8) > 8
        value = b"".join(found.values)
        dataset.add(
            DataElement(0x7FE00010, "OW" if words else "OB", value + b"\x00" * (len(value) & 1))
        )
        return EXPLICIT_VR_LITTLE, False
    added = _complete_image(dataset, found)
    if found.media_type.startswith("video/"):
        value = encapsulate([b"".join(found.values)], has_bot=False)
    else:
        value = encapsulate(list(found.values))
        if len(found.values) > 1 and not dataset.get("NumberOfFrames"):
            dataset.NumberOfFrames = len(found.values)
            added = True
    element = DataElement(0x7FE00010, "OB", value)
    element.is_undefined_length = True
    dataset.add(element)
    return syntax, added


def _syntax(bulk: Bulk) -> str:
    if bulk.transfer_syntax:
        return bulk.transfer_syntax
    if bulk.media_type == "image/jpeg":
        return _jpeg_syntax(bulk.values[0])
    return _BY_MEDIA.get(bulk.media_type, EXPLICIT_VR_LITTLE)


def _jpeg_syntax(octets: bytes) -> str:
    """Return the transfer syntax of a JPEG stream by its first start of frame."""
    at = 2
    while at + 4 <= len(octets) and octets[at] == 0xFF:
        marker = octets[at + 1]
        if marker in _BY_PROCESS:
            return _BY_PROCESS[marker]
        at += 2 + struct.unpack_from(">H", octets, at + 2)[0]
    raise MalformedInstance("the JPEG stream is of no process that DICOM knows")


def _complete_image(dataset: Dataset, bulk: Bulk) -> bool:
    """Tell of a picture what its own header tells, where the metadata do not (PS3.18 10.5)."""
    if bulk.media_type != "image/jpeg" or all(keyword in dataset for keyword in _IMAGE):
        return False
    try:
        with Image.open(BytesIO(bulk.values[0])) as image:
            columns, rows = image.size
            colour = len(image.getbands()) == 3
    except Exception as problem:  # Pillow raises whatever its decoders raise
        raise MalformedInstance("the JPEG stream has no readable header") from problem
    told: dict[str, Any] = {
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "YBR_FULL_422" if colour else "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        **({"PlanarConfiguration": 0} if colour else {}),
    }
    for keyword, value in told.items():
        if keyword not in dataset:
            setattr(dataset, keyword, value)
    return True


def _written(dataset: Dataset, syntax: str) -> bytes:
    if _speaks_more_than_ascii(dataset):
        dataset.SpecificCharacterSet = "ISO_IR 192"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    dataset.file_meta = meta
    target = BytesIO()
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        dataset.save_as(target, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return target.getvalue()


def _speaks_more_than_ascii(dataset: Dataset) -> bool:
    return any(
        not str(value).isascii()
        for element in dataset.iterall()
        if element.VR in {"LO", "LT", "PN", "SH", "ST", "UC", "UT"} and element.value
        for value in (element.value if isinstance(element.value, Sequence) else [element.value])
    )
