"""The permissions view kept in memory: who may come in, at most a second old.

Design A6: fast enough for each request, refreshed by the view's position. Called by `guard.py`.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from projections.permissions.view import PermissionsView, Snapshot

_CHECK_SECONDS: Final = 0.5


class Directory:
    """Answers from memory and looks for a newer position twice a second, when asked."""

    def __init__(self, view: PermissionsView) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._held: tuple[tuple[int, int], Snapshot] | None = None
        self._checked = 0.0

    def current(self) -> Snapshot:
        """Return everybody who may come in, as of at most a second ago."""
        return self._at_most(_CHECK_SECONDS)

    def newest(self) -> Snapshot:
        """Return everybody as of now: for a caller that `current` does not know.

        It costs one query of the position, less than the record of the refusal that follows.
        """
        return self._at_most(0.0)

    def refresh(self) -> Snapshot:
        """Return everybody, not before the view holds all that was acknowledged."""
        self._view.wait()
        return self._at_most(0.0)

    def _at_most(self, seconds: float) -> Snapshot:
        held = self._held
        if held is not None and time.monotonic() - self._checked < seconds:
            return held[1]
        with self._lock:
            held = self._held
            moment = time.monotonic()
            if held is not None and moment - self._checked < seconds:
                return held[1]
            mark = self._view.position()
            if held is None or held[0] != mark:
                held = (mark, self._view.snapshot())
                self._held = held
            self._checked = moment
            return held[1]
