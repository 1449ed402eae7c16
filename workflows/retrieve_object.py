"""Open a stored instance to send it: as it lies there, or as its receiver can read it.

PS3.4 C.4.2, C.4.3 (retrieve), PS3.5 A (transfer syntaxes), PS3.10 7 (the wrapper is left out).
Called by every adapter that gives instances out; where corrections apply (decision 0024) the header
is the corrected one. A frame of an instance is read by `repository.instances.frames`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from repository.instances.correcting import Changes, CorrectedInstance, correct
from repository.instances.part10 import read_meta
from repository.instances.refusals import NotRenderable
from repository.instances.transcoding import to_transfer_syntax
from repository.tiers.ports import BlobStore

_META: Final = 64 << 10
_CHUNK: Final = 1 << 20
Corrections: TypeAlias = "Callable[[Sequence[str]], Mapping[str, Changes]]"
"""Tells the changes of those instances that have any, by SOP Instance UID."""
MAX_TRANSCODED: Final = 1 << 30
"""The largest file we read into memory to decompress it."""


@dataclass(frozen=True, slots=True)
class OpenedDataset:
    """A data set without preamble and File Meta Information, read when iterated."""

    transfer_syntax: str
    size: int
    chunks: Callable[[], Iterator[bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A Part 10 file as it is given out: a head of its own, if any, and what is stored."""

    blobs: BlobStore
    key: str
    size: int
    head: bytes = b""
    rest: int = 0
    """Where the stored file goes on after `head`."""

    def read(self, offset: int, length: int) -> bytes:
        """Return octets of the file."""
        length = min(length, self.size - offset)
        own = self.head[offset : offset + length]
        if len(own) >= length:
            return own
        at = offset + len(own) - len(self.head) + self.rest
        return own + self.blobs.read(self.key, at, length - len(own))

    def chunks(self) -> Iterator[bytes]:
        """Yield the octets of the file in order."""
        if not self.head:
            yield from self.blobs.chunks(self.key, chunk_size=_CHUNK)
            return
        for at in range(0, self.size, _CHUNK):
            yield self.read(at, _CHUNK)


def uncorrected(_sop_uids: Sequence[str]) -> Mapping[str, Changes]:
    """Tell no corrections: for an archive, or a test, that has none."""
    return {}


def open_file(blobs: BlobStore, key: str, size: int, changes: Changes | None = None) -> OpenedFile:
    """Open a whole instance of `size` octets with the header that it should have.

    Raises ObjectMissing, and if there are changes also why they cannot be written.
    """
    made = _corrected(blobs, key, size, changes)
    if made is None:
        return OpenedFile(blobs, key, size)
    return OpenedFile(blobs, key, made.size, made.head, made.rest)


def open_dataset(blobs: BlobStore, key: str, changes: Changes | None = None) -> OpenedDataset:
    """Open the data set of an object as it is stored; raises ObjectMissing, NotPart10.

    With changes it has a corrected header, and what cannot be corrected is refused.
    """
    made = _corrected(blobs, key, blobs.size(key), changes) if changes else None
    if made is not None:
        file = OpenedFile(blobs, key, made.size, made.head, made.rest)
        return _without_meta(file, made.transfer_syntax, made.dataset_offset)
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


def open_as(
    blobs: BlobStore, key: str, transfer_syntax: str, changes: Changes | None = None
) -> OpenedDataset:
    """Open the data set of an object in a transfer syntax: its own, or one that we write.

    Raises ObjectMissing, NotPart10, and NotRenderable when it cannot be had so.
    """
    stored = open_dataset(blobs, key, changes)
    if stored.transfer_syntax == transfer_syntax:
        return stored
    if stored.size > MAX_TRANSCODED:
        raise NotRenderable("the instance is sent as stored only")
    file = open_file(blobs, key, blobs.size(key), changes)
    octets = to_transfer_syntax(file.read(0, file.size), transfer_syntax)
    made = memoryview(octets)[read_meta(octets[:_META]).dataset_offset :]
    return OpenedDataset(transfer_syntax, len(made), lambda: iter((made,)))


def _corrected(
    blobs: BlobStore, key: str, size: int, changes: Changes | None
) -> CorrectedInstance | None:
    if not changes:
        return None
    return correct(lambda at, length: blobs.read(key, at, length), size, changes)


def _without_meta(file: OpenedFile, transfer_syntax: str, offset: int) -> OpenedDataset:
    def chunks() -> Iterator[bytes | memoryview]:
        for at in range(offset, file.size, _CHUNK):
            yield file.read(at, _CHUNK)

    return OpenedDataset(transfer_syntax, file.size - offset, chunks)
