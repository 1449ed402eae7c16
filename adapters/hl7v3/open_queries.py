"""Queries that are answered a part at a time: what was asked, and where the last part ended.

Implements the state that the continuation of ITI TF-2 3.47.4.3 needs (QUQI_IN000003UV01 names the
query only). A small database of its own, for all web processes. Called by ITI-47.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Engine

from kernel.times import Clock, micros, now
from projections.database import postgres_engine, sqlite_engine
from projections.patient_index.demographics import DemographicQuery

_LOCK_KEY: Final = 0x7069616E6B7571  # "piankuq", for the advisory lock that guards table creation
_KEPT_MICROS: Final = 3600 * 1_000_000
_MOST_OPEN: Final = 100
"""Queries one subject can have open."""
_metadata: Final = sa.MetaData()
_OPEN: Final = sa.Table(
    "hl7v3_open_query",
    _metadata,
    sa.Column("id_sha256", sa.String(64), primary_key=True),
    sa.Column("subject_sha256", sa.String(64), nullable=False, index=True),
    sa.Column("asked_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


class OpenQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query with where to go on."""

    query: DemographicQuery
    authorities: frozenset[str]
    after: str
    limit: int
    request: bytes
    """The queryByParameter as it was sent: every answer repeats it."""


@dataclass(frozen=True, slots=True)
class QueryKey:
    """Whose query it is: nobody goes on with another's."""

    subject: str
    query_id: str

    @property
    def owner(self) -> str:
        """Return what the database knows the subject by."""
        return _sha256(self.subject)

    @property
    def digest(self) -> str:
        """Return what the database knows the query by."""
        return _sha256(f"{self.subject}\x1f{self.query_id}")


class OpenQueries:
    """Keeps open queries for an hour. Thread and process safe."""

    def __init__(self, reader: Engine, writer: Engine, clock: Clock = now) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    @classmethod
    def sqlite(cls, path: str, clock: Clock = now) -> OpenQueries:
        """Return a store in a SQLite file."""
        return cls(sqlite_engine(path, writer=False), sqlite_engine(path, writer=True), clock)

    @classmethod
    def postgres(cls, dsn: str, schema: str, clock: Clock = now) -> OpenQueries:
        """Return a store in a PostgreSQL schema."""
        engine = postgres_engine(dsn, schema=schema)
        return cls(engine, engine, clock)

    def create(self) -> None:
        """Make the table if it is missing; safe when many processes start at once."""
        with self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK_KEY})
            _metadata.create_all(connection)

    def keep(self, key: QueryKey, open_query: OpenQuery) -> None:
        """Remember where a query goes on.

        What is older than an hour is forgotten, and the oldest of a subject who opens too many.
        """
        at = micros(self._clock())
        with self._writer.begin() as connection:
            stale = sa.or_(_OPEN.c.asked_at < at - _KEPT_MICROS, _OPEN.c.id_sha256 == key.digest)
            connection.execute(_OPEN.delete().where(stale))
            surplus = (
                sa.select(_OPEN.c.id_sha256)
                .where(_OPEN.c.subject_sha256 == key.owner)
                .order_by(_OPEN.c.asked_at.desc())
                .offset(_MOST_OPEN - 1)
            )
            if left := list(connection.execute(surplus).scalars()):
                connection.execute(_OPEN.delete().where(_OPEN.c.id_sha256.in_(left)))
            connection.execute(
                _OPEN.insert().values(
                    id_sha256=key.digest,
                    subject_sha256=key.owner,
                    asked_at=at,
                    body=msgspec.json.encode(open_query),
                )
            )

    def find(self, key: QueryKey) -> OpenQuery | None:
        """Return an open query; None when it is unknown, done, or too old."""
        oldest = micros(self._clock()) - _KEPT_MICROS
        wanted = sa.select(_OPEN.c.body).where(
            _OPEN.c.id_sha256 == key.digest, _OPEN.c.asked_at >= oldest
        )
        with self._reader.connect() as connection:
            body = connection.execute(wanted).scalar()
        return None if body is None else msgspec.json.decode(body, type=OpenQuery)

    def forget(self, key: QueryKey) -> bool:
        """Forget a query; tell whether there was one."""
        with self._writer.begin() as connection:
            gone = connection.execute(_OPEN.delete().where(_OPEN.c.id_sha256 == key.digest))
        return gone.rowcount > 0

    def close(self) -> None:
        """Close the connections."""
        self._reader.dispose()
        self._writer.dispose()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
