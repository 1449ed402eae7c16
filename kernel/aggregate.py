"""Aggregates: what a stream's events add up to, as far as its commands need to know.

Design A3 (decide, then record): rules live in the commands, `apply` only assigns and never
refuses, so old streams stay readable when a rule is tightened. Subclassed in `aggregate.py`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from kernel.events import Fact, Recorded


@dataclass(frozen=True, kw_only=True)
class Aggregate(ABC):
    """The state of one stream; subclasses are frozen dataclasses whose fields have defaults.

    Meets eventsourcing's ImmutableAggregateProtocol, and `project` its projector function, so
    the library's Repository can load it.
    """

    id: UUID
    version: int = 0
    """Version of the stream: what a command passes on as `expected_version`."""

    @abstractmethod
    def apply(self, fact: Fact) -> Self:
        """Return the state after `fact`; unknown facts change nothing."""

    @property
    def exists(self) -> bool:
        """Tell whether anything was recorded in the stream."""
        return self.version > 0

    def after(self, recorded: Recorded) -> Self:
        """Return the state and version after a recorded fact (the `apply` of `Ledger.fold`)."""
        return dataclasses.replace(self.apply(recorded.fact), version=recorded.version)

    @classmethod
    def fold(cls, stream: UUID, events: Iterable[Recorded]) -> Self:
        """Return the state that a stream's events add up to."""
        state = cls(id=stream)
        for recorded in events:
            state = state.after(recorded)
        return state

    @classmethod
    def project(cls, aggregate: Self | None, events: Iterable[Any]) -> Self | None:
        """Return the state after `events`, None when there are none at all (the library's way)."""
        for recorded in events:
            aggregate = (aggregate or cls(id=recorded.stream)).after(recorded)
        return aggregate
