"""The hot tier: objects as plain files named by their SHA-256, durable before they are told of.

Implements `repository.tiers.ports.BlobStore` (design A5) on plain OS calls, for any number of
threads and processes on one folder. Chosen by `server.wiring`; used by workflows and adapters.

Layout: `objects/<aa>/<sha256>`, `quarantine/<sha256>`, `incoming/<process>/<n>`. A store made by
an older version has `objects/<aa>/<bb>/<sha256>` and stays so; a folder `.flat` tells them apart.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from adapters.storage.journal import names_follow_files
from repository.tiers.ports import ObjectMissing, StorageUnavailable

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
_LOCK: Final = ".lock"
_FLAT: Final = ".flat"
_FOLDERS: Final = frozenset(f"{number:02x}" for number in range(256))


class LocalBlobStore:
    """One folder tree on a local disk or a mounted share; satisfies `BlobStore`.

    `one_flush`: trust the file system to make a name durable with its file; None asks it.
    """

    def __init__(self, root: Path, *, tier: str = "hot", one_flush: bool | None = None) -> None:
        self.tier = tier
        self._objects = root / "objects"
        self._quarantine = root / "quarantine"
        self._incoming = root / "incoming"
        self._numbers = itertools.count()
        self._durable: set[str] = set()
        with _storage():
            for folder in (self._objects, self._quarantine, self._incoming):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (root.parent, root):
                _sync_folder(folder)
            self._one_flush = names_follow_files(root) if one_flush is None else one_flush
            self._own = self._incoming / f"{os.getpid()}-{secrets.token_hex(4)}"
            with _locked(self._incoming / _LOCK):
                self._flat = self._is_flat()
                self._clear_leftovers()
                self._own.mkdir()
                # Held as long as the process lives: says that the folder is not a leftover.
                self._lock = os.open(self._own / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
                fcntl.flock(self._lock, fcntl.LOCK_EX)

    def incoming(self, *, with_sha1: bool = False) -> LocalIncoming:
        """Begin to take octets in."""
        return LocalIncoming(self, self._own / str(next(self._numbers)), with_sha1=with_sha1)

    def size(self, key: str) -> int:
        """Return the count of octets under `key`; raises ObjectMissing."""
        with _reading(key):
            return self._place(key).stat().st_size

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return octets of `key`; raises ObjectMissing, StorageUnavailable."""
        with _reading(key):
            fd = os.open(self._place(key), os.O_RDONLY | os.O_CLOEXEC)
            try:
                wanted = os.fstat(fd).st_size - offset if length is None else length
                return _pread(fd, offset, max(wanted, 0))
            finally:
                os.close(fd)

    def chunks(self, key: str, *, chunk_size: int = 1 << 20) -> Iterator[bytes]:
        """Yield the octets of `key` in order; raises ObjectMissing before the first chunk."""
        with _reading(key):
            fd = os.open(self._place(key), os.O_RDONLY | os.O_CLOEXEC)
        return self._chunks(fd, key, chunk_size)

    def path(self, key: str) -> Path | None:
        """Return the file of `key` for sendfile and pread; raises ObjectMissing."""
        with _reading(key):
            place = self._place(key)
            place.stat()
            return place

    def quarantined(self, key: str) -> Path:
        """Return the file of octets that were kept apart; raises ObjectMissing."""
        with _reading(key):
            place = self._quarantine / _checked(key)
            place.stat()
            return place

    def erase(self, key: str, *, untouched_since: float) -> bool:
        """Erase the octets of `key` unless they were kept again after this POSIX time.

        Each `keep` gives the name to its own file: so the file that was old before the name
        was taken away is the one to go, and any other one gets its name back.
        """
        place, aside = self._place(key), self._own / f"erase-{next(self._numbers)}"
        with _storage():
            try:
                old = place.stat()
                if old.st_ctime > untouched_since:
                    return False
                place.rename(aside)
            except FileNotFoundError:
                return True
            kept_again = aside.stat().st_ino != old.st_ino
            if kept_again:
                aside.replace(place)  # if it was kept once more: equal octets, durable too
            else:
                aside.unlink()
            _sync_folder(place.parent)
            return not kept_again

    def close(self) -> None:
        """Forget what is still coming in and let go of the incoming folder."""
        shutil.rmtree(self._own, ignore_errors=True)
        os.close(self._lock)

    def _place(self, key: str) -> Path:
        _checked(key)
        return Path(self._folder(key), key)

    def _folder(self, key: str) -> str:
        # A text, not a Path: this runs once an instance.
        outer = f"{self._objects}/{key[:2]}"
        return outer if self._flat else f"{outer}/{key[2:4]}"

    def _is_flat(self) -> bool:
        """Tell how the folders lie; a new store gets all of them at once, durable.

        One level: with two, nearly every one of the first 60,000 objects made a folder and had
        three folders flushed.
        """
        mark = self._objects / _FLAT
        found = set(os.listdir(self._objects))  # noqa: PTH208 - names only
        if found and mark.name not in found:
            return False
        if not found:
            mark.mkdir()
            _sync_folder(self._objects)
        if missing := _FOLDERS - found:
            for name in missing:
                (self._objects / name).mkdir()
            _sync_folder(self._objects)
        return True

    @staticmethod
    def _chunks(fd: int, key: str, chunk_size: int) -> Iterator[bytes]:
        try:
            while True:
                with _reading(key):
                    chunk = os.read(fd, chunk_size)
                if not chunk:
                    return
                yield chunk
        finally:
            os.close(fd)

    def _clear_leftovers(self) -> None:
        """Remove what processes that are gone had half received."""
        for folder in self._incoming.iterdir():
            if not folder.is_dir():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            try:
                with suppress(BlockingIOError):  # its process lives
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)

    def _keep(self, fd: int, source: Path, key: str) -> None:
        inner = self._folder(key)
        place = f"{inner}/{key}"
        is_new = self._settle(fd, str(source), place, inner)
        try:
            os.fsync(fd)
            if not self._one_flush:
                _sync_folder(inner)
                if not self._flat:
                    self._make_durable(inner)
        except OSError:
            # The name may already stand for octets that never reached the disk.
            if is_new:
                _unlink_own(fd, place)
            raise

    def _make_durable(self, inner: str) -> None:
        # Another process may have made the folders and not yet flushed their names.
        outer = os.path.dirname(inner)  # noqa: PTH120 - a text
        for folder, above in ((inner, outer), (outer, str(self._objects))):
            if folder not in self._durable:
                _sync_folder(above)
                self._durable.add(folder)

    @staticmethod
    def _settle(fd: int, source: str, place: str, folder: str) -> bool:
        """Give the octets their final name, before the flush when nobody has the name yet.

        One flush then covers octets and name where the file system keeps its promise: each
        flush spared is 0.1 ms on an idle disk and 4 ms on a busy one (measured, ext4). A name
        that exists may be acknowledged, so its octets are only replaced by octets that are
        already durable; they are never trusted to be whole.
        Returns whether the name is new.
        """
        try:
            try:
                os.link(source, place)
            except FileNotFoundError:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - a text
                _sync_folder(os.path.dirname(folder))  # noqa: PTH120
                os.link(source, place)
        except OSError as problem:
            if problem.errno != errno.EEXIST and problem.errno not in _NO_LINKS:
                raise
            os.fsync(fd)
            os.replace(source, place)  # noqa: PTH105 - a text
            return False
        with suppress(OSError):  # a leftover at worst, cleared at the next start
            os.unlink(source)  # noqa: PTH108 - a text
        return True

    def _set_apart(self, fd: int, source: Path, key: str) -> None:
        place = self._quarantine / key
        os.fsync(fd)
        if source.exists():
            source.replace(place)
        elif not place.exists():
            # Kept before it was refused: the good name stays, other records may use it.
            shutil.copyfile(self._place(key), source)
            _sync_file(source)
            source.replace(place)
        _sync_folder(self._quarantine)


def _unlink_own(fd: int, place: str) -> None:
    """Take a name back, unless somebody has meanwhile put durable octets under it."""
    with suppress(FileNotFoundError):
        if os.stat(place).st_ino == os.fstat(fd).st_ino:  # noqa: PTH116 - a text
            os.unlink(place)  # noqa: PTH108


class LocalIncoming:
    """Octets on their way into a `LocalBlobStore`; used by one thread at a time."""

    def __init__(self, store: LocalBlobStore, path: Path, *, with_sha1: bool) -> None:
        self.sha256 = ""
        self.sha1 = ""
        self.size = 0
        self._kept = False
        self._fd = -1
        self._store = store
        self._path = path
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(usedforsecurity=False) if with_sha1 else None
        with _storage():
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Add octets; raises StorageUnavailable, and then nothing of them stays."""
        self._sha256.update(chunk)
        if self._sha1 is not None:
            self._sha1.update(chunk)
        with self._or_nothing():
            done = os.write(self._fd, chunk)
            while done < len(chunk):
                done += os.write(self._fd, memoryview(chunk)[done:])
            self.size += done

    def read(self, offset: int, length: int) -> bytes:
        """Return octets that were written already."""
        with _storage():
            return _pread(self._fd, offset, max(0, min(length, self.size - offset)))

    def seal(self) -> None:
        """Say that all octets are there; the hashes are valid from now on."""
        self.sha256 = self._sha256.hexdigest()
        self.sha1 = self._sha1.hexdigest() if self._sha1 is not None else ""

    def keep(self) -> str:
        """Make the octets durable under their key and return the key; a second time is no news."""
        if not self._kept:
            with self._or_nothing():
                self._store._keep(self._fd, self._path, self.sha256)  # noqa: SLF001 - one unit
            self._kept = True
        return self.sha256

    def quarantine(self) -> str:
        """Make the octets durable apart from the good ones (also after `keep`); return the key."""
        with self._or_nothing():
            self._store._set_apart(self._fd, self._path, self.sha256)  # noqa: SLF001 - one unit
        return self.sha256

    def discard(self) -> None:
        """Let go of the octets; what was kept or set apart stays."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def __del__(self) -> None:
        self.discard()

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            with _storage():
                yield
        except StorageUnavailable:
            self.discard()
            raise


def _checked(key: str) -> str:
    # A key becomes part of a path: nothing but a hash may.
    if _KEY.fullmatch(key) is None:
        raise ObjectMissing("no octets lie under this key", key=key[:64])
    return key


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise StorageUnavailable(
            f"the storage cannot be used: {os.strerror(problem.errno or 0)}"
        ) from problem


@contextmanager
def _reading(key: str) -> Iterator[None]:
    try:
        with _storage():
            yield
    except StorageUnavailable as problem:
        if isinstance(problem.__cause__, FileNotFoundError):
            raise ObjectMissing("no octets lie under this key", key=key) from None
        raise


def _pread(fd: int, offset: int, length: int) -> bytes:
    data = os.pread(fd, length, offset)
    if len(data) == length:
        return data
    # One call returns at most 2 GiB, and less when a signal comes.
    parts = [data]
    got = len(data)
    while data and got < length:
        data = os.pread(fd, length - got, offset + got)
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def _sync_folder(folder: Path | str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
