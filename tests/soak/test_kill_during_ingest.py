"""Seeded power cuts of a whole installation while images come in, on both engines.

In pieces that can be run again alone; the receiver by itself is killed in test_kill_ingest.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.power_cut import cut_during_ingest
from tests.support.running import RunningPianku

PIECE = 20


@pytest.mark.soak
@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("first", [100, 120])
def test_nothing_acknowledged_is_missing_after_twenty_cuts(
    engine_dsn: str | None, tmp_path: Path, first: int
) -> None:
    sure = 0
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",)) as running:
        for seed in range(first, first + PIECE):
            sure += cut_during_ingest(running, seed, tmp_path)
            shutil.rmtree(tmp_path / f"cut{seed}")
        running.cli("events", "verify")
    assert sure > PIECE
