"""Open a stored instance to send it: as it lies there, or uncompressed for who reads nothing else.

PS3.4 C.4.2, C.4.3 (retrieve), PS3.5 A (transfer syntaxes), PS3.10 7 (the wrapper is left out).
Called by the DIMSE adapter; a frame of an instance is read by `repository.instances.frames`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from repository.instances.part10 import (
    EXPLICIT_VR_BIG,
    EXPLICIT_VR_LITTLE,
    IMPLICIT_VR_LITTLE,
    is_encapsulated,
    read_meta,
)
from repository.instances.refusals import NotRenderable
from repository.tiers.ports import BlobStore

_META: Final = 64 << 10
_CHUNK: Final = 1 << 20
MAX_TRANSCODED: Final = 1 << 30
"""The largest file we read into memory to decompress it."""


@dataclass(frozen=True, slots=True)
class OpenedDataset:
    """A data set without preamble and File Meta Information, read when iterated."""

    transfer_syntax: str
    size: int
    chunks: Callable[[], Iterator[bytes | memoryview]]


def open_dataset(blobs: BlobStore, key: str) -> OpenedDataset:
    """Open the data set of an object as it is stored; raises ObjectMissing, NotPart10."""
    # Most instances are shorter than a chunk: opened and read whole in one go.
    ahead = max(_META, _CHUNK)
    head = blobs.read(key, 0, ahead)
    meta = read_meta(head[:_META])
    first = memoryview(head)[meta.dataset_offset :]
    whole = len(head) if len(head) < ahead else blobs.size(key)
    size = whole - meta.dataset_offset

    def chunks() -> Iterator[bytes | memoryview]:
        yield first
        for at in range(len(first), size, _CHUNK):
            yield blobs.read(key, meta.dataset_offset + at, min(_CHUNK, size - at))

    return OpenedDataset(meta.transfer_syntax, size, chunks)


def open_as(blobs: BlobStore, key: str, transfer_syntax: str) -> OpenedDataset:
    """Open the data set of an object in a transfer syntax: its own, or an uncompressed one.

    Raises ObjectMissing, NotPart10, and NotRenderable when it cannot be had so.
    """
    stored = open_dataset(blobs, key)
    if stored.transfer_syntax == transfer_syntax:
        return stored
    if transfer_syntax not in {EXPLICIT_VR_LITTLE, IMPLICIT_VR_LITTLE}:
        raise NotRenderable("we do not compress", transfer_syntax=transfer_syntax)
    if stored.transfer_syntax == EXPLICIT_VR_BIG or stored.size > MAX_TRANSCODED:
        raise NotRenderable("the instance is sent as stored only")
    octets = _uncompressed(blobs.read(key), implicit=transfer_syntax == IMPLICIT_VR_LITTLE)
    return OpenedDataset(transfer_syntax, len(octets), lambda: iter((octets,)))


def _uncompressed(part10: bytes, *, implicit: bool) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = dcmread(BytesIO(part10))
            if is_encapsulated(dataset.file_meta.TransferSyntaxUID) and "PixelData" in dataset:
                dataset.decompress(generate_instance_uid=False)
            out = DicomBytesIO()
            out.is_little_endian, out.is_implicit_VR = True, implicit
            write_dataset(out, dataset)
    except Exception as problem:  # the decoders raise whatever their C libraries raise
        raise NotRenderable("the instance cannot be decoded") from problem
    return out.getvalue()
