"""The PostgreSQL engine: per ledger a head row, events and claims; one append is one call.

Design A2 (hospital), A3; findings: no pipeline mode, no table locks, tables made once under an
advisory lock. Each ledger has its own head row, so ledgers do not wait for each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import select
import threading
from collections.abc import Generator, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import errors, sql

from kernel.ledger import postgres_tables
from kernel.ledger.admission import (
    Outcome,
    Prepared,
    PreparedEvent,
    Presumed,
    admit,
    claims_of,
    presume,
    streams_of,
)
from kernel.ledger.chain import SUITE, Head, Row, genesis
from kernel.ledger.ports import ClaimHeld, LedgerUnavailable
from kernel.ledger.readers import Readers
from kernel.ledger.recorder import LedgerRecorder, held_names
from kernel.times import Clock, micros

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,15}")
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,30}")
_SELECT: Final = """
SELECT position, stream, version, topic, at, envelope, body, sealed_for, sealed, hash FROM {event}
"""
_NO_END: Final = 2**63 - 1
_MAX_READERS: Final = 6
"""Of each ledger and process; a server has 100 connections unless told otherwise."""
_LISTEN_SECONDS: Final = 1.0
_SESSION: Final = """
SET statement_timeout = '60s'; SET lock_timeout = '30s';
SET idle_in_transaction_session_timeout = '15s';
SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
"""
"""Every statement of a ledger goes by an index. Plans are cached while the tables are still small,
and a plan that scans the claims, or is compiled first, was measured ten times slower later."""
_PATIENT: Final = """
SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on;
"""
"""For the statements of `verify`, which do read whole tables."""
_LIMIT_EXCEEDED: Final = "54"
"""Class of SQL states: one append is too much for the server; its neighbours are not."""
_DEAD_PEER: Final[dict[str, Any]] = {
    # A server that vanishes is noticed in seconds, not in the hours TCP would take.
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15000,
}
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)
Connection = psycopg.Connection[Any]


class PostgresRecorder(LedgerRecorder):
    """One ledger in a schema of a PostgreSQL database; other processes may write to it too."""

    def __init__(self, dsn: str, name: str, *, schema: str, clock: Clock) -> None:
        super().__init__(name)
        if _NAME.fullmatch(name) is None or _SCHEMA.fullmatch(schema) is None:
            raise ValueError("names of ledgers and schemas are short and of a-z, 0-9 and _")
        self._dsn = dsn
        self._schema = schema
        self._clock = clock
        self._channel = f"{schema}.{name}"
        self._write_lock = threading.Lock()
        self._writer: Connection | None = None
        self._readers = Readers(self._connect, _MAX_READERS, _lost)
        self._listener: threading.Thread | None = None
        self._closed = threading.Event()
        self._call_append = self._sql(postgres_tables.CALL)
        with self._write_lock, _translated():
            self._create(self._open_writer())

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
        chosen = " AND topic = ANY(%s)" if topics else ""
        names = [list(topics)] if topics else []
        return self._rows(
            f"WHERE position > %s AND position <= %s{chosen} ORDER BY position LIMIT %s",
            (after, _NO_END if until is None else until, *names, limit),
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
            f"WHERE stream = %s AND version > %s AND version <= %s ORDER BY version {order}"
            " LIMIT %s",
            (stream, above, _NO_END if until is None else until, limit),
        )

    def head(self) -> Head:
        """Return the end of the ledger."""
        return Head._make(self._select("SELECT position, hash, at, suite FROM {head}")[0])

    def held(self, kind: str, keys: Sequence[str]) -> dict[str, ClaimHeld]:
        """Return those of `keys` that are taken."""
        found = held_names(self._select(postgres_tables.HELD, ([kind] * len(keys), list(keys))))
        return {key: claim for (_, key), claim in found.items()}

    def at(self, position: int) -> int | None:
        """Return the time of the event at `position` in microseconds; None when absent."""
        found = self._select("SELECT at FROM {event} WHERE position = %s", (position,))
        return int(found[0][0]) if found else None

    def stream_gap(self) -> int | None:
        """Return the position of an event whose stream lacks a version before it, if any."""
        found = self._select(postgres_tables.GAP, patient=True)
        return int(found[0][0]) if found else None

    def claim_bounds(self) -> tuple[int, int]:
        """Return the least and greatest position at which a claim was taken; 1, 0 if none."""
        low, high = self._select(postgres_tables.BOUNDS, patient=True)[0]
        return int(low), int(high)

    def watch(self) -> None:
        """Begin to notice the commits of other processes (idempotent)."""
        with self._write_lock:
            if self._listener is None and not self._closed.is_set():
                name = f"ledger-{self.name}-listen"
                self._listener = threading.Thread(target=self._listen, name=name, daemon=True)
                self._listener.start()

    def close(self) -> None:
        """Close the database; reads that are under way finish."""
        with self._write_lock:
            self._closed.set()
            if self._listener is not None and self._writer is not None:
                # Wakes our own listener, so that it ends now.
                with contextlib.suppress(psycopg.Error):
                    self._writer.execute("SELECT pg_notify(%s, '')", (self._channel,))
            self._drop_writer()
        self.pulse.beat()
        if self._listener is not None:
            self._listener.join()
        self._readers.close()

    def _store(self, writer: Connection, group: Sequence[Prepared]) -> list[Outcome]:
        presumed = presume(group)
        if presumed is not None:
            events = [event for prepared in group for event in prepared.events]
            start = self._append(writer, events, presumed)
            if start is not None:
                return _positions(group, start)
        with writer.transaction():
            return self._judge(writer, group)

    def _judge(self, writer: Connection, group: Sequence[Prepared]) -> list[Outcome]:
        """Judge the appends one by one under the head lock: somebody has to be refused."""
        (head,) = writer.execute(
            self._sql("SELECT position FROM {head} FOR UPDATE")
        ).fetchone() or (0,)
        found = writer.execute(self._sql(postgres_tables.VERSIONS), (streams_of(group),))
        versions: dict[UUID, int] = dict(found.fetchall())
        names = claims_of(group)
        kinds, keys = [kind for kind, _ in names], [key for _, key in names]
        held = held_names(
            writer.execute(self._sql(postgres_tables.HELD), (kinds, keys), binary=True).fetchall()
        )
        admitted = admit(group, head, versions, held)
        if admitted.events:
            steps = [
                version - versions.get(event.stream, 0)
                for event, version in zip(admitted.events, admitted.versions, strict=True)
            ]
            bases: dict[UUID, int | None] = {
                event.stream: versions.get(event.stream, 0) for event in admitted.events
            }
            claims = [(claim, position - head) for claim, position in admitted.claims]
            if self._append(writer, admitted.events, Presumed(bases, steps, claims)) != head:
                raise errors.InternalError("the append function did not store a judged group")
        return admitted.outcomes

    def _append(
        self, writer: Connection, events: Sequence[PreparedEvent], presumed: Presumed
    ) -> int | None:
        """Call the append function; returns the position before the group, None if refused."""
        streams = {stream: number for number, stream in enumerate(presumed.bases, 1)}
        envelopes: dict[str, int] = {}
        for event in events:
            envelopes.setdefault(event.envelope, len(envelopes) + 1)
        claims = presumed.claims
        row = writer.execute(
            self._call_append,
            (
                micros(self._clock()),
                list(streams),
                list(presumed.bases.values()),
                [streams[event.stream] for event in events],
                presumed.steps,
                [event.topic for event in events],
                list(envelopes),
                [envelopes[event.envelope] for event in events],
                [event.body for event in events],
                [event.sealed_for for event in events],
                [event.sealed for event in events],
                [event.digest for event in events],
                [claim.kind for claim, _ in claims],
                [claim.key for claim, _ in claims],
                [claim.fingerprint for claim, _ in claims],
                [claim.shared for claim, _ in claims],
                [number for _, number in claims],
                self._channel,
            ),
        ).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def _create(self, writer: Connection) -> None:
        """Create what is missing, once, whoever comes first."""
        text = postgres_tables.TABLES + postgres_tables.APPEND
        made = hashlib.sha256(text.encode()).hexdigest()
        known = writer.execute(
            "SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = %s AND p.proname = %s AND obj_description(p.oid, 'pg_proc') = %s",
            (self._schema, f"{self.name}_append", made),
        ).fetchone()
        if known is None:
            with writer.transaction():
                writer.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                    (f"pianku ledgers of {self._schema}",),
                )
                writer.execute(
                    sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema))
                )
                writer.execute(self._sql(text))
                writer.execute(
                    self._sql("INSERT INTO {head} VALUES (1, %s, %s, 0, %s, 0)"
                              " ON CONFLICT DO NOTHING"),
                    (self.name, SUITE, genesis(self.name)),
                )  # fmt: skip
                writer.execute(self._sql("COMMENT ON FUNCTION {append} IS ") + sql.Literal(made))
        suite, encoding = writer.execute(
            self._sql("SELECT suite, current_setting('server_encoding') FROM {head}")
        ).fetchone() or ("", "")
        if (suite, encoding) != (SUITE, "UTF8"):
            raise ValueError(f"the ledger is chained with {suite!r} in a database of {encoding}")

    def _open_writer(self) -> Connection:
        if self._writer is None or _lost(self._writer):
            self._drop_writer()
            self._writer = self._connect()
        return self._writer

    def _drop_writer(self) -> None:
        # After an error nothing is trusted: the next commit connects anew.
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(psycopg.Error):
                writer.close()

    def _connect(self) -> Connection:
        connection = psycopg.connect(
            self._dsn, autocommit=True, client_encoding="utf8",
            application_name=f"pianku-{self.name}", **_DEAD_PEER,
        )  # fmt: skip
        try:
            connection.execute(_SESSION)
            (durable,) = connection.execute("SHOW synchronous_commit").fetchone() or ("off",)
            if durable in {"off", "local"}:
                # What we acknowledge is on disk, whatever the server's default.
                connection.execute("SET synchronous_commit = on")
        except BaseException:
            connection.close()
            raise
        return connection

    def _sql(self, text: str) -> sql.Composed:
        """Return `text` with the names of this ledger's tables."""
        own = ("head", "event", "claim", "readable", "append")
        names = {name: sql.Identifier(self._schema, f"{self.name}_{name}") for name in own}
        return sql.SQL(text).format(event_stream=sql.Identifier(f"{self.name}_stream"), **names)

    def _select(self, text: str, values: Sequence[Any] = (), *, patient: bool = False) -> list[Any]:
        statement = self._sql(text)
        with _translated():
            if self._closed.is_set():
                raise LedgerUnavailable("the ledger is closed")
            with self._readers.lend() as reader:
                if not patient:
                    return reader.execute(statement, values, binary=True).fetchall()
                with reader.transaction():
                    reader.execute(_PATIENT)
                    return reader.execute(statement, values, binary=True).fetchall()

    def _rows(self, condition: str, values: Sequence[Any]) -> list[Row]:
        found = self._select(f"{_SELECT} {condition}", values)
        return [Row._make(row) for row in found]

    def _listen(self) -> None:
        """Beat the pulse when any process has committed; reconnects for ever."""
        statement = sql.SQL("LISTEN {}").format(sql.Identifier(self._channel))
        while not self._closed.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(statement)
                    self.pulse.beat()
                    while not self._closed.is_set():
                        for _ in connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1):
                            self.pulse.beat()
            except psycopg.Error:
                self._closed.wait(_LISTEN_SECONDS)


def _lost(connection: Connection) -> bool:
    """Tell whether the server has closed an idle connection: its socket has become readable."""
    if connection.closed:
        return True
    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    return bool(readable)


def _positions(group: Sequence[Prepared], start: int) -> list[Outcome]:
    last = start
    outcomes: list[Outcome] = []
    for prepared in group:
        last += len(prepared.events)
        outcomes.append(last)
    return outcomes


@contextlib.contextmanager
def _translated() -> Generator[None]:
    """Turn a database that cannot serve now into LedgerUnavailable; other errors are bugs."""
    try:
        yield
    except _AWAY as error:
        if (error.sqlstate or "").startswith(_LIMIT_EXCEEDED):
            raise
        raise LedgerUnavailable(cause=type(error).__name__) from error
