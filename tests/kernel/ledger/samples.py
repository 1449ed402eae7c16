"""Facts, ledgers and raw access to tables for the tests of the ledger.

Design A3. Used by the contract suites and by the processes they start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from kernel.context import Envelope
from kernel.events import Fact
from kernel.ledger.ledger import EventLedger, open_postgres, open_sqlite
from kernel.ledger.ports import Append, Claim, StreamAppend
from kernel.ledger.sealing import KeyRing, MemoryRing
from kernel.ledger.topics import TopicTable
from kernel.times import Clock, now


class Counted(Fact):
    """A fact without personal fields."""

    TOPIC = "sample.counted:v1"
    number: int
    text: str = ""


class PatientNamed(Fact):
    """A fact with personal fields."""

    TOPIC = "sample.patient-named:v1"
    PERSONAL = frozenset({"name", "phones"})
    ward: str
    name: str = ""
    phones: tuple[str, ...] = ()


class Unknown(Fact):
    """A fact that is in no topic table."""

    TOPIC = "sample.unknown:v1"


TOPICS = TopicTable([Counted, PatientNamed])


@dataclass
class Engine:
    """One database engine: opens ledgers, and reaches past them with plain SQL."""

    name: str
    place: str
    """Folder (SQLite) or connection string (PostgreSQL)."""
    schema: str = ""
    opened: list[EventLedger] = field(default_factory=list)

    def open(
        self,
        ledger: str = "facts",
        *,
        topics: TopicTable = TOPICS,
        ring: KeyRing | None = None,
        clock: Clock = now,
        node: str = "",
    ) -> EventLedger:
        ring = ring or MemoryRing()
        if self.name == "sqlite":
            made = open_sqlite(
                self.path(ledger), ledger, topics=topics, ring=ring, clock=clock, node=node
            )
        else:
            made = open_postgres(
                self.place,
                ledger,
                topics=topics,
                ring=ring,
                schema=self.schema,
                clock=clock,
                node=node,
            )
        self.opened.append(made)
        return made

    def close(self) -> None:
        for ledger in self.opened:
            ledger.close()

    def path(self, ledger: str = "facts") -> Path:
        return Path(self.place) / f"{ledger}.db"

    def sql(self, statement: str, *values: Any, ledger: str = "facts") -> list[Any]:
        """Run one statement as somebody with the database's own tool would.

        `{event}`, `{head}`, `{claim}` and `{readable}` are the ledger's tables, `?` a value.
        """
        tables = ("event", "head", "claim", "readable")
        if self.name == "sqlite":
            with closing(sqlite3.connect(self.path(ledger), isolation_level=None)) as database:
                text = statement.format(**{table: table for table in tables})
                return database.execute(text, values).fetchall()
        names = {table: f'"{self.schema}"."{ledger}_{table}"' for table in tables}
        with psycopg.connect(self.place, autocommit=True) as connection:
            text = statement.format(**names)
            if values:
                text = text.replace("%", "%%").replace("?", "%s")
            cursor = connection.execute(text.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def stream_value(self, stream: UUID) -> Any:
        """Return a stream as the engine stores it."""
        return stream.bytes if self.name == "sqlite" else stream


def counted(
    stream: UUID,
    *numbers: int,
    expected: int | None = None,
    claims: tuple[Claim, ...] = (),
    envelope: Envelope | None = None,
) -> Append:
    """Return an append of `Counted` facts to one stream."""
    part = StreamAppend(stream, tuple(Counted(number=n) for n in numbers), expected)
    return Append((part,), claims, envelope or Envelope())


def numbers(ledger: EventLedger, stream: UUID) -> list[int]:
    """Return the numbers counted in a stream."""
    return [e.fact.number for e in ledger.load(stream) if isinstance(e.fact, Counted)]


def together(ledger: EventLedger, call: Callable[[], Any]) -> Any:
    """Let `call` queue appends while the engine is kept busy, so that they share one commit."""
    with ledger.recorder._write_lock:  # type: ignore[attr-defined]
        first = ledger.append_soon(counted(UUID(int=99), 0))
        while not first.running():
            pass
        return call()
