"""Where octets lie: the BlobStore port, keyed by content hash.

Design A5. Implemented by `adapters/storage`; chosen by `server.wiring`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from kernel.refusals import NotFound, Unavailable


class StorageUnavailable(Unavailable):
    """The octets cannot be stored or read now (disk full, read only, mount away)."""

    code = "storage_unavailable"


class ObjectMissing(NotFound):
    """No octets lie under this key."""

    code = "object_missing"


class Incoming(Protocol):
    """Octets on their way in; nothing is visible under a key before `keep`."""

    sha256: str
    """Hex; valid after `seal`."""
    sha1: str
    """Hex, or empty when SHA-1 was not asked for; valid after `seal`."""
    size: int

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Add octets; raises StorageUnavailable."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return octets that were written already (to look at a header, to compare)."""
        ...

    def seal(self) -> None:
        """Say that all octets are there; the hashes are valid from now on."""
        ...

    def keep(self) -> str:
        """Make the octets durable (fsync) under their key and return the key (the sha256)."""
        ...

    def quarantine(self) -> str:
        """Make the octets durable apart from the good ones and return the key."""
        ...

    def discard(self) -> None:
        """Forget the octets; safe to call at any time, also after `keep`."""
        ...


class BlobStore(Protocol):
    """One tier of storage."""

    tier: str

    def incoming(self, *, with_sha1: bool = False) -> Incoming:
        """Begin to take octets in."""
        ...

    def size(self, key: str) -> int:
        """Return the count of octets under `key`; raises ObjectMissing."""
        ...

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return octets of `key`; raises ObjectMissing, StorageUnavailable."""
        ...

    def chunks(self, key: str, *, chunk_size: int = 1 << 20) -> Iterator[bytes]:
        """Yield the octets of `key` in order; raises ObjectMissing before the first chunk."""
        ...

    def path(self, key: str) -> Path | None:
        """Return a local path for sendfile and pread, or None if the tier has none."""
        ...


class ErasingStore(Protocol):
    """A tier that can let go of octets."""

    tier: str

    def erase(self, key: str, *, untouched_since: float) -> bool:
        """Erase the octets of `key` unless they were kept again after this POSIX time.

        Tells whether nothing lies under the key any more. Who keeps the same octets at the
        same time finds them kept: no `keep` is ever lost.
        """
        ...
