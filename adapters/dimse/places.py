"""How many associations there are, of all and of each AE title.

PS3.8 9.3.4 (A-ASSOCIATE-RJ, local-limit-exceeded). One for a receiver process; what one AE title
may have it shares with the others through locked files. Called by `association.py`.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

log = logging.getLogger("pianku.dimse")
_ELSEWHERE: Final = -1
"""Instead of a descriptor: all places are taken by other processes."""


class Places:
    """Counts associations; thread safe."""

    def __init__(self, most: int, shared: Path | None = None) -> None:
        """Let `most` in; `shared` is a folder where receivers on this machine lock places."""
        self._most = most
        self._shared = shared
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._locked: defaultdict[str, list[int]] = defaultdict(list)

    def take(self, ae_title: str, most: int) -> bool:
        """Take a place for an AE title that may have `most` (0: any number); tells whether."""
        with self._lock:
            if self._taken.total() >= self._most or (most and self._taken[ae_title] >= most):
                return False
            if most and self._shared is not None:
                handle = _locked(self._shared, ae_title, most)
                if handle == _ELSEWHERE:
                    return False
                if handle is not None:
                    self._locked[ae_title].append(handle)
            self._taken[ae_title] += 1
            return True

    def give_back(self, ae_title: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[ae_title] -= 1
            if not self._taken[ae_title]:
                del self._taken[ae_title]
            if handles := self._locked.get(ae_title):
                os.close(handles.pop())
                if not handles:
                    del self._locked[ae_title]


def _locked(folder: Path, ae_title: str, most: int) -> int | None:
    """Return a descriptor that holds one of `most` files; the system lets go when we end."""
    name = hashlib.sha256(ae_title.encode("utf-8", "replace")).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for number in range(most):
            handle = os.open(folder / f"{name}.{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            except OSError:
                os.close(handle)
                raise
            return handle
    except OSError as problem:
        # Nobody is kept out because the folder cannot be used: each receiver counts its own then.
        log.warning("places are not shared", extra={"problem": problem.strerror})
        return None
    return _ELSEWHERE
