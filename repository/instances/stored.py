"""Reads stored instances: header and frame table of the object under a key.

Design A5 (parse only up to the pixel data). Given to the projections of studies and storage as
their `HeaderSource`, and to the DICOM adapters; the octets come through `BlobStore`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from repository.instances.frames import FrameTable, Reader, frame_table
from repository.instances.header import InstanceHeader, read_header_of
from repository.tiers.ports import BlobStore, ObjectMissing, StorageUnavailable


class StoredInstances:
    """Headers and frame tables of the objects of one store; meets `HeaderSource`."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def header(self, sha256: str) -> InstanceHeader:
        """Return the header; raises ObjectMissing, StorageUnavailable and reading refusals."""
        with self._opened(sha256) as (read, size):
            return read_header_of(read, size)

    def frames(self, sha256: str) -> FrameTable:
        """Return the frame table; raises what `header` raises and what `frame_table` raises."""
        with self._opened(sha256) as (read, size):
            return frame_table(read_header_of(read, size), read, size)

    @contextmanager
    def _opened(self, key: str) -> Iterator[tuple[Reader, int]]:
        path = self._blobs.path(key)
        if path is None:
            size = self._blobs.size(key)
            yield lambda offset, length: self._blobs.read(key, offset, length), size
            return
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ObjectMissing from None
        except OSError as problem:
            raise StorageUnavailable from problem
        try:
            size = os.fstat(descriptor).st_size
            yield lambda offset, length: os.pread(descriptor, length, offset), size
        except OSError as problem:
            raise StorageUnavailable from problem
        finally:
            os.close(descriptor)
