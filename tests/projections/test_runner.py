"""The runner: exactly once, poison stops one view only, rebuild beside the live view."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from kernel.events import Fact, Recorded
from kernel.ledger.ledger import EventLedger, open_sqlite
from kernel.ledger.ports import Append, StreamAppend
from kernel.ledger.topics import TopicTable
from kernel.refusals import Unavailable
from projections import runner as runner_module
from projections.bell import Bell
from projections.contract import ViewSpec
from projections.database import ViewBehind, ViewsAway, ViewsDatabase, sqlite_engine
from projections.runner import Runner


class Counted(Fact, frozen=True, kw_only=True):
    """Something to count."""

    TOPIC: ClassVar[str] = "test.counted:v1"
    number: int


class Ignored(Fact, frozen=True, kw_only=True):
    """Something no view wants."""

    TOPIC: ClassVar[str] = "test.ignored:v1"


class NoKeys:
    def key_for(self, patient_key: UUID, *, create: bool) -> bytes | None:
        raise AssertionError("nothing personal here")

    def destroy(self, patient_key: UUID) -> None:
        raise AssertionError("nothing personal here")


class CountTables:
    def __init__(self, name: str, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.row = sa.Table(
            f"{name}{suffix}", self.metadata, sa.Column("number", sa.Integer, primary_key=True)
        )


class CountProjection:
    poison: ClassVar[set[int]] = set()

    def __init__(self, tables: CountTables, *, poisonable: bool) -> None:
        self._tables = tables
        self._poisonable = poisonable

    def apply(self, connection: sa.Connection, events: Sequence[Recorded]) -> None:
        for event in events:
            assert isinstance(event.fact, Counted)
            if self._poisonable and event.fact.number in self.poison:
                raise ValueError("a poison event")
            # A primary key: applying an event twice would fail.
            connection.execute(self._tables.row.insert().values(number=event.fact.number))


def spec(name: str, *, poisonable: bool = False, version: int = 1) -> ViewSpec:
    return ViewSpec(
        name=name,
        version=version,
        topics=(Counted.TOPIC,),
        make_tables=lambda suffix: CountTables(name, suffix),
        make_projection=lambda tables: CountProjection(tables, poisonable=poisonable),
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[EventLedger]:
    opened = open_sqlite(
        tmp_path / "facts.sqlite", "facts", topics=TopicTable([Counted, Ignored]), ring=NoKeys()
    )
    CountProjection.poison.clear()
    yield opened
    opened.close()


def database(
    tmp_path: Path, ledger: EventLedger, *specs: ViewSpec, bells: dict[str, Bell] | None = None
) -> ViewsDatabase:
    path = str(tmp_path / "views.sqlite")
    made = ViewsDatabase(
        sqlite_engine(path, writer=False),
        sqlite_engine(path, writer=True),
        specs,
        {"facts": ledger.head},
        bells=bells,
        barrier_seconds=0.3 if bells is None else 10,
    )
    made.create()
    return made


def test_a_reader_that_waits_cuts_the_gulp_short(
    tmp_path: Path, ledger: EventLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_GULP_SECONDS", 60.0)
    bell = Bell(tmp_path / "facts.bell")
    views = database(tmp_path, ledger, spec("a"), bells={"facts": bell})
    runner = Runner(views, {"facts": ledger})
    # The runner's own look each second would bring the view up as well: it is left out.
    monkeypatch.setattr(runner, "_attend", lambda: None)
    follows = threading.Thread(target=runner.run)
    follows.start()
    try:
        for number in range(1, 6):
            count(ledger, number)
            assert rows(views, "a") == list(range(1, number + 1))
    finally:
        runner.stop()
        follows.join(10)
    assert not follows.is_alive()  # a stop cuts it short too
    views.close()


def count(ledger: EventLedger, *numbers: int) -> None:
    facts = tuple(Counted(number=n) for n in numbers)
    ledger.append(Append((StreamAppend(uuid4(), facts),)))


def rows(views: ViewsDatabase, name: str, *, fresh: bool = True) -> list[int]:
    with views.reading(name, fresh=fresh) as (connection, tables):
        return sorted(connection.scalars(sa.select(tables.row.c.number)))


def test_every_event_is_applied_once_and_positions_follow(
    tmp_path: Path, ledger: EventLedger
) -> None:
    views = database(tmp_path, ledger, spec("a"), spec("b"))
    runner = Runner(views, {"facts": ledger})
    count(ledger, 1, 2, 3)
    runner.catch_up("facts")
    runner.catch_up("facts")
    runner.apply("facts", ledger.read(0))  # a batch seen before changes nothing
    assert rows(views, "a") == [1, 2, 3]
    assert rows(views, "b") == [1, 2, 3]
    assert {lag.lag_events for lag in runner.lags()} == {0}


def test_a_view_that_wants_none_of_the_events_still_moves_on(
    tmp_path: Path, ledger: EventLedger
) -> None:
    views = database(tmp_path, ledger, spec("a"))
    ledger.append(Append((StreamAppend(uuid4(), (Ignored(),)),)))
    Runner(views, {"facts": ledger}).catch_up("facts")
    assert rows(views, "a") == []


def test_a_reader_waits_for_what_was_acknowledged_and_gives_up_with_a_refusal(
    tmp_path: Path, ledger: EventLedger
) -> None:
    views = database(tmp_path, ledger, spec("a"))
    count(ledger, 1)
    with pytest.raises(ViewBehind):
        rows(views, "a")
    runner = Runner(views, {"facts": ledger})
    late = threading.Timer(0.1, runner.catch_up, ("facts",))
    late.start()
    assert rows(views, "a") == [1]
    late.join()


def test_a_poison_event_stops_only_its_view_and_is_told(
    tmp_path: Path, ledger: EventLedger
) -> None:
    views = database(tmp_path, ledger, spec("sick", poisonable=True), spec("well"))
    runner = Runner(views, {"facts": ledger})
    CountProjection.poison.add(2)
    count(ledger, 1, 2, 3)
    runner.catch_up("facts")
    assert rows(views, "well") == [1, 2, 3]
    sick = next(lag for lag in runner.lags() if lag.view == "sick")
    assert (sick.state, sick.error_position, sick.position) == ("stopped", 2, 1)
    assert "poison" not in sick.error  # the exception's text may hold personal data
    with pytest.raises(ViewBehind):
        rows(views, "sick")
    CountProjection.poison.clear()
    runner.resume("sick")
    runner.catch_up("facts")
    assert rows(views, "sick") == [1, 2, 3]


@pytest.mark.tender("R-4.3c")
def test_a_rebuild_runs_beside_the_live_view_and_is_switched(
    tmp_path: Path, ledger: EventLedger
) -> None:
    views = database(tmp_path, ledger, spec("a"))
    runner = Runner(views, {"facts": ledger})
    count(ledger, 1, 2)
    runner.catch_up("facts")
    before = views.live("a")
    runner.rebuild("a")
    count(ledger, 3)
    # The new generation must not skip to the newest batch.
    runner.apply("facts", ledger.read(2))
    assert rows(views, "a") == [1, 2, 3]
    runner.catch_up("facts")
    time.sleep(0.6)  # the live generation is remembered for half a second
    assert views.live("a").generation == before.generation + 1
    assert rows(views, "a") == [1, 2, 3]
    runner.drop_retired()
    assert len(runner.lags()) == 1


def test_a_raised_version_builds_a_new_generation_from_the_first_event(
    tmp_path: Path, ledger: EventLedger
) -> None:
    old = database(tmp_path, ledger, spec("a"))
    Runner(old, {"facts": ledger}).catch_up("facts")
    count(ledger, 1, 2)
    new = database(tmp_path, ledger, spec("a", version=2))
    with pytest.raises(ViewBehind):
        new.live("a")
    Runner(new, {"facts": ledger}).catch_up("facts")
    assert rows(new, "a") == [1, 2]


def test_the_running_projector_follows_and_notices_a_rebuild(
    tmp_path: Path, ledger: EventLedger
) -> None:
    views = database(tmp_path, ledger, spec("a"))
    runner = Runner(views, {"facts": ledger})
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        count(ledger, 1)
        views._barrier_seconds = 10.0
        assert rows(views, "a") == [1]
        made = runner.rebuild("a")
        deadline = time.monotonic() + 10
        while views.live("a").generation != made.generation and time.monotonic() < deadline:
            time.sleep(0.05)
        assert views.live("a").generation == made.generation
    finally:
        runner.stop()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "problem", [Unavailable(), sa.exc.OperationalError("statement", {}, Exception("disk full"))]
)
def test_a_tier_or_database_that_is_away_is_no_poison(
    tmp_path: Path, ledger: EventLedger, problem: Exception
) -> None:
    away = True

    class Reading:
        def __init__(self, tables: CountTables) -> None:
            self._tables = tables

        def apply(self, connection: sa.Connection, events: Sequence[Recorded]) -> None:
            if away:
                raise problem
            CountProjection(self._tables, poisonable=False).apply(connection, events)

    view = ViewSpec(
        name="a",
        version=1,
        topics=(Counted.TOPIC,),
        make_tables=lambda suffix: CountTables("a", suffix),
        make_projection=Reading,
    )
    views = database(tmp_path, ledger, view)
    runner = Runner(views, {"facts": ledger})
    count(ledger, 1, 2)
    runner.catch_up("facts")
    assert [(lag.state, lag.position) for lag in runner.lags()] == [("live", 0)]
    away = False
    runner.catch_up("facts")
    assert rows(views, "a") == [1, 2]


def test_a_second_projector_applies_nothing_twice(
    tmp_path: Path, ledger: EventLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = database(tmp_path, ledger, spec("a"))
    first, second = Runner(views, {"facts": ledger}), Runner(views, {"facts": ledger})
    count(ledger, 1, 2)
    as_it_stood = second._running("facts")
    first.catch_up("facts")
    # The second looked before the first was done: its row says position 0.
    monkeypatch.setattr(second, "_running", lambda _ledger: as_it_stood)
    second.apply("facts", ledger.read(0))
    assert rows(views, "a") == [1, 2]
    assert [lag.state for lag in first.lags()] == ["live"]


def test_a_reader_is_told_that_the_database_is_away(tmp_path: Path, ledger: EventLedger) -> None:
    views = database(tmp_path, ledger, spec("a"))
    with pytest.raises(ViewsAway), views.reading("a") as (connection, _tables):
        connection.execute(sa.text("SELECT * FROM nowhere"))
