"""An installation on each engine for the tests of the guard."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from tests.support.installation import Installation, installation, on_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Installation]:
    with installation(tmp_path, [AUDIT_TRAIL], **on_engine(request)) as made:
        yield made


@pytest.fixture
def demo_place(tmp_path: Path) -> Generator[Installation]:
    with installation(tmp_path, [AUDIT_TRAIL], loopback_system=True) as made:
        yield made
