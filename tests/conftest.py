"""Fixtures of the whole test tree: peers, PostgreSQL, and a running Pianku for the walks.

Called by pytest.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the long tests begin when workers share them (pytest-xdist); else as they stand."""
    if hasattr(config, "workerinput"):
        from tests.support.side_by_side import turn  # noqa: PLC0415 - needs pytest-xdist

        items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share by runs of a file's tests where `loadfile` is asked for."""
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.support.side_by_side import SideBySide  # noqa: PLC0415 - needs pytest-xdist

    return SideBySide(config, log)


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
