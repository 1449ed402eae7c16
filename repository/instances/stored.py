"""Reads stored instances: header and frame table of the object under a key.

Design A5 (parse only up to the pixel data). Given to the projections of studies and storage as
their `HeaderSource`, and to the DICOM adapters; the octets come through `BlobStore`.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from repository.instances.frames import NO_FRAMES, FrameTable, Reader, frame_table
from repository.instances.header import InstanceHeader, read_header_of
from repository.tiers.ports import BlobStore, ObjectMissing, StorageUnavailable

_REMEMBERED: Final = 256
_SMALL: Final = 64 << 10
"""Headers read from so many octets are remembered: two views ask for each, one after the other."""


class StoredInstances:
    """Headers and frame tables of the objects of one store; meets `HeaderSource`; thread safe."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._held: OrderedDict[str, tuple[InstanceHeader, int]] = OrderedDict()
        self._lock = threading.Lock()

    def header(self, sha256: str) -> InstanceHeader:
        """Return the header; raises ObjectMissing, StorageUnavailable and reading refusals."""
        return self._header(sha256)[0]

    def frames(self, sha256: str) -> FrameTable:
        """Return the frame table; raises what `header` raises and what `frame_table` raises."""
        header, size = self._header(sha256)
        if header.pixels is None or header.deflated:
            return NO_FRAMES
        if header.pixels.length is not None:
            return frame_table(header, _nothing, size)
        with self._opened(sha256) as (read, size):
            return frame_table(header, read, size)

    def _header(self, key: str) -> tuple[InstanceHeader, int]:
        with self._lock:
            held = self._held.get(key)
        if held is not None:
            return held
        with self._opened(key) as (read, size):
            found = (read_header_of(read, size), size)
        if len(found[0].dataset.buffer) <= _SMALL:
            with self._lock:
                self._held[key] = found
                if len(self._held) > _REMEMBERED:
                    self._held.popitem(last=False)
        return found

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


def _nothing(_offset: int, _length: int) -> bytes:
    """Stand for a file of native pixel data, of which nothing needs to be read."""
    return b""
