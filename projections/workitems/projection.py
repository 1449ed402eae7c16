"""Turns what happened to workitems into rows to search, and into reports for who watches them.

Design A4, PS3.4 CC.2.3.3 and CC.2.4.3 (who is told of what). Being a projection it sees every event
once, in order, whatever is killed meanwhile. Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Fact, Recorded
from kernel.times import micros
from projections.contract import ViewSpec
from projections.merged_patients import MergedPatients
from projections.workitems.matching import matches, tree_of
from projections.workitems.tables import Tables
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.workitems import attributes as rules
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
from registry.workitems.values import WELL_KNOWN, Attributes, EventType, State

NAME: Final = "workitems"
_OPEN: Final = (str(State.SCHEDULED), str(State.IN_PROGRESS))
_KINDS: Final = 4
"""More than the reports one event can be the cause of for one AE."""
_REQUESTING_AE: Final = "00741236"
_STATES: Final[dict[type[Fact], State]] = {
    WorkitemClaimed: State.IN_PROGRESS,
    WorkitemCompleted: State.COMPLETED,
    WorkitemCanceled: State.CANCELED,
}
_Told = WorkitemChanged | WorkitemClaimed | WorkitemCompleted | WorkitemCanceled
_json: Final = msgspec.json.Encoder().encode
_from_json: Final = msgspec.json.Decoder(dict[str, Any]).decode
_filters: Final = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class _Report:
    event_type: EventType
    body: Attributes


@dataclass(frozen=True, slots=True)
class _About:
    """Which workitem a report is about."""

    sop_uid: str
    patient_key: UUID

    @classmethod
    def of(cls, fact: WorkitemCreated | WorkitemCancelRequested | _Told) -> _About:
        return cls(fact.sop_uid, fact.patient_key)


class WorkitemsProjection:
    """Writes the workitems, the subscriptions and the reports."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._merged = MergedPatients(tables.merges)

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded, told in self._merged.following(connection, events):
            self._of_workitem(connection, recorded, told)
            self._of_watcher(connection, recorded, told)
            self._of_patient(connection, told)

    def _of_workitem(self, connection: Connection, recorded: Recorded, told: Fact) -> None:
        match told:
            case WorkitemCreated() as fact if not recorded.shredded:
                self._created(connection, recorded, fact)
            case (
                WorkitemChanged() | WorkitemClaimed() | WorkitemCompleted() | WorkitemCanceled()
            ) as fact:
                self._told(connection, recorded, fact)
            case WorkitemCancelRequested() as fact:
                report = _Report(EventType.CANCEL_REQUESTED, _request(fact))
                self._report(connection, recorded, _About.of(fact), (report,))
            case _:
                pass

    def _of_watcher(self, connection: Connection, recorded: Recorded, told: Fact) -> None:
        match told:
            case WorkitemSubscribed() as fact:
                self._subscribed(connection, recorded, fact)
            case WorkitemUnsubscribed() as fact:
                self._unsubscribed(connection, fact)
            case WorkitemsSuspended() as fact:
                mine = self._tables.globals.c.ae_title == fact.ae_title
                connection.execute(self._tables.globals.delete().where(mine))
            case WorkitemReportsTaken() | WorkitemReportsAbandoned() as fact:
                self._done(connection, fact.ae_title, fact.through)
            case WorkitemReportsDelayed() as fact:
                self._delayed(connection, fact)
            case _:
                pass

    def _of_patient(self, connection: Connection, told: Fact) -> None:
        match told:
            case PatientAbsorbed() as fact:
                for table in (self._tables.workitems, self._tables.reports):
                    mine = table.c.patient_key == fact.subsumed
                    moved = table.update().where(mine).values(patient_key=fact.patient_key)
                    connection.execute(moved)
            case PatientShredded() as fact:
                self._shred(connection, fact.patient_key)
            case _:
                pass

    # -- workitems ----------------------------------------------------------------------------

    def _created(self, connection: Connection, recorded: Recorded, fact: WorkitemCreated) -> None:
        body = rules.in_state(fact.attributes, State.SCHEDULED)
        connection.execute(
            self._tables.workitems.insert().values(
                sop_uid=fact.sop_uid, patient_key=fact.patient_key, **_columns(body)
            )
        )
        for row in connection.execute(sa.select(self._tables.globals)).all():
            if matches(tree_of(_filters(row.filters)), body):
                self._subscribe(connection, row.ae_title, fact.sop_uid, lock=row.deletion_lock)
        reports = [_state_report(body), *_assigned(body, body)]
        self._report(connection, recorded, _About.of(fact), reports)

    def _told(self, connection: Connection, recorded: Recorded, fact: _Told) -> None:
        table = self._tables.workitems
        mine = table.c.sop_uid == fact.sop_uid
        row = connection.execute(sa.select(table.c.body).where(mine)).first()
        if row is None:
            return
        body = {**_from_json(row.body), **fact.attributes}
        state = _STATES.get(type(fact))
        if state is not None:
            body = rules.in_state(body, state)
        connection.execute(table.update().where(mine).values(**_columns(body)))
        reports = list(_reports(fact, body))
        self._report(connection, recorded, _About.of(fact), reports)

    def _shred(self, connection: Connection, patient_key: UUID) -> None:
        items, subscriptions = self._tables.workitems, self._tables.subscriptions
        mine = sa.select(items.c.sop_uid).where(items.c.patient_key == patient_key)
        connection.execute(subscriptions.delete().where(subscriptions.c.sop_uid.in_(mine)))
        for table in (items, self._tables.reports):
            connection.execute(table.delete().where(table.c.patient_key == patient_key))

    # -- watchers -----------------------------------------------------------------------------

    def _subscribed(
        self, connection: Connection, recorded: Recorded, fact: WorkitemSubscribed
    ) -> None:
        items = self._tables.workitems
        columns = sa.select(items.c.sop_uid, items.c.patient_key, items.c.body)
        if fact.sop_uid not in WELL_KNOWN:
            self._subscribe(connection, fact.ae_title, fact.sop_uid, lock=fact.deletion_lock)
            row = connection.execute(columns.where(items.c.sop_uid == fact.sop_uid)).first()
            if row is not None:
                about = _About(row.sop_uid, row.patient_key)
                report = _state_report(_from_json(row.body))
                self._write(connection, recorded, about, (report,), (fact.ae_title,))
            return
        table = self._tables.globals
        mine = sa.and_(table.c.ae_title == fact.ae_title, table.c.sop_uid == fact.sop_uid)
        connection.execute(table.delete().where(mine))
        connection.execute(
            table.insert().values(
                ae_title=fact.ae_title,
                sop_uid=fact.sop_uid,
                deletion_lock=fact.deletion_lock,
                filters=_json(fact.filters),
            )
        )
        tree = tree_of(fact.filters)
        # What has ended changes no more: nothing would be told of it.
        for row in connection.execute(columns.where(items.c.state.in_(_OPEN))).all():
            if not tree or matches(tree, _from_json(row.body)):
                self._subscribe(connection, fact.ae_title, row.sop_uid, lock=fact.deletion_lock)

    def _subscribe(
        self, connection: Connection, ae_title: str, sop_uid: str, *, lock: bool
    ) -> None:
        table = self._tables.subscriptions
        mine = sa.and_(table.c.sop_uid == sop_uid, table.c.ae_title == ae_title)
        connection.execute(table.delete().where(mine))
        connection.execute(
            table.insert().values(sop_uid=sop_uid, ae_title=ae_title, deletion_lock=lock)
        )

    def _unsubscribed(self, connection: Connection, fact: WorkitemUnsubscribed) -> None:
        table = self._tables.subscriptions
        mine = table.c.ae_title == fact.ae_title
        if fact.sop_uid in WELL_KNOWN:
            everywhere = self._tables.globals.c.ae_title == fact.ae_title
            connection.execute(self._tables.globals.delete().where(everywhere))
        else:
            mine = sa.and_(mine, table.c.sop_uid == fact.sop_uid)
        connection.execute(table.delete().where(mine))

    # -- reports ------------------------------------------------------------------------------

    def _report(
        self, connection: Connection, recorded: Recorded, about: _About, reports: Sequence[_Report]
    ) -> None:
        if reports:
            c = self._tables.subscriptions.c
            watching = sa.select(c.ae_title).where(c.sop_uid == about.sop_uid)
            titles = tuple(connection.execute(watching).scalars())
            self._write(connection, recorded, about, reports, titles)

    def _write(
        self,
        connection: Connection,
        recorded: Recorded,
        about: _About,
        reports: Sequence[_Report],
        titles: Sequence[str],
    ) -> None:
        rows = [
            {
                "ae_title": title,
                "number": recorded.position * _KINDS + place,
                "sop_uid": about.sop_uid,
                "patient_key": about.patient_key,
                "event_type": int(report.event_type),
                "at": micros(recorded.at),
                "body": _json(report.body),
            }
            for title in titles
            for place, report in enumerate(reports)
        ]
        if rows:
            connection.execute(self._tables.reports.insert(), rows)

    def _done(self, connection: Connection, ae_title: str, through: int) -> None:
        c = self._tables.reports.c
        mine = sa.and_(c.ae_title == ae_title, c.number <= through)
        connection.execute(self._tables.reports.delete().where(mine))
        delays = self._tables.delays
        connection.execute(delays.delete().where(delays.c.ae_title == ae_title))

    def _delayed(self, connection: Connection, fact: WorkitemReportsDelayed) -> None:
        delays = self._tables.delays
        connection.execute(delays.delete().where(delays.c.ae_title == fact.ae_title))
        connection.execute(
            delays.insert().values(ae_title=fact.ae_title, attempts=fact.attempt, again=fact.again)
        )


def _columns(body: Attributes) -> dict[str, Any]:
    return {
        "patient_id": rules.text(body, rules.PATIENT_ID)[:64],
        "study_uid": rules.text(body, rules.STUDY_UID).replace("\x00", "")[:64],
        "state": rules.text(body, rules.STATE),
        "starts": rules.text(body, rules.START)[:32],
        "body": _json(body),
    }


def _reports(fact: _Told, body: Attributes) -> Iterator[_Report]:
    if not isinstance(fact, WorkitemChanged) or rules.INPUT_READINESS in fact.attributes:
        yield _state_report(body)
    if isinstance(fact, WorkitemChanged):
        if rules.PROGRESS in fact.attributes:
            yield _Report(EventType.PROGRESS_REPORT, _chosen(body, (rules.STATE, rules.PROGRESS)))
        yield from _assigned(fact.attributes, body)


def _state_report(body: Attributes) -> _Report:
    """Return a UPS State Report; of what is canceled also why."""
    told = _chosen(body, (rules.INPUT_READINESS, rules.STATE))
    if rules.text(body, rules.STATE) == State.CANCELED:
        for item in rules.items(body, rules.PROGRESS)[:1]:
            told |= _chosen(item, (rules.REASON_FOR_CANCELLATION, rules.DISCONTINUATION_REASON))
    return _Report(EventType.STATE_REPORT, told)


def _assigned(changed: Attributes, body: Attributes) -> Iterator[_Report]:
    if any(rules.items(changed, tag) for tag in rules.ASSIGNED):
        yield _Report(EventType.ASSIGNED, _chosen(body, rules.ASSIGNED))


def _request(fact: WorkitemCancelRequested) -> Attributes:
    told = dict(fact.attributes)
    if fact.requester:
        told[_REQUESTING_AE] = {"vr": "AE", "Value": [fact.requester]}
    return told


def _chosen(body: Attributes, tags: Sequence[str]) -> Attributes:
    return {tag: body[tag] for tag in tags if tag in body}


SPEC: Final = ViewSpec(
    name=NAME,
    version=1,
    topics=(
        WorkitemCreated.TOPIC,
        WorkitemChanged.TOPIC,
        WorkitemClaimed.TOPIC,
        WorkitemCompleted.TOPIC,
        WorkitemCanceled.TOPIC,
        WorkitemCancelRequested.TOPIC,
        WorkitemSubscribed.TOPIC,
        WorkitemUnsubscribed.TOPIC,
        WorkitemsSuspended.TOPIC,
        WorkitemReportsTaken.TOPIC,
        WorkitemReportsDelayed.TOPIC,
        WorkitemReportsAbandoned.TOPIC,
        PatientAbsorbed.TOPIC,
        PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=WorkitemsProjection,
)
