"""What happened to storage commitments.

Facts of PS3.4 J. The stream is `stream_id("commitment", "AE/TransactionUID")`: a transaction UID
is the requester's own.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.events import Fact
from registry.commitments.values import Reference


class CommitmentAsked(Fact, frozen=True, kw_only=True):
    """An AE asked us to take responsibility for instances, for the first time or once more."""

    TOPIC: ClassVar[str] = "commitment.asked:v1"
    ae_title: str
    transaction_uid: str
    references: tuple[Reference, ...]


class CommitmentReported(Fact, frozen=True, kw_only=True):
    """The AE took our report: which instances we keep."""

    TOPIC: ClassVar[str] = "commitment.reported:v1"
    ae_title: str
    transaction_uid: str
    committed: int
    """How many of the instances we said we keep."""
    failed: tuple[str, ...]
    """SOP Instance UIDs we said we do not keep ..."""
    reasons: tuple[int, ...]
    """... and why, each (Failure Reason, 0008,1197)."""


class CommitmentDelayed(Fact, frozen=True, kw_only=True):
    """The AE did not take our report; it is sent again."""

    TOPIC: ClassVar[str] = "commitment.delayed:v1"
    ae_title: str
    transaction_uid: str
    attempt: int
    reason: str
    again: int
    """Microseconds since 1970."""


class CommitmentAbandoned(Fact, frozen=True, kw_only=True):
    """The AE never took our report; it is sent no more unless he asks again."""

    TOPIC: ClassVar[str] = "commitment.abandoned:v1"
    ae_title: str
    transaction_uid: str
    attempt: int
    reason: str
