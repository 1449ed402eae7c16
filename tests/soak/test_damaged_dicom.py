"""Ten thousand seeds of damage and more: files, conversations, STOW-RS requests.

In pieces that can be run again alone (`./pianku soak -k "damaged_dicom and files and 3000"`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bad_input import Target, dimse_threads, resident_octets, target
from tests.support.fuzzing import hold_conversations, post_bodies, post_files, store_files
from tests.support.installation import on_own_schema

PIECE = 1000
GROWTH = 160 << 20
"""Octets that the process may grow by in a piece: caches fill, and no more."""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Target]:
    with target(tmp_path) as found:
        # What is loaded and cached once must not count as growth.
        store_files(found, range(100))
        gc.collect()
        before = resident_octets()
        yield found
        gc.collect()
        assert resident_octets() - before < GROWTH
        assert dimse_threads() == []


@pytest.mark.soak
@pytest.mark.parametrize("first", range(10_000, 16_000, PIECE))
def test_damaged_data_sets(archive: Target, first: int) -> None:
    assert store_files(archive, range(first, first + PIECE), look=2) > PIECE // 5


@pytest.mark.soak
@pytest.mark.parametrize("first", range(20_000, 22_000, PIECE))
def test_damaged_files(archive: Target, first: int) -> None:
    assert post_files(archive, range(first, first + PIECE), look=2) > PIECE // 10


@pytest.mark.soak
@pytest.mark.parametrize("first", range(30_000, 33_000, PIECE))
def test_damaged_conversations(archive: Target, first: int) -> None:
    hold_conversations(archive, range(first, first + PIECE))


@pytest.mark.soak
@pytest.mark.parametrize("first", range(40_000, 42_000, PIECE))
def test_damaged_requests(archive: Target, first: int) -> None:
    assert post_bodies(archive, range(first, first + PIECE)) > PIECE // 10


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_damaged_texts_on_the_other_engine(engine: dict[str, str], tmp_path: Path) -> None:
    with target(tmp_path, **engine) as found:
        assert store_files(found, range(50_000, 50_500), look=5) > 100


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> dict[str, str]:
    return on_own_schema(request)
