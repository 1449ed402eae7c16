"""The long loop of kill -9: what a writer was told to be durable is there, whatever happened.

Design A2, A3 (soak). Called by `./pianku soak`.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kernel.ledger.samples import Engine
from tests.kernel.ledger.test_processes import kill_at_random

ROUNDS = 150


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Engine]:
    """A fresh place for a ledger on each engine."""
    if request.param == "sqlite":
        made = Engine("sqlite", str(tmp_path))
    else:
        dsn, schema = (request.getfixturevalue(n) for n in ("postgres_dsn", "postgres_schema"))
        made = Engine("postgresql", dsn, schema)
    yield made
    made.close()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_killed_writers_leave_what_they_acknowledged(engine: Engine) -> None:
    engine.open()
    chance = random.Random()
    told = sum(kill_at_random(engine, writer, chance) for writer in range(1, ROUNDS + 1))
    assert told > ROUNDS
