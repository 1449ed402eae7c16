"""The JSON of rows that were found, with what was asked for besides; and what they are matched by.

Implements PS3.18 10.6.3.3 (attributes returned at each level) and PS3.4 C.3.4 (what is related to
a patient). Called by `search.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from projections.study_index import kept
from projections.study_index.asked import Search
from projections.study_index.attributes import (
    PATIENT_RELATED,
    SERIES_RETURNED,
    SOP_CLASSES_IN_STUDY,
    STUDY_RETURNED,
    Level,
)
from projections.study_index.overlay import read_through
from projections.study_index.rows import fixed_members, joined, series_members, study_members
from repository.instances.dicom_json import member

_raw_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_STUDY: Final = frozenset(STUDY_RETURNED)
_SERIES: Final = frozenset(SERIES_RETURNED)


class Answers:
    """Makes the JSON of rows; reads the rows above them when their attributes are wanted."""

    def __init__(
        self, connection: Connection, tables: Any, search: Search, policy: sa.ColumnElement[bool]
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._search = search
        self._policy = policy
        self._chunk: tuple[tuple[Any, ...], bytes] = ((), b"")
        self._related: Mapping[tuple[str, str], tuple[int, int, int]] = {}

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
        if search.include.intersection(PATIENT_RELATED):
            self._related = self._counted(studies.values() if studies else rows)
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
                tree,
                self._kept(row, studies.get(row["study_uid"]), _series_of(row, series)),
                fuzzy=self._search.fuzzy,
            )
        ]

    def _kept(self, row: RowMapping, study: Any, series: Any) -> dict[int, bytes]:
        level = self._search.level
        above = (
            (row if level is Level.STUDY else study, study_members),
            (row if level is Level.SERIES else series, series_members),
        )
        members: dict[int, bytes] = {}
        for place, counted in above:
            if place is not None:
                members.update(fixed_members(place["fixed"]) | counted(place))
        if level is Level.INSTANCE:
            members.update(_split(self._metadata(row)))
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
            # SOP Classes in Study are only sent when asked for, as without any includefield.
            told = returned | frozenset(counted(place)) - {SOP_CLASSES_IN_STUDY}
            kept = told if wanted else frozenset()
            own = everything and wanted
            members.update(
                (tag, text) for tag, text in fixed.items() if own or tag in kept or tag in include
            )
        if self._related:
            of = row if level is Level.STUDY else study
            counts = self._related[of["patient_key"], of["patient_id"]]
            members.update(
                (tag, member(tag, "IS", number))
                for tag, number in zip(PATIENT_RELATED, counts, strict=True)
                if tag in include
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

    def _counted(self, studies: Iterable[Any]) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Return how many studies, series and instances of each patient may be seen."""
        table = self._tables.studies
        keys = list(dict.fromkeys(study["patient_key"] for study in studies))
        found: dict[tuple[str, str], tuple[int, int, int]] = {}
        for start in range(0, len(keys), 500):
            query = (
                sa.select(
                    table.c.patient_key,
                    table.c.patient_id,
                    sa.func.count(),
                    sa.func.sum(table.c.series_count),
                    sa.func.sum(table.c.instance_count),
                )
                .where(table.c.patient_key.in_(keys[start : start + 500]))
                .where(table.c.hidden.is_(False), self._policy)
                .group_by(table.c.patient_key, table.c.patient_id)
            )
            for key, patient_id, *counts in self._connection.execute(query):
                found[key, patient_id] = (int(counts[0]), int(counts[1]), int(counts[2]))
        return found

    def _metadata(self, row: RowMapping) -> bytes:
        start, length = row["chunk_start"], row["chunk_length"]
        return self._told(row)(self._chunk_of(row)[start : start + length])

    def _chunk_of(self, row: RowMapping) -> bytes:
        """Return the chunk that holds a row's header; rows come in order, so the last is kept."""
        place = (row["study_uid"], row["series_uid"], row["chunk"])
        if self._chunk[0] != place:
            chunks = self._tables.chunks
            query = sa.select(chunks.c.body).where(
                chunks.c.study_uid == place[0],
                chunks.c.series_uid == place[1],
                chunks.c.chunk == place[2],
            )
            body = self._connection.execute(query).scalar_one()
            self._chunk = (place, zlib.decompress(body))
        return self._chunk[1]

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
