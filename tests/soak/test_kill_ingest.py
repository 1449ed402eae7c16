"""Two hundred seeded kills of a receiver: nothing acknowledged is missing, nothing half is seen."""

import pytest

from tests.support.kill_ingest import Killed


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_missing_after_two_hundred_kills(tmp_path):
    archive = Killed(tmp_path)
    sure = [archive.round(seed, images=25) for seed in range(1000, 1200)]
    archive.stop()
    assert sum(sure) > 1000
