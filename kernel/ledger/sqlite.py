"""The SQLite engine: one file a ledger, WAL, synchronous=FULL, BEGIN IMMEDIATE.

Design A2 (embedded), A3. The head row, the events, their hashes and the claims are written in one
transaction. Called by `ledger.open_sqlite`.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from kernel.ledger.admission import Admitted, Outcome, Prepared, admit, claims_of, streams_of
from kernel.ledger.chain import SUITE, Head, Row, genesis, link
from kernel.ledger.ports import ClaimHeld, LedgerUnavailable
from kernel.ledger.readers import Readers
from kernel.ledger.recorder import LedgerRecorder, held_names
from kernel.times import Clock, micros

TABLES: Final = """
CREATE TABLE IF NOT EXISTS head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  ledger TEXT NOT NULL, suite TEXT NOT NULL,
  position INTEGER NOT NULL, hash BLOB NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS event (
  position INTEGER PRIMARY KEY,
  stream BLOB NOT NULL CHECK (length(stream) = 16), version INTEGER NOT NULL,
  topic TEXT NOT NULL, at INTEGER NOT NULL, envelope TEXT NOT NULL, body TEXT NOT NULL,
  sealed_for BLOB CHECK (length(sealed_for) = 16), sealed BLOB, hash BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS event_stream ON event (stream, version);
CREATE TABLE IF NOT EXISTS claim (
  kind TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS readable AS
  SELECT position, lower(hex(stream)) AS stream, version, topic,
    strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || 'Z' AS at,
    json_extract(envelope, '$.subject') AS subject,
    json_extract(envelope, '$.purpose') AS purpose,
    json_extract(envelope, '$.protocol') AS protocol,
    json_extract(envelope, '$.address') AS address,
    json_extract(envelope, '$.correlation') AS correlation,
    body, sealed_for IS NOT NULL AS sealed
  FROM event;
"""
_SELECT: Final = """
SELECT position, stream, version, topic, at, envelope, body, sealed_for, sealed, hash FROM event
"""
_INSERT: Final = """
INSERT INTO event (position, stream, version, topic, at, envelope, body, sealed_for, sealed, hash)
VALUES (?,?,?,?,?,?,?,?,?,?)
"""
_VERSION: Final = "SELECT version FROM event WHERE stream = ? ORDER BY version DESC LIMIT 1"
_GAP: Final = """
SELECT position FROM event e WHERE version > 1
  AND NOT EXISTS (SELECT 1 FROM event b WHERE b.stream = e.stream AND b.version = e.version - 1)
  ORDER BY position LIMIT 1"""
_BOUNDS: Final = "SELECT coalesce(min(position), 1), coalesce(max(position), 0) FROM claim"
_MAX_READERS: Final = 16
_LOCK_SECONDS: Final = 30.0
_POLL_SECONDS: Final = (0.001, 0.008)
_NO_END: Final = 2**63 - 1


class SqliteRecorder(LedgerRecorder):
    """One ledger in one SQLite file; other processes may have the same file open."""

    def __init__(self, path: Path, name: str, clock: Clock) -> None:
        super().__init__(name)
        self._path = path
        self._clock = clock
        self._write_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._readers = Readers(self._connect_reader, _MAX_READERS)
        self._watcher: threading.Thread | None = None
        self._closed = threading.Event()
        with self._write_lock, _translated():
            self._create()

    def commit(self, group: Sequence[Prepared]) -> list[Outcome]:
        """Store a group in one transaction; returns position or refusal for each append."""
        with self._write_lock, _translated():
            if self._closed.is_set():
                raise LedgerUnavailable("the ledger is closed")
            try:
                outcomes = self._store(self._open_writer(), group)
            except BaseException:
                self._drop_writer()
                raise
        self.pulse.beat()
        return outcomes

    def rows(
        self, after: int, limit: int, *, topics: Sequence[str] = (), until: int | None = None
    ) -> list[Row]:
        """Return rows with position > `after` (and <= `until`), in order."""
        chosen = f" AND topic IN ({','.join('?' * len(topics))})" if topics else ""
        return self._rows(
            f"WHERE position > ? AND position <= ?{chosen} ORDER BY position LIMIT ?",
            (after, _NO_END if until is None else until, *topics, limit),
        )

    def stream_rows(
        self,
        stream: UUID,
        *,
        above: int = 0,
        until: int | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        """Return rows of one stream with version > `above` (and <= `until`)."""
        order = "DESC" if descending else "ASC"
        return self._rows(
            f"WHERE stream = ? AND version > ? AND version <= ? ORDER BY version {order} LIMIT ?",
            (stream.bytes, above, _NO_END if until is None else until, _limit(limit)),
        )

    def head(self) -> Head:
        """Return the end of the ledger."""
        return Head._make(self._select("SELECT position, hash, at, suite FROM head")[0])

    def held(self, kind: str, keys: Sequence[str]) -> dict[str, ClaimHeld]:
        """Return those of `keys` that are taken."""
        with self._reading() as reader:
            found = _held(reader, [(kind, key) for key in keys])
        return {key: claim for (_, key), claim in found.items()}

    def at(self, position: int) -> int | None:
        """Return the time of the event at `position` in microseconds; None when absent."""
        found = self._select("SELECT at FROM event WHERE position = ?", (position,))
        return int(found[0][0]) if found else None

    def stream_gap(self) -> int | None:
        """Return the position of an event whose stream lacks a version before it, if any."""
        found = self._select(_GAP)
        return int(found[0][0]) if found else None

    def claim_bounds(self) -> tuple[int, int]:
        """Return the least and greatest position at which a claim was taken; 1, 0 if none."""
        low, high = self._select(_BOUNDS)[0]
        return int(low), int(high)

    def watch(self) -> None:
        """Begin to notice the commits of other processes (idempotent)."""
        with self._write_lock:
            if self._watcher is None and not self._closed.is_set():
                name = f"ledger-{self.name}-watch"
                self._watcher = threading.Thread(target=self._poll, name=name, daemon=True)
                self._watcher.start()

    def close(self) -> None:
        """Close the database; reads that are under way finish."""
        with self._write_lock:
            self._closed.set()
            self._drop_writer()
        self.pulse.beat()
        if self._watcher is not None:
            self._watcher.join()
        self._readers.close()

    def _store(self, writer: sqlite3.Connection, group: Sequence[Prepared]) -> list[Outcome]:
        _begin(writer)
        head = Head._make(writer.execute("SELECT position, hash, at, suite FROM head").fetchone())
        versions = {
            stream: found[0]
            for stream in streams_of(group)
            if (found := writer.execute(_VERSION, (stream.bytes,)).fetchone())
        }
        admitted = admit(group, head.position, versions, _held(writer, claims_of(group)))
        if admitted.events:
            self._insert(writer, head, admitted)
        writer.execute("COMMIT")
        return admitted.outcomes

    def _insert(self, writer: sqlite3.Connection, head: Head, admitted: Admitted) -> None:
        at = max(micros(self._clock()), head.at)
        position, chained = head.position, head.hash
        rows = []
        for event, version in zip(admitted.events, admitted.versions, strict=True):
            position += 1
            stream = event.stream.bytes
            chained = link(chained, (position, stream, version, at), event.digest)
            sealed_for = None if event.sealed_for is None else event.sealed_for.bytes
            rows.append((
                position, stream, version, event.topic, at,
                event.envelope, event.body, sealed_for, event.sealed, chained,
            ))  # fmt: skip
        writer.executemany(_INSERT, rows)
        writer.executemany(
            "INSERT INTO claim (kind, key, fingerprint, position) VALUES (?,?,?,?)",
            [(c.kind, c.key, c.fingerprint, taken_at) for c, taken_at in admitted.claims],
        )
        writer.execute("UPDATE head SET position = ?, hash = ?, at = ?", (position, chained, at))

    def _create(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        writer = self._open_writer()
        _begin(writer)
        for statement in TABLES.split(";"):
            writer.execute(statement)
        writer.execute(
            "INSERT OR IGNORE INTO head VALUES (1, ?, ?, 0, ?, 0)",
            (self.name, SUITE, genesis(self.name)),
        )
        name, suite = writer.execute("SELECT ledger, suite FROM head").fetchone()
        writer.execute("COMMIT")
        if (name, suite) != (self.name, SUITE):
            self._drop_writer()
            raise ValueError(f"{self._path} holds the ledger {name!r} chained with {suite}")

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self._connect()
            _set_wal(self._writer)
            self._writer.execute("PRAGMA synchronous = FULL")
            # Commits wait for the lock in _begin, with shorter sleeps than SQLite's own.
            self._writer.execute("PRAGMA busy_timeout = 0")
        return self._writer

    def _drop_writer(self) -> None:
        # After an error nothing is trusted: the next commit opens the file anew.
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(sqlite3.Error):
                writer.close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )

    def _connect_reader(self) -> sqlite3.Connection:
        reader = self._connect()
        reader.execute("PRAGMA query_only = ON")
        return reader

    @contextlib.contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        with _translated():
            if self._closed.is_set():
                raise LedgerUnavailable("the ledger is closed")
            with self._readers.lend() as reader:
                yield reader

    def _select(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._reading() as reader:
            return reader.execute(statement, values).fetchall()

    def _rows(self, condition: str, values: Sequence[Any]) -> list[Row]:
        return [_row(*found) for found in self._select(f"{_SELECT} {condition}", values)]

    def _poll(self) -> None:
        """Beat the pulse when another connection has committed; quick after news, then slower."""
        quick, slow = _POLL_SECONDS
        pause, last = quick, None
        poller: sqlite3.Connection | None = None
        while not self._closed.wait(pause):
            if not self.pulse.awaited:
                pause = slow  # whoever comes to wait looks at the ledger himself first
                continue
            try:
                poller = poller or self._connect()
                (seen,) = poller.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error:
                poller, seen = None, None
            if seen == last:
                pause = min(pause * 1.25, slow)
                continue
            pause, last = quick, seen
            self.pulse.beat()
        if poller is not None:
            poller.close()


def _row(position: int, stream: bytes, *rest: Any) -> Row:
    version, topic, at, envelope, body, sealed_for, sealed, chained = rest
    patient = None if sealed_for is None else UUID(bytes=sealed_for)
    return Row(
        position, UUID(bytes=stream), version, topic, at, envelope, body, patient, sealed, chained
    )


def _held(
    connection: sqlite3.Connection, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], ClaimHeld]:
    statement = "SELECT kind, key, fingerprint, position FROM claim WHERE kind = ? AND key = ?"
    found = (connection.execute(statement, name).fetchone() for name in names)
    return held_names(row for row in found if row is not None)


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _begin(writer: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.0003, 0.002))  # noqa: S311 - spreads writers, no secret
        else:
            return


def _set_wal(writer: sqlite3.Connection) -> None:
    # Two processes that create the file together: the change to WAL does not wait by itself.
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            (mode,) = writer.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            if mode != "wal":
                raise LedgerUnavailable("the file system of the ledger cannot carry a WAL")
            return


@contextlib.contextmanager
def _translated() -> Generator[None]:
    """Turn a database that cannot serve now into LedgerUnavailable; other errors are bugs."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)):
            raise
        raise LedgerUnavailable(cause=error.sqlite_errorname) from error
    except OSError as error:
        raise LedgerUnavailable(cause=type(error).__name__) from error
