"""Instances that gather for a common commit: what each is, and who waits for which.

Design A3 (group commit across associations). Used by `store_instances` and those who offer.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from kernel.context import Envelope
from kernel.ledger.ports import StreamAppend
from kernel.refusals import Refusal
from registry.studies.values import Instance, Outcome, Rejection
from repository.tiers.ports import Incoming
from workflows.identify_patient import PatientModule


class Identified(PatientModule, Protocol):
    """What the header of an instance tells; `repository.instances.header.InstanceHeader` is one."""

    @property
    def sop_uid(self) -> str:
        """Return SOP Instance UID."""
        ...

    @property
    def series_uid(self) -> str:
        """Return Series Instance UID."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """Return SOP Class UID."""
        ...

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax of the data set."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """One Part 10 file, sealed, and what its header tells."""

    incoming: Incoming
    header: Identified


class Ticket:
    """One instance on its way through the intake."""

    __slots__ = (
        "envelope",
        "group",
        "held_sha256",
        "offer",
        "patient",
        "patient_key",
        "recorded",
        "rejection",
        "result",
        "sop_uid",
    )

    def __init__(self, offer: Offer, envelope: Envelope) -> None:
        self.offer = offer
        self.envelope = envelope
        self.sop_uid = offer.header.sop_uid
        self.patient_key: UUID | None = None
        self.patient: StreamAppend | None = None
        """What the instance makes known of its patient."""
        self.rejection: Rejection | None = None
        """What the instance rejects, if it is a rejection note."""
        self.held_sha256 = ""
        """What is held under the SOP Instance UID; then the two are compared."""
        self.recorded = False
        self.result: Outcome | Refusal | None = None
        self.group: Group | None = None

    def keep(self) -> None:
        """Make the octets durable, or remember why they could not be."""
        try:
            self.offer.incoming.keep()
        except Refusal as refusal:
            self.result = refusal

    def settle(self, result: Outcome | Refusal | None) -> None:
        """Say what became of it; None: it is held already and has to be compared."""
        self.recorded = True
        self.result = result

    def outcome(self) -> Outcome | Refusal:
        """Return what became of it."""
        assert self.result is not None
        return self.result

    def instance(self) -> Instance:
        """Return its row in the event."""
        header, incoming = self.offer.header, self.offer.incoming
        return Instance(
            self.sop_uid,
            header.series_uid,
            header.sop_class_uid,
            header.transfer_syntax,
            incoming.size,
            incoming.sha256,
        )


class Group:
    """The instances one thread waits for; the waiting thread may be told to lead a commit."""

    __slots__ = ("_left", "promoted", "wake")

    def __init__(self, tickets: Sequence[Ticket]) -> None:
        self._left = len(tickets)
        self.promoted = False
        self.wake = threading.Event()

    def one_done(self) -> None:
        """Count one instance as settled; only the leading thread calls this."""
        self._left -= 1
        if self._left == 0:
            self.wake.set()

    def is_done(self) -> bool:
        """Tell whether all are settled."""
        return self._left == 0
