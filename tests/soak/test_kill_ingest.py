"""Two hundred seeded kills of a receiver: nothing acknowledged is missing, nothing half is seen.

In pieces that can be run again alone (`./pianku soak -k "kill_ingest and 1050"`).
"""

from pathlib import Path

import pytest

from tests.support.kill_ingest import Killed

PIECE = 50


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1000, 1200, PIECE))
def test_nothing_acknowledged_is_missing_after_fifty_kills(tmp_path: Path, first: int) -> None:
    archive = Killed(tmp_path)
    sure = [archive.round(seed, images=25) for seed in range(first, first + PIECE)]
    archive.stop()
    assert sum(sure) > PIECE
