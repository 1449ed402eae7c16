"""What the rest of the house sees of the ledger: what is appended and what is read.

Design A3. Rooms build `Append`s (pure); workflows hand them to a `Ledger`; projections follow it.
The engines behind it are `sqlite.py` and `postgres.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from kernel.context import Envelope, current
from kernel.events import Fact, Recorded
from kernel.refusals import Conflict, Refusal, Unavailable

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class StreamAppend:
    """Facts for one stream, in order."""

    stream: UUID
    facts: tuple[Fact, ...]
    expected_version: int | None = None
    """None: at the head, whatever it is; 0: the stream must be new; n: its version must be n."""
    patient_key: UUID | None = None
    """Whose key seals the personal fields; required when a fact has any that is not default."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that belongs to one thing only, taken in the same append as the facts.

    If (kind, key) is already taken: a `shared` claim with an equal fingerprint passes,
    anything else raises `ClaimTaken` and nothing of the append is stored.
    """

    kind: str
    key: str
    fingerprint: bytes = b""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """One atomic append: all streams and claims, or nothing."""

    streams: tuple[StreamAppend, ...]
    claims: tuple[Claim, ...] = ()
    envelope: Envelope = field(default_factory=current)


@dataclass(frozen=True, slots=True)
class ClaimHeld:
    """A claim as it stands: its fingerprint and the position of the append that took it."""

    fingerprint: bytes
    position: int


class StreamMoved(Conflict):
    """A stream was not at the version the decision was made on."""

    code = "stream_moved"

    def __init__(self, stream: UUID, expected: int) -> None:
        super().__init__("the record changed while the request was decided", stream=stream)
        self.stream = stream
        self.expected = expected


class ClaimTaken(Conflict):
    """A unique identifier is already taken by something else."""

    code = "claim_taken"

    def __init__(self, claim: Claim, held: ClaimHeld) -> None:
        super().__init__("the identifier is already taken", kind=claim.kind, key=claim.key)
        self.claim = claim
        self.held = held


class LedgerUnavailable(Unavailable):
    """The ledger cannot be written now (disk full, read only, database away)."""

    code = "ledger_unavailable"


class Ledger(Protocol):
    """One ledger: `facts`, `access` or `messages`. Thread safe; opened once a process."""

    name: str

    def append(self, batch: Append) -> int:
        """Record `batch` durably and return the position of its last event.

        Concurrent callers share one commit. Raises StreamMoved, ClaimTaken, LedgerUnavailable.
        """
        ...

    def append_soon(self, batch: Append) -> Future[int]:
        """Like `append`, without waiting: the future is done when the commit is durable."""
        ...

    def append_all(self, batches: Sequence[Append]) -> list[int | Refusal]:
        """Like `append` for several at once, each for itself: its position or its refusal."""
        ...

    def load(self, stream: UUID) -> list[Recorded]:
        """Return the events of one stream in order; empty when it does not exist."""
        ...

    def fold(self, stream: UUID, initial: S, apply: Callable[[S, Recorded], S]) -> tuple[S, int]:
        """Return the state made of a stream's events and the stream's version (0 if none)."""
        ...

    def read(
        self, after: int, limit: int = 1000, topics: Sequence[str] = (), until: int | None = None
    ) -> list[Recorded]:
        """Return up to `limit` events with position > `after` (and <= `until`), in order."""
        ...

    def head(self) -> int:
        """Return the position of the last committed event, 0 when empty (cheap)."""
        ...

    def claims(self, kind: str, keys: Iterable[str]) -> dict[str, ClaimHeld]:
        """Return those of `keys` that are taken."""
        ...

    def position_at(self, moment: datetime) -> int:
        """Return the position of the last event committed at or before `moment`."""
        ...

    def follow(self, after: int, *, limit: int = 1000) -> Follower:
        """Return a follower that yields batches as they are committed, by any process."""
        ...

    def close(self) -> None:
        """Finish pending appends and close the database."""
        ...


class Follower(Protocol):
    """Yields every event once, in order; blocks at the head until more come or it is stopped."""

    def __iter__(self) -> Iterator[list[Recorded]]:
        """Iterate over batches of at most `limit` events."""
        ...

    def stop(self) -> None:
        """End the iteration soon; may be called from any thread."""
        ...
