"""The ledger: append with group commit, load, fold, read, follow.

Design A3. Implements `ports.Ledger` on a recorder and a mapper; opened once a process by
`server/wiring.py` with `open_sqlite` or `open_postgres`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar
from uuid import UUID

from kernel.events import Recorded
from kernel.ledger.admission import Prepared
from kernel.ledger.chain import Head, Row
from kernel.ledger.follow import Tail, wait_beyond
from kernel.ledger.group_commit import Committer
from kernel.ledger.mapper import FactMapper
from kernel.ledger.ports import Append, ClaimHeld, LedgerUnavailable
from kernel.ledger.recorder import LedgerRecorder
from kernel.ledger.sealing import KeyRing
from kernel.ledger.sqlite import SqliteRecorder
from kernel.ledger.topics import TopicTable
from kernel.refusals import Refusal
from kernel.times import Clock, micros, now

S = TypeVar("S")

_PAGE = 1000


def open_sqlite(
    path: Path, name: str, *, topics: TopicTable, ring: KeyRing, clock: Clock = now, node: str = ""
) -> EventLedger:
    """Open (and create) the ledger `name` in the SQLite file at `path`."""
    recorder = SqliteRecorder(path, name, clock)
    return EventLedger(recorder, FactMapper(name, topics, ring, node))


def open_postgres(
    dsn: str,
    name: str,
    *,
    topics: TopicTable,
    ring: KeyRing,
    schema: str = "pianku",
    clock: Clock = now,
    node: str = "",
) -> EventLedger:
    """Open (and create) the ledger `name` in a schema of a PostgreSQL database."""
    # The driver is needed by the hospital profile only.
    from kernel.ledger.postgres import PostgresRecorder  # noqa: PLC0415

    recorder = PostgresRecorder(dsn, name, schema=schema, clock=clock)
    return EventLedger(recorder, FactMapper(name, topics, ring, node))


class EventLedger:
    """One ledger. Thread safe; `recorder` and `mapper` are for `verify.py` and the CLI."""

    def __init__(self, recorder: LedgerRecorder, mapper: FactMapper) -> None:
        self.name = recorder.name
        self.recorder = recorder
        self.mapper = mapper
        self._committer = Committer(recorder.commit, recorder.name)
        self._tails: weakref.WeakSet[Tail[Recorded]] = weakref.WeakSet()

    def append(self, batch: Append) -> int:
        """Record `batch` durably and return the position of its last event.

        Raises StreamMoved, ClaimTaken, KeyDestroyed, LedgerUnavailable.
        """
        prepared = self._prepared(batch)
        return self._committer.commit(prepared) if prepared.events else self.head()

    def append_soon(self, batch: Append) -> Future[int]:
        """Like `append`, without waiting: the future is done when the commit is durable."""
        prepared = self._prepared(batch)
        if prepared.events:
            return self._committer.submit(prepared)
        nothing: Future[int] = Future()
        nothing.set_result(self.head())
        return nothing

    def append_all(self, batches: Sequence[Append]) -> list[int | Refusal]:
        """Like `append` for several at once, each for itself: its position or its refusal."""
        outcomes: list[int | Refusal | None] = []
        prepared: list[Prepared] = []
        for batch in batches:
            try:
                one = self._prepared(batch)
            except Refusal as refusal:
                outcomes.append(refusal)
                continue
            outcomes.append(None if one.events else self.head())
            if one.events:
                prepared.append(one)
        committed = iter(self._commit_all(prepared))
        found = [next(committed) if one is None else one for one in outcomes]
        told: list[int | Refusal] = []
        for outcome in found:
            if not isinstance(outcome, (int, Refusal)):
                raise outcome
            told.append(outcome)
        return told

    def _commit_all(self, prepared: Sequence[Prepared]) -> Sequence[int | Exception]:
        try:
            return self._committer.commit_all(prepared) if prepared else ()
        except LedgerUnavailable as refusal:
            return [refusal] * len(prepared)

    def load(self, stream: UUID) -> list[Recorded]:
        """Return the events of one stream in order; empty when it does not exist."""
        return self.mapper.recorded_all(self.recorder.stream_rows(stream))

    def fold(self, stream: UUID, initial: S, apply: Callable[[S, Recorded], S]) -> tuple[S, int]:
        """Return the state made of a stream's events and the stream's version (0 if none)."""
        state, version = initial, 0
        for page in self._stream_pages(stream):
            for recorded in self.mapper.recorded_all(page):
                state, version = apply(state, recorded), recorded.version
        return state, version

    def read(
        self, after: int, limit: int = 1000, topics: Sequence[str] = (), until: int | None = None
    ) -> list[Recorded]:
        """Return up to `limit` events with position > `after` (and <= `until`), in order."""
        rows = self.recorder.rows(after, limit, topics=topics, until=until)
        return self.mapper.recorded_all(rows)

    def head(self) -> int:
        """Return the position of the last committed event, 0 when empty (cheap)."""
        return self.recorder.head().position

    def chain_head(self) -> Head:
        """Return the end of the hash chain, for seals."""
        return self.recorder.head()

    def claims(self, kind: str, keys: Iterable[str]) -> dict[str, ClaimHeld]:
        """Return those of `keys` that are taken."""
        return self.recorder.held(kind, list(dict.fromkeys(keys)))

    def position_at(self, moment: datetime) -> int:
        """Return the position of the last event committed at or before `moment`."""
        wanted = micros(moment)
        low, high = 0, self.head()
        # Times never decrease along the positions, which have no gaps: a binary search will do.
        while low < high:
            middle = (low + high + 1) // 2
            at = self.recorder.at(middle)
            if at is not None and at <= wanted:
                low = middle
            else:
                high = middle - 1
        return low

    def follow(self, after: int, *, limit: int = 1000) -> Tail[Recorded]:
        """Return a follower that yields batches as they are committed, by any process."""
        self.recorder.watch()

        def fetch(position: int) -> tuple[Sequence[Recorded], int]:
            found = self.read(position, limit)
            return found, found[-1].position if found else position

        tail = Tail(fetch, self.recorder.pulse, after)
        self._tails.add(tail)
        return tail

    def wait_beyond(self, position: int, timeout_seconds: float) -> int:
        """Return the head once it lies beyond `position`, or as it is when the time is over."""
        self.recorder.watch()
        return wait_beyond(self.head, self.recorder.pulse, position, timeout_seconds)

    def close(self) -> None:
        """Finish pending appends, end the followers and close the database."""
        self._committer.close()
        for tail in list(self._tails):
            tail.stop()
        self.recorder.close()

    def __enter__(self) -> Self:
        """Return the open ledger."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.close()

    def _prepared(self, batch: Append) -> Prepared:
        prepared = self.mapper.prepare(batch)
        if prepared.claims and not prepared.events:
            raise ValueError("a claim is taken by an event, and this append has none")
        return prepared

    def _stream_pages(self, stream: UUID) -> Iterator[list[Row]]:
        above = 0
        while page := self.recorder.stream_rows(stream, above=above, limit=_PAGE):
            yield page
            if len(page) < _PAGE:
                return
            above = page[-1].version
