"""The two presets: `embedded` (SQLite and files) and `hospital` (PostgreSQL, roles apart).

Design A2: same code, same tests. Called by `settings.load`, which lays the rest over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "embedded": {"ledger": {"engine": "sqlite"}},
    "hospital": {
        "ledger": {"engine": "postgresql"},
        "http": {"host": "0.0.0.0", "workers": 2},  # noqa: S104 - a server of the hospital's net
        "dimse": {"host": "0.0.0.0", "receivers": 2},  # noqa: S104
        "mllp": {"host": "0.0.0.0"},  # noqa: S104
    },
}


def preset(name: str) -> Mapping[str, Any]:
    """Return the settings a profile starts from; an unknown name starts from nothing."""
    return _PRESETS.get(name, {})
