"""Sixteen sources and sixteen consumers for five minutes on each engine, then `events verify`."""

from __future__ import annotations

import pytest

from tests.support import document_load
from tests.support.running import RunningPianku


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_five_minutes_of_load_lose_and_repeat_nothing(engine_dsn: str | None) -> None:
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",)) as running:
        told = document_load.run(running, pairs=16, patients=600, seconds=300, seed=7)
        document_load.check_all(running, told)
        running.cli("events", "verify")
    print(  # noqa: T201 - the figures of the proof
        f"{len(told.documents)} documents, {len(told.replaced)} replaced, "
        f"{told.queries} queries, {told.retrievals} retrievals"
    )
    assert len(told.documents) > 1000
