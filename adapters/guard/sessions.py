"""Server-side sessions and failed attempts, in their own small database.

Implements requirements 9.2 P-2: idle and absolute limits, lock after failures, session kill.
Called by `guard.py` and `sign_in.py`; ids are 256 random bits and lie here only as SHA-256.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from kernel.identifiers import secret_token
from kernel.times import Clock, from_micros, micros, now
from projections.database import postgres_engine, sqlite_engine

_LOCK_KEY: Final = 0x7069616E6B7573  # "piankus", for the advisory lock that guards table creation
_TOUCH_SECONDS: Final = 60

_metadata: Final = sa.MetaData()
_SESSIONS: Final = sa.Table(
    "web_session",
    _metadata,
    sa.Column("id_sha256", sa.String(64), primary_key=True),
    sa.Column("login", sa.String(255), nullable=False, index=True),
    sa.Column("credential", sa.String(64), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
)
_ATTEMPTS: Final = sa.Table(
    "sign_in_attempt",
    _metadata,
    sa.Column("login_sha256", sa.String(64), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failed_at", sa.BigInteger, nullable=False),
    sa.Column("locked_until", sa.BigInteger, nullable=False),
)
_FIND: Final = sa.select(_SESSIONS).where(_SESSIONS.c.id_sha256 == sa.bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long sessions live and when an account is locked."""

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    lockout_failures: int = 5
    lockout: timedelta = timedelta(minutes=30)
    password_age: timedelta = timedelta(days=90)
    """An older password must be changed before anything else (P-1)."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is still good."""

    secret: str
    """The cookie's value; the database knows only its hash."""
    login: str
    credential: str
    """Names the password it was opened with: another password ends the session."""
    created_at: datetime
    expires_at: datetime
    """When it ends if nothing more is asked."""

    @property
    def csrf(self) -> str:
        """Return the token that state-changing requests carry; derived, never stored."""
        return hashlib.sha256(b"csrf\x1f" + self.secret.encode()).hexdigest()


class SessionStore:
    """Opens, finds and destroys sessions; counts failed attempts. Thread and process safe."""

    def __init__(
        self,
        reader: Engine,
        writer: Engine,
        limits: SessionLimits = SessionLimits(),
        clock: Clock = now,
    ) -> None:
        self.limits = limits
        self._reader = reader
        self._writer = writer
        self._clock = clock

    @classmethod
    def sqlite(
        cls, path: str, limits: SessionLimits = SessionLimits(), clock: Clock = now
    ) -> SessionStore:
        """Return a store in a SQLite file."""
        reader, writer = sqlite_engine(path, writer=False), sqlite_engine(path, writer=True)
        return cls(reader, writer, limits, clock)

    @classmethod
    def postgres(
        cls, dsn: str, schema: str, limits: SessionLimits = SessionLimits(), clock: Clock = now
    ) -> SessionStore:
        """Return a store in a PostgreSQL schema."""
        engine = postgres_engine(dsn, schema=schema)
        return cls(engine, engine, limits, clock)

    def create(self) -> None:
        """Make the tables that are missing; safe when many processes start at once."""
        with self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK_KEY})
            _metadata.create_all(connection)

    def open(self, login: str, credential: str, address: str) -> Session:
        """Begin a session under a new id; sessions past the absolute limit are swept."""
        moment = self._clock()
        secret = secret_token()
        at = micros(moment)
        with self._writer.begin() as connection:
            oldest = micros(moment - self.limits.absolute)
            connection.execute(_SESSIONS.delete().where(_SESSIONS.c.created_at < oldest))
            connection.execute(
                _SESSIONS.insert().values(
                    id_sha256=_sha256(secret),
                    login=login,
                    credential=credential,
                    address=address[:64],
                    created_at=at,
                    seen_at=at,
                )
            )
        return Session(secret, login, credential, moment, self._expiry(moment, moment))

    def find(self, secret: str, *, attended: bool = True) -> Session | None:
        """Return the session of a cookie if it is still good.

        It is kept from going idle only by somebody: an unattended viewer that refreshes its
        list does not.
        """
        wanted = _sha256(secret)
        with self._reader.connect() as connection:
            row = connection.execute(_FIND, {"wanted": wanted}).first()
        if row is None:
            return None
        moment = self._clock()
        created, seen = from_micros(row.created_at), from_micros(row.seen_at)
        if moment >= self._expiry(created, seen):
            self._delete(_SESSIONS.c.id_sha256 == wanted)
            return None
        if not attended:
            return Session(secret, row.login, row.credential, created, self._expiry(created, seen))
        if (moment - seen).total_seconds() >= _TOUCH_SECONDS:
            with self._writer.begin() as connection:
                connection.execute(
                    _SESSIONS.update()
                    .where(_SESSIONS.c.id_sha256 == wanted)
                    .values(seen_at=micros(moment))
                )
        expires_at = self._expiry(created, moment)
        return Session(secret, row.login, row.credential, created, expires_at)

    def destroy(self, secret: str) -> None:
        """End one session."""
        self._delete(_SESSIONS.c.id_sha256 == _sha256(secret))

    def destroy_all(self, login: str) -> None:
        """End every session of an account."""
        self._delete(_SESSIONS.c.login == login)

    def locked(self, login: str) -> bool:
        """Tell whether the account (known or not) is locked by failed attempts."""
        query = sa.select(_ATTEMPTS.c.locked_until).where(
            _ATTEMPTS.c.login_sha256 == _sha256(login)
        )
        with self._reader.connect() as connection:
            until = connection.execute(query).scalar()
        return until is not None and until > micros(self._clock())

    def failed(self, login: str) -> bool:
        """Count a failed attempt and tell whether it locked the account."""
        moment = self._clock()
        at, name = micros(moment), _sha256(login)
        with self._writer.begin() as connection:
            self._sweep_attempts(connection, moment)
            query = sa.select(_ATTEMPTS).where(_ATTEMPTS.c.login_sha256 == name)
            row = connection.execute(query.with_for_update()).first()
            failures = 1 if row is None or 0 < row.locked_until <= at else row.failures + 1
            locks = failures >= self.limits.lockout_failures
            values = {
                "failures": failures,
                "failed_at": at,
                "locked_until": micros(moment + self.limits.lockout) if locks else 0,
            }
            if row is None:
                connection.execute(_ATTEMPTS.insert().values(login_sha256=name, **values))
            else:
                connection.execute(
                    _ATTEMPTS.update().where(_ATTEMPTS.c.login_sha256 == name).values(values)
                )
        return locks

    def succeeded(self, login: str) -> None:
        """Forget the failed attempts of an account."""
        with self._writer.begin() as connection:
            connection.execute(_ATTEMPTS.delete().where(_ATTEMPTS.c.login_sha256 == _sha256(login)))

    def close(self) -> None:
        """Close the connections."""
        self._reader.dispose()
        self._writer.dispose()

    def _sweep_attempts(self, connection: Connection, moment: datetime) -> None:
        """Forget failures older than the lock lasts; they no longer count as a row."""
        oldest = micros(moment - self.limits.lockout)
        connection.execute(
            _ATTEMPTS.delete().where(
                _ATTEMPTS.c.failed_at < oldest, _ATTEMPTS.c.locked_until <= micros(moment)
            )
        )

    def _expiry(self, created: datetime, seen: datetime) -> datetime:
        return min(seen + self.limits.idle, created + self.limits.absolute)

    def _delete(self, which: sa.ColumnElement[bool]) -> None:
        with self._writer.begin() as connection:
            connection.execute(_SESSIONS.delete().where(which))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
