"""What the DIMSE door needs of the rest of the house.

Design A6 (one guard) and D8 (dependencies as parameters). Implemented by `adapters.guard`,
`workflows.store_instances`, `projections.study_index` and `projections.storage_map`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from kernel.context import Envelope
from registry.access.values import AeLimits, Resource, Subject
from registry.studies.values import Outcome
from workflows.gather_instances import Offer


class Guard(Protocol):
    """Who is calling, may he, and the record of it."""

    def ae_subject(self, calling_ae: str, address: str, fingerprint: str | None = None) -> Subject:
        """Return the caller; raises Unauthenticated.

        `fingerprint` names the certificate he showed, empty: TLS without one, None: no TLS.
        """
        ...

    def ae_limits(self, ae_title: str) -> AeLimits:
        """Return what an AE title is held to beside its rights."""
        ...

    def check(
        self, subject: Subject, action: str, resource: Resource, *, transaction: str = ""
    ) -> None:
        """Raise Forbidden (and record it) unless the caller may."""
        ...

    def record(
        self,
        subject: Subject,
        action: str,
        outcome: str,
        transaction: str,
        *,
        patient_keys: Iterable[UUID] = (),
        study_uids: Iterable[str] = (),
        document_ids: Iterable[str] = (),
        count: int = 0,
        detail: str = "",
    ) -> None:
        """Record an access durably, or raise."""
        ...

    def envelope(self, subject: Subject, protocol: str, *, source: str = "") -> Envelope:
        """Return the envelope for what the caller makes happen."""
        ...

    def destination(self, ae_title: str) -> tuple[str, int] | None:
        """Return host and port of a C-MOVE destination."""
        ...


class Intake(Protocol):
    """Where instances go."""

    def store(self, offer: Offer, envelope: Envelope) -> Outcome:
        """Take one instance; durable on return."""
        ...
