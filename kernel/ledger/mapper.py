"""The mapper: facts to rows and rows to `Recorded` facts.

Design A3: bodies are msgspec JSON (readable by sqlite3, psql and auditors), the envelope and the
sealed blob have columns of their own. Called by `ledger.py`; meets eventsourcing's Mapper.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import Mapper, StoredEvent

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.ledger.admission import Part, Prepared, PreparedEvent
from kernel.ledger.chain import Row, content_digest
from kernel.ledger.ports import Append, Claim
from kernel.ledger.recorder import LedgerEvent
from kernel.ledger.sealing import FieldSealing, KeyRing, WarmableRing
from kernel.ledger.topics import EventKind, TopicTable
from kernel.refusals import Invalid, TooMuch
from kernel.times import from_micros, micros

MAX_CLAIM_BYTES = 1024
"""A B-tree of PostgreSQL holds keys up to 2.7 kB; no identifier of the field comes near."""


MAX_EVENT_BYTES = 32 * 1024 * 1024
"""Larger things are stored as objects and named by their hash."""


class EventTooLarge(TooMuch):
    """An event would be larger than a ledger takes."""

    code = "event_too_large"


class BadClaim(Invalid):
    """A claimed identifier is too long or holds a NUL."""

    code = "bad_claim"


class UndecodableEvent(ValueError):  # noqa: N818 - says what is so
    """A stored event does not fit its class: an upcaster is missing or the row was altered."""

    def __init__(self, position: int, topic: str, reason: str) -> None:
        super().__init__(f"event {position} ({topic}) cannot be read: {reason}")
        self.position = position
        self.topic = topic


class FactMapper(Mapper[UUID]):
    """Turns appends into prepared events and rows into recorded facts. Thread safe."""

    def __init__(self, ledger: str, topics: TopicTable, ring: KeyRing, node: str = "") -> None:
        # The library's own transcoder, compressor and cipher are not used, hence no super().
        self.topics = topics
        self._sealing = FieldSealing(ledger, ring)
        self._warm = ring.warm if isinstance(ring, WarmableRing) else None
        self._node = node
        self._envelope: tuple[str, Envelope] = ("", Envelope())
        self._envelopes = msgspec.json.Decoder(Envelope)

    def prepare(self, batch: Append) -> Prepared:
        """Encode, seal and digest everything of an append that does not depend on its place."""
        envelope = batch.envelope
        if not envelope.node and self._node:
            envelope = msgspec.structs.replace(envelope, node=self._node)
        text = msgspec.json.encode(envelope).decode()
        events: list[PreparedEvent] = []
        parts: list[Part] = []
        size = 0
        for part in batch.streams:
            parts.append(Part(part.stream, part.expected_version, len(part.facts)))
            for fact in part.facts:
                event = self._prepare_fact(part.stream, fact, text, part.patient_key)
                size += _size(event)
                events.append(event)
        for claim in batch.claims:
            _check_claim(claim)
        return Prepared(tuple(parts), tuple(events), batch.claims, size)

    def recorded(self, row: Row) -> Recorded:
        """Return the fact of a row, unsealed when its patient's key still lives."""
        kind = self.topics.kind(row.topic)
        body, shredded = row.body, False
        if row.sealed_for is not None and row.sealed is not None:
            whole = self._sealing.join(body, row.stream, row.topic, row.sealed_for, row.sealed)
            body, shredded = (body, True) if whole is None else (whole, False)
        return Recorded(
            stream=row.stream,
            version=row.version,
            position=row.position,
            at=from_micros(row.at),
            topic=row.topic,
            fact=_decode(kind, body, row.position),
            envelope=self._envelope_of(row.envelope),
            sealed_for=row.sealed_for,
            shredded=shredded,
        )

    def recorded_all(self, rows: Iterable[Row]) -> list[Recorded]:
        """Return the facts of many rows, fetching the keys they need together."""
        rows = list(rows)
        if self._warm is not None:
            patients = {row.sealed_for for row in rows if row.sealed_for is not None}
            if len(patients) > 1:
                self._warm(patients)
        return [self.recorded(row) for row in rows]

    def without_personal(self, row: Row) -> Recorded:
        """Return the fact of a row with its personal fields left sealed (blank)."""
        return msgspec.structs.replace(
            self.recorded(row._replace(sealed_for=None, sealed=None)), sealed_for=row.sealed_for
        )

    def to_stored_event(self, domain_event: Any) -> LedgerEvent:
        """Return a recorded fact as a stored event (the library's name for a row)."""
        recorded: Recorded = domain_event
        kind = self.topics.kind_of(recorded.fact)
        body, sealed_for, sealed = self._sealing.split(
            kind, recorded.fact, recorded.stream, recorded.sealed_for
        )
        return LedgerEvent(
            originator_id=recorded.stream,
            originator_version=recorded.version,
            topic=kind.topic,
            state=body.encode(),
            id=recorded.position,
            at=micros(recorded.at),
            envelope=msgspec.json.encode(recorded.envelope).decode(),
            sealed_for=sealed_for,
            sealed=sealed,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        """Return the recorded fact of a stored event."""
        return self.recorded(LedgerEvent.of(stored_event).row())

    def _prepare_fact(
        self, stream: UUID, fact: Fact, envelope: str, patient_key: UUID | None
    ) -> PreparedEvent:
        kind = self.topics.kind_of(fact)
        body, sealed_for, sealed = self._sealing.split(kind, fact, stream, patient_key)
        digest = content_digest(kind.topic, envelope, body, sealed_for, sealed)
        return PreparedEvent(stream, kind.topic, envelope, body, sealed_for, sealed, digest)

    def _envelope_of(self, text: str) -> Envelope:
        # The events of one append share their envelope: keep the last one decoded.
        last_text, last = self._envelope
        if text == last_text:
            return last
        envelope = self._envelopes.decode(text)
        self._envelope = (text, envelope)
        return envelope


def _decode(kind: EventKind, body: str, position: int) -> Fact:
    try:
        return kind.decode(body)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise UndecodableEvent(position, kind.topic, type(error).__name__) from error


def _size(event: PreparedEvent) -> int:
    size = len(event.body) + len(event.envelope) + len(event.sealed or b"")
    if size > MAX_EVENT_BYTES:
        raise EventTooLarge(topic=event.topic, size_bytes=size)
    return size


def _check_claim(claim: Claim) -> None:
    for text in (claim.kind, claim.key):
        if "\0" in text or len(text.encode()) > MAX_CLAIM_BYTES:
            raise BadClaim(kind=claim.kind)
