"""Disk full, read only, database away: said plainly, nothing half-stored, well again after.

Design A2, A3. Called by pytest.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import pytest

from kernel.ledger.ledger import EventLedger
from kernel.ledger.mapper import MAX_EVENT_BYTES, EventTooLarge
from kernel.ledger.ports import Append, LedgerUnavailable, StreamAppend
from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import Counted, Engine, counted
from tests.support.postgres import Cluster, cluster

ROOT = Path(__file__).resolve().parents[3]

# Run in a process of its own: the limit on file sizes acts like a full disk.
FULL_DISK = """
import resource, sys
from uuid import uuid4
from kernel.ledger.mapper import MAX_EVENT_BYTES, EventTooLarge
from kernel.ledger.ports import Append, LedgerUnavailable, StreamAppend
from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import Counted, Engine, counted

engine = Engine("sqlite", sys.argv[1])
ledger = engine.open()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
ledger.append(counted(uuid4(), 1, 2))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
text = "x" * 50_000
refused = 0
for _ in range(30):
    stream = uuid4()
    facts = tuple(Counted(number=n, text=text) for n in range(3))
    before = ledger.head()
    try:
        ledger.append(Append((StreamAppend(stream, facts),)))
    except LedgerUnavailable:
        refused += 1
        assert ledger.head() == before, "head moved"
        assert ledger.load(stream) == [], "half stored"
assert refused > 5, refused
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert ledger.append(counted(uuid4(), 1)) == before + 1
assert verify(ledger.recorder).ok
print("well again")
"""


def test_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "well again\n", done.stderr


def test_a_lock_that_is_held_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernel.ledger.sqlite._LOCK_SECONDS", 0.2)
    engine = Engine("sqlite", str(tmp_path))
    ledger = engine.open()
    ledger.append(counted(uuid4(), 1))
    other = sqlite3.connect(engine.path(), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerUnavailable):
        ledger.append(counted(uuid4(), 2))
    assert ledger.head() == 1
    other.execute("ROLLBACK")
    assert ledger.append(counted(uuid4(), 3)) == 2
    other.close()
    engine.close()


def test_a_file_that_holds_another_ledger(tmp_path: Path) -> None:
    engine = Engine("sqlite", str(tmp_path))
    engine.open("facts")
    engine.close()
    engine.path("facts").rename(engine.path("access"))
    with pytest.raises(ValueError, match="facts"):
        engine.open("access")


def test_a_damaged_file(tmp_path: Path) -> None:
    engine = Engine("sqlite", str(tmp_path))
    engine.path().write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(LedgerUnavailable):
        engine.open()


@pytest.fixture(scope="module")
def server() -> Generator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def remote(server: Cluster) -> Generator[EventLedger]:
    engine = Engine("postgresql", server.dsn, f"outage_{uuid4().hex[:8]}")
    yield engine.open()
    engine.close()


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_a_server_that_is_away(server: Cluster, remote: EventLedger, how: str) -> None:
    seen: list[int] = []
    tail = remote.follow(0)

    def follow() -> None:
        for batch in tail:
            seen.extend(e.position for e in batch)

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    remote.append(counted(uuid4(), 1))
    if how == "crash":
        server.crash()
    else:
        server.stop()
    try:
        with pytest.raises(LedgerUnavailable):
            remote.append(counted(uuid4(), 2))
        with pytest.raises(LedgerUnavailable):
            remote.head()
    finally:
        server.start()
    assert remote.append(counted(uuid4(), 3)) == 2
    assert verify(remote.recorder).ok
    deadline = time.monotonic() + 10
    while seen != [1, 2] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen == [1, 2]
    tail.stop()
    reader.join(3)


def test_connections_that_were_cut(server: Cluster, remote: EventLedger) -> None:
    import psycopg  # noqa: PLC0415 - only here

    remote.append(counted(uuid4(), 1))
    assert remote.head() == 1
    with psycopg.connect(server.dsn, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'pianku-facts'"
        )
    time.sleep(0.1)
    assert remote.head() == 1
    assert remote.append(counted(uuid4(), 2)) == 2


def test_a_server_that_is_read_only(server: Cluster, remote: EventLedger) -> None:
    import psycopg  # noqa: PLC0415 - only here

    setting = "ALTER ROLE pianku SET default_transaction_read_only = {}"
    with psycopg.connect(server.dsn, autocommit=True) as other:
        other.execute(setting.format("on").encode())
        remote.recorder._drop_writer()
        try:
            with pytest.raises(LedgerUnavailable):
                remote.append(counted(uuid4(), 1))
        finally:
            other.execute("SET default_transaction_read_only = off")
            other.execute(setting.format("off").encode())
    assert remote.append(counted(uuid4(), 1)) == 1


def test_an_event_too_large_is_refused_before_it_is_sent(ledger: EventLedger) -> None:
    huge = Append((StreamAppend(uuid4(), (Counted(number=1, text="x" * MAX_EVENT_BYTES),)),))
    with pytest.raises(EventTooLarge):
        ledger.append(huge)
    assert ledger.append(counted(uuid4(), 1)) == 1
