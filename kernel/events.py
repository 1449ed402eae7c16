"""Facts and how they stand in a ledger: the event base class and its envelope.

Design A3: frozen structs, an explicit versioned TOPIC, personal fields declared on the class.
Called by every `events.py`; the ledger turns facts into rows and rows into `Recorded` facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from kernel.context import Envelope


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened; subclasses are past tense and set `TOPIC = "noun.verb:vN"`.

    Fields named in `PERSONAL` identify a person: they are sealed under the patient key given
    with the append and come back as their default once that key has been destroyed, so each
    must have a default. `UPCASTERS` maps an older topic to a pure function from the old
    body (a dict of JSON values) to the body of this version.
    """

    TOPIC: ClassVar[str]
    PERSONAL: ClassVar[frozenset[str]] = frozenset()
    UPCASTERS: ClassVar[Mapping[str, Any]] = {}


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A fact as it stands in a ledger; meets eventsourcing's DomainEventProtocol."""

    stream: UUID
    version: int
    """1 for the first event of a stream."""
    position: int
    """Gapless position in its ledger, from 1."""
    at: datetime
    """When the append was committed; never decreases within a ledger."""
    topic: str
    """The topic it was stored under (an older one than `fact.TOPIC` if upcast)."""
    fact: Fact
    envelope: Envelope
    sealed_for: UUID | None = None
    """The patient key its personal fields are sealed under."""
    shredded: bool = False
    """True when those fields can never be read again."""

    @property
    def originator_id(self) -> UUID:
        """Return the stream, by the library's name."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """Return the version, by the library's name."""
        return self.version
