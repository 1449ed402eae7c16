"""Record accesses: the only door into the access ledger.

Implements requirements 7.5 and ITI TF-2 3.20 (the event, not yet its syslog form).
Called by `adapters/guard`; the caller's identity travels in the envelope.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from kernel.context import Envelope
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from registry.audit.events import AccessRecorded

T = TypeVar("T")

OUTCOMES: Final = frozenset({"success", "denied", "failed"})
_MAX_IDS: Final = 1000
_MAX_DETAIL: Final = 200


def record(
    envelope: Envelope,
    at: datetime,
    *,
    action: str,
    outcome: str,
    transaction: str,
    patient_keys: Iterable[UUID] = (),
    study_uids: Iterable[str] = (),
    document_ids: Iterable[str] = (),
    count: int = 0,
    detail: str = "",
) -> Append:
    """Return the append of one access event, into the stream of its day and node.

    There is no expected version: accesses never conflict. Identifiers are told once each, and
    at most 1,000 of a kind, so that one wide query does not make an unreadable event.
    """
    if not action or not transaction or outcome not in OUTCOMES:
        # A door that cannot say what happened is a bug, not a refusal.
        raise ValueError("an access event needs an action, a transaction and an outcome")
    fact = AccessRecorded(
        action=action,
        outcome=outcome,
        transaction=transaction,
        patient_keys=_distinct(patient_keys),
        study_uids=_distinct(study_uids),
        document_ids=_distinct(document_ids),
        count=count,
        detail=detail[:_MAX_DETAIL],
    )
    day = at.astimezone(UTC).strftime("%Y%m%d")
    stream = stream_id("access", day, envelope.node)
    return Append((StreamAppend(stream, (fact,)),), envelope=envelope)


def _distinct(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))[:_MAX_IDS]
