"""What both engines share: the extended stored event and the library's recorder interface.

Design A3: recorders are ours, subclassed behind eventsourcing's `ApplicationRecorder`.
Subclassed by `sqlite.py` and `postgres.py`; called by `ledger.py`, `follow.py`, `verify.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    Notification,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)

from kernel.ledger.admission import Outcome, Part, Prepared, PreparedEvent
from kernel.ledger.chain import Head, Row, content_digest
from kernel.ledger.follow import Pulse, TailSubscription
from kernel.ledger.ports import ClaimHeld, LedgerUnavailable
from kernel.refusals import Refusal


@dataclass(frozen=True)
class LedgerEvent(Notification):
    """A stored event with the columns the library does not know of."""

    at: int = 0
    envelope: str = "{}"
    sealed_for: UUID | None = None
    sealed: bytes | None = None
    hash: bytes = b""

    @classmethod
    def of(cls, stored: StoredEvent) -> LedgerEvent:
        """Return `stored` with our columns, blank where it has none."""
        if isinstance(stored, LedgerEvent):
            return stored
        return cls(
            originator_id=stored.originator_id,
            originator_version=stored.originator_version,
            topic=stored.topic,
            state=stored.state,
            id=getattr(stored, "id", 0),
        )

    @classmethod
    def from_row(cls, row: Row) -> LedgerEvent:
        """Return a row as a stored event."""
        return cls(
            originator_id=row.stream,
            originator_version=row.version,
            topic=row.topic,
            state=row.body.encode(),
            id=row.position,
            at=row.at,
            envelope=row.envelope,
            sealed_for=row.sealed_for,
            sealed=row.sealed,
            hash=row.hash,
        )

    def row(self) -> Row:
        """Return this event as a row."""
        return Row(
            position=self.id,
            stream=_uuid(self.originator_id),
            version=self.originator_version,
            topic=self.topic,
            at=self.at,
            envelope=self.envelope,
            body=self.state.decode(),
            sealed_for=self.sealed_for,
            sealed=self.sealed,
            hash=self.hash,
        )


class LedgerRecorder(ApplicationRecorder):
    """One ledger in one database. Thread safe."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pulse = Pulse()

    @abstractmethod
    def commit(self, group: Sequence[Prepared]) -> list[Outcome]:
        """Store a group in one transaction; returns position or refusal for each append.

        Raises LedgerUnavailable when nothing could be stored.
        """

    @abstractmethod
    def rows(
        self, after: int, limit: int, *, topics: Sequence[str] = (), until: int | None = None
    ) -> list[Row]:
        """Return rows with position > `after` (and <= `until`), in order."""

    @abstractmethod
    def stream_rows(
        self,
        stream: UUID,
        *,
        above: int = 0,
        until: int | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        """Return rows of one stream with version > `above` (and <= `until`)."""

    @abstractmethod
    def head(self) -> Head:
        """Return the end of the ledger."""

    @abstractmethod
    def held(self, kind: str, keys: Sequence[str]) -> dict[str, ClaimHeld]:
        """Return those of `keys` that are taken."""

    @abstractmethod
    def at(self, position: int) -> int | None:
        """Return the time of the event at `position` in microseconds; None when absent."""

    @abstractmethod
    def stream_gap(self) -> int | None:
        """Return the position of an event whose stream lacks a version before it, if any."""

    @abstractmethod
    def claim_bounds(self) -> tuple[int, int]:
        """Return the least and greatest position at which a claim was taken; 1, 0 if none."""

    @abstractmethod
    def watch(self) -> None:
        """Begin to notice the commits of other processes (idempotent)."""

    @abstractmethod
    def close(self) -> None:
        """Close the database."""

    # The library's interface, on top of ours.

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events at the versions they carry; raises IntegrityError on a conflict."""
        del kwargs
        if not stored_events:
            return []
        events = [LedgerEvent.of(stored) for stored in stored_events]
        prepared = Prepared(
            parts=tuple(
                Part(_uuid(event.originator_id), event.originator_version - 1, 1)
                for event in events
            ),
            events=tuple(_prepared(event) for event in events),
        )
        try:
            (outcome,) = self.commit([prepared])
        except LedgerUnavailable as error:
            raise OperationalError(str(error)) from error
        if isinstance(outcome, Refusal):
            raise IntegrityError(str(outcome)) from outcome
        return list(range(outcome - len(events) + 1, outcome + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the stored events of one stream."""
        rows = self.stream_rows(
            _uuid(originator_id), above=gt or 0, until=lte, descending=desc, limit=limit
        )
        return [LedgerEvent.from_row(row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return stored events in ledger order."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        rows = self.rows(after, limit, topics=topics, until=stop)
        return [LedgerEvent.from_row(row) for row in rows]

    def max_notification_id(self) -> int | None:
        """Return the position of the last event, None when the ledger is empty."""
        return self.head().position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> TailSubscription:
        """Return an iterator over stored events that goes on as they are committed."""
        self.watch()
        return TailSubscription(self, gt, topics)


def held_names(claims: Iterable[tuple[str, str, bytes, int]]) -> dict[tuple[str, str], ClaimHeld]:
    """Return rows of the claim table by (kind, key)."""
    return {(kind, key): ClaimHeld(bytes(mark), at) for kind, key, mark, at in claims}


def _prepared(event: LedgerEvent) -> PreparedEvent:
    body = event.state.decode()
    return PreparedEvent(
        stream=_uuid(event.originator_id),
        topic=event.topic,
        envelope=event.envelope,
        body=body,
        sealed_for=event.sealed_for,
        sealed=event.sealed,
        digest=content_digest(event.topic, event.envelope, body, event.sealed_for, event.sealed),
    )


def _uuid(originator_id: UUID | str) -> UUID:
    if isinstance(originator_id, UUID):
        return originator_id
    raise ProgrammingError("streams are named by UUIDs")
