"""An installation inside the test process: ledgers, views with their runner, the guard.

Design A2: on SQLite or PostgreSQL. Called by tests of views, of the guard and of the adapters
that need them all; a walk uses `running.py`, the real server, instead.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters.guard.directory import Directory
from adapters.guard.guard import Guard
from adapters.guard.sessions import SessionLimits, SessionStore
from adapters.guard.sign_in import SignIn
from kernel.identifiers import PatientKeys
from kernel.ledger.ledger import EventLedger, open_postgres, open_sqlite
from kernel.ledger.sealing import MemoryRing
from projections.contract import ViewSpec
from projections.database import ViewsDatabase, postgres_engine, sqlite_engine
from projections.permissions.projection import SPEC as PERMISSIONS
from projections.permissions.view import PermissionsView
from projections.runner import Runner
from server.event_catalogue import topic_table
from tests.support.postgres import drop_schema
from workflows.administer_access import AccessAdministration

PASSWORD: Final = "Right-2-Good"


@dataclass
class SetClock:
    """A clock that is set by hand."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **units: float) -> None:
        """Let time pass."""
        self.moment += timedelta(**units)


@dataclass
class Installation:
    """What `server.wiring` puts together, in small."""

    facts: EventLedger
    access: EventLedger
    views: ViewsDatabase
    sessions: SessionStore
    guard: Guard
    clock: SetClock
    ring: MemoryRing
    keys: PatientKeys

    @property
    def administration(self) -> AccessAdministration:
        """Creates accounts and grants."""
        return AccessAdministration(self.facts)

    @property
    def sign_in(self) -> SignIn:
        """Signs accounts in."""
        return SignIn(self.guard)

    def account(self, login: str, *roles: str) -> None:
        """Create an account with PASSWORD, at once good for sign-in."""
        self.administration.create_account(login, login.title(), roles, PASSWORD, must_change=False)
        self.guard.directory.refresh()

    def token(self, *roles: str, label: str = "client") -> str:
        """Issue a bearer token and return its secret."""
        made = self.administration.issue_token(label, roles)
        self.guard.directory.refresh()
        return made.secret


def on_engine(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the engine that a fixture's parameter names, as arguments of `installation`."""
    if request.param == "sqlite":
        return {}
    return {
        "dsn": request.getfixturevalue("postgres_dsn"),
        "schema": request.getfixturevalue("postgres_schema"),
    }


def on_own_schema(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the same for a fixture that several tests share; its schema goes when it goes."""
    if request.param == "sqlite":
        return {}
    dsn, schema = request.getfixturevalue("postgres_dsn"), f"test_{uuid4().hex[:12]}"
    request.addfinalizer(lambda: drop_schema(dsn, schema))
    return {"dsn": dsn, "schema": schema}


@contextmanager
def installation(
    folder: Path,
    specs: Sequence[ViewSpec] = (),
    *,
    dsn: str | None = None,
    schema: str = "",
    limits: SessionLimits | None = None,
    loopback_system: bool = False,
) -> Generator[Installation]:
    """Give a running installation; views besides `permissions` are named."""
    ring, topics, clock = MemoryRing(), topic_table(), SetClock()
    limits = limits or SessionLimits()
    if dsn is None:
        facts = open_sqlite(folder / "facts.db", "facts", topics=topics, ring=ring)
        access = open_sqlite(folder / "access.db", "access", topics=topics, ring=ring)
        path = str(folder / "views.db")
        reader, writer = sqlite_engine(path, writer=False), sqlite_engine(path, writer=True)
        sessions = SessionStore.sqlite(str(folder / "sessions.db"), limits, clock)
    else:
        facts = open_postgres(dsn, "facts", topics=topics, ring=ring, schema=schema)
        access = open_postgres(dsn, "access", topics=topics, ring=ring, schema=schema)
        reader = writer = postgres_engine(_url(dsn), schema=schema)
        sessions = SessionStore.postgres(_url(dsn), schema, limits, clock)
    heads = {"facts": facts.head, "access": access.head}
    views = ViewsDatabase(reader, writer, [PERMISSIONS, *specs], heads)
    views.create()
    sessions.create()
    runner = Runner(views, {"facts": facts, "access": access})
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    guard = Guard(
        Directory(PermissionsView(views)),
        sessions,
        access,
        node="test",
        clock=clock,
        loopback_system=loopback_system,
    )
    keys = PatientKeys(secrets.token_bytes(32))
    try:
        yield Installation(facts, access, views, sessions, guard, clock, ring, keys)
    finally:
        runner.stop()
        thread.join(10)
        for closable in (sessions, views, facts, access):
            closable.close()


def _url(dsn: str) -> str:
    parts = conninfo_to_dict(dsn)
    password = f":{parts['password']}" if parts.get("password") else ""
    return (
        f"postgresql://{parts['user']}{password}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    )
