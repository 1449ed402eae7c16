"""Where wrapped patient keys lie: a SQLite file or a PostgreSQL schema, apart from the ledgers.

Design A3: a key is durable before the first event sealed under it, and a destroyed key leaves a
tombstone, so that it is never made again. Called by `server/keys.py` only.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg
from psycopg import sql

from kernel.refusals import Unavailable

Held = tuple[str, bytes] | None
"""How a key is wrapped and the wrapped bytes; None for a tombstone."""


class KeysUnavailable(Unavailable):
    """The key store cannot be reached now."""

    code = "keys_unavailable"


class KeyStore(Protocol):
    """Wrapped keys by patient. Every change is durable when the call returns."""

    def find(self, patients: Iterable[UUID]) -> dict[UUID, Held]:
        """Return the keys (or tombstones) of those patients that have one."""
        ...

    def make(self, patient: UUID, wrap: str, wrapped: bytes) -> Held:
        """Store a key unless there is one or a tombstone; returns what is there now."""
        ...

    def destroy(self, patient: UUID) -> None:
        """Overwrite the key by a tombstone."""
        ...

    def generation(self) -> int:
        """Return the number of the last destruction."""
        ...

    def destroyed_after(self, generation: int) -> list[tuple[int, UUID]]:
        """Return later destructions (number, patient) in order."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


_SQLITE_TABLES: Final = """
CREATE TABLE IF NOT EXISTS patient_key (
  patient BLOB PRIMARY KEY CHECK (length(patient) = 16),
  wrap TEXT, wrapped BLOB,
  generation INTEGER NOT NULL DEFAULT 0,
  changed TEXT NOT NULL DEFAULT (datetime('now'))) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS destroyed ON patient_key (generation) WHERE generation > 0;
"""


class SqliteKeyStore:
    """Keys in a SQLite file; several processes may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        with _sqlite_errors():
            self._db = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            path.chmod(0o600)
            # DELETE, not WAL: no second file in which a destroyed key could live on.
            for setting in ("journal_mode = DELETE", "synchronous = FULL", "secure_delete = ON"):
                self._db.execute(f"PRAGMA {setting}")
            with self._writing():
                for statement in _SQLITE_TABLES.split(";"):
                    self._db.execute(statement)

    def find(self, patients: Iterable[UUID]) -> dict[UUID, Held]:
        """Return the keys (or tombstones) of those patients that have one."""
        with self._lock, _sqlite_errors():
            found = ((patient, self._one(patient)) for patient in patients)
            return {patient: row[0] for patient, row in found if row is not None}

    def make(self, patient: UUID, wrap: str, wrapped: bytes) -> Held:
        """Store a key unless there is one or a tombstone; returns what is there now."""
        with self._lock, _sqlite_errors():
            known = self._one(patient)
            if known is None:
                with self._writing():
                    self._db.execute(
                        "INSERT OR IGNORE INTO patient_key (patient, wrap, wrapped)"
                        " VALUES (?, ?, ?)",
                        (patient.bytes, wrap, wrapped),
                    )
                known = self._one(patient)
            return known[0] if known is not None else None

    def destroy(self, patient: UUID) -> None:
        """Overwrite the key by a tombstone."""
        with self._lock, _sqlite_errors(), self._writing():
            self._db.execute(
                "INSERT INTO patient_key (patient, generation)"
                " VALUES (?, (SELECT coalesce(max(generation), 0) + 1 FROM patient_key))"
                " ON CONFLICT (patient) DO UPDATE SET wrap = NULL, wrapped = NULL,"
                " generation = excluded.generation, changed = datetime('now')"
                " WHERE patient_key.wrapped IS NOT NULL",
                (patient.bytes,),
            )

    def generation(self) -> int:
        """Return the number of the last destruction."""
        with self._lock, _sqlite_errors():
            (last,) = self._db.execute(
                "SELECT coalesce(max(generation), 0) FROM patient_key"
            ).fetchone()
            return int(last)

    def destroyed_after(self, generation: int) -> list[tuple[int, UUID]]:
        """Return later destructions (number, patient) in order."""
        with self._lock, _sqlite_errors():
            found = self._db.execute(
                "SELECT generation, patient FROM patient_key WHERE generation > 0"
                " AND generation > ? ORDER BY generation",
                (generation,),
            ).fetchall()
        return [(number, UUID(bytes=patient)) for number, patient in found]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _one(self, patient: UUID) -> tuple[Held] | None:
        row = self._db.execute(
            "SELECT wrap, wrapped FROM patient_key WHERE patient = ?", (patient.bytes,)
        ).fetchone()
        return None if row is None else (_held(*row),)

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


_POSTGRES_TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {key} (
  patient uuid PRIMARY KEY, wrap text, wrapped bytea,
  generation bigint NOT NULL DEFAULT 0, changed timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS destroyed ON {key} (generation) WHERE generation > 0;
CREATE TABLE IF NOT EXISTS {last} (
  one integer PRIMARY KEY CHECK (one = 1), generation bigint NOT NULL);
INSERT INTO {last} VALUES (1, 0) ON CONFLICT DO NOTHING;
"""


class PostgresKeyStore:
    """Keys in a PostgreSQL schema of their own, shared by all nodes."""

    def __init__(self, dsn: str, schema: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._names = {
            "schema": sql.Identifier(schema),
            "key": sql.Identifier(schema, "patient_key"),
            "last": sql.Identifier(schema, "last_destruction"),
        }
        with self._connected() as connection, connection.transaction():
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"pianku {schema}",)
            )
            connection.execute(sql.SQL(_POSTGRES_TABLES).format(**self._names))

    def find(self, patients: Iterable[UUID]) -> dict[UUID, Held]:
        """Return the keys (or tombstones) of those patients that have one."""
        found = self._select(
            "SELECT patient, wrap, wrapped FROM {key} WHERE patient = ANY(%s::uuid[])",
            list(patients),
        )
        return {patient: _held(wrap, wrapped) for patient, wrap, wrapped in found}

    def make(self, patient: UUID, wrap: str, wrapped: bytes) -> Held:
        """Store a key unless there is one or a tombstone; returns what is there now."""
        made = self._select(
            "INSERT INTO {key} (patient, wrap, wrapped) VALUES (%s, %s, %s)"
            " ON CONFLICT (patient) DO NOTHING RETURNING wrap, wrapped",
            patient,
            wrap,
            wrapped,
        )
        return _held(*made[0]) if made else self.find([patient]).get(patient)

    def destroy(self, patient: UUID) -> None:
        """Overwrite the key by a tombstone."""
        with self._connected() as connection:
            with connection.transaction():
                # The row lock of the counter puts destructions in the order they commit.
                row = connection.execute(
                    self._sql("UPDATE {last} SET generation = generation + 1 RETURNING generation")
                ).fetchone()
                connection.execute(
                    self._sql(
                        "INSERT INTO {key} AS k (patient, generation) VALUES (%s, %s)"
                        " ON CONFLICT (patient) DO UPDATE SET wrap = NULL, wrapped = NULL,"
                        " generation = excluded.generation, changed = now()"
                        " WHERE k.wrapped IS NOT NULL"
                    ),
                    (patient, row[0] if row else 0),
                )
            # The old row version still holds the wrapped key until it is vacuumed away.
            connection.execute(self._sql("VACUUM {key}"))

    def generation(self) -> int:
        """Return the number of the last destruction."""
        return int(self._select("SELECT generation FROM {last}")[0][0])

    def destroyed_after(self, generation: int) -> list[tuple[int, UUID]]:
        """Return later destructions (number, patient) in order."""
        return self._select(
            "SELECT generation, patient FROM {key} WHERE generation > 0 AND generation > %s"
            " ORDER BY generation",
            generation,
        )

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _sql(self, text: str) -> sql.Composed:
        return sql.SQL(text).format(**self._names)

    def _select(self, text: str, *values: object) -> list[Any]:
        """Return the rows of a statement that does no harm when it is repeated."""
        kept = self._connection
        try:
            return self._selected(text, values)
        except KeysUnavailable:
            if kept is None:
                raise
        # What was kept may have been cut while nobody used it; a new connection tells.
        return self._selected(text, values)

    def _selected(self, text: str, values: Sequence[object]) -> list[Any]:
        with self._connected() as connection:
            return connection.execute(self._sql(text), values, binary=True).fetchall()

    @contextlib.contextmanager
    def _connected(self) -> Generator[psycopg.Connection[Any]]:
        """Lend the one connection; it is made anew after an error."""
        with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(
                        self._dsn, autocommit=True, client_encoding="utf8", connect_timeout=5
                    )
                    self._connection.execute("SET statement_timeout = '30s'")
                yield self._connection
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                raise KeysUnavailable(cause=type(error).__name__) from error


def _held(wrap: str | None, wrapped: bytes | None) -> Held:
    return None if wrap is None or wrapped is None else (wrap, bytes(wrapped))


@contextlib.contextmanager
def _sqlite_errors() -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise KeysUnavailable(cause=error.sqlite_errorname) from error
