"""Reads the patient index: by key, by identifier, by name, pinyin or its initials.

Answers ITI TF-2 3.8 (is the patient known?) and the portal's lists. Called by adapters and
workflows; list queries take the policy clause that `projections/permissions` builds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Row

from kernel.identifiers import PatientId
from kernel.times import from_micros
from projections.database import ViewsDatabase
from projections.patient_index.projection import NAME
from projections.person_names import UPPER_BOUND, search_key

_MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class PatientRow:
    """A patient as last told."""

    patient_key: UUID
    patient_id: str
    """CX `id^^^&OID&ISO`."""
    local_id: str
    name: str
    """DICOM PN text."""
    alphabetic: str
    ideographic: str
    pinyin: str
    sex: str
    birth_date: str
    origin: str
    known_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class PatientPage:
    """One page of a search."""

    total: int
    items: tuple[PatientRow, ...]


class PatientIndex:
    """The query side of the patient index."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def by_key(self, patient_key: UUID, *, fresh: bool = True) -> PatientRow | None:
        """Return the patient of a key."""
        return self.by_keys((patient_key,), fresh=fresh).get(patient_key)

    def by_keys(
        self, patient_keys: Iterable[UUID], *, fresh: bool = True
    ) -> dict[UUID, PatientRow]:
        """Return those of the patients that are known, by key."""
        wanted = [str(key) for key in patient_keys]
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table = tables.patients
            found = connection.execute(sa.select(table).where(table.c.patient_key.in_(wanted)))
            return {UUID(row.patient_key): _row(row) for row in found}

    def by_id(self, patient_id: PatientId, *, fresh: bool = True) -> PatientRow | None:
        """Return the patient of an identifier (CX)."""
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table = tables.patients
            row = connection.execute(
                sa.select(table).where(table.c.patient_id == str(patient_id))
            ).first()
            return None if row is None else _row(row)

    def search(
        self,
        *,
        policy: sa.ColumnElement[bool],
        name: str = "",
        local_id: str = "",
        offset: int = 0,
        limit: int = 20,
    ) -> PatientPage:
        """Return patients whose name, pinyin or initials begin with `name`, in name order."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.patients
            where = [policy]
            if local_id:
                where.append(_begins(table.c.local_id, local_id))
            if name:
                where.append(_named(table, name))
            total = connection.execute(
                sa.select(sa.func.count()).select_from(table).where(*where)
            ).scalar_one()
            rows = connection.execute(
                sa.select(table)
                .where(*where)
                .order_by(table.c.pinyin, table.c.latin, table.c.patient_key)
                .offset(max(offset, 0))
                .limit(min(max(limit, 0), _MAX_PAGE))
            )
            return PatientPage(total, tuple(_row(row) for row in rows))


def _named(table: sa.Table, name: str) -> sa.ColumnElement[bool]:
    key = search_key(name)
    if not key:
        return sa.false()
    columns = (table.c.latin, table.c.written, table.c.pinyin, table.c.initials)
    return sa.or_(*(_begins(column, key) for column in columns))


def _begins(column: sa.Column[str], prefix: str) -> sa.ColumnElement[bool]:
    return sa.and_(column >= prefix, column < prefix + UPPER_BOUND)


def _row(row: Row[Any]) -> PatientRow:
    return PatientRow(
        patient_key=UUID(row.patient_key),
        patient_id=row.patient_id,
        local_id=row.local_id,
        name=row.name,
        alphabetic=row.alphabetic,
        ideographic=row.ideographic,
        pinyin=row.pinyin,
        sex=row.sex,
        birth_date=row.birth_date,
        origin=row.origin,
        known_at=from_micros(row.known_at),
        changed_at=from_micros(row.changed_at),
    )
