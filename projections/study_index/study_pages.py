"""Which studies a page shows, newest first, and how many match: by the index that narrows most.

PS3.18 10.6 and PS3.4 C.4.1 at the STUDY level. Rows are fat (ready JSON lies in them), so a page
is found in indexes alone and only its rows are read. Called by `search.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from projections.study_index.attributes import Column
from projections.study_index.matching import arms

Clause = sa.ColumnElement[bool]

_WEIGHTS: Final = {"sqlite": 800, "postgresql": 2000}
"""Walking to a page costs reach / matches of all studies, sorting the matches all of them: the
two are even at the root of both, here for a million studies. Far fewer studies walk fast anyway.
PostgreSQL walks in rows, SQLite in an index that holds all that is looked for."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a study must meet."""

    clause: Clause
    arms: tuple[Clause, ...] = ()
    """Any of these is the same as `clause`, and each is a range of an index; empty: none is."""
    is_exact: bool = False
    """The arms are equalities: few studies meet them, and any plan will do."""

    by_date: bool = False
    """It is a range of the dates that studies are walked along anyway."""

    @classmethod
    def exact(cls, equality: Clause) -> Self:
        """Return the condition of an equality of a column that has an index."""
        return cls(equality, (equality,), is_exact=True)


class StudyPages:
    """The studies that meet conditions, by pages."""

    def __init__(
        self, connection: Connection, studies: sa.Table, conditions: Sequence[Condition]
    ) -> None:
        self._connection = connection
        self._studies = studies
        self._conditions = conditions

    def rows(
        self, columns: Sequence[sa.ColumnElement[Any] | sa.Table], *, offset: int, limit: int
    ) -> list[RowMapping]:
        """Return a page of rows."""
        studies = self._studies
        even = int(_WEIGHTS[self._connection.dialect.name] * math.sqrt(offset + limit + 1))
        least, narrowest = self._narrowest(even)
        keys = self._keys(narrowest if least < even else None)
        if len(keys) == 1:
            page = newest(keys[0], studies.c).offset(offset).limit(limit).subquery()
        else:
            # Each arm is read by its own index; a study may be found by more than one.
            every = sa.union(*keys).subquery()
            page = newest(sa.select(every), every.c).offset(offset).limit(limit).subquery()
        query = (
            sa.select(*columns)
            .select_from(page)
            .join(studies, studies.c.study_uid == page.c.study_uid)
        )
        return list(self._connection.execute(newest(query, page.c)).mappings())

    def count(self, most: int) -> int:
        """Return how many match, or `most` when there are as many or more."""
        # Walking on from the page to that many takes longer than counting in any index.
        _, narrowest = self._narrowest(most)
        keys = self._keys(narrowest)
        found = [count(self._connection, one, most) for one in keys]
        if len(found) == 1 or max(found) >= most:
            return max(found)
        return count(self._connection, sa.select(sa.union(*keys).subquery()), most)

    def _keys(self, narrowest: Condition | None) -> list[sa.Select[Any]]:
        """Return the queries whose union are the studies: one, or one an arm."""
        c = self._studies.c
        keys = sa.select(c.study_date, c.study_time, c.study_uid).where(
            *(self._other(one) for one in self._conditions if one is not narrowest)
        )
        if narrowest is None:
            return [keys]
        return [keys.where(arm) for arm in narrowest.arms]

    def _other(self, condition: Condition) -> Clause:
        is_postgres = self._connection.dialect.name == "postgresql"
        if not condition.arms or condition.by_date or is_postgres:
            return condition.clause
        return looked_into(condition.clause)

    def _narrowest(self, most: int) -> tuple[int, Condition | None]:
        """Return the condition that narrows most and how far; `most` says "so many or more".

        None goes by an index of its own: then studies are walked along by date.
        """
        candidates = [one for one in self._conditions if one.arms]
        if not candidates:
            return most, None
        counted = [(self._probe(one, most), one) for one in candidates]
        # Where both are common: a range of dates is read in one piece.
        return min(counted, key=lambda pair: (min(pair[0], most), not pair[1].by_date))

    def _probe(self, condition: Condition, most: int) -> int:
        """Return how many entries of indexes meet the arms; stops looking at `most` in each."""
        counts = [
            sa.select(sa.func.count())
            .select_from(
                sa.select(sa.literal(1))
                .select_from(self._studies)
                .where(arm)
                .limit(most)
                .subquery()
            )
            .scalar_subquery()
            for arm in condition.arms
        ]
        total: sa.ColumnElement[int] = counts[0]
        for one in counts[1:]:
            total = total + one
        return int(self._connection.execute(sa.select(total)).scalar_one())


def of_key(
    clause: Clause, table: sa.Table, column: Column, value: str, *, fuzzy: bool
) -> Condition:
    """Return what a matching key demands, with the indexes that answer it."""
    if column.name == "study_date":
        return Condition(clause, (clause,), by_date=True)
    return Condition(clause, *arms(table, column.name, column.kind, value, fuzzy=fuzzy))


def looked_into(clause: Clause) -> Clause:
    """Return a condition that SQLite looks into for every row and takes no index for."""
    return sa.case((clause, 1), else_=0) == 1


def is_exact(conditions: Iterable[Condition]) -> bool:
    """Tell whether few studies are left without looking at more than an index."""
    return any(one.is_exact for one in conditions)


def count(connection: Connection, query: sa.Select[Any], most: int) -> int:
    """Return how many rows a query has, or `most` when there are as many or more."""
    query = query.with_only_columns(sa.literal(1), maintain_column_froms=True)
    some = query.order_by(None).limit(most).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def newest(query: sa.Select[Any], columns: Any) -> sa.Select[Any]:
    """Return the query in the order that lists of studies have."""
    return query.order_by(
        columns.study_date.desc(), columns.study_time.desc(), columns.study_uid.desc()
    )
