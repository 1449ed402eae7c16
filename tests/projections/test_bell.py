"""The bell: it is heard by another process, never blocks and never fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.bell import Bell


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    made = Bell(tmp_path / "views" / "facts.bell")
    yield made
    made.close()


def test_nobody_listens_and_ringing_harms_nobody(bell: Bell) -> None:
    bell.ring()
    bell.ring()


def test_a_ring_is_heard_once_and_one_before_the_wait_counts(bell: Bell) -> None:
    assert bell.listen()
    assert not bell.wait(0.01)
    bell.ring()
    bell.ring()
    assert bell.wait(5)
    assert not bell.wait(0.01)


def test_another_process_is_heard(bell: Bell, tmp_path: Path) -> None:
    assert bell.listen()
    path = tmp_path / "views" / "facts.bell"
    code = (
        "import sys; from pathlib import Path; from projections.bell import Bell;"
        "Bell(Path(sys.argv[1])).ring()"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=30)
    assert bell.wait(5)


def test_a_full_pipe_and_a_listener_that_went_away_do_not_stop_the_ringer(bell: Bell) -> None:
    other = Bell(bell._path)
    assert other.listen()
    for _ in range(70_000):
        bell.ring()
    other.close()
    bell.ring()
    bell.ring()
    assert bell.listen()
    bell.ring()
    assert bell.wait(5)


def test_no_named_pipe_no_bell(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    bell = Bell(tmp_path / "file" / "facts.bell")
    assert not bell.listen()
    bell.ring()
