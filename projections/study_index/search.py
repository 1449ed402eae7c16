"""Searches at the three levels, answered with ready DICOM JSON.

Implements PS3.18 10.6 (QIDO-RS) and the query side of PS3.4 C.4.1 (C-FIND, Study Root).
Called by the DICOMweb and DIMSE adapters; URLs in the answers begin with `attributes.MARK`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from projections.database import ViewsDatabase
from projections.study_index import kept, matching, names, study_pages
from projections.study_index.answers import Answers
from projections.study_index.asked import Found, Search
from projections.study_index.attributes import (
    INSTANCE_AVAILABILITY,
    MATCHING,
    MODALITIES_IN_STUDY,
    SERIES_INSTANCE_COUNT,
    SERIES_MORE,
    SERIES_RETURNED,
    SOP_CLASSES_IN_STUDY,
    STUDY_INSTANCE_COUNT,
    STUDY_MORE,
    STUDY_RETURNED,
    STUDY_SERIES_COUNT,
    Column,
    Kind,
    Level,
)
from projections.study_index.projection import NAME
from projections.study_index.study_pages import Condition, StudyPages, count

__all__ = ["COUNTED", "KEPT", "Found", "Search", "Searches"]

_TABLES: Final = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}
COUNTED: Final = 1_000
"""The most matches that are counted: ten thousand cost six times what the page does."""
_SCANNED: Final = 20_000
"""The most rows that are looked through for keys that have no column."""
_BATCH: Final = 500
_COMMON: Final = 20_000
"""Rows below studies that are not sorted any more."""
_STUDY: Final = frozenset(STUDY_RETURNED)
_SERIES: Final = frozenset(SERIES_RETURNED)
CALCULATED: Final = frozenset(
    (
        INSTANCE_AVAILABILITY,
        MODALITIES_IN_STUDY,
        SOP_CLASSES_IN_STUDY,
        STUDY_SERIES_COUNT,
        STUDY_INSTANCE_COUNT,
        SERIES_INSTANCE_COUNT,
    )
)
KEPT: Final = {
    Level.STUDY: _STUDY | frozenset(STUDY_MORE) | CALCULATED - {SERIES_INSTANCE_COUNT},
    Level.SERIES: _STUDY | frozenset(STUDY_MORE) | _SERIES | frozenset(SERIES_MORE) | CALCULATED,
}
"""What is kept or counted of a study and a series; of an instance it is the whole header."""
_LOWER_UIDS: Final = {
    Level.STUDY: ("series_uid", "sop_uid"),
    Level.SERIES: ("sop_uid",),
    Level.INSTANCE: (),
}
_PAIRS: Final = {0x00080020: 0x00080030, 0x00080021: 0x00080031, 0x00400244: 0x00400245}
"""Dates and the times that belong to them."""


class Searches:
    """Runs searches on the study index; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def find(self, search: Search, *, policy: sa.ColumnElement[bool]) -> Found:
        """Return what matches, newest study first; raises BadQuery, QueryTooLarge, KeyTooLong."""
        with self._database.reading(NAME) as (connection, tables):
            where, levels, ignored = self._conditions(search, tables)
            tree = kept.tree_of(_answerable(search), empty=search.empty)
            ignored += tuple(path[0] for path, _ in search.paths if not _is_kept(path, search))
            answers = Answers(connection, tables, search, policy)
            where.append(Condition(policy))
            clauses = [one.clause for one in where]
            query = _query(tables, search, clauses, levels, everything=bool(tree))
            if _is_common(connection, query, search):
                passed = [where[0].clause, *(study_pages.looked_into(one) for one in clauses[1:])]
                query = _query(tables, search, passed, levels, everything=bool(tree))
            pages = StudyPages(connection, tables.studies, where)
            by_pages = search.level is Level.STUDY and not tree and not study_pages.is_exact(where)
            if tree:
                rows = _scanned(connection, query, search, answers, tree)
            elif by_pages:
                read = _columns(tables.studies, search, everything=False)
                rows = pages.rows(read, offset=search.offset, limit=search.limit + 1)
            else:
                page = query.offset(search.offset).limit(search.limit + 1)
                rows = list(connection.execute(page).mappings())
            more, total = len(rows) > search.limit, search.offset + len(rows)
            if search.counted and not tree and (more or (search.offset and not rows)):
                most = COUNTED + 1
                total = pages.count(most) if by_pages else count(connection, query, most)
            rows = rows[: search.limit]
            items = answers.of(rows)
        return Found(
            items,
            more,
            ignored,
            tuple(dict.fromkeys(row["patient_key"] for row in rows)),
            tuple(dict.fromkeys(row["study_uid"] for row in rows)),
            tuple(row["patient_key"] for row in rows),
            total if search.counted and total <= COUNTED and not (tree and more) else None,
        )

    def _conditions(
        self, search: Search, tables: Any
    ) -> tuple[list[Condition], set[Level], tuple[int, ...]]:
        own = getattr(tables, _TABLES[search.level])
        where = [Condition(own.c.hidden.is_(False))]
        if search.study_uid:
            where.append(Condition.exact(own.c.study_uid == search.study_uid))
        if search.series_uid:
            where.append(Condition(own.c.series_uid == search.series_uid))
        levels = {search.level}
        ignored = []
        for tag, value in search.filters:
            column = MATCHING.get(tag)
            if column is None or not _reachable(column, search.level):
                ignored.append(tag)
                continue
            with kept.naming(tag):
                where += _of_key(search, tables, tag, column, value)
            is_lower = search.level is Level.STUDY or column.name in _LOWER_UIDS[search.level]
            if not is_lower and not (column.kind is Kind.UID and column.name in own.c):
                levels.add(column.table)
        return where, levels, tuple(ignored)


def _of_key(
    search: Search, tables: Any, tag: int, column: Column, value: str
) -> Iterator[Condition]:
    """Yield what a key demands of the rows of the level; raises BadQuery."""
    own, table = (getattr(tables, _TABLES[one]) for one in (search.level, column.table))
    if column.name in own.c and column.kind is Kind.UID:
        table = own
    told = dict(search.filters) if search.combined else {}
    for part in _parts(column, value):
        condition = _condition(table, column, part, search, told.get(_PAIRS.get(tag, 0), ""))
        if condition is None:
            continue
        if column.name in _LOWER_UIDS[search.level]:
            yield _holds(own, table, condition)
        elif column.table is Level.SERIES and search.level is Level.STUDY:
            yield _asked(_some_series(tables, condition), table, column, part, search)
        else:
            yield _asked(condition, table, column, part, search)


def _is_common(connection: Connection, query: Any, search: Search) -> bool:
    """Tell whether so many rows match that they must not be sorted to show a page of them.

    Below studies SQLite would read and sort all images of a modality; in the order of the rows'
    own index it finds common ones soon. PostgreSQL knows by its statistics.
    """
    if search.level is Level.STUDY or search.study_uid or connection.dialect.name != "sqlite":
        return False
    return count(connection, query, _COMMON) >= _COMMON


def _parts(column: Column, value: str) -> Sequence[str]:
    """Return what is to be met of a key: each component group of a name, for its own index."""
    if column.kind is not Kind.PATIENT or "\\" in value:
        return (value,)
    return names.groups(value) or (value,)


def _holds(own: sa.Table, lower: sa.Table, condition: sa.ColumnElement[bool]) -> Condition:
    """Return "holds a series or instance of these UIDs": few do, and their index tells which."""
    wanted = [own.c.study_uid, *([own.c.series_uid] if "series_uid" in own.c else [])]
    found = sa.select(*(lower.c[column.name] for column in wanted)).where(
        lower.c.hidden.is_(False), condition
    )
    return Condition.exact(
        sa.tuple_(*wanted).in_(found) if len(wanted) > 1 else wanted[0].in_(found)
    )


def _asked(
    clause: sa.ColumnElement[bool], table: sa.Table, column: Column, value: str, search: Search
) -> Condition:
    if search.empty and value.strip() == kept.EMPTY:
        return Condition(clause)
    return study_pages.of_key(clause, table, column, value, fuzzy=search.fuzzy)


def _condition(
    table: sa.Table, column: Column, value: str, search: Search, time: str
) -> sa.ColumnElement[bool] | None:
    if search.empty and value.strip() == kept.EMPTY:
        return matching.absent(table.c[column.name], column.kind)
    if column.kind is Kind.DATE and "-" in value and "-" in time:
        partner = table.c[column.name.replace("date", "time")]
        return matching.combined(table.c[column.name], value, partner, time)
    if column.kind is Kind.TIME and search.combined and "-" in value:
        told = dict(search.filters)
        date = next((told[d] for d, t in _PAIRS.items() if MATCHING[t] is column and d in told), "")
        if "-" in date:
            return None  # it is part of the date's range
    return matching.clause(table, column.name, column.kind, value, fuzzy=search.fuzzy)


def _is_kept(path: tuple[int, ...], search: Search) -> bool:
    return search.level is Level.INSTANCE or path[0] in KEPT[search.level]


def _answerable(search: Search) -> list[tuple[tuple[int, ...], str]]:
    return [(path, value) for path, value in search.paths if _is_kept(path, search)]


def _reachable(column: Column, level: Level) -> bool:
    order = (Level.STUDY, Level.SERIES, Level.INSTANCE)
    if level is Level.STUDY and column.table is Level.SERIES:
        return True
    return column.name == "sop_uid" or order.index(column.table) <= order.index(level)


def _some_series(tables: Any, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return "has a series that matches": OHIF and others ask studies for Modality."""
    series = tables.series
    return sa.exists().where(
        series.c.study_uid == tables.studies.c.study_uid, series.c.hidden.is_(False), condition
    )


def _scanned(
    connection: Connection, query: Any, search: Search, answers: Answers, tree: kept.Tree
) -> list[RowMapping]:
    """Return a page of the rows that match the keys which have no column."""
    found: list[RowMapping] = []
    wanted = search.offset + search.limit + 1
    for start in range(0, _SCANNED + 1, _BATCH):
        rows = list(connection.execute(query.offset(start).limit(_BATCH)).mappings())
        if start == _SCANNED and rows:
            raise matching.QueryTooLarge("too many would have to be looked through; narrow it")
        found += answers.matching(rows, tree)
        if len(rows) < _BATCH or len(found) >= wanted:
            break
    return found[search.offset : wanted]


def _query(
    tables: Any,
    search: Search,
    where: Sequence[sa.ColumnElement[bool]],
    levels: set[Level],
    *,
    everything: bool,
) -> Any:
    own = getattr(tables, _TABLES[search.level])
    studies, series = tables.studies, tables.series
    source: sa.FromClause = own
    if search.level is not Level.STUDY and (Level.STUDY in levels or not search.study_uid):
        source = source.join(studies, studies.c.study_uid == own.c.study_uid)
    if search.level is Level.INSTANCE and Level.SERIES in levels:
        source = source.join(
            series,
            sa.and_(series.c.study_uid == own.c.study_uid, series.c.series_uid == own.c.series_uid),
        )
    query = sa.select(*_columns(own, search, everything=everything))
    query = query.select_from(source).where(*where)
    if search.level is Level.STUDY:
        query = study_pages.newest(query, studies.c)
    elif search.level is Level.SERIES:
        query = query.order_by(
            series.c.study_uid, series.c.number.nulls_last(), series.c.series_uid
        )
    else:
        query = query.order_by(
            own.c.study_uid, own.c.series_uid, own.c.number.nulls_last(), own.c.ordinal
        )
    return query


def _columns(own: sa.Table, search: Search, *, everything: bool) -> list[Any]:
    """Return what is read of the rows found; what a study keeps beside its answer is long."""
    if search.level is Level.STUDY and not (search.include or search.include_all or everything):
        return [own.c.study_uid, own.c.patient_key, own.c.json]
    return [own]
