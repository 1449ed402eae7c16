"""Kill -9 while images come in: a slice of ten seeds (two hundred in tests/soak)."""

import pytest

from tests.support.kill_ingest import Killed


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_missing_after_ten_kills(tmp_path):
    archive = Killed(tmp_path)
    sure = [archive.round(seed) for seed in range(10)]
    archive.stop()
    assert sum(sure) > 20, "every kill came before the first image: the test proves nothing"
