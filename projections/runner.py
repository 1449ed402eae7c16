"""Follows the ledgers and applies events to the views, exactly once, in batches.

Design A4: up to 1,000 events a transaction, position in the same transaction, a poison event
stops its view only, generations that caught up are switched live. One runner per installation.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from kernel.events import Recorded
from kernel.ledger.ports import Follower, Ledger
from kernel.refusals import Unavailable
from projections.contract import Projection, ViewSpec
from projections.database import (
    AWAY,
    BUILDING,
    GENERATIONS,
    LIVE,
    RETIRED,
    STOPPED,
    Generation,
    ViewsDatabase,
)
from projections.idleness import Idleness

log = logging.getLogger("pianku.projections")
_BATCH: Final = 1000
_ATTEND_SECONDS: Final = 1.0
_GULP_SECONDS: Final = 0.25
_LONG_GULP_SECONDS: Final = 1.0
_SHARE: Final = 20
"""While nobody waits the projector takes no more than about a twentieth of a busy machine."""
_IDLE_ENOUGH: Final = 0.2
"""Of all processors' time: then nobody pays for a shorter gulp."""
_GULP_WITHOUT_BELL_SECONDS: Final = 0.02
_AWAY: Final = (Unavailable, *AWAY)
"""What says that a tier or the database cannot serve now; anything else is poison."""


_MOVE: Final = (
    GENERATIONS.update()
    .where(
        GENERATIONS.c.view == sa.bindparam("of_view"),
        GENERATIONS.c.generation == sa.bindparam("of_generation"),
        GENERATIONS.c.position == sa.bindparam("seen"),
        GENERATIONS.c.state.in_((LIVE, BUILDING)),
    )
    .values(position=sa.bindparam("reached"))
)
"""Made once: for each view and batch, making the statement cost more than running it."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a generation of a view is behind its ledger."""

    view: str
    generation: int
    state: str
    position: int
    lag_events: int
    error: str
    error_position: int


def _wanted(spec: ViewSpec, events: Sequence[Recorded]) -> list[Recorded]:
    return [event for event in events if event.fact.TOPIC in spec.topics]


def _move(connection: sa.Connection, generation: Generation, position: int) -> bool:
    """Move a generation on; False when somebody else has moved it meanwhile.

    Done before its rows are written, in their transaction: a second runner waits here for the
    first and then finds that there is nothing left to do, so no event is applied twice.
    """
    moved = connection.execute(
        _MOVE,
        {
            "of_view": generation.view,
            "of_generation": generation.generation,
            "seen": generation.position,
            "reached": position,
        },
    )
    return moved.rowcount == 1


class Runner:
    """Applies events of `ledgers` to every view of `database`."""

    def __init__(self, database: ViewsDatabase, ledgers: Mapping[str, Ledger]) -> None:
        self._database = database
        self._ledgers = ledgers
        self._projections: dict[tuple[str, int], Projection] = {}
        self._followers: list[Follower] = []
        self._followed: dict[str, int] = {}
        """Up to where each ledger's follower has come."""
        self._stopping = threading.Event()
        self._idleness = Idleness()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Follow every ledger until `stop`; blocks."""
        threads = [
            threading.Thread(target=self._follow, args=(name,), name=f"projector-{name}")
            for name in self._ledgers
        ]
        for thread in threads:
            thread.start()
        while not self._stopping.wait(_ATTEND_SECONDS):
            self._attempt(self._attend)
        for thread in threads:
            thread.join()

    def _attend(self) -> None:
        """Bring up what no new event would wake: rebuilds asked for, views resumed.

        What the follower has not come to yet is left to it.
        """
        for name, ledger in self._ledgers.items():
            behind = self._lowest(name) < min(self._followed.get(name, 0), ledger.head())
            if behind or any(row.state == BUILDING for row in self._running(name)):
                self.catch_up(name)

    def stop(self) -> None:
        """End `run` soon; may be called from any thread or a signal handler."""
        self._stopping.set()
        for follower in list(self._followers):
            follower.stop()
        for bell in self._database.bells.values():
            bell.ring()

    def _follow(self, ledger: str) -> None:
        while not self._stopping.is_set():
            self._attempt(lambda: self._follow_on(ledger))

    def _follow_on(self, ledger: str) -> None:
        self.catch_up(ledger)
        lowest = self._followed[ledger] = self._lowest(ledger)
        follower = self._ledgers[ledger].follow(lowest)
        self._followers.append(follower)
        if self._stopping.is_set():
            return
        for batch in follower:
            if self._stopping.is_set():
                return
            began = time.monotonic()
            self._take(ledger, batch)
            self._followed[ledger] = batch[-1].position
            self._pause(ledger, began)

    def _pause(self, ledger: str, began: float) -> None:
        """Let events gather, unless a reader waits for them.

        A steady stream of small commits is taken in gulps: a transaction costs as much as twenty
        events. After a pause the first event is applied at once.
        """
        bell = self._database.bells.get(ledger)
        if bell is not None and bell.listen():
            took = time.monotonic() - began
            until = began + max(_GULP_SECONDS, min(_SHARE * took, _LONG_GULP_SECONDS))
            self._idleness.look()
            while (left := until - time.monotonic()) > 0:
                if bell.wait(min(left, _GULP_SECONDS)):
                    return
                if self._idleness.look() > _IDLE_ENOUGH:
                    return
        else:
            self._stopping.wait(max(0.0, began + _GULP_WITHOUT_BELL_SECONDS - time.monotonic()))

    def _take(self, ledger: str, batch: Sequence[Recorded]) -> None:
        # A rebuild asked for meanwhile starts from 0: it is brought up beside the live one.
        if self.apply(ledger, batch) < batch[-1].position:
            self.catch_up(ledger)

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do it; whatever goes wrong nothing is lost, and it is tried again a little later."""
        try:
            work()
        except Exception as problem:  # noqa: BLE001 - only its kind is told: it may quote data
            log.warning("views wait", extra={"problem": type(problem).__name__})
            self._stopping.wait(_ATTEND_SECONDS)

    def catch_up(self, ledger: str) -> None:
        """Apply everything the ledger holds, then switch generations that are complete."""
        # Generations whose tier is away stay where they are and must not hold up the others.
        stuck: set[tuple[str, int]] = set()
        while not self._stopping.is_set():
            moving = [g for g in self._running(ledger) if (g.view, g.generation) not in stuck]
            lowest = min((g.position for g in moving), default=None)
            if lowest is None:
                break
            batch = self._ledgers[ledger].read(lowest, _BATCH)
            if not batch:
                break
            self.apply(ledger, batch)
            behind = {(g.view, g.generation) for g in moving if g.position == lowest}
            stuck |= behind & {
                (g.view, g.generation) for g in self._running(ledger) if g.position == lowest
            }
        self._switch(ledger)

    def apply(self, ledger: str, batch: Sequence[Recorded]) -> int:
        """Apply a batch to every running generation that has not seen it, in one transaction.

        Returns the lowest position at which any of them stands now.
        """
        end = batch[-1].position
        with self._lock:
            running = self._running(ledger)
            # A generation that is further behind would skip events: catch_up sees to it.
            ready = [g for g in running if batch[0].position - 1 <= g.position < end]
            failed = self._together(ready, batch)
            for generation, problem in failed:
                pending = [e for e in batch if e.position > generation.position]
                self._one_by_one(generation, pending, problem)
            if not failed and all(g in ready or g.position >= end for g in running):
                return end
            return self._lowest(ledger)

    def _together(
        self, ready: Sequence[Generation], batch: Sequence[Recorded]
    ) -> list[tuple[Generation, Exception]]:
        """Apply and move on all generations; returns those that could not."""
        failed: list[tuple[Generation, Exception]] = []
        with self._database.writer.begin() as connection:
            for generation in ready:
                spec = self._database.specs[generation.view]
                wanted = _wanted(spec, [e for e in batch if e.position > generation.position])
                try:
                    if not wanted:
                        _move(connection, generation, batch[-1].position)
                        continue
                    with connection.begin_nested():
                        if _move(connection, generation, batch[-1].position):
                            self._projection(generation, spec).apply(connection, wanted)
                except Exception as problem:  # noqa: BLE001 - told apart in _one_by_one
                    failed.append((generation, problem))
        return failed

    def _one_by_one(
        self, generation: Generation, events: Sequence[Recorded], problem: Exception
    ) -> None:
        """Apply what comes before a poison event, then stop the view at it."""
        if isinstance(problem, _AWAY):
            # A tier that is away is no poison: nothing was applied, `_attend` tries again.
            log.warning("view waits", extra={"view": generation.view})
            return
        spec = self._database.specs[generation.view]
        for event in events:
            try:
                with self._database.writer.begin() as connection:
                    if not _move(connection, generation, event.position):
                        return
                    if wanted := _wanted(spec, (event,)):
                        self._projection(generation, spec).apply(connection, wanted)
                generation = replace(generation, position=event.position)
            except _AWAY:
                return
            except Exception as cause:  # noqa: BLE001 - whatever it is, only this view stops
                self._poisoned(generation, event, cause)
                return

    def _projection(self, generation: Generation, spec: ViewSpec) -> Projection:
        key = (generation.view, generation.generation)
        if key not in self._projections:
            tables = self._database.tables(generation.view, generation.suffix)
            self._projections[key] = spec.make_projection(tables)
        return self._projections[key]

    def _poisoned(self, generation: Generation, event: Recorded, problem: Exception) -> None:
        # The exception's text may quote values of the event: only its kind is told.
        log.error(
            "view stopped",
            extra={
                "view": generation.view,
                "position": event.position,
                "topic": event.topic,
                "problem": type(problem).__name__,
            },
        )
        log.debug("view stopped by", exc_info=problem)
        with self._database.writer.begin() as connection:
            connection.execute(
                GENERATIONS.update()
                .where(
                    GENERATIONS.c.view == generation.view,
                    GENERATIONS.c.generation == generation.generation,
                )
                .values(
                    state=STOPPED,
                    error=f"{type(problem).__name__} on {event.topic}",
                    error_position=event.position,
                )
            )

    def _running(self, ledger: str) -> list[Generation]:
        with self._database.reader.connect() as connection:
            rows = self._database.generations(connection)
        return [
            row
            for row in rows
            if row.state in {LIVE, BUILDING}
            and row.view in self._database.specs
            and self._database.specs[row.view].ledger == ledger
            and self._database.specs[row.view].version == row.version
        ]

    def _lowest(self, ledger: str) -> int:
        running = self._running(ledger)
        if not running:
            return self._ledgers[ledger].head()
        return min(row.position for row in running)

    def _switch(self, ledger: str) -> None:
        """Make complete `building` generations live and retire the ones they replace."""
        head = self._ledgers[ledger].head()
        for row in self._running(ledger):
            if row.state != BUILDING or row.position < head:
                continue
            with self._database.writer.begin() as connection:
                of_view = GENERATIONS.c.view == row.view
                connection.execute(
                    GENERATIONS.update()
                    .where(of_view, GENERATIONS.c.generation != row.generation)
                    .values(state=RETIRED)
                )
                connection.execute(
                    GENERATIONS.update()
                    .where(of_view, GENERATIONS.c.generation == row.generation)
                    .values(state=LIVE)
                )
            log.info("view switched", extra={"view": row.view, "generation": row.generation})

    def lags(self) -> list[Lag]:
        """Return every generation's state and its distance from the ledger's head."""
        with self._database.reader.connect() as connection:
            rows = self._database.generations(connection)
        found = []
        for row in rows:
            spec = self._database.specs.get(row.view)
            if spec is None or row.state == RETIRED:
                continue
            head = self._ledgers[spec.ledger].head()
            found.append(
                Lag(
                    row.view,
                    row.generation,
                    row.state,
                    row.position,
                    head - row.position,
                    row.error,
                    row.error_position,
                )
            )
        return found

    def rebuild(self, view: str) -> Generation:
        """Begin a new generation beside the live one; a running projector fills and switches it."""
        with self._database.writer.begin() as connection:
            return self._database.add_generation(connection, self._database.specs[view], BUILDING)

    def resume(self, view: str) -> None:
        """Let a stopped view try its poison event again (after a repair)."""
        with self._database.writer.begin() as connection:
            connection.execute(
                sa.update(GENERATIONS)
                .where(GENERATIONS.c.view == view, GENERATIONS.c.state == STOPPED)
                .values(state=LIVE, error="", error_position=0)
            )

    def drop_retired(self) -> None:
        """Drop the tables of generations that no reader can still be using (at start-up)."""
        with self._database.writer.begin() as connection:
            for row in self._database.generations(connection):
                if row.state != RETIRED or row.view not in self._database.specs:
                    continue
                self._database.tables(row.view, row.suffix).metadata.drop_all(connection)
                connection.execute(
                    GENERATIONS.delete().where(
                        GENERATIONS.c.view == row.view, GENERATIONS.c.generation == row.generation
                    )
                )
