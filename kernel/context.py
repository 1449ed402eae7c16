"""Who is asking, why and from where: the context of the request in hand.

Feeds the event envelope (design: who, why, from where, correlation and causation).
Set once by an adapter's guard, read by the ledger when it records.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID, uuid4

import msgspec


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is known of the request that made an event; holds no personal data of patients."""

    subject: str = "system"
    """Login, token label, AE title or system name of the caller."""
    subject_kind: str = "system"
    """account | token | ae | certificate | system."""
    purpose: str = ""
    """Purpose of use, or the reason given for break-glass."""
    protocol: str = ""
    """The door: dimse, stow-rs, iti-41, mllp, portal, cli, workflow."""
    address: str = ""
    """IP address of the caller."""
    node: str = ""
    """The node that recorded the event."""
    source: str = ""
    """Source system: calling AE title, sourceId or sending application."""
    correlation: UUID = msgspec.field(default_factory=uuid4)
    causation: UUID | None = None


_current: ContextVar[Envelope | None] = ContextVar("envelope", default=None)


def current() -> Envelope:
    """Return the envelope of the request in hand, or one of the system itself."""
    return _current.get() or Envelope()


@contextmanager
def acting_as(envelope: Envelope) -> Iterator[Envelope]:
    """Run the block as the caller described by `envelope`."""
    token = _current.set(envelope)
    try:
        yield envelope
    finally:
        _current.reset(token)
