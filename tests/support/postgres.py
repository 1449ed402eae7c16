"""A PostgreSQL server of our own for the tests, started once and stopped at the end.

Design A2: the contract suites run on both engines for real, never on a stand-in.
Called by fixtures of every room; `PIANKU_TEST_POSTGRES_DSN` names a server to use instead.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import pytest

from tests.support.peers import free_port, missing

DSN_VARIABLE: Final = "PIANKU_TEST_POSTGRES_DSN"
_PROGRAM_FOLDERS: Final = "/usr/lib/postgresql/{major}/bin"
_MAJORS: Final = range(18, 13, -1)
_START_SECONDS: Final = 60
_ACCOUNTS: Final = ("postgres", "nobody")


class Cluster:
    """A PostgreSQL server in a temporary folder, run as an unprivileged account."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._account = _unprivileged()
        self.port = free_port()
        if self._account is not None:
            entry = pwd.getpwnam(self._account)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        # PostgreSQL makes the data folder itself; trust is right for a port of the loopback
        # that lives as long as the tests.
        self._run("initdb", "-D", str(self._data), "-U", "pianku", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync")  # fmt: skip

    @property
    def dsn(self) -> str:
        """The connection string of the server's first database."""
        return f"host=127.0.0.1 port={self.port} user=pianku dbname=postgres"

    def start(self, *, durable: bool = True) -> None:
        """Start the server and wait until it answers.

        Not `durable` leaves out what only a power cut of the machine would show: what a killed
        server has written stays in the machine's memory.
        """
        options = "-c max_wal_size=2GB "
        if not durable:
            options = "-c max_wal_size=256MB -c fsync=off -c full_page_writes=off "
        options += (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
            f"{self._folder} -c max_connections=200 -c shared_buffers=128MB"
        )
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-w", "-l",
                  str(self._folder / "log"), "start")  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn, connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop the server at once, ending its connections."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")

    def crash(self) -> None:
        """Stop the server as a power cut would: it recovers from its log at the next start."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if self._account is not None:
            command = ["setpriv", "--reuid", self._account, "--regid", self._account,
                       "--clear-groups", *command]  # fmt: skip
        subprocess.run(
            command, check=True, cwd=self._folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_START_SECONDS,
        )  # fmt: skip


@contextmanager
def cluster(*, durable: bool = True) -> Generator[Cluster]:
    """Give a server of one's own (for tests that stop it); skips where none is installed."""
    programs = _programs()
    if programs is None:
        missing("postgresql")
    # A short path: the name of a Unix socket may have 107 bytes only.
    folder = Path(tempfile.mkdtemp(prefix="pianku-pg-"))
    try:
        server = Cluster(programs, folder)
        server.start(durable=durable)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_dsn() -> Generator[str]:
    """The DSN of the server all tests of a session share."""
    given = os.environ.get(DSN_VARIABLE)
    if given:
        yield given
        return
    with cluster(durable=False) as server:
        yield server.dsn


@pytest.fixture
def postgres_schema(postgres_dsn: str) -> Generator[str]:
    """The name of a schema of one's own, dropped after the test."""
    schema = f"test_{uuid4().hex[:12]}"
    yield schema
    drop_schema(postgres_dsn, schema)


def drop_schema(dsn: str, schema: str) -> None:
    """Drop a schema with all that is in it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(
                psycopg.sql.Identifier(schema)
            )
        )


def _programs() -> Path | None:
    for major in _MAJORS:
        folder = Path(_PROGRAM_FOLDERS.format(major=major))
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return None if found is None else Path(found).parent


def _unprivileged() -> str | None:
    """Return the account to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return missing("postgresql", "it does not run as root, and there is no other account")
