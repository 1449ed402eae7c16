"""Sixteen document sources and sixteen consumers at once: nothing lost, nothing twice.

A seeded slice of the load that `./pianku soak` runs for five minutes an engine.
"""

from __future__ import annotations

import pytest

from tests.support import document_load
from tests.support.running import RunningPianku


@pytest.mark.tender("R-6.2.6.1")
def test_what_was_acknowledged_is_found_once_by_everybody(pianku: RunningPianku) -> None:
    told = document_load.run(pianku, pairs=16, patients=24, seconds=5, seed=1)

    document_load.check_all(pianku, told)
    assert len(told.documents) >= 32
    assert told.queries >= 32
    assert told.replaced
