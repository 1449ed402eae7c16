"""Reads the workitems: what matches a search, and which reports are owed to whom.

PS3.4 CC.2.8 (C-FIND), PS3.18 11.9 (Search Workitems), PS3.4 CC.2.4. Called by the adapters and by
`workflows.report_workitems`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel.times import from_micros, micros
from projections.database import ViewsDatabase
from projections.workitems.matching import Tree, matches, tree_of
from projections.workitems.projection import NAME
from registry.workitems import attributes as rules
from registry.workitems.values import Attributes

_from_json: Final = msgspec.json.Decoder(dict[str, Any]).decode
_PAGE: Final = 500
_REPORTS: Final = 100
_RANGE: Final = re.compile(r"([0-9.]{4,21})?(-)?([0-9.]{4,21})?")
"""A range of moments without time zones: those can be compared by the database."""


@dataclass(frozen=True, slots=True)
class Workitem:
    """A workitem as it stands."""

    sop_uid: str
    patient_key: UUID
    study_uid: str
    attributes: Attributes
    """Without the Transaction UID, which is its performer's alone."""


@dataclass(frozen=True, slots=True)
class Report:
    """Something a watcher is to be told."""

    ae_title: str
    number: int
    sop_uid: str
    patient_key: UUID
    event_type: int
    at: datetime
    body: Attributes


class Workitems:
    """The query side of the workitems; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def find(
        self,
        keys: Mapping[str, str],
        *,
        policy: sa.ColumnElement[bool] | None = None,
        offset: int = 0,
        limit: int = 1000,
    ) -> tuple[Sequence[Workitem], bool]:
        """Return a page of what matches, earliest start first, and whether there is more.

        `keys` are paths of tags, joined by dots. Raises KeyTooComplex.
        """
        tree = tree_of(keys)
        found: list[Workitem] = []
        skipped = 0
        for workitem in self._candidates(tree, policy):
            if not matches(tree, workitem.attributes):
                continue
            if skipped < offset:
                skipped += 1
            elif len(found) == limit:
                return found, True
            else:
                found.append(workitem)
        return found, False

    def by_uid(self, sop_uid: str) -> Workitem | None:
        """Return one workitem."""
        return next(iter(self.find({rules.SOP_INSTANCE: sop_uid}, limit=1)[0]), None)

    def watched(self, ae_title: str) -> Mapping[str, bool]:
        """Return the workitems an AE is told of, and whether it locks their deletion."""
        with self._database.reading(NAME) as (connection, tables):
            c = tables.subscriptions.c
            query = sa.select(c.sop_uid, c.deletion_lock).where(c.ae_title == ae_title)
            rows = connection.execute(query.order_by(c.sop_uid))
            return {row.sop_uid: row.deletion_lock for row in rows}

    def due_titles(self, moment: datetime) -> Sequence[str]:
        """Return the AE titles that are owed a report now; a cheap look, without waiting."""
        with self._database.reading(NAME, fresh=False) as (connection, tables):
            c, delays = tables.reports.c, tables.delays
            waiting = sa.select(delays.c.ae_title).where(delays.c.again > micros(moment))
            query = sa.select(c.ae_title).where(c.ae_title.not_in(waiting))
            return list(connection.execute(query.distinct().order_by(c.ae_title)).scalars())

    def due(
        self, ae_title: str, *, after: int = 0, limit: int = _REPORTS, fresh: bool = True
    ) -> Sequence[Report]:
        """Return the reports an AE is owed after a number, in their order."""
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table = tables.reports
            mine = sa.and_(table.c.ae_title == ae_title, table.c.number > after)
            query = sa.select(table).where(mine).order_by(table.c.number).limit(limit)
            return [
                Report(
                    row.ae_title,
                    row.number,
                    row.sop_uid,
                    row.patient_key,
                    row.event_type,
                    from_micros(row.at),
                    _from_json(row.body),
                )
                for row in connection.execute(query)
            ]

    def _candidates(self, tree: Tree, policy: sa.ColumnElement[bool] | None) -> Iterator[Workitem]:
        """Yield what may match, read in pages: what is skipped is not kept."""
        last: tuple[str, str] | None = None
        while True:
            with self._database.reading(NAME) as (connection, tables):
                table = tables.workitems
                query = sa.select(table).where(*_clauses(table.c, tree))
                if policy is not None:
                    query = query.where(policy)
                if last is not None:
                    place = sa.tuple_(table.c.starts, table.c.sop_uid)
                    query = query.where(place > sa.tuple_(*map(sa.literal, last)))
                query = query.order_by(table.c.starts, table.c.sop_uid).limit(_PAGE)
                rows = connection.execute(query).all()
            for row in rows:
                yield Workitem(row.sop_uid, row.patient_key, row.study_uid, _from_json(row.body))
            if len(rows) < _PAGE:
                return
            last = (rows[-1].starts, rows[-1].sop_uid)


def _clauses(c: Any, tree: Tree) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what the database can look for; `matches` decides."""
    for tag, column in (
        (rules.STATE, c.state),
        (rules.PATIENT_ID, c.patient_id),
        (rules.STUDY_UID, c.study_uid),
        (rules.SOP_INSTANCE, c.sop_uid),
    ):
        wanted = tree.get(tag)
        if isinstance(wanted, str) and not re.search(r"[*?\x00]", wanted):
            separator = r"\\" if tag in {rules.STATE, rules.PATIENT_ID} else r"[\\,]"
            yield column.in_(re.split(separator, wanted))
    starts = tree.get(rules.START)
    found = _RANGE.fullmatch(starts) if isinstance(starts, str) else None
    if found is not None:
        low, dash, high = found[1] or "", found[2], found[3] or ""
        high = high if dash else low
        if low:
            yield c.starts >= low
        if high:
            yield sa.func.substr(c.starts, 1, len(high)) <= high
