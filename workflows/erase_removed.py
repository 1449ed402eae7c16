"""Erase the octets of removed documents, later, and only where nothing else uses them.

Implements the removal of content of ITI TF-2 3.86.4.1.3 by policy. Run by `server.background`
beside the projector; any number may run at the same time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from kernel.context import Envelope
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, Ledger
from kernel.refusals import Refusal
from kernel.times import Clock, now
from projections.document_index.held import HeldDocuments
from repository.objects import commands
from repository.objects.events import DocumentRemoved, ObjectErased, ObjectStored
from repository.tiers.ports import ErasingStore

_LOOK_SECONDS: Final = 600.0
_AT_ONCE: Final = 500
log = logging.getLogger("pianku.erase")


class EraseRemoved:
    """Follows the removals in the ledger, some hours behind."""

    def __init__(
        self,
        facts: Ledger,
        blobs: ErasingStore,
        documents: HeldDocuments,
        instance_uses: Callable[[str], bool],
        *,
        after: timedelta,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._blobs = blobs
        self._documents = documents
        self._instance_uses = instance_uses
        self._after = after
        self._clock = clock
        self._position = 0
        """All removals up to here are done with, as far as this process knows."""

    def run(self, stopping: threading.Event) -> None:
        """Erase until `stopping` is set."""
        while not stopping.is_set():
            try:
                self.erase_due()
            except Refusal as refusal:
                # The view is behind or the disk is away: look again later.
                log.info("erasure postponed", extra={"code": refusal.code})
            stopping.wait(_LOOK_SECONDS)

    def erase_due(self) -> int:
        """Erase what is due now; returns how many objects are gone."""
        due = self._clock() - self._after
        until = self._facts.position_at(due)
        erased = 0
        while self._position < until:
            removals = self._facts.read(
                self._position, _AT_ONCE, topics=(DocumentRemoved.TOPIC,), until=until
            )
            for recorded in removals:
                fact = recorded.fact
                if isinstance(fact, DocumentRemoved):
                    erased += self._one(fact.sha256, due.timestamp())
                self._position = recorded.position
            if len(removals) < _AT_ONCE:
                self._position = until
        return erased

    def _one(self, sha256: str, untouched_since: float) -> bool:
        is_there = False
        for recorded in self._facts.load(stream_id("object", sha256)):
            if isinstance(recorded.fact, ObjectStored | ObjectErased):
                is_there = isinstance(recorded.fact, ObjectStored)
        if not is_there or self._documents.uses(sha256) or self._instance_uses(sha256):
            return False
        if not self._blobs.erase(sha256, untouched_since=untouched_since):
            return False
        envelope = Envelope(subject="eraser", protocol="workflow")
        self._facts.append(Append((commands.erase(sha256, tier=self._blobs.tier),), (), envelope))
        return True
