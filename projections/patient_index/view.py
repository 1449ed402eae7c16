"""Reads the patient index: by key, by identifier, by name, pinyin or its initials.

Answers ITI TF-2 3.8 (is the patient known?), 3.9 (whose are these identifiers?), 3.21 (who fits?)
and the portal's lists. Called by adapters and workflows; list queries take the policy clause that
`projections/permissions` builds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Row

from kernel.identifiers import PatientId
from kernel.times import from_micros
from projections.database import ViewsDatabase
from projections.patient_index.demographics import DemographicQuery, demographic_clauses
from projections.patient_index.projection import NAME
from projections.patient_index.tables import Tables
from projections.person_names import UPPER_BOUND, search_key

_MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class PatientRow:
    """An identifier with its patient as last told."""

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
    address: str
    telephone: str
    authority: str
    """OID of the domain that assigned the identifier."""
    person: UUID
    """The same for identifiers that are cross-referenced; else the patient key."""
    merged_into: UUID | None
    """The survivor's key, when the identifier was subsumed."""
    local: bool
    """Known by the feed of another domain than the affinity domain: nobody to XDS."""
    origin: str
    known_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class PatientPage:
    """One page of a search."""

    total: int
    items: tuple[PatientRow, ...]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person with all his identifiers, the one that best tells who he is first."""

    person: UUID
    identifiers: tuple[PatientRow, ...]


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Some of the persons that fit; `after` finds the next ones, empty when these are all."""

    persons: tuple[PersonRow, ...]
    after: str


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
        """Return the patient of an identifier (CX) in use: one that was subsumed is unknown."""
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table = tables.patients
            row = connection.execute(
                sa.select(table).where(table.c.patient_id == str(patient_id), _in_use(table.c))
            ).first()
            return None if row is None else _row(row)

    def person_of(self, patient_id: PatientId) -> PersonRow | None:
        """Return the person an identifier denotes, with all identifiers; None if it is unknown.

        ITI TF-2 3.9: the cross-references are `identifiers` without the one asked for.
        """
        found = self.by_id(patient_id)
        if found is None:
            return None
        with self._database.reading(NAME, fresh=False) as (connection, tables):
            return next(iter(_persons(connection, tables.patients, (str(found.person),), "")), None)

    def find_persons(
        self,
        query: DemographicQuery,
        *,
        policy: sa.ColumnElement[bool],
        affinity: str = "",
        after: str = "",
        limit: int = 20,
        authorities: frozenset[str] = frozenset(),
    ) -> PersonPage:
        """Return the persons that a demographic query fits (ITI TF-2 3.21), page by page.

        A person fits when one of his identifiers does, with what was told of it, and he has
        one of these `authorities` if any are named. Each one's identifier of the domain
        `affinity` comes first. `after` is the previous page's.
        """
        with self._database.reading(NAME) as (connection, tables):
            c = tables.patients.c
            where = _fitting(tables, query, policy, authorities)
            # An expression: SQLite must begin with those who fit, not with all persons in order.
            person = c.person.concat("")
            if after:
                where.append(person > after)
            asked = sa.select(person).where(*where).distinct().order_by(person).limit(limit + 1)
            found = list(connection.execute(asked).scalars())
            persons = _persons(connection, tables.patients, found[:limit], affinity)
            return PersonPage(tuple(persons), found[limit - 1] if len(found) > limit else "")

    def count_persons(
        self,
        query: DemographicQuery,
        *,
        policy: sa.ColumnElement[bool],
        after: str = "",
        authorities: frozenset[str] = frozenset(),
    ) -> int:
        """Return how many persons a demographic query fits that come after one."""
        with self._database.reading(NAME) as (connection, tables):
            c = tables.patients.c
            where = _fitting(tables, query, policy, authorities)
            counted = sa.select(sa.func.count(c.person.distinct()))
            if after:
                where.append(c.person > after)
            return int(connection.execute(counted.where(*where)).scalar_one())

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
            where = [policy, _in_use(table.c), ~table.c.local]
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


def _fitting(
    tables: Tables,
    query: DemographicQuery,
    policy: sa.ColumnElement[bool],
    authorities: frozenset[str],
) -> list[sa.ColumnElement[bool]]:
    """Return what an identifier must meet for its person to fit."""
    c = tables.patients.c
    where = [policy, _in_use(c), *demographic_clauses(tables, query)]
    if authorities:
        other = tables.patients.alias("other").c
        where.append(
            sa.exists().where(
                other.person == c.person, _in_use(other), other.authority.in_(sorted(authorities))
            )
        )
    return where


def _in_use(columns: Any) -> sa.ColumnElement[bool]:
    """Tell those not subsumed; not by `=`, as an index that nearly every row fits misleads."""
    return sa.func.length(columns.merged_into) == 0


def _persons(
    connection: sa.Connection, table: sa.Table, keys: Sequence[str], affinity: str
) -> list[PersonRow]:
    held: dict[str, list[PatientRow]] = {key: [] for key in keys}
    for row in connection.execute(
        sa.select(table).where(table.c.person.in_(keys), _in_use(table.c))
    ):
        held[row.person].append(_row(row))
    return [
        PersonRow(
            UUID(key),
            tuple(sorted(rows, key=lambda r: (r.authority != affinity, r.local, r.patient_id))),
        )
        for key, rows in held.items()
        if rows
    ]


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
        address=row.address,
        telephone=row.telephone,
        authority=row.authority,
        person=UUID(row.person),
        merged_into=UUID(row.merged_into) if row.merged_into else None,
        local=row.local,
        origin=row.origin,
        known_at=from_micros(row.known_at),
        changed_at=from_micros(row.changed_at),
    )
