"""Several processes on one ledger: nothing is lost, nothing half-written, whoever is killed.

Design A2, A3. Called by pytest; the long loop is tests/soak/test_ledger_kill.py.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import Counted, Engine

ROOT = Path(__file__).resolve().parents[3]

# Appends groups for ever (or `rounds` times) and prints each position once it is acknowledged.
WRITER = """
import random, sys
from uuid import UUID
from kernel.ledger.ports import Append, Claim, StreamAppend
from tests.kernel.ledger.samples import Counted, Engine

engine = Engine(sys.argv[1], sys.argv[2], sys.argv[3])
writer, rounds = int(sys.argv[4]), int(sys.argv[5])
ledger = engine.open()
print("ready", flush=True)
chance = random.Random(writer)
number = 0
while number < rounds or rounds < 0:
    waiting = []
    for _ in range(chance.randint(1, 6)):
        number += 1
        facts = tuple(Counted(number=number, text=str(writer)) for _ in range(chance.randint(1, 4)))
        streams = [StreamAppend(UUID(int=writer * 1000 + number % 7), facts)]
        if number % 3 == 0:
            streams.append(StreamAppend(UUID(int=5), facts))
        claims = (Claim("number", f"{writer}.{number}"),)
        waiting.append((number, ledger.append_soon(Append(tuple(streams), claims))))
    for n, future in waiting:
        print(n, future.result(), flush=True)
ledger.close()
"""


def start(engine: Engine, writer: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, engine.name, engine.place, engine.schema or "-"]
    return subprocess.Popen(
        [*command, str(writer), str(rounds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def acknowledged(process: subprocess.Popen[str]) -> dict[int, int]:
    """Return number -> position of what a writer was told to be durable."""
    output, _ = process.communicate(timeout=60)
    lines = [line.split() for line in output.splitlines()[1:]]
    # The last line may be cut by the kill.
    return {int(line[0]): int(line[1]) for line in lines[:-1] if len(line) == 2}


def check_nothing_lost(engine: Engine, writer: int, told: dict[int, int]) -> None:
    ledger = engine.open()
    assert verify(ledger.recorder).ok
    held = ledger.claims("number", [f"{writer}.{n}" for n in told])
    assert {n: held[f"{writer}.{n}"].position for n in told} == told
    for position in list(told.values())[-50:]:
        (event,) = ledger.read(position - 1, 1)
        assert isinstance(event.fact, Counted)
        assert event.fact.text == str(writer)
    ledger.close()


def kill_at_random(engine: Engine, writer: int, chance: random.Random) -> int:
    """Start a writer, kill it somewhere, and check; returns how many appends it was told of."""
    process = start(engine, writer, -1)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(chance.uniform(0, 0.3))
    process.send_signal(signal.SIGKILL)
    told = acknowledged(process)
    check_nothing_lost(engine, writer, told)
    return len(told)


def test_a_killed_writer_leaves_what_it_acknowledged(engine: Engine) -> None:
    engine.open()
    chance = random.Random(7)
    assert sum(kill_at_random(engine, writer, chance) for writer in range(1, 6)) > 0


def test_writers_in_several_processes_and_a_follower(engine: Engine) -> None:
    ledger = engine.open()
    tail = ledger.follow(0, limit=100)
    seen: list[int] = []

    def follow() -> None:
        for batch in tail:
            seen.extend(event.position for event in batch)

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    writers = {n: start(engine, n, 150) for n in (1, 2, 3)}
    for n, process in writers.items():
        check_nothing_lost(engine, n, acknowledged(process))
        assert process.returncode == 0
    head = ledger.head()
    deadline = time.monotonic() + 10
    while len(seen) < head and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen == list(range(1, head + 1))
    tail.stop()
    reader.join(3)
    assert verify(ledger.recorder).ok


@pytest.mark.parametrize("attempt", range(2))
def test_processes_that_create_the_ledger_together(engine: Engine, attempt: int) -> None:
    writers = {n: start(engine, n, 5) for n in range(1, 5)}
    for n, process in writers.items():
        check_nothing_lost(engine, n, acknowledged(process))
        assert process.returncode == 0
