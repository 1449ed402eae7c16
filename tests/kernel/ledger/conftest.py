"""The two engines, so that every contract test runs on both.

Design A2. Called by pytest.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from kernel.ledger.ledger import EventLedger
from tests.kernel.ledger.samples import Engine


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Engine]:
    """A fresh place for ledgers on each engine."""
    if request.param == "sqlite":
        made = Engine("sqlite", str(tmp_path))
    else:
        dsn, schema = (request.getfixturevalue(n) for n in ("postgres_dsn", "postgres_schema"))
        made = Engine("postgresql", dsn, schema)
    yield made
    made.close()


@pytest.fixture
def ledger(engine: Engine) -> EventLedger:
    """An open, empty ledger."""
    return engine.open(node="node-1")
