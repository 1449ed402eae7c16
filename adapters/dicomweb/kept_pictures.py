"""Pictures that were made once: thumbnails on disk over restarts, the last ones in memory.

Serves PS3.18 10.4.1.1.4 (Thumbnail). Beside the objects and bounded; what lies there can be made
again at any time. Called by `rendered.py`; `forget` when the octets of an instance are erased.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4
from zlib import crc32

from repository.tiers.ports import ErasingStore

log = logging.getLogger("pianku.pictures")
_KEY: Final = re.compile(r"[0-9a-f]{16,128}")
_NAME: Final = re.compile(r"[0-9a-z-]{1,64}")
_SUM: Final = 4
FOLDER: Final = "pictures"
"""Where they lie in the folder of an installation."""
MOST_OCTETS: Final = 1 << 30
"""How much the pictures on disk may be: about 200,000 thumbnails."""


class RememberedPictures:
    """The pictures made last, in memory; thread safe."""

    def __init__(self, most_octets: int = 64 << 20) -> None:
        self._most = most_octets
        self._held: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int, str]) -> bytes | None:
        """Return a picture if it is remembered."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: tuple[str, int, str], picture: bytes) -> None:
        """Remember a picture, and let go of the oldest ones."""
        if len(picture) > self._most // 8:
            return
        with self._lock:
            before = self._held.pop(key, None)
            self._size -= len(before) if before is not None else 0
            self._held[key] = picture
            self._size += len(picture)
            while self._size > self._most:
                self._size -= len(self._held.popitem(last=False)[1])


class ErasingWithPictures:
    """A store that lets go of the pictures of an object together with its octets."""

    def __init__(self, blobs: ErasingStore, pictures: KeptPictures) -> None:
        self.tier = blobs.tier
        self._blobs = blobs
        self._pictures = pictures

    def erase(self, key: str, *, untouched_since: float) -> bool:
        """Erase the octets of `key`; see `ErasingStore`."""
        gone = self._blobs.erase(key, untouched_since=untouched_since)
        if gone:
            self._pictures.forget(key)
        return gone


class KeptPictures:
    """Small pictures in a folder, by the key of the object they show."""

    def __init__(self, folder: Path, most_octets: int = MOST_OCTETS) -> None:
        self._folder = folder
        self._most = most_octets
        self._size: int | None = None
        self._lock = threading.Lock()

    def get(self, key: str, name: str) -> bytes | None:
        """Return a picture if it was kept and is whole."""
        path = self._path(key, name)
        try:
            octets = path.read_bytes() if path is not None else b""
        except OSError:
            return None
        # Nothing was flushed: after a power cut a file may be there without its octets.
        if len(octets) <= _SUM or crc32(octets[_SUM:]).to_bytes(_SUM, "big") != octets[:_SUM]:
            return None
        return octets[_SUM:]

    def put(self, key: str, name: str, picture: bytes) -> None:
        """Keep a picture; a disk that does not take it is no reason to fail."""
        path = self._path(key, name)
        if path is None or len(picture) > self._most // 8:
            return
        beside = path.with_name(f".{uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(crc32(picture).to_bytes(_SUM, "big") + picture)
            beside.replace(path)
        except OSError as problem:
            log.info("picture not kept", extra={"errno": problem.errno})
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            return
        self._grown(len(picture) + _SUM)

    def forget(self, key: str) -> None:
        """Remove all pictures of an object."""
        path = self._path(key, "x")
        if path is not None:
            shutil.rmtree(path.parent, ignore_errors=True)

    def _path(self, key: str, name: str) -> Path | None:
        if _KEY.fullmatch(key) is None or _NAME.fullmatch(name) is None:
            return None
        return self._folder / key[:2] / key / name

    def _grown(self, size: int) -> None:
        with self._lock:
            if self._size is None:
                self._size = sum(held for _, held, _ in self._all())
            else:
                self._size += size
            if self._size > self._most:
                self._size = self._emptied()

    def _emptied(self) -> int:
        """Remove the oldest pictures until a fifth is free; return what is left."""
        every = sorted(self._all())
        left = sum(size for _, size, _ in every)
        for _moment, size, path in every:
            if left <= self._most * 4 // 5:
                break
            with suppress(OSError):
                path.unlink(missing_ok=True)
                left -= size
            with suppress(OSError):  # not empty: other pictures of the object are younger
                path.parent.rmdir()
        return left

    def _all(self) -> list[tuple[float, int, Path]]:
        found = []
        for folder, _folders, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                with suppress(OSError):
                    told = path.stat()
                    found.append((told.st_mtime, told.st_size, path))
        return found
