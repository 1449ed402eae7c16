"""An aggregate is what its stream's events add up to; applying never refuses.

Design A3. Called by pytest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from kernel.aggregate import Aggregate
from kernel.context import Envelope
from kernel.events import Fact, Recorded


class Opened(Fact):
    TOPIC = "sample.opened:v1"


class Closed(Fact):
    TOPIC = "sample.closed:v1"


@dataclass(frozen=True, kw_only=True)
class Door(Aggregate):
    open: bool = False

    def apply(self, fact: Fact) -> Self:
        return type(self)(id=self.id, open=isinstance(fact, Opened))


STREAM = UUID(int=7)


def recorded(version: int, fact: Fact) -> Recorded:
    return Recorded(
        stream=STREAM, version=version, position=version, at=datetime.now(UTC), topic=fact.TOPIC,
        fact=fact, envelope=Envelope(),
    )  # fmt: skip


EVENTS = [recorded(1, Opened()), recorded(2, Closed()), recorded(3, Opened())]


def test_a_stream_adds_up() -> None:
    assert Door.fold(STREAM, EVENTS) == Door(id=STREAM, version=3, open=True)
    assert Door.fold(STREAM, EVENTS[:2]) == Door(id=STREAM, version=2)


def test_a_stream_without_events_does_not_exist() -> None:
    assert not Door.fold(STREAM, []).exists
    assert Door.fold(STREAM, EVENTS[:1]).exists
    assert Door.project(None, []) is None


def test_the_librarys_projection_goes_on_from_a_state() -> None:
    half = Door.project(None, EVENTS[:1])
    assert Door.project(half, EVENTS[1:]) == Door.fold(STREAM, EVENTS)
