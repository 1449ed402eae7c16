"""Fixtures of the whole test tree: peers, PostgreSQL, and a running Pianku for the walks.

Called by pytest.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support import peers
from tests.support.postgres import postgres_dsn, postgres_schema
from tests.support.running import RunningPianku

__all__ = ["engine_dsn", "pianku", "postgres_dsn", "postgres_schema"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip visibly, or fail where peers are required, what needs a program that is not here."""
    for marker in item.iter_markers("peer"):
        for name in marker.args:
            peers.peer(name)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine_dsn(request: pytest.FixtureRequest) -> str | None:
    """The connection string of the ledger's engine; None is SQLite."""
    if request.param == "sqlite":
        return None
    peers.peer("postgresql")
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


@pytest.fixture(scope="session")
def pianku(engine_dsn: str | None) -> Generator[RunningPianku]:
    """A running demo installation without samples that all walks share, once per engine."""
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",)) as running:
        yield running
