"""How fast the ledger appends, reads, verifies and tells followers, on each engine.

Design A3. Run: `python benchmarks/ledger.py [--dsn DSN] [--seconds S]`; prints a table. Figures
are for reading side by side on one machine, never asserted.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kernel.events import Fact
from kernel.ledger.ledger import EventLedger, open_postgres, open_sqlite
from kernel.ledger.ports import Append, Claim, StreamAppend
from kernel.ledger.sealing import MemoryRing
from kernel.ledger.topics import TopicTable
from kernel.ledger.verify import verify


class Stored(Fact):
    """About 400 bytes of JSON, as an instance that was received."""

    TOPIC = "bench.stored:v1"
    PERSONAL = frozenset({"name"})
    study: str
    series: str
    instance: str
    size_bytes: int
    digest: str
    path: str
    name: str = ""


UID = "1.2.826.0.1.3680043.8.498.12345678901234567890123456789012345678"
TABLE = TopicTable([Stored])


def fact(number: int, name: str = "") -> Stored:
    return Stored(
        study=UID, series=UID, instance=f"{UID}.{number}", size_bytes=number,
        digest="0123456789abcdef" * 4, path="hot/2026/11/24/" + "x" * 40, name=name,
    )  # fmt: skip


def rate(seconds: float, step: Callable[[], int]) -> float:
    """Return events per second of `step`, repeated for some seconds."""
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        count += step()
    return count / spent


def batch(size: int, *, claims: bool = False, patient: UUID | None = None) -> Append:
    facts = tuple(fact(n, "王芳" if patient else "") for n in range(size))
    taken = tuple(Claim("uid", uuid4().hex) for _ in range(size)) if claims else ()
    return Append((StreamAppend(uuid4(), facts, patient_key=patient),), taken)


def one(ledger: EventLedger, append: Append) -> int:
    ledger.append(append)
    return len(append.streams[0].facts)


def burst(ledger: EventLedger, size: int) -> int:
    """Return `size` after as many one-event appends that wait together."""
    for future in [ledger.append_soon(batch(1)) for _ in range(size)]:
        future.result()
    return size


def threads(ledger: EventLedger, seconds: float, count: int) -> float:
    """Return events per second of threads that each append one event and wait for it."""
    rates: list[float] = []
    workers = [
        threading.Thread(target=lambda: rates.append(rate(seconds, lambda: one(ledger, batch(1)))))
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates)


def syncs(folder: Path, seconds: float) -> float:
    """Return how often a second 4 kB can be written and synced: the bound of single appends."""
    with (folder / "sync").open("wb", buffering=0) as file:

        def step() -> int:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            return 1

        return rate(seconds, step)


def reading(ledger: EventLedger, fetch: Callable[[int], int]) -> float:
    """Return events per second of a whole pass, `fetch(after)` giving the position reached."""
    head, after, began = ledger.head(), 0, time.perf_counter()
    while after < head:
        after = fetch(after)
    return head / (time.perf_counter() - began)


def latency_ms(ours: EventLedger, theirs: EventLedger) -> float:
    """Return the median time from a commit elsewhere to its arrival at a follower."""
    arrived: dict[int, float] = {}
    tail = ours.follow(ours.head())

    def follow() -> None:
        for events in tail:
            for event in events:
                arrived[event.position] = time.perf_counter()

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    committed = {}
    for _ in range(100):
        time.sleep(0.01)
        position = theirs.append(batch(1))
        committed[position] = time.perf_counter()
    time.sleep(0.5)
    tail.stop()
    reader.join()
    return 1000 * median(arrived[p] - committed[p] for p in committed)


def measure(open_ledger: Callable[[], EventLedger], seconds: float) -> dict[str, float]:
    ledger, other, patient = open_ledger(), open_ledger(), uuid4()
    figures = {
        "append, 1 event, one caller": rate(seconds, lambda: one(ledger, batch(1))),
        "append, 1 event, 16 threads": threads(ledger, seconds, 16),
        "append, 1 event, 500 waiting": rate(seconds, lambda: burst(ledger, 500)),
        "append, 100 events": rate(seconds, lambda: one(ledger, batch(100))),
        "append, 1000 events": rate(seconds, lambda: one(ledger, batch(1000))),
        "append, 100 events and claims": rate(
            seconds, lambda: one(ledger, batch(100, claims=True))
        ),
        "append, 100 events, sealed": rate(
            seconds, lambda: one(ledger, batch(100, patient=patient))
        ),
        "read, rows": reading(ledger, lambda a: ledger.recorder.rows(a, 1000)[-1].position),
        "read, decoded": reading(ledger, lambda a: ledger.read(a, 1000)[-1].position),
    }
    began = time.perf_counter()
    assert verify(ledger.recorder).ok
    figures["verify"] = ledger.head() / (time.perf_counter() - began)
    figures["follow another process, median ms"] = latency_ms(ledger, other)
    ledger.close()
    other.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", help="A PostgreSQL server; a schema is made and dropped.")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--folder", help="Where the SQLite files go (default: a temporary folder).")
    given = parser.parse_args()
    ring, columns = MemoryRing(), {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        place = Path(folder)
        print(f"fdatasync of 4 kB: {syncs(place, 1):,.0f}/s")
        columns["SQLite"] = measure(
            lambda: open_sqlite(place / "facts.db", "facts", topics=TABLE, ring=ring), given.seconds
        )
    if given.dsn:
        from tests.support.postgres import drop_schema  # noqa: PLC0415 - only with a server

        schema = f"bench_{uuid4().hex[:8]}"
        try:
            columns["PostgreSQL"] = measure(
                lambda: open_postgres(given.dsn, "facts", topics=TABLE, ring=ring, schema=schema),
                given.seconds,
            )
        finally:
            drop_schema(given.dsn, schema)
    print(f"{'events/s':36}" + "".join(f"{name:>12}" for name in columns))
    for row in columns["SQLite"]:
        print(f"{row:36}" + "".join(f"{figures[row]:12,.1f}" for figures in columns.values()))


if __name__ == "__main__":
    main()
