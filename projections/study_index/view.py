"""Reads the study index: the portal's lists, metadata of instances, what waits to be published.

Answers PS3.18 10.4.1.1.2 (metadata) and RAD TF-2 4.68 (which instances a manifest names).
Called by adapters and workflows; the searches of QIDO-RS and C-FIND are in `search.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Row

from kernel.times import from_micros, micros
from projections.database import ViewsDatabase
from projections.study_index import matching
from projections.study_index import overlay as overlays
from projections.study_index.attributes import Kind
from projections.study_index.listed import (
    InstanceRow,
    SeriesRow,
    StudyCount,
    StudyFilters,
    StudyRow,
)
from projections.study_index.projection import NAME
from projections.study_index.rows import values
from repository.instances.correcting import Changes

__all__ = ["InstanceRow", "SeriesRow", "StudyCount", "StudyFilters", "StudyIndex", "StudyRow"]

_MAX_PAGE: Final = 500
_ORDERS: Final[dict[str, Callable[[Any], tuple[Any, ...]]]] = {
    "study_date": lambda c: (c.study_date, c.study_time),
    "arrival": lambda c: (c.last_at,),
    "name": lambda c: (c.pinyin, c.latin, c.written),
    "patient_id": lambda c: (c.patient_id,),
    "accession": lambda c: (c.accession,),
    "modalities": lambda c: (c.modalities,),
    "description": lambda c: (c.description,),
}


class StudyIndex:
    """The query side of the study index; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database
        self._uncorrected_at = -1
        """Where the ledger ended when nothing at all was told otherwise than stored."""

    def search_studies(
        self,
        filters: StudyFilters,
        *,
        policy: sa.ColumnElement[bool],
        sort: str = "-study_date",
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[int, tuple[StudyRow, ...]]:
        """Return the count of all matches and one page; `sort` is a column, `-` for falling."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.studies
            where = [policy, table.c.hidden.is_(False), *_narrowed(table, filters)]
            total = connection.execute(
                sa.select(sa.func.count()).select_from(table).where(*where)
            ).scalar_one()
            order = _ORDERS.get(sort.lstrip("-"), _ORDERS["study_date"])(table.c)
            if sort.startswith("-"):
                order = tuple(column.desc() for column in order)
            last = table.c.study_uid.desc() if sort.startswith("-") else table.c.study_uid
            rows = connection.execute(
                sa.select(table)
                .where(*where)
                .order_by(*order, last)
                .offset(max(offset, 0))
                .limit(min(max(limit, 0), _MAX_PAGE))
            )
            return total, tuple(_study(row) for row in rows)

    def study(self, study_uid: str, *, fresh: bool = True, held: bool = False) -> StudyRow | None:
        """Return a study, None when no instance is stored, or all are rejected and not `held`."""
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table = tables.studies
            row = connection.execute(
                sa.select(table).where(
                    table.c.study_uid == study_uid, sa.true() if held else table.c.hidden.is_(False)
                )
            ).first()
            return None if row is None else _study(row)

    def studies_of_patient(
        self, patient_key: UUID, *, policy: sa.ColumnElement[bool]
    ) -> tuple[StudyRow, ...]:
        """Return all studies of a patient, newest first."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.studies
            rows = connection.execute(
                sa.select(table)
                .where(policy, table.c.patient_key == str(patient_key), table.c.hidden.is_(False))
                .order_by(table.c.study_date.desc(), table.c.study_time.desc())
            )
            return tuple(_study(row) for row in rows)

    def series_of(self, study_uid: str) -> tuple[SeriesRow, ...]:
        """Return the series of a study in the order of their numbers."""
        with self._database.reading(NAME) as (connection, tables):
            series, instances = tables.series, tables.instances
            first = (
                sa.select(instances.c.sop_uid)
                .where(
                    instances.c.study_uid == series.c.study_uid,
                    instances.c.series_uid == series.c.series_uid,
                    instances.c.hidden.is_(False),
                )
                .order_by(instances.c.ordinal)
                .limit(1)
                .scalar_subquery()
                .label("first_sop_uid")
            )
            rows = connection.execute(
                sa.select(series, first)
                .where(series.c.study_uid == study_uid, series.c.hidden.is_(False))
                .order_by(series.c.number.nulls_last(), series.c.first_at, series.c.series_uid)
            )
            return tuple(_series(row) for row in rows)

    def instances_of(self, study_uid: str, series_uid: str = "") -> tuple[InstanceRow, ...]:
        """Return the instances of a study or series in the order of their numbers."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.instances
            query = sa.select(table).where(
                table.c.study_uid == study_uid, table.c.hidden.is_(False)
            )
            if series_uid:
                query = query.where(table.c.series_uid == series_uid)
            rows = connection.execute(
                query.order_by(table.c.series_uid, table.c.number.nulls_last(), table.c.ordinal)
            )
            return tuple(_instance(row) for row in rows)

    def pending_publication(self, quiet_before: datetime, *, limit: int = 500) -> list[StudyRow]:
        """Return quiet studies whose last manifest, if any, does not name all their instances.

        Quiet: no instance came since `quiet_before`.
        """
        with self._database.reading(NAME) as (connection, tables):
            table = tables.studies
            rows = connection.execute(
                sa.select(table)
                .where(table.c.pending.is_(True), table.c.last_at < micros(quiet_before))
                .order_by(table.c.last_at)
                .limit(limit)
            )
            return [_study(row) for row in rows]

    def instances_for_manifest(self, study_uid: str) -> tuple[InstanceRow, ...]:
        """Return all held instances in the order they came, rejected ones and notes included."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.instances
            rows = connection.execute(
                sa.select(table)
                .where(table.c.study_uid == study_uid)
                .order_by(table.c.series_uid, table.c.ordinal)
            )
            return tuple(_instance(row) for row in rows)

    def counts(self, date_from: str, date_to: str) -> list[StudyCount]:
        """Return what is shown of the studies of some days (YYYYMMDD, inclusive)."""
        with self._database.reading(NAME) as (connection, tables):
            c = tables.studies.c
            rows = connection.execute(
                sa.select(c.study_uid, c.study_date, c.modalities, c.instance_count)
                .where(c.hidden.is_(False), c.study_date >= date_from, c.study_date <= date_to)
                .order_by(c.study_date, c.study_uid)
            )
            return [
                StudyCount(r.study_uid, r.study_date, tuple(values(r.modalities)), r.instance_count)
                for r in rows
            ]

    def followers(self, study_uid: str, home_study: str, since: datetime) -> tuple[str, ...]:
        """Return the series whose stored headers name another study and that came `since` then."""
        with self._database.reading(NAME) as (connection, tables):
            table, moved = tables.instances, tables.moved
            rows = connection.execute(
                sa.select(table.c.series_uid)
                .join(moved, moved.c.sop_uid == table.c.sop_uid)
                .where(table.c.study_uid == study_uid, moved.c.home_study == home_study)
                .group_by(table.c.series_uid)
                .having(sa.func.min(moved.c.at) >= micros(since))
                .order_by(table.c.series_uid)
            )
            return tuple(rows.scalars())

    def revision(
        self, study_uid: str, series_uid: str = "", *, fresh: bool = True
    ) -> tuple[int, UUID] | None:
        """Return the state of a study's or series' metadata and its patient (cheap)."""
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table = tables.series if series_uid else tables.studies
            query = sa.select(table.c.revision, table.c.patient_key).where(
                table.c.study_uid == study_uid, table.c.hidden.is_(False)
            )
            if series_uid:
                query = query.where(table.c.series_uid == series_uid)
            row = connection.execute(query).first()
            return None if row is None else (row.revision, UUID(row.patient_key))

    def metadata(
        self, study_uid: str, series_uid: str = "", *, fresh: bool = True, original: bool = False
    ) -> list[bytes]:
        """Return the metadata of a study or series: pieces of comma separated JSON objects.

        Told as corrected, or as the `original` headers have them.
        """
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table, place = tables.chunks, (study_uid, series_uid)
            # What is rejected lies in chunks with negative numbers.
            query = sa.select(table.c.series_uid, table.c.chunk, table.c.body).where(
                table.c.study_uid == study_uid, table.c.chunk >= 0
            )
            if series_uid:
                query = query.where(table.c.series_uid == series_uid)
            rows = connection.execute(query.order_by(table.c.series_uid, table.c.chunk)).all()
            if not overlays.is_overlaid(connection, tables, study_uid):
                return [zlib.decompress(row.body) for row in rows]
            return overlays.overlaid_chunks(connection, tables, place, rows, original=original)

    def corrections(self, sop_uids: Sequence[str], *, fresh: bool = True) -> Mapping[str, Changes]:
        """Return what is told otherwise than stored headers say, of instances that have any.

        `04000561` holds one item: when, by what system, why (CORRECT, COERCE). An attribute
        without Value that a stored header does not have needs nothing done. `metadata`,
        `instance_metadata` and all searches tell the changed values already.
        """
        head = self._database.head(NAME)
        if head == self._uncorrected_at:
            return {}  # nothing was recorded since nothing was told otherwise
        if fresh:
            self._database.wait_for(NAME, head)
        with self._database.reading(NAME, fresh=False) as (connection, tables):
            if not overlays.any_overlay(connection, tables):
                if fresh:
                    self._uncorrected_at = head
                return {}
            found = overlays.overlays(connection, tables, sop_uids)
            return {uid: one.changes for uid, one in found.items()}

    def instance_metadata(
        self,
        study_uid: str,
        series_uid: str,
        sop_uid: str,
        *,
        held: bool = False,
        original: bool = False,
    ) -> bytes | None:
        """Return the metadata of one instance, or None when there is no such instance there.

        A rejected one is given only to who asks for whatever is `held`. Told as corrected, or
        as the `original` header has them.
        """
        with self._database.reading(NAME) as (connection, tables):
            table, chunks = tables.instances, tables.chunks
            row = connection.execute(
                sa.select(table.c.chunk_start, table.c.chunk_length, chunks.c.body)
                .join(
                    chunks,
                    sa.and_(
                        chunks.c.study_uid == table.c.study_uid,
                        chunks.c.series_uid == table.c.series_uid,
                        chunks.c.chunk == table.c.chunk,
                    ),
                )
                .where(
                    table.c.sop_uid == sop_uid,
                    table.c.study_uid == study_uid,
                    table.c.series_uid == series_uid,
                    sa.true() if held else table.c.hidden.is_(False),
                )
            ).first()
            if row is None:
                return None
            end = row.chunk_start + row.chunk_length
            stored = zlib.decompress(row.body)[row.chunk_start : end]
            place = (study_uid, series_uid)
            told = overlays.read_through(connection, tables, place, sop_uid, original=original)
            return told(stored)


def _narrowed(table: sa.Table, filters: StudyFilters) -> Sequence[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if filters.name.strip():
        found.append(matching.patient_name(table, filters.name, fuzzy=True))
    for column, prefix in (("patient_id", filters.patient_id), ("accession", filters.accession)):
        if prefix.strip():
            found.append(matching.begins(table.c[column], prefix.strip()))
    if filters.patient_key is not None:
        found.append(table.c.patient_key == str(filters.patient_key))
    span = f"{filters.date_from}-{filters.date_to}"
    words = filters.description.strip()
    keys = (
        ("study_date", Kind.DATE, span if span != "-" else ""),
        ("modalities", Kind.SET, "\\".join(filters.modalities)),
        ("description", Kind.TEXT, f"*{words}*" if words else ""),
    )
    clauses = [matching.clause(table, *key, fuzzy=False) for key in keys]
    return [*found, *(clause for clause in clauses if clause is not None)]


def _study(row: Row[Any]) -> StudyRow:
    return StudyRow(
        study_uid=row.study_uid,
        patient_key=UUID(row.patient_key),
        patient_id=row.patient_id,
        issuer=row.issuer,
        name=row.name,
        alphabetic=row.alphabetic,
        ideographic=row.ideographic,
        pinyin=row.pinyin,
        birth_date=row.birth_date,
        sex=row.sex,
        study_date=row.study_date,
        study_time=row.study_time,
        accession=row.accession,
        study_id=row.study_id,
        description=row.description,
        referring=row.referring,
        modalities=tuple(values(row.modalities)),
        sop_classes=tuple(values(row.sop_classes)),
        body_parts=tuple(values(row.body_parts)),
        series_count=row.series_count,
        instance_count=row.instance_count,
        held_count=row.held_count,
        size_bytes=row.size_bytes,
        first_at=from_micros(row.first_at),
        last_at=from_micros(row.last_at),
        complete=row.complete_count >= row.held_count,
        published_count=row.published_count,
        manifest_uid=row.manifest_uid,
        manifest_entry=UUID(row.manifest_entry) if row.manifest_entry else None,
        mixed=row.mixed,
        outdated=row.outdated,
    )


def _series(row: Row[Any]) -> SeriesRow:
    return SeriesRow(
        row.study_uid,
        row.series_uid,
        row.modality,
        row.number,
        row.description,
        row.body_part,
        row.series_date,
        row.series_time,
        row.institution,
        row.department,
        row.station,
        row.instance_count,
        row.first_sop_uid or "",
    )


def _instance(row: Row[Any]) -> InstanceRow:
    return InstanceRow(
        row.study_uid,
        row.series_uid,
        row.sop_uid,
        row.sop_class,
        row.number,
        row.frame_count,
        row.hidden,
    )
