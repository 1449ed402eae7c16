"""The only door in: what may be recorded of notifications of availability.

Pure functions from past events and a request to an `Append` (PS3.4 R.3.2). Called by
`workflows.notify_availability`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import micros
from registry.availability.aggregate import Telling, apply, apply_recipient
from registry.availability.events import (
    AvailabilityAbandoned,
    AvailabilityDelayed,
    AvailabilityNoted,
    AvailabilityTold,
    RecipientAdded,
    RecipientRemoved,
)
from registry.availability.refusals import NoticeExists, NoticeIncomplete
from registry.availability.values import AVAILABILITIES, Notice
from registry.commitments.values import Retrying

__all__ = ["Telling"]

NOT_TOLD: Final = Telling()
NOBODY: Final[frozenset[str]] = frozenset()
RECIPIENTS: Final = stream_id("availability-recipients")
_REASON: Final = 64


def telling_stream(ae_title: str, study_uid: str) -> UUID:
    """Return the stream of what an AE is told of a study."""
    return stream_id("availability", f"{ae_title}/{study_uid}")


def notice_stream(sop_uid: str) -> UUID:
    """Return the stream of a notification of another archive."""
    return stream_id("availability-notice", sop_uid)


def fold(state: Telling, recorded: Recorded) -> Telling:
    """Return the state after one more event; for `Ledger.fold` with `NOT_TOLD`."""
    return apply(state, recorded)


def fold_recipients(state: frozenset[str], recorded: Recorded) -> frozenset[str]:
    """Return the recipients after one more event; for `Ledger.fold` with `NOBODY`."""
    return apply_recipient(state, recorded)


def note(version: int, notice: Notice, *, source: str, envelope: Envelope) -> Append:
    """Record what another archive told us; raises NoticeExists, NoticeIncomplete."""
    if version:
        raise NoticeExists(sop_uid=notice.sop_uid)
    if not notice.study_uid or not notice.instances:
        raise NoticeIncomplete
    for part in notice.instances:
        if not part.series_uid or part.availability not in AVAILABILITIES or not part.retrieve_ae:
            raise NoticeIncomplete
    fact = AvailabilityNoted(
        sop_uid=notice.sop_uid,
        study_uid=notice.study_uid,
        source=source,
        step_uid=notice.step_uid,
        instances=notice.instances,
    )
    return Append((StreamAppend(notice_stream(notice.sop_uid), (fact,), 0),), (), envelope)


def recipients(
    state: frozenset[str], version: int, *, wanted: Iterable[str], envelope: Envelope
) -> Append | None:
    """Record who is to be told from now on; None when nothing changes."""
    titles = frozenset(wanted)
    facts: tuple[Fact, ...] = (
        *(RecipientAdded(ae_title=title) for title in sorted(titles - state)),
        *(RecipientRemoved(ae_title=title) for title in sorted(state - titles)),
    )
    if not facts:
        return None
    return Append((StreamAppend(RECIPIENTS, facts, expected_version=version),), (), envelope)


def told(
    state: Telling, version: int, *, ae_title: str, notice: Notice, through: int, envelope: Envelope
) -> Append | None:
    """Record that the AE took a notification; None when he was told as much already."""
    if state.through >= through:
        return None
    fact = AvailabilityTold(
        ae_title=ae_title,
        study_uid=notice.study_uid,
        through=through,
        notice_uid=notice.sop_uid,
        instance_count=notice.count,
    )
    return _append(fact, ae_title, notice.study_uid, version, envelope)


def not_taken(
    state: Telling,
    version: int,
    *,
    ae_title: str,
    study_uid: str,
    through: int,
    owed: datetime,
    now: datetime,
    reason: str,
    retrying: Retrying,
    envelope: Envelope,
) -> Append | None:
    """Record an attempt in vain: to be tried again, or given up when its time is over."""
    if state.through >= through:
        return None
    attempt = state.attempts + 1 if state.delayed == through else 1
    fact: Fact
    if now - owed >= retrying.give_up:
        fact = AvailabilityAbandoned(
            ae_title=ae_title,
            study_uid=study_uid,
            through=through,
            attempt=attempt,
            reason=reason[:_REASON],
        )
    else:
        fact = AvailabilityDelayed(
            ae_title=ae_title,
            study_uid=study_uid,
            through=through,
            attempt=attempt,
            reason=reason[:_REASON],
            again=micros(retrying.again(attempt, now)),
        )
    return _append(fact, ae_title, study_uid, version, envelope)


def _append(fact: Fact, ae_title: str, study_uid: str, version: int, envelope: Envelope) -> Append:
    stream = StreamAppend(telling_stream(ae_title, study_uid), (fact,), expected_version=version)
    return Append((stream,), (), envelope)
