"""An installation on each engine for the tests of the guard."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from tests.support.installation import Installation, installation


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Installation]:
    dsn, schema = None, ""
    if request.param == "postgresql":
        dsn = request.getfixturevalue("postgres_dsn")
        schema = request.getfixturevalue("postgres_schema")
    with installation(tmp_path, [AUDIT_TRAIL], dsn=dsn, schema=schema) as made:
        yield made


@pytest.fixture
def demo_place(tmp_path: Path) -> Generator[Installation]:
    with installation(tmp_path, [AUDIT_TRAIL], loopback_system=True) as made:
        yield made
