"""Unused processor time, read as Linux tells it."""

from pathlib import Path

from projections.idleness import Idleness


def told(path: Path, *, busy: int, idle: int, disk: int = 0) -> None:
    path.write_text(
        f"cpu  {busy} 0 0 {idle} {disk} 0 0 0 5 5\ncpu0 1 1 1 1 1 1 1 1 1 1\n", encoding="ascii"
    )


def test_the_unused_part_is_that_since_the_last_look(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    told(stat, busy=1000, idle=0)
    idleness = Idleness(stat)
    told(stat, busy=1030, idle=60, disk=10)
    assert idleness.look() == 0.7
    told(stat, busy=1130, idle=60, disk=10)
    assert idleness.look() == 0.0


def test_a_machine_that_does_not_tell_counts_as_busy(tmp_path: Path) -> None:
    assert Idleness(tmp_path / "none").look() == 0.0
    (tmp_path / "stat").write_text("cpu\n", encoding="ascii")
    assert Idleness(tmp_path / "stat").look() == 0.0
