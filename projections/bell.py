"""A bell that readers ring for the projector: somebody waits, apply what there is now.

Design A4 (read your writes without a projector that follows every small commit). A named pipe a
ledger, so that it works across processes; rung by `database.py`, heard by `runner.py`.
"""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path
from typing import Final

_FULL: Final = 4096


class Bell:
    """A named pipe at `path`. Ringing never blocks and never fails: a ring unheard costs time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._rope = -1
        self._ear = -1

    def ring(self) -> None:
        """Wake whoever listens; without a listener nothing happens."""
        with self._lock:
            try:
                if self._rope < 0:
                    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
                    self._rope = os.open(self._path, flags)
                os.write(self._rope, b"!")
            except BlockingIOError:
                return  # rung often enough: the pipe is full
            except OSError:
                # Nobody listens (yet, or any more), or there is no pipe.
                self._let_go()

    def listen(self) -> bool:
        """Begin to listen (idempotent); False where the file system knows no named pipes."""
        with self._lock:
            if self._ear < 0:
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    if not self._path.is_fifo():
                        os.mkfifo(self._path, 0o600)
                    # Open for writing too: else the pipe is at its end when a ringer closes it.
                    self._ear = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
                except OSError:
                    return False
            return True

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, or until the time is over; tells which. Rings heard are used up."""
        poll = select.poll()
        poll.register(self._ear, select.POLLIN)
        if not poll.poll(max(seconds, 0.0) * 1000):
            return False
        try:
            os.read(self._ear, _FULL)
        except BlockingIOError:
            return False  # another listener was quicker
        return True

    def close(self) -> None:
        """Let go of the pipe; its name stays for the next one."""
        with self._lock:
            self._let_go()
            ear, self._ear = self._ear, -1
            if ear >= 0:
                os.close(ear)

    def _let_go(self) -> None:
        rope, self._rope = self._rope, -1
        if rope >= 0:
            os.close(rope)
