"""Take responsibility for stored instances, and say honestly for which we do.

PS3.4 J.3.2 and J.3.3 (Storage Commitment Push Model, SCP). Called by `adapters/dimse` for a request
and by `report_commitments` for the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from kernel.context import Envelope
from kernel.ledger.ports import Ledger, StreamMoved
from kernel.times import Clock, now
from projections.commitments.view import Commitment
from projections.storage_map.view import Location
from registry.commitments import commands
from registry.commitments.values import FailureReason, Judged, Reference, Retrying
from repository.tiers.ports import BlobStore, ObjectMissing

_ATTEMPTS: Final = 5


class Map(Protocol):
    """The storage map."""

    def locate_many(self, sop_uids: Iterable[str], *, held: bool = False) -> Mapping[str, Location]:
        """Return those of the instances that are known; if `held`, also rejected ones."""
        ...


class Queue(Protocol):
    """The commitments."""

    def due_titles(self, moment: datetime) -> Sequence[str]:
        """Return the AE titles that are owed a report now."""
        ...

    def due(self, ae_title: str, moment: datetime) -> Sequence[Commitment]:
        """Return what an AE is owed now."""
        ...


class StorageCommitment:
    """Takes requests, judges instances and remembers what was told. Thread safe."""

    def __init__(
        self,
        facts: Ledger,
        queue: Queue,
        storage_map: Map,
        blobs: BlobStore,
        *,
        retrying: Retrying,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._queue = queue
        self._map = storage_map
        self._blobs = blobs
        self._retrying = retrying
        self._clock = clock

    def ask(
        self,
        ae_title: str,
        transaction_uid: str,
        references: Sequence[Reference],
        envelope: Envelope,
    ) -> None:
        """Take a request; durable on return. Raises the refusals of `registry.commitments`."""
        for attempt in range(_ATTEMPTS):
            state, version = self._fold(ae_title, transaction_uid)
            batch = commands.ask(
                state,
                version,
                ae_title=ae_title,
                transaction_uid=transaction_uid,
                references=references,
                envelope=envelope,
            )
            if batch is None:
                return
            try:
                self._facts.append(batch)
            except StreamMoved:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def owed_titles(self) -> Sequence[str]:
        """Return the AE titles that are owed a report now."""
        return self._queue.due_titles(self._clock())

    def owed(self, ae_title: str) -> Sequence[Commitment]:
        """Return what an AE is owed now."""
        return self._queue.due(ae_title, self._clock())

    def judge(self, references: Iterable[Reference]) -> Judged:
        """Return which instances are kept: known, of that class, and whole on the disk.

        Raises Unavailable when that cannot be told now.
        """
        asked = tuple(references)
        located = self._map.locate_many((one.sop_uid for one in asked), held=True)
        committed, failed = [], []
        for one in asked:
            reason = self._failure(one, located.get(one.sop_uid))
            if reason is None:
                committed.append(one)
            else:
                failed.append((one, reason))
        return Judged(tuple(committed), tuple(failed))

    def reported(self, owed: Commitment, judged: Judged) -> None:
        """Remember that the AE took the report."""
        state, version = self._fold(owed.ae_title, owed.transaction_uid)
        batch = commands.reported(
            state,
            version,
            ae_title=owed.ae_title,
            transaction_uid=owed.transaction_uid,
            judged=judged,
            envelope=_ENVELOPE,
        )
        if batch is not None:
            self._facts.append(batch)

    def not_taken(self, owed: Commitment, reason: str) -> None:
        """Remember that the AE did not take the report."""
        state, version = self._fold(owed.ae_title, owed.transaction_uid)
        batch = commands.not_taken(
            state,
            version,
            ae_title=owed.ae_title,
            transaction_uid=owed.transaction_uid,
            asked=owed.asked,
            now=self._clock(),
            reason=reason,
            retrying=self._retrying,
            envelope=_ENVELOPE,
        )
        if batch is not None:
            self._facts.append(batch)

    def is_over(self, owed: Commitment) -> bool:
        """Tell whether a report has waited too long."""
        return self._clock() - owed.asked >= self._retrying.give_up

    def _fold(self, ae_title: str, transaction_uid: str) -> tuple[commands.Commitment, int]:
        stream = commands.commitment_stream(ae_title, transaction_uid)
        return self._facts.fold(stream, commands.NOT_ASKED, commands.fold)

    def _failure(self, asked: Reference, found: Location | None) -> FailureReason | None:
        if found is None:
            return FailureReason.NO_SUCH_INSTANCE
        if found.sop_class != asked.sop_class:
            return FailureReason.CLASS_CONFLICT
        try:
            size = self._blobs.size(found.key)
        except ObjectMissing:
            return FailureReason.NO_SUCH_INSTANCE
        return None if size == found.size else FailureReason.PROCESSING_FAILURE


_ENVELOPE: Final = Envelope(subject="commitments", protocol="workflow")
