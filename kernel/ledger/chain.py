"""The hash chain: the bytes that are hashed for each event, and the row they are taken from.

Design A3 (tamper evidence). An event's hash covers position, stream, version, time, topic,
envelope, body, sealed bytes and the hash before it. Called by both recorders and `verify.py`.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final, NamedTuple
from uuid import UUID

SUITE: Final = "sha256"
"""Named in the head row, so that another suite (SM3) can be told apart later."""

_CONTENT: Final = b"pianku/event/1\n"
_LINK: Final = b"pianku/link/1\n\0\0"
_GENESIS: Final = b"pianku/ledger/1\n"
_LENGTHS: Final = struct.Struct(">5I")
_PLACE: Final = struct.Struct(">16s32sq16sqq32s")


class Row(NamedTuple):
    """One event as it lies in the table."""

    position: int
    stream: UUID
    version: int
    topic: str
    at: int
    """Microseconds since 1970."""
    envelope: str
    body: str
    sealed_for: UUID | None
    sealed: bytes | None
    hash: bytes


class Head(NamedTuple):
    """The end of a ledger: position, hash and time of the last event, and the hash suite."""

    position: int
    hash: bytes
    at: int
    suite: str


def genesis(ledger: str) -> bytes:
    """Return the hash before the first event, which binds the ledger's name."""
    return hashlib.sha256(_GENESIS + ledger.encode()).digest()


def content_digest(
    topic: str, envelope: str, body: str, sealed_for: UUID | None, sealed: bytes | None
) -> bytes:
    """Return the hash of what an event says; made by the appender, outside the head lock.

    Framing: a tag, five 32-bit lengths, then the five fields, so no two events frame alike.
    """
    fields = (
        topic.encode(),
        envelope.encode(),
        body.encode(),
        b"" if sealed_for is None else sealed_for.bytes,
        sealed or b"",
    )
    return hashlib.sha256(b"".join((_CONTENT, _LENGTHS.pack(*map(len, fields)), *fields))).digest()


def link(before: bytes, place: tuple[int, bytes, int, int], digest: bytes) -> bytes:
    """Return the hash of an event: its place is (position, stream, version, at).

    Every part has a fixed length, so the 120 bytes frame themselves; the append function of
    PostgreSQL (`postgres_tables.py`) computes the same bytes.
    """
    position, stream, version, at = place
    return hashlib.sha256(
        _PLACE.pack(_LINK, before, position, stream, version, at, digest)
    ).digest()


def expected_hash(before: bytes, row: Row) -> bytes:
    """Return the hash `row` must carry when the event before it carries `before`."""
    digest = content_digest(row.topic, row.envelope, row.body, row.sealed_for, row.sealed)
    return link(before, (row.position, row.stream.bytes, row.version, row.at), digest)
