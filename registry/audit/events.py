"""Who did what to which patient's data: the facts of the access ledger.

Facts of requirements 7.5 and ITI TF-2 3.20. Stream: `stream_id("access", day, node)`; who, from
where and why stand in the envelope.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact


class AccessRecorded(Fact, frozen=True, kw_only=True):
    """One access to the system or its data, granted or refused."""

    TOPIC: ClassVar[str] = "access.recorded:v1"
    action: str
    """login, logout, query, view, retrieve, store, register, feed, echo, find, move, get,
    configure, read-audit."""
    outcome: str
    """success | denied | failed."""
    transaction: str
    """ITI-18, C-STORE, WADO-RS, portal.search ...: the door's own name for what was asked."""
    patient_keys: tuple[UUID, ...] = ()
    study_uids: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    """entryUUIDs or uniqueIds."""
    count: int = 0
    """Objects returned or stored."""
    detail: str = ""
    """Query id, refusal code; never personal data."""
