"""The only door in: what may be recorded of a commitment, decided before it is recorded.

Pure functions from past events and a request to an `Append` (PS3.4 J). Called by
`workflows.commit_to_storage` and `workflows.report_commitments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import micros
from registry.commitments.aggregate import Commitment, apply
from registry.commitments.events import (
    CommitmentAbandoned,
    CommitmentAsked,
    CommitmentDelayed,
    CommitmentReported,
)
from registry.commitments.refusals import CommitmentEmpty, CommitmentTransactionTaken
from registry.commitments.values import Judged, Reference, Retrying

__all__ = ["Commitment"]

NOT_ASKED: Final = Commitment()
_REASON: Final = 64


def commitment_stream(ae_title: str, transaction_uid: str) -> UUID:
    """Return the stream of a commitment."""
    return stream_id("commitment", f"{ae_title}/{transaction_uid}")


def fold(state: Commitment, recorded: Recorded) -> Commitment:
    """Return the commitment after one more event; for `Ledger.fold` with `NOT_ASKED`."""
    return apply(state, recorded)


def ask(
    state: Commitment,
    version: int,
    *,
    ae_title: str,
    transaction_uid: str,
    references: Sequence[Reference],
    envelope: Envelope,
) -> Append | None:
    """Record what an AE asks for; None when the same is asked and a report is owed already.

    The same asked again after the report is owed a report again: the first may have been lost.
    Raises CommitmentEmpty, CommitmentTransactionTaken.
    """
    asked = tuple(dict.fromkeys(references))
    if not asked or not transaction_uid:
        raise CommitmentEmpty
    if state.references and set(state.references) != set(asked):
        raise CommitmentTransactionTaken(transaction_uid=transaction_uid)
    if state.is_waiting:
        return None
    fact = CommitmentAsked(ae_title=ae_title, transaction_uid=transaction_uid, references=asked)
    return _append(fact, ae_title, transaction_uid, version, envelope)


def reported(
    state: Commitment,
    version: int,
    *,
    ae_title: str,
    transaction_uid: str,
    judged: Judged,
    envelope: Envelope,
) -> Append | None:
    """Record that the AE took the report; None when no report is owed."""
    if not state.is_waiting:
        return None
    fact = CommitmentReported(
        ae_title=ae_title,
        transaction_uid=transaction_uid,
        committed=len(judged.committed),
        failed=tuple(one.sop_uid for one, _ in judged.failed),
        reasons=tuple(int(reason) for _, reason in judged.failed),
    )
    return _append(fact, ae_title, transaction_uid, version, envelope)


def not_taken(
    state: Commitment,
    version: int,
    *,
    ae_title: str,
    transaction_uid: str,
    asked: datetime,
    now: datetime,
    reason: str,
    retrying: Retrying,
    envelope: Envelope,
) -> Append | None:
    """Record an attempt in vain: to be tried again, or given up when its time is over."""
    if not state.is_waiting:
        return None
    attempt = state.attempts + 1
    fact: Fact
    if now - asked >= retrying.give_up:
        fact = CommitmentAbandoned(
            ae_title=ae_title,
            transaction_uid=transaction_uid,
            attempt=attempt,
            reason=reason[:_REASON],
        )
    else:
        fact = CommitmentDelayed(
            ae_title=ae_title,
            transaction_uid=transaction_uid,
            attempt=attempt,
            reason=reason[:_REASON],
            again=micros(retrying.again(attempt, now)),
        )
    return _append(fact, ae_title, transaction_uid, version, envelope)


def _append(
    fact: Fact, ae_title: str, transaction_uid: str, version: int, envelope: Envelope
) -> Append:
    stream = commitment_stream(ae_title, transaction_uid)
    return Append((StreamAppend(stream, (fact,), expected_version=version),), (), envelope)
