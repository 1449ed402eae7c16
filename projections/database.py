"""The views' database: generations of tables, tracking positions and the read barrier.

Design A4: rows and position in one transaction, blue/green generations, read your writes.
Called by every `view.py` to read and by `runner.py` to write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy import Connection, Engine, event

from kernel.refusals import Unavailable
from projections.bell import Bell
from projections.contract import ViewSpec

LIVE: Final = "live"
BUILDING: Final = "building"
STOPPED: Final = "stopped"
RETIRED: Final = "retired"

_catalogue: Final = sa.MetaData()
GENERATIONS: Final = sa.Table(
    "view_generation",
    _catalogue,
    sa.Column("view", sa.String(64), primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("error_position", sa.BigInteger, nullable=False, default=0),
)
_LOCK_KEY: Final = 0x7069616E6B75  # "pianku", for the advisory lock that guards table creation
_GENERATION_TTL_SECONDS: Final = 0.5
_RING_AGAIN_SECONDS: Final = 0.1
_WRITER_CACHE_KIB: Final = -24576  # negative: KiB, as SQLite has it
_READER_CACHE_KIB: Final = -8192
AWAY: Final = (
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,
    sa.exc.TimeoutError,
)
"""What says that a database cannot serve now (away, locked, full, read only, all in use)."""


class ViewsAway(Unavailable):
    """The views' database cannot serve now."""

    code = "views_away"


class ViewBehind(Unavailable):
    """The view has not caught up with what was already acknowledged."""

    code = "view_behind"


@contextmanager
def told_when_away() -> Iterator[None]:
    """Turn a database that cannot serve now into `ViewsAway`; other errors are bugs."""
    try:
        yield
    except AWAY as problem:
        raise ViewsAway from problem


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a view as it stands in the catalogue."""

    view: str
    generation: int
    version: int
    state: str
    position: int
    error: str
    error_position: int

    @property
    def suffix(self) -> str:
        """Return the ending of this generation's table names."""
        return f"__g{self.generation}"


def sqlite_engine(path: str, *, writer: bool) -> Engine:
    """Return an engine on a SQLite file; the writer begins IMMEDIATE so that it never starves.

    `synchronous=NORMAL` is enough here: views are derived, and rows and position are one
    transaction, so a lost tail is replayed.
    """
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": 30}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "temp_store=MEMORY",
            # A connection's own cache: small, because a process has a pool of them. What is
            # read again comes from the system's page cache, which costs the process nothing.
            f"cache_size={_WRITER_CACHE_KIB if writer else _READER_CACHE_KIB}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def postgres_engine(dsn: str, *, schema: str) -> Engine:
    """Return an engine on PostgreSQL with every table in `schema`; any libpq form of `dsn`."""

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(dsn)
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        connection.commit()
        return connection

    return sa.create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_size=8,
        max_overflow=16,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text would quote names and numbers
    )


class ViewsDatabase:
    """Opens the views for reading and writing; one a process.

    `heads` tells the head position of each ledger by name, for the read barrier; `bells`, also
    by ledger, call the projector when a reader has to wait for it.
    """

    def __init__(
        self,
        reader: Engine,
        writer: Engine,
        specs: Sequence[ViewSpec],
        heads: Mapping[str, Callable[[], int]],
        *,
        bells: Mapping[str, Bell] | None = None,
        barrier_seconds: float = 10.0,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.specs = {spec.name: spec for spec in specs}
        self.bells = dict(bells or {})
        self._heads = heads
        self._barrier_seconds = barrier_seconds
        self._tables: dict[tuple[str, str], Any] = {}
        self._live: dict[str, tuple[float, Generation]] = {}
        self._reached: dict[str, int] = {}

    def create(self) -> None:
        """Make what is missing: the catalogue, and a generation for every view and version."""
        with self.writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK_KEY})
            _catalogue.create_all(connection)
            for spec in self.specs.values():
                self._ensure(connection, spec)

    def _ensure(self, connection: Connection, spec: ViewSpec) -> None:
        known = self.generations(connection, spec.name)
        if any(g.version == spec.version and g.state != RETIRED for g in known):
            return
        live = any(g.state in {LIVE, STOPPED} for g in known)
        self.add_generation(connection, spec, BUILDING if live else LIVE)

    def add_generation(self, connection: Connection, spec: ViewSpec, state: str) -> Generation:
        """Create the tables of a new generation and enter it in the catalogue at position 0."""
        number = max((g.generation for g in self.generations(connection, spec.name)), default=0) + 1
        made = Generation(spec.name, number, spec.version, state, 0, "", 0)
        self.tables(spec.name, made.suffix).metadata.create_all(connection)
        connection.execute(
            GENERATIONS.insert().values(
                view=spec.name,
                generation=number,
                version=spec.version,
                state=state,
                position=0,
                error="",
                error_position=0,
            )
        )
        return made

    def tables(self, view: str, suffix: str) -> Any:
        """Return the (cached) table objects of a generation."""
        key = (view, suffix)
        if key not in self._tables:
            self._tables[key] = self.specs[view].make_tables(suffix)
        return self._tables[key]

    def generations(self, connection: Connection, view: str | None = None) -> list[Generation]:
        """Return the catalogue's rows, of one view or of all."""
        query = sa.select(GENERATIONS).order_by(GENERATIONS.c.view, GENERATIONS.c.generation)
        if view is not None:
            query = query.where(GENERATIONS.c.view == view)
        return [Generation(*row) for row in connection.execute(query)]

    def live(self, view: str) -> Generation:
        """Return the generation that answers queries (remembered for half a second)."""
        held = self._live.get(view)
        moment = time.monotonic()
        if held is not None and moment - held[0] < _GENERATION_TTL_SECONDS:
            return held[1]
        with told_when_away(), self.reader.connect() as connection:
            found = self._live_row(connection, view)
        self._live[view] = (moment, found)
        return found

    def _live_row(self, connection: Connection, view: str) -> Generation:
        version = self.specs[view].version
        for row in self.generations(connection, view):
            if row.state in {LIVE, STOPPED} and row.version == version:
                return row
        raise ViewBehind("the view is being rebuilt", view=view)

    @contextmanager
    def reading(self, view: str, *, fresh: bool = True) -> Iterator[tuple[Connection, Any]]:
        """Open the live generation: yields (connection, tables).

        With `fresh`, first waits until the view holds everything that any client has been
        told is done (read your writes). Raises ViewBehind when it does not get there in time.
        """
        if fresh:
            self.wait(view)
        generation = self.live(view)
        with told_when_away(), self.reader.connect() as connection:
            yield connection, self.tables(view, generation.suffix)

    def head(self, view: str) -> int:
        """Return up to where the ledger of a view is written (cheap)."""
        return self._heads[self.specs[view].ledger]()

    def wait(self, view: str) -> None:
        """Block until the view has applied everything committed before this call."""
        self.wait_for(view, self.head(view))

    def wait_for(self, view: str, position: int) -> None:
        """Block until the view has applied the event at `position`; raises ViewBehind."""
        bell = self.bells.get(self.specs[view].ledger)
        if self._reached.get(view, -1) >= position:
            return  # a view never goes back: another generation takes over when it is as far
        deadline = time.monotonic() + self._barrier_seconds
        ring_at = 0.0
        pause = 0.001
        while self._position(view) < position:
            moment = time.monotonic()
            if moment > deadline:
                raise ViewBehind("the view is behind", view=view)
            if bell is not None and moment >= ring_at:
                # Again now and then: the projector may just have been started anew.
                bell.ring()
                ring_at = moment + _RING_AGAIN_SECONDS
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        self._reached[view] = max(position, self._reached.get(view, -1))

    def _position(self, view: str) -> int:
        version = self.specs[view].version
        query = sa.select(GENERATIONS.c.position, GENERATIONS.c.state).where(
            GENERATIONS.c.view == view,
            GENERATIONS.c.version == version,
            GENERATIONS.c.state.in_((LIVE, STOPPED)),
        )
        with told_when_away(), self.reader.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return -1
        if row.state == STOPPED:
            raise ViewBehind("the view stopped on an event it cannot apply", view=view)
        return int(row.position)

    def close(self) -> None:
        """Close the connections."""
        for bell in self.bells.values():
            bell.close()
        self.reader.dispose()
        self.writer.dispose()
