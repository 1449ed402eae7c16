"""Whether the machine has processor time left that nobody uses.

Design A4. The projector works at once where it takes nothing from receivers, and rarely where it
does. Reads Linux' `/proc/stat`; elsewhere the machine counts as busy. Called by `runner.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/stat")
_IDLE: Final = 3
_WAITING_FOR_DISK: Final = 4


class Idleness:
    """Measures the time between two looks."""

    def __init__(self, stat: Path = _STAT) -> None:
        self._stat = stat
        self._seen = self._read()

    def look(self) -> float:
        """Return the unused part of all processors' time since the last look, from 0 to 1."""
        before, self._seen = self._seen, self._read()
        passed = self._seen[1] - before[1]
        return (self._seen[0] - before[0]) / passed if passed > 0 else 0.0

    def _read(self) -> tuple[int, int]:
        """Return idle and all ticks since the machine started; zeros where nothing tells."""
        try:
            with self._stat.open(encoding="ascii") as told:
                ticks = [int(word) for word in told.readline().split()[1:9]]
        except (OSError, ValueError):
            return 0, 0
        if len(ticks) <= _WAITING_FOR_DISK:
            return 0, 0
        return ticks[_IDLE] + ticks[_WAITING_FOR_DISK], sum(ticks)
