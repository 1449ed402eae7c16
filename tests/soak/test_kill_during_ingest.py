"""Two hundred seeded power cuts while images come in, on both engines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.power_cut import cut_during_ingest
from tests.support.running import RunningPianku


@pytest.mark.soak
@pytest.mark.peer("dcmtk")
@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_missing_after_two_hundred_cuts(
    engine_dsn: str | None, tmp_path: Path
) -> None:
    sure = 0
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",)) as running:
        for seed in range(100, 300):
            sure += cut_during_ingest(running, seed, tmp_path)
            shutil.rmtree(tmp_path / f"cut{seed}")
            if seed % 20 == 19:
                running.cli("events", "verify")
    assert sure > 1000
