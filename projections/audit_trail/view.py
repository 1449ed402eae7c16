"""Reads the audit trail: search with counts, newest first.

Answers requirements 4 R-4.1 (traceable to person, patient, object, device, time, result).
Called by `adapters/portal` for the audit administrator only; reading it is itself recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kernel.times import from_micros, micros
from projections.audit_trail.projection import DOCUMENT, NAME, PATIENT, STUDY
from projections.database import ViewsDatabase

_MAX_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """What is searched for; empty members do not restrict."""

    subject: str = ""
    patient_key: UUID | None = None
    study_uid: str = ""
    document_id: str = ""
    action: str = ""
    outcome: str = ""
    transaction: str = ""
    address: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class AccessRow:
    """One access."""

    position: int
    at: datetime
    subject: str
    subject_kind: str
    address: str
    protocol: str
    source: str
    node: str
    purpose: str
    correlation: UUID
    action: str
    outcome: str
    transaction: str
    count: int
    detail: str
    patient_keys: tuple[str, ...]
    study_uids: tuple[str, ...]
    document_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page, newest first, with the counts of all that the query finds."""

    total: int
    by_action: dict[str, int]
    by_outcome: dict[str, int]
    items: tuple[AccessRow, ...]


class AuditTrail:
    """The query side of the audit trail."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def search(
        self, query: AuditQuery, *, policy: sa.ColumnElement[bool], offset: int = 0, limit: int = 50
    ) -> AuditPage:
        """Return one page and the counts by action and by outcome."""
        with self._database.reading(NAME) as (connection, tables):
            accesses = tables.accesses
            where = [policy, *_where(tables, query)]
            actions = _counts(connection, accesses, accesses.c.action, where)
            rows = connection.execute(
                sa.select(accesses)
                .where(*where)
                .order_by(accesses.c.position.desc())
                .offset(max(offset, 0))
                .limit(min(max(limit, 0), _MAX_PAGE))
            ).all()
            touched = _touched(connection, tables.touched, [row.position for row in rows])
            return AuditPage(
                total=sum(actions.values()),
                by_action=actions,
                by_outcome=_counts(connection, accesses, accesses.c.outcome, where),
                items=tuple(_row(row, touched[row.position]) for row in rows),
            )


def _where(tables: Any, query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    column = tables.accesses.c
    equal = {
        column.subject: query.subject,
        column.action: query.action,
        column.outcome: query.outcome,
        column.transaction: query.transaction,
        column.address: query.address,
    }
    where: list[sa.ColumnElement[bool]] = [c == value for c, value in equal.items() if value]
    if query.since is not None:
        where.append(column.at >= micros(query.since))
    if query.until is not None:
        where.append(column.at < micros(query.until))
    patient = "" if query.patient_key is None else str(query.patient_key)
    for kind, key in ((PATIENT, patient), (STUDY, query.study_uid), (DOCUMENT, query.document_id)):
        if key:
            touched = tables.touched
            where.append(
                column.position.in_(
                    sa.select(touched.c.position).where(
                        touched.c.kind == kind, touched.c.key == key
                    )
                )
            )
    return where


def _counts(
    connection: Connection,
    table: sa.Table,
    by: sa.Column[str],
    where: Sequence[sa.ColumnElement[bool]],
) -> dict[str, int]:
    found = connection.execute(
        sa.select(by, sa.func.count()).select_from(table).where(*where).group_by(by).order_by(by)
    )
    return {str(value): int(count) for value, count in found}


def _touched(
    connection: Connection, table: sa.Table, positions: Sequence[int]
) -> dict[int, dict[str, list[str]]]:
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    if positions:
        query = sa.select(table).where(table.c.position.in_(positions)).order_by(table.c.key)
        for row in connection.execute(query):
            found[row.position][row.kind].append(row.key)
    return found


def _row(row: Row[Any], touched: dict[str, list[str]]) -> AccessRow:
    values = row._asdict()
    values["at"] = from_micros(row.at)
    values["correlation"] = UUID(row.correlation)
    return AccessRow(
        **values,
        patient_keys=tuple(touched[PATIENT]),
        study_uids=tuple(touched[STUDY]),
        document_ids=tuple(touched[DOCUMENT]),
    )
