"""Followers see every event once, in order, whoever commits it, and stop when told.

Design A3. Called by pytest.
"""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest

from kernel.events import Recorded
from kernel.ledger.follow import Tail
from kernel.ledger.ledger import EventLedger
from kernel.ledger.ports import LedgerUnavailable
from kernel.refusals import Unavailable
from tests.kernel.ledger.samples import Counted, Engine, counted


class Reader(threading.Thread):
    """Follows a ledger on a thread of its own and keeps what it saw."""

    def __init__(self, tail: Tail[Recorded]) -> None:
        super().__init__(daemon=True)
        self.tail = tail
        self.batches: list[list[Recorded]] = []
        self.start()

    def run(self) -> None:
        for batch in self.tail:
            self.batches.append(batch)

    @property
    def positions(self) -> list[int]:
        return [e.position for batch in self.batches for e in batch]

    def until(self, position: int, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while (self.positions or [0])[-1] < position:
            assert time.monotonic() < deadline, f"only at {self.positions[-1:]}"
            time.sleep(0.001)


def test_what_was_and_what_comes(ledger: EventLedger) -> None:
    ledger.append(counted(uuid4(), *range(5)))
    reader = Reader(ledger.follow(2, limit=2))
    reader.until(5)
    for n in range(20):
        ledger.append(counted(uuid4(), n))
    reader.until(25)
    assert reader.positions == list(range(3, 26))
    assert max(map(len, reader.batches)) <= 2
    reader.tail.stop()
    reader.join(1)
    assert not reader.is_alive()


def test_what_another_process_commits(engine: Engine) -> None:
    ours, theirs = engine.open(), engine.open()
    reader = Reader(ours.follow(0))
    delays = []
    for n in range(30):
        time.sleep(0.02)
        began = time.monotonic()
        reader.until(theirs.append(counted(uuid4(), n)))
        delays.append(time.monotonic() - began)
    # A quarter of the safety poll: the wake-up works, it is not the poll that finds the events.
    assert sorted(delays)[len(delays) // 2] < 0.25
    assert reader.positions == list(range(1, 31))


@pytest.mark.parametrize("end", ["stop", "close"])
def test_a_follower_at_the_head_ends_at_once(engine: Engine, end: str) -> None:
    ledger = engine.open()
    reader = Reader(ledger.follow(0))
    reader.until(ledger.append(counted(uuid4(), 1)))
    time.sleep(0.05)
    began = time.monotonic()
    (reader.tail.stop if end == "stop" else ledger.close)()
    reader.join(2)
    assert not reader.is_alive()
    assert time.monotonic() - began < 1
    assert reader.tail.stopped


def test_a_follower_tells_an_event_it_cannot_read(engine: Engine, ledger: EventLedger) -> None:
    ledger.append(counted(uuid4(), 1))
    engine.sql('UPDATE {event} SET body = \'{{"number":"x"}}\'')
    with pytest.raises(ValueError, match="event 1"):
        next(iter(ledger.follow(0)))


def test_a_follower_bears_that_keys_or_database_are_away_for_a_while(ledger: EventLedger) -> None:
    answers = iter([Unavailable(), LedgerUnavailable(), ([7], 1)])

    def fetch(after: int) -> tuple[list[int], int]:
        answer = next(answers)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    assert next(iter(Tail(fetch, ledger.recorder.pulse, 0))) == [7]


def test_waiting_for_the_head(engine: Engine, ledger: EventLedger) -> None:
    assert ledger.wait_beyond(0, 0.05) == 0
    other = engine.open()
    timer = threading.Timer(0.1, lambda: other.append(counted(uuid4(), 1)))
    timer.start()
    began = time.monotonic()
    assert ledger.wait_beyond(0, 5) == 1
    assert time.monotonic() - began < 2
    timer.join()


def test_the_librarys_subscription_skips_topics(ledger: EventLedger) -> None:
    ledger.append(counted(uuid4(), *range(3)))
    with ledger.recorder.subscribe(gt=1, topics=[Counted.TOPIC]) as subscription:
        assert [next(subscription).id for _ in range(2)] == [2, 3]
    with ledger.recorder.subscribe(topics=["none:v1"]) as subscription:
        threading.Timer(0.1, subscription.stop).start()
        assert list(subscription) == []
