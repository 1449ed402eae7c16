"""The event-sourcing library's own recorder contract, and its Repository on our parts.

Design A3: our recorders stand behind the library's interface. Called by pytest.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from itertools import count
from typing import Self
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.application import AggregateNotFoundError, Repository
from eventsourcing.persistence import ApplicationRecorder, EventStore, IntegrityError

from kernel.aggregate import Aggregate
from kernel.events import Fact
from kernel.ledger.ledger import EventLedger
from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import Counted, Engine, counted

# The library's tests import its cipher on pycryptodome, which we do not install; the one on
# `cryptography` has the same name, and the recorder contract uses neither.
sys.modules.setdefault(
    "eventsourcing.cipher", importlib.import_module("eventsourcing.cryptography")
)
ApplicationRecorderTestCase = importlib.import_module(
    "eventsourcing.tests.persistence"
).ApplicationRecorderTestCase


@dataclass(frozen=True, kw_only=True)
class Sum(Aggregate):
    total: int = 0

    def apply(self, fact: Fact) -> Self:
        match fact:
            case Counted(number=number):
                return type(self)(id=self.id, total=self.total + number)
            case _:
                return self


@pytest.mark.parametrize(
    "test",
    # test_concurrent_no_conflicts numbers streams from 0; ours are gapless from 1
    # (tests/properties/test_ledger_interleavings.py stands in for it).
    ["test_insert_select", "optional_test_insert_subscribe"],
)
def test_the_library_accepts_our_recorder(engine: Engine, test: str) -> None:
    numbers = count()

    class Contract(ApplicationRecorderTestCase):
        def create_recorder(self) -> ApplicationRecorder:
            return engine.open(f"ledger{next(numbers)}").recorder

        def runTest(self) -> None:  # noqa: N802 - unittest's name
            getattr(self, test)()

    case: TestCase = Contract()
    case.debug()
    assert verify(engine.opened[-1].recorder).ok


def test_the_librarys_repository_loads_our_aggregate(ledger: EventLedger) -> None:
    stream = uuid4()
    ledger.append(counted(stream, 1, 2, 3))
    repository = Repository(EventStore(ledger.mapper, ledger.recorder))
    loaded = repository.get(stream, projector_func=Sum.project)
    assert loaded == Sum(id=stream, version=3, total=6)
    assert repository.get(stream, version=2, projector_func=Sum.project).total == 3
    with pytest.raises(AggregateNotFoundError):
        repository.get(uuid4(), projector_func=Sum.project)
    state, version = ledger.fold(stream, Sum(id=stream), Sum.after)
    assert state == loaded
    assert version == state.version
    assert Sum.fold(stream, ledger.load(stream)) == loaded


def test_the_librarys_event_store_can_put_our_events(engine: Engine, ledger: EventLedger) -> None:
    stream = uuid4()
    ledger.append(counted(stream, 1, 2))
    copied = engine.open("copy")
    store = EventStore(copied.mapper, copied.recorder)
    recordings = store.put(ledger.load(stream))
    assert [r.notification.id for r in recordings] == [1, 2]
    assert [e.fact for e in copied.load(stream)] == [e.fact for e in ledger.load(stream)]
    assert [e.envelope for e in copied.load(stream)] == [e.envelope for e in ledger.load(stream)]
    with pytest.raises(IntegrityError):
        store.put(ledger.load(stream))
    assert copied.head() == 2
