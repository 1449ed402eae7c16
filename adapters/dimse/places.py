"""How many associations there are, of all and of each AE title.

PS3.8 9.3.4 (A-ASSOCIATE-RJ, local-limit-exceeded). One for a receiver process; called by
`association.py`.
"""

from __future__ import annotations

import threading
from collections import Counter


class Places:
    """Counts associations; thread safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, ae_title: str, most: int) -> bool:
        """Take a place for an AE title that may have `most` (0: any number); tells whether."""
        with self._lock:
            if self._taken.total() >= self._most or (most and self._taken[ae_title] >= most):
                return False
            self._taken[ae_title] += 1
            return True

    def give_back(self, ae_title: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[ae_title] -= 1
            if not self._taken[ae_title]:
                del self._taken[ae_title]
