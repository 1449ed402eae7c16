"""Searches at the three levels, answered with ready DICOM JSON.

Implements PS3.18 10.6 (QIDO-RS) and the query side of PS3.4 C.4.1 (C-FIND, Study Root).
Called by the DICOMweb and DIMSE adapters; URLs in the answers begin with `attributes.MARK`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from projections.database import ViewsDatabase
from projections.study_index import kept, matching, study_pages
from projections.study_index.attributes import (
    MATCHING,
    SERIES_MORE,
    SERIES_RETURNED,
    STUDY_MORE,
    STUDY_RETURNED,
    Column,
    Kind,
    Level,
)
from projections.study_index.overlay import read_through
from projections.study_index.projection import NAME
from projections.study_index.rows import fixed_members, joined, series_members, study_members
from projections.study_index.study_pages import Condition, StudyPages, count

_TABLES: Final = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}
COUNTED: Final = 1_000
"""The most matches that are counted: ten thousand cost six times what the page does."""
_SCANNED: Final = 20_000
"""The most rows that are looked through for keys that have no column."""
_BATCH: Final = 500
_raw_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_STUDY: Final = frozenset(STUDY_RETURNED)
_SERIES: Final = frozenset(SERIES_RETURNED)
_KEPT: Final = {
    Level.STUDY: _STUDY | frozenset(STUDY_MORE),
    Level.SERIES: _STUDY | frozenset(STUDY_MORE) | _SERIES | frozenset(SERIES_MORE),
}
"""What is kept of a study and a series; of an instance it is the whole header."""
_PAIRS: Final = {0x00080020: 0x00080030, 0x00080021: 0x00080031, 0x00400244: 0x00400245}
"""Dates and the times that belong to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for."""

    level: Level
    filters: tuple[tuple[int, str], ...] = ()
    """Matching keys by tag, values as they came."""
    paths: tuple[tuple[tuple[int, ...], str], ...] = ()
    """Matching keys that have no column, or lie in sequences; answered by what is kept of rows."""
    study_uid: str = ""
    """Only within this study (PS3.18: a path below it)."""
    series_uid: str = ""
    include: frozenset[int] = field(default_factory=frozenset)
    include_all: bool = False
    fuzzy: bool = False
    combined: bool = False
    """Ranges of a date and its time are one range (PS3.4 C.2.2.2.5)."""
    empty: bool = False
    """`""` matches absent values; else it is universal matching (PS3.18 8.3.4.1.1)."""
    counted: bool = False
    """Count all that match, up to `COUNTED`."""
    offset: int = 0
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What was found."""

    items: list[bytes]
    """A JSON object each."""
    more: bool
    """True when there are more than `limit`."""
    ignored: tuple[int, ...]
    """Matching keys that nothing answers."""
    patient_keys: tuple[str, ...]
    study_uids: tuple[str, ...]
    total: int | None = None
    """How many match, if that was asked for and they are not more than `COUNTED`."""


class Searches:
    """Runs searches on the study index; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def find(self, search: Search, *, policy: sa.ColumnElement[bool]) -> Found:
        """Return what matches, newest study first; raises BadQuery, QueryTooLarge, KeyTooLong."""
        with self._database.reading(NAME) as (connection, tables):
            where, levels, ignored = self._conditions(search, tables)
            tree = kept.tree_of(_answerable(search))
            ignored += tuple(path[0] for path, _ in search.paths if not _is_kept(path, search))
            answers = _Answers(connection, tables, search)
            where.append(Condition(policy))
            clauses = [one.clause for one in where]
            query = _query(tables, search, clauses, levels, everything=bool(tree))
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
        told = dict(search.filters) if search.combined else {}
        for tag, value in search.filters:
            column = MATCHING.get(tag)
            if column is None or not _reachable(column.table, search.level):
                ignored.append(tag)
                continue
            table = getattr(tables, _TABLES[column.table])
            if column.name in own.c and column.kind is Kind.UID:
                table = own
            condition = _condition(table, column, value, search, told.get(_PAIRS.get(tag, 0), ""))
            if condition is None:
                continue
            if column.table is Level.SERIES and search.level is Level.STUDY:
                condition = _some_series(tables, condition)
            elif table is not own:
                levels.add(column.table)
            where.append(study_pages.of_key(condition, table, column, value, fuzzy=search.fuzzy))
        return where, levels, tuple(ignored)


def _condition(
    table: sa.Table, column: Column, value: str, search: Search, time: str
) -> sa.ColumnElement[bool] | None:
    if search.empty and value.strip() == '""':
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
    return search.level is Level.INSTANCE or path[0] in _KEPT[search.level]


def _answerable(search: Search) -> list[tuple[tuple[int, ...], str]]:
    return [(path, value) for path, value in search.paths if _is_kept(path, search)]


def _reachable(table: Level, level: Level) -> bool:
    order = (Level.STUDY, Level.SERIES, Level.INSTANCE)
    if level is Level.STUDY and table is Level.SERIES:
        return True
    return order.index(table) <= order.index(level)


def _some_series(tables: Any, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return "has a series that matches": OHIF and others ask studies for Modality."""
    series = tables.series
    return sa.exists().where(
        series.c.study_uid == tables.studies.c.study_uid, series.c.hidden.is_(False), condition
    )


def _scanned(
    connection: Connection, query: Any, search: Search, answers: _Answers, tree: kept.Tree
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


class _Answers:
    """Makes the JSON of rows; reads the rows above them when their attributes are wanted."""

    def __init__(self, connection: Connection, tables: Any, search: Search) -> None:
        self._connection = connection
        self._tables = tables
        self._search = search

    def of(self, rows: list[RowMapping]) -> list[bytes]:
        """Return a JSON object for each row."""
        search = self._search
        wants_more = bool(search.include) or search.include_all
        # PS3.18 10.6.3.3: levels that the path does not name are part of the answer.
        wants_study = search.level is not Level.STUDY and not search.study_uid
        wants_series = search.level is Level.INSTANCE and not search.series_uid
        if not (wants_more or wants_study or wants_series):
            return [row["json"] for row in rows]
        studies = self._above(rows, self._tables.studies, "study_uid")
        series = self._above(rows, self._tables.series, "series_uid")
        return [
            joined(
                self._members(
                    row,
                    studies.get(row["study_uid"]),
                    _series_of(row, series),
                    wants_study=wants_study,
                    wants_series=wants_series,
                )
            )
            for row in rows
        ]

    def matching(self, rows: list[RowMapping], tree: kept.Tree) -> list[RowMapping]:
        """Return the rows of which what is kept matches."""
        studies = self._above(rows, self._tables.studies, "study_uid")
        series = self._above(rows, self._tables.series, "series_uid")
        return [
            row
            for row in rows
            if kept.matches(
                tree, self._kept(row, studies.get(row["study_uid"]), _series_of(row, series))
            )
        ]

    def _kept(self, row: RowMapping, study: Any, series: Any) -> dict[int, bytes]:
        level = self._search.level
        if level is Level.INSTANCE:
            return _split(self._metadata(row))
        above = (
            (row if level is Level.STUDY else study, study_members),
            (row if level is Level.SERIES else series, series_members),
        )
        members: dict[int, bytes] = {}
        for place, counted in above:
            if place is not None:
                members.update(fixed_members(place["fixed"]) | counted(place))
        return members

    def _above(self, rows: list[RowMapping], table: sa.Table, key: str) -> dict[str, Any]:
        level = self._search.level
        if level is Level.STUDY or (level is Level.SERIES and key == "series_uid"):
            return {}
        wanted = list(dict.fromkeys(row[key] for row in rows))
        found: dict[str, Any] = {}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            for row in self._connection.execute(
                sa.select(table).where(table.c[key].in_(part))
            ).mappings():
                found[row[key] if key == "study_uid" else f"{row['study_uid']}/{row[key]}"] = row
        return found

    def _members(
        self, row: RowMapping, study: Any, series: Any, *, wants_study: bool, wants_series: bool
    ) -> dict[int, bytes]:
        level, include = self._search.level, self._search.include
        everything = self._search.include_all
        members: dict[int, bytes] = {}
        above = [
            (
                study if level is not Level.STUDY else row,
                study_members,
                _STUDY,
                wants_study or level is Level.STUDY,
            ),
            (
                series if level is not Level.SERIES else row,
                series_members,
                _SERIES,
                wants_series or level is Level.SERIES,
            ),
        ]
        for place, counted, returned, wanted in above:
            if place is None:
                continue
            fixed = fixed_members(place["fixed"]) | counted(place)
            kept = returned | frozenset(counted(place)) if wanted else frozenset()
            own = everything and wanted
            members.update(
                (tag, text) for tag, text in fixed.items() if own or tag in kept or tag in include
            )
        if level is Level.INSTANCE:
            members.update(_split(row["json"]))
            if include - members.keys() or everything:
                members.update(
                    (tag, text)
                    for tag, text in _split(self._metadata(row)).items()
                    if everything or tag in include
                )
        return members

    def _metadata(self, row: RowMapping) -> bytes:
        chunks = self._tables.chunks
        body = self._connection.execute(
            sa.select(chunks.c.body).where(
                chunks.c.study_uid == row["study_uid"],
                chunks.c.series_uid == row["series_uid"],
                chunks.c.chunk == row["chunk"],
            )
        ).scalar_one()
        start, length = row["chunk_start"], row["chunk_length"]
        return self._told(row)(zlib.decompress(body)[start : start + length])

    def _told(self, row: RowMapping) -> Callable[[bytes], bytes]:
        place = (row["study_uid"], row["series_uid"])
        return read_through(self._connection, self._tables, place, row["sop_uid"])


def _series_of(row: RowMapping, series: dict[str, Any]) -> Any:
    return series.get(f"{row['study_uid']}/{row['series_uid']}") if series else None


def _split(json: bytes) -> dict[int, bytes]:
    """Return the members of a stored JSON object; the mark is no JSON and is hidden meanwhile."""
    parsed = _raw_members(json.replace(b"\x01", b"\x7f\x7f"))
    return {
        int(name, 16): b'"%s":%s' % (name.encode(), bytes(raw).replace(b"\x7f\x7f", b"\x01"))
        for name, raw in parsed.items()
    }
