"""The only door in: what may be recorded of workitems and their watchers, before it is recorded.

Pure functions from past events and a request to an `Append`; the state machine is that of PS3.4
Table CC.1.1-2. Called by `workflows.perform_workitems` and `workflows.report_workitems`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import dicom_uid, stream_id
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import micros
from registry.workitems import attributes as rules
from registry.workitems.aggregate import Reporting, Watcher, WorkitemState, apply, report, watch
from registry.workitems.events import (
    WorkitemCanceled,
    WorkitemCancelRequested,
    WorkitemChanged,
    WorkitemClaimed,
    WorkitemCompleted,
    WorkitemCreated,
    WorkitemReportsAbandoned,
    WorkitemReportsDelayed,
    WorkitemReportsTaken,
    WorkitemsSuspended,
    WorkitemSubscribed,
    WorkitemUnsubscribed,
)
from registry.workitems.refusals import (
    FilterNamesPerson,
    ScheduledByCreation,
    SubscriberNotKnown,
    SubscriptionUnfit,
    TransactionUidMissing,
    TransactionUidWrong,
    WorkitemDone,
    WorkitemEnded,
    WorkitemExists,
    WorkitemInProgress,
    WorkitemNotClaimed,
    WorkitemNotKnown,
)
from registry.workitems.values import FILTERED, FINAL, WELL_KNOWN, Attributes, Note, Patience, State

__all__ = ["Reporting", "Watcher", "WorkitemState"]

UNKNOWN: Final = WorkitemState()
WATCHES_NOTHING: Final = Watcher()
TOLD_NOTHING: Final = Reporting()
_AE_TITLE: Final = re.compile(r"(?=[^ ])(?=.*[^ ]$)[\x20-\x5b\x5d-\x7e]{1,16}")
_PERSONAL_GROUPS: Final = ("0010", "0038")
_REASON: Final = 64
_LONGEST_KEY: Final = 256


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be recorded, nothing when it is as asked already, and what is said beside."""

    batch: Append | None
    note: Note = Note.NONE


def workitem_stream(sop_uid: str) -> UUID:
    """Return the stream of a workitem."""
    return stream_id("workitem", sop_uid)


def watcher_stream(ae_title: str) -> UUID:
    """Return the stream of what an AE watches."""
    return stream_id("workitem-watcher", ae_title)


def reports_stream(ae_title: str) -> UUID:
    """Return the stream of how far an AE was told."""
    return stream_id("workitem-reports", ae_title)


def fold(state: WorkitemState, recorded: Recorded) -> WorkitemState:
    """Return the workitem after one more event; for `Ledger.fold` with `UNKNOWN`."""
    return apply(state, recorded)


def fold_watcher(state: Watcher, recorded: Recorded) -> Watcher:
    """Return the watcher after one more event; for `Ledger.fold` with `WATCHES_NOTHING`."""
    return watch(state, recorded)


def fold_reports(state: Reporting, recorded: Recorded) -> Reporting:
    """Return the reports after one more event; for `Ledger.fold` with `TOLD_NOTHING`."""
    return report(state, recorded)


def create(
    state: WorkitemState,
    *,
    sop_uid: str,
    patient_key: UUID,
    attributes: Attributes,
    moment: str,
    envelope: Envelope,
) -> Decided:
    """Record that a workitem is scheduled; raises WorkitemExists and what breaks the rules."""
    if state.state is not None:
        raise WorkitemExists(sop_uid=sop_uid)
    kept, is_modified = rules.new(attributes, sop_uid, moment)
    fact = WorkitemCreated(sop_uid=sop_uid, patient_key=patient_key, attributes=kept)
    batch = _append((fact,), sop_uid, patient_key, 0, envelope)
    return Decided(batch, Note.MODIFIED if is_modified else Note.NONE)


def change(
    state: WorkitemState,
    version: int,
    *,
    sop_uid: str,
    transaction_uid: str,
    attributes: Attributes,
    moment: str,
    envelope: Envelope,
) -> Decided:
    """Record what changes of a workitem (PS3.4 CC.2.6.3).

    Raises WorkitemNotKnown, WorkitemEnded, WorkitemNotClaimed, the refusals of a Transaction UID
    and what breaks the rules.
    """
    key = _key(state, sop_uid)
    if state.state in FINAL:
        raise WorkitemEnded(sop_uid=sop_uid)
    if state.state is State.SCHEDULED and transaction_uid:
        raise WorkitemNotClaimed(sop_uid=sop_uid)
    if state.state is State.IN_PROGRESS:
        _check_transaction(state, transaction_uid)
    changed = rules.changes(attributes, state.attributes)
    if not changed:
        return Decided(None)
    fact = WorkitemChanged(
        sop_uid=sop_uid, patient_key=key, attributes={**changed, **rules.moved(moment)}
    )
    return Decided(_append((fact,), sop_uid, key, version, envelope))


def change_state(
    state: WorkitemState,
    version: int,
    *,
    sop_uid: str,
    wanted: State,
    transaction_uid: str,
    moment: str,
    envelope: Envelope,
) -> Decided:
    """Record that a workitem is claimed, completed or canceled by its performer.

    Raises the refusals of PS3.4 Table CC.1.1-2.
    """
    key = _key(state, sop_uid)
    if wanted is State.SCHEDULED:
        raise ScheduledByCreation(sop_uid=sop_uid)
    if not transaction_uid:
        raise TransactionUidMissing(sop_uid=sop_uid)
    if state.state is State.SCHEDULED:
        if wanted is not State.IN_PROGRESS:
            raise WorkitemNotClaimed(sop_uid=sop_uid)
        claimed = WorkitemClaimed(
            sop_uid=sop_uid,
            patient_key=key,
            transaction_uid=dicom_uid(transaction_uid),
            attributes=rules.moved(moment),
        )
        return Decided(_append((claimed,), sop_uid, key, version, envelope))
    _check_transaction(state, transaction_uid)
    if state.state in FINAL:
        if state.state is not wanted:
            raise WorkitemEnded(sop_uid=sop_uid)
        is_completed = wanted is State.COMPLETED
        return Decided(None, Note.ALREADY_COMPLETED if is_completed else Note.ALREADY_CANCELED)
    if wanted is State.IN_PROGRESS:
        raise WorkitemInProgress(sop_uid=sop_uid)
    fact: Fact
    if wanted is State.COMPLETED:
        rules.check_completed(state.attributes)
        fact = WorkitemCompleted(sop_uid=sop_uid, patient_key=key, attributes=rules.moved(moment))
    else:
        fact = _canceled(state, sop_uid, key, moment=moment, asked={})
    return Decided(_append((fact,), sop_uid, key, version, envelope))


def request_cancel(
    state: WorkitemState,
    version: int,
    *,
    sop_uid: str,
    requester: str,
    attributes: Attributes,
    own_transaction_uid: str,
    moment: str,
    envelope: Envelope,
) -> Decided:
    """Record that somebody wants a workitem given up (PS3.4 CC.2.2.3).

    What nobody took yet is canceled by us, under a Transaction UID of our own. Raises
    WorkitemNotKnown and WorkitemDone.
    """
    key = _key(state, sop_uid)
    if state.state is State.COMPLETED:
        raise WorkitemDone(sop_uid=sop_uid)
    if state.state is State.CANCELED:
        return Decided(None, Note.ALREADY_CANCELED)
    requested = WorkitemCancelRequested(
        sop_uid=sop_uid, patient_key=key, requester=requester, attributes=attributes
    )
    facts: tuple[Fact, ...] = (requested,)
    if state.state is State.SCHEDULED:
        claimed = WorkitemClaimed(
            sop_uid=sop_uid, patient_key=key, transaction_uid=own_transaction_uid
        )
        canceled = _canceled(state, sop_uid, key, moment=moment, asked=attributes)
        facts = (requested, claimed, canceled)
    return Decided(_append(facts, sop_uid, key, version, envelope))


def whole(state: WorkitemState, *, sop_uid: str) -> Attributes:
    """Return the attributes of a workitem, as N-GET tells them; raises WorkitemNotKnown."""
    _key(state, sop_uid)
    return rules.in_state(state.attributes, state.state or State.SCHEDULED)


def check_known(state: WorkitemState, *, sop_uid: str) -> None:
    """Raise WorkitemNotKnown unless there is such a workitem."""
    _key(state, sop_uid)


def subscribe(
    version: int,
    *,
    ae_title: str,
    sop_uid: str,
    deletion_lock: bool,
    filters: Mapping[str, str],
    envelope: Envelope,
) -> Append:
    """Record that an AE wants to be told, for the first time or once more.

    Raises SubscriberNotKnown, SubscriptionUnfit, FilterNamesPerson.
    """
    _check_title(ae_title)
    if (sop_uid == FILTERED) != bool(filters):
        raise SubscriptionUnfit("a filter goes with the filtered global subscription, and it alone")
    for path, wanted in filters.items():
        if len(wanted) > _LONGEST_KEY or not wanted.isprintable():
            raise SubscriptionUnfit("a key of the filter is too long, or no text")
        if any(tag.startswith(_PERSONAL_GROUPS) for tag in path.split(".")):
            raise FilterNamesPerson
    fact = WorkitemSubscribed(
        ae_title=ae_title, sop_uid=sop_uid, deletion_lock=deletion_lock, filters=dict(filters)
    )
    return _of_watcher(fact, ae_title, version, envelope)


def unsubscribe(version: int, *, ae_title: str, sop_uid: str, envelope: Envelope) -> Append | None:
    """Record that an AE wants to be told no more; None when it never wanted to.

    Who watches all watches each: he may leave any of them.
    """
    _check_title(ae_title)
    if not version:
        return None
    fact = WorkitemUnsubscribed(ae_title=ae_title, sop_uid=sop_uid)
    return _of_watcher(fact, ae_title, version, envelope)


def suspend(
    state: Watcher, version: int, *, ae_title: str, sop_uid: str, envelope: Envelope
) -> Append | None:
    """Record that an AE is to be told of no new workitems; None when it watches not all.

    Raises SubscriptionUnfit for a workitem of its own.
    """
    _check_title(ae_title)
    if sop_uid not in WELL_KNOWN:
        raise SubscriptionUnfit("only a global subscription is suspended")
    if not state.is_global:
        return None
    fact = WorkitemsSuspended(ae_title=ae_title, sop_uid=sop_uid)
    return _of_watcher(fact, ae_title, version, envelope)


def reports_taken(
    state: Reporting, version: int, *, ae_title: str, through: int, envelope: Envelope
) -> Append | None:
    """Record that an AE took its reports up to a number; None when that is known."""
    if through <= state.through:
        return None
    fact = WorkitemReportsTaken(ae_title=ae_title, through=through)
    return _of_reports(fact, ae_title, version, envelope)


def reports_not_taken(
    state: Reporting,
    version: int,
    *,
    ae_title: str,
    number: int,
    since: datetime,
    now: datetime,
    reason: str,
    patience: Patience,
    envelope: Envelope,
) -> Append | None:
    """Record an attempt in vain: to be tried again, or given up when its time is over."""
    if number <= state.through:
        return None
    attempt = state.attempts + 1
    fact: Fact
    if now - since >= patience.give_up:
        fact = WorkitemReportsAbandoned(ae_title=ae_title, through=number, reason=reason[:_REASON])
    else:
        fact = WorkitemReportsDelayed(
            ae_title=ae_title,
            attempt=attempt,
            reason=reason[:_REASON],
            again=micros(patience.again(attempt, now)),
        )
    return _of_reports(fact, ae_title, version, envelope)


def _key(state: WorkitemState, sop_uid: str) -> UUID:
    if state.patient_key is None or state.is_shredded:
        raise WorkitemNotKnown(sop_uid=sop_uid)
    return state.patient_key


def _check_transaction(state: WorkitemState, transaction_uid: str) -> None:
    if not transaction_uid:
        raise TransactionUidMissing
    if transaction_uid != state.transaction_uid:
        raise TransactionUidWrong


def _canceled(
    state: WorkitemState, sop_uid: str, key: UUID, *, moment: str, asked: Attributes
) -> WorkitemCanceled:
    told = {**rules.canceled(state.attributes, moment, asked), **rules.moved(moment)}
    return WorkitemCanceled(sop_uid=sop_uid, patient_key=key, attributes=told)


def _check_title(ae_title: str) -> None:
    if _AE_TITLE.fullmatch(ae_title) is None:
        raise SubscriberNotKnown("an AE title is expected")


def _append(
    facts: tuple[Fact, ...], sop_uid: str, key: UUID, version: int, envelope: Envelope
) -> Append:
    stream = StreamAppend(
        workitem_stream(sop_uid), facts, expected_version=version, patient_key=key
    )
    return Append((stream,), (), envelope)


def _of_watcher(fact: Fact, ae_title: str, version: int, envelope: Envelope) -> Append:
    stream = StreamAppend(watcher_stream(ae_title), (fact,), expected_version=version)
    return Append((stream,), (), envelope)


def _of_reports(fact: Fact, ae_title: str, version: int, envelope: Envelope) -> Append:
    stream = StreamAppend(reports_stream(ae_title), (fact,), expected_version=version)
    return Append((stream,), (), envelope)
