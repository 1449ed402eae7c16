"""Power goes while a modality sends; nothing that was acknowledged is lost.

A slice of seeded cuts, six on SQLite and four on PostgreSQL; the two hundred are in `tests/soak`.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.power_cut import cut_during_ingest
from tests.support.running import RunningPianku

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.timeout(600)]


@pytest.fixture
def own(engine_dsn: str | None) -> Generator[RunningPianku]:
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",)) as running:
        yield running


def test_nothing_acknowledged_is_missing_after_the_cuts(own: RunningPianku, tmp_path: Path) -> None:
    seeds = range(6) if own.engine == "sqlite" else range(6, 10)
    sure = [cut_during_ingest(own, seed, tmp_path) for seed in seeds]

    own.cli("events", "verify")
    assert sum(sure) > 0, "every cut came before the first image: the test proves nothing"
