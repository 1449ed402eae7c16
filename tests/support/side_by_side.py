"""How the workers of pytest-xdist share the tests: a run of one file's tests stays together.

Design F (`./pianku test`). xdist's `loadfile` hands out whole files; a file whose tests run on
both engines would then make its worker start the shared servers anew, once per engine and file.
pytest has already put the tests of an engine beside each other: that order is kept, and cut
where the file changes. Called by tests/conftest.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_FIRST = "tests/walks/"
_LAST = "tests/architecture/"


def turn(item: pytest.Item) -> int:
    """Return when a test comes: the long ones first, so that no worker ends with one alone."""
    if item.nodeid.startswith(_FIRST):
        return 0
    return 2 if item.nodeid.startswith(_LAST) else 1


class SideBySide(LoadScopeScheduling):
    """Hand out runs of consecutive tests of one file, in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._runs: dict[str, str] = {}

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Take a worker's list of tests; the first one says where the runs are."""
        if not self._runs:
            self._runs = runs(collection)
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return self._runs[nodeid]


def runs(collection: Sequence[str]) -> dict[str, str]:
    """Return the name of the run each test belongs to."""
    named: dict[str, str] = {}
    begun: dict[str, int] = {}
    last = ""
    for nodeid in collection:
        file = nodeid.partition("::")[0]
        if file != last:
            begun[file] = begun.get(file, 0) + 1
        named[nodeid] = f"{file}#{begun[file]}"
        last = file
    return named
