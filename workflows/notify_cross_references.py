"""Cross-references changed: tell a PIX consumer, in order, until he has taken each message.

Implements ITI TF-2 3.10.4.1 (expected actions of the Patient Identifier Cross-reference Manager).
Run beside the projector, one thread a consumer; the ledger remembers how far he has been told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel.events import Recorded
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, Ledger, StreamAppend
from kernel.refusals import Unavailable
from projections.patient_index.view import PatientIndex
from registry.patients.events import CrossReferencesNotified, IdentifierUnlinked, PersonComposed

log = logging.getLogger("pianku.pix")
_TOPICS: Final = (PersonComposed.TOPIC, IdentifierUnlinked.TOPIC)
_BATCH: Final = 100
_LOOK_SECONDS: Final = 0.5


class ConsumerRefused(Exception):  # noqa: N818 - a word of the consumer, not a failure of ours
    """The consumer answered that he does not accept the message, now or later."""


class ConsumerAway(Unavailable):
    """The consumer cannot be reached, or asks to be told later."""

    code = "pix_consumer_away"


@dataclass(frozen=True, slots=True)
class PixConsumer:
    """Who wants to be told, and of which domains."""

    name: str
    host: str
    port: int
    domains: frozenset[str] = frozenset()
    """OIDs; empty: all."""


Send = Callable[[PixConsumer, Sequence[str]], None]
"""Delivers the identifiers (CX) of one person; raises ConsumerRefused, ConsumerAway."""


class NotifyCrossReferences:
    """Tells one consumer. One at a time for each consumer, as the projector is one."""

    def __init__(
        self,
        facts: Ledger,
        index: PatientIndex,
        consumer: PixConsumer,
        send: Send,
        *,
        first_retry_seconds: float = 1.0,
        last_retry_seconds: float = 300.0,
    ) -> None:
        self._facts = facts
        self._index = index
        self._consumer = consumer
        self._send = send
        self._first = first_retry_seconds
        self._last = last_retry_seconds
        self._stream = stream_id("pix-consumer", consumer.name)

    def run(self, stopping: threading.Event) -> None:
        """Tell what changes until `stopping` is set."""
        told = self._begin()
        while not stopping.is_set():
            head = self._facts.head()
            changes = self._facts.read(told, _BATCH, _TOPICS, head) if head > told else []
            for change in changes:
                if not self._tell(change, stopping):
                    return
                told = change.position
            if not changes:
                # What lies before holds nothing for him: it is not looked through again.
                told = head
                stopping.wait(_LOOK_SECONDS)

    def _begin(self) -> int:
        """Return how far the consumer was told; a new one is told what comes from now on."""
        past = self._facts.load(self._stream)
        for recorded in reversed(past):
            if isinstance(recorded.fact, CrossReferencesNotified):
                return recorded.fact.through
        head = self._facts.head()
        self._remember(head)
        return head

    def _tell(self, change: Recorded, stopping: threading.Event) -> bool:
        """Deliver one change, however long it takes; False when stopped before."""
        patient_ids = self._interesting(change)
        if not patient_ids:
            return True
        pause, refused = self._first, False
        while not stopping.is_set():
            try:
                self._send(self._consumer, patient_ids)
            except ConsumerAway:
                log.info("consumer away", extra={"consumer": self._consumer.name})
                stopping.wait(pause)
                pause = min(pause * 2, self._last)
                continue
            except ConsumerRefused:
                # It would be refused again, and what comes after it must not wait for ever.
                log.warning("consumer refused", extra={"consumer": self._consumer.name})
                refused = True
            self._remember(change.position, refused=refused)
            return True
        return False

    def _interesting(self, change: Recorded) -> list[str]:
        """Return the identifiers to be told: of the domains of interest, and still in use."""
        match change.fact:
            case PersonComposed(members=members):
                keys: tuple[UUID, ...] = tuple(member.patient_key for member in members)
            case IdentifierUnlinked(patient_key=key):
                keys = (key,)
            case _:
                return []
        wanted = self._consumer.domains
        rows = self._index.by_keys(keys)
        return [
            row.patient_id
            for key in keys
            if (row := rows.get(key)) is not None
            and row.merged_into is None
            and (not wanted or row.authority in wanted)
        ]

    def _remember(self, position: int, *, refused: bool = False) -> None:
        fact = CrossReferencesNotified(
            consumer=self._consumer.name, through=position, refused=refused
        )
        self._facts.append(Append((StreamAppend(self._stream, (fact,)),)))
