"""What a search for documents, submission sets or folders may ask, and the SQL it becomes.

Implements the parameters of ITI TF-2 3.18.4.1.2.3.7: values of one parameter are OR, groups of
a parameter that may be given several times are AND. Used by `view.py` and those who search.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from kernel.codes import Code
from kernel.times import pad_dtm
from projections.document_index.projection import CONFIDENTIALITY, EVENT_CODE, FOLDER_CODE
from projections.document_index.tables import Tables
from registry.documents.values import STABLE, Status

Groups = tuple[tuple[Code, ...], ...]
"""AND of ORs."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From (inclusive) to (exclusive), as DTM texts; empty means open."""

    start: str = ""
    stop: str = ""


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Conditions on DocumentEntries; an empty member asks nothing."""

    statuses: tuple[Status, ...] = ()
    object_types: tuple[str, ...] = (STABLE,)
    class_codes: tuple[Code, ...] = ()
    type_codes: tuple[Code, ...] = ()
    format_codes: tuple[Code, ...] = ()
    facility_codes: tuple[Code, ...] = ()
    practice_codes: tuple[Code, ...] = ()
    event_codes: Groups = ()
    confidentiality_codes: Groups = ()
    creation: TimeRange = field(default_factory=TimeRange)
    service_start: TimeRange = field(default_factory=TimeRange)
    service_stop: TimeRange = field(default_factory=TimeRange)
    authors: tuple[str, ...] = ()
    """SQL LIKE patterns."""
    availabilities: tuple[str, ...] = ()
    """Online, Offline."""
    references: tuple[tuple[str, ...], ...] = ()
    excluded: DocumentFilter | None = None
    """None of the conditions of this filter may hold."""


@dataclass(frozen=True, slots=True)
class SubmissionSetFilter:
    """Conditions on SubmissionSets."""

    statuses: tuple[Status, ...] = ()
    source_ids: tuple[str, ...] = ()
    submission: TimeRange = field(default_factory=TimeRange)
    authors: tuple[str, ...] = ()
    content_type_codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderFilter:
    """Conditions on Folders."""

    statuses: tuple[Status, ...] = ()
    last_update: TimeRange = field(default_factory=TimeRange)
    codes: Groups = ()


Clauses = list[sa.ColumnElement[bool]]


def level_one(tables: Tables) -> dict[sa.Table, sa.ColumnElement[bool]]:
    """Return what of each table metadata level 1 shows (ITI TF-2 3.18.4.1.2.3.5.1)."""
    d, f, a = tables.documents.c, tables.folders.c, tables.associations.c
    approved = str(Status.APPROVED)
    return {
        tables.documents: sa.and_(d.is_current, d.availability == "Online"),
        tables.folders: sa.and_(f.is_current, f.status == approved),
        tables.associations: a.status == approved,
    }


def document_clauses(tables: Tables, wanted: DocumentFilter, dialect: str) -> Clauses:
    """Return the conditions of a search for documents."""
    c = tables.documents.c
    where: Clauses = []
    if wanted.statuses:
        where.append(c.status.in_([str(s) for s in wanted.statuses]))
    if wanted.object_types:
        where.append(c.object_type.in_(wanted.object_types))
    if wanted.availabilities:
        where.append(c.availability.in_(wanted.availabilities))
    for name, codes in (
        ("class", wanted.class_codes),
        ("type", wanted.type_codes),
        ("format", wanted.format_codes),
        ("facility", wanted.facility_codes),
        ("practice", wanted.practice_codes),
    ):
        where += _codes(c[f"{name}_code"], c[f"{name}_scheme"], codes)
    where += _range(c.creation_time, wanted.creation)
    where += _range(c.service_start_time, wanted.service_start)
    where += _range(c.service_stop_time, wanted.service_stop)
    where += _groups(tables, c.entry_uuid, EVENT_CODE, wanted.event_codes)
    where += _groups(tables, c.entry_uuid, CONFIDENTIALITY, wanted.confidentiality_codes)
    where += _authors(tables, c.entry_uuid, wanted.authors, dialect)
    side = tables.references.c
    where += [
        sa.exists().where(side.object == c.entry_uuid, side.value.in_(values))
        for values in wanted.references
    ]
    if wanted.excluded is not None:
        unwanted = document_clauses(tables, wanted.excluded, dialect)
        where += [sa.not_(condition) for condition in unwanted]
    return where


def submission_set_clauses(tables: Tables, wanted: SubmissionSetFilter, dialect: str) -> Clauses:
    """Return the conditions of a search for submission sets."""
    c = tables.submission_sets.c
    where: Clauses = []
    if wanted.statuses:
        where.append(c.status.in_([str(s) for s in wanted.statuses]))
    if wanted.source_ids:
        where.append(c.source_id.in_(wanted.source_ids))
    where += _range(c.submission_time, wanted.submission)
    where += _codes(c.content_type_code, c.content_type_scheme, wanted.content_type_codes)
    where += _authors(tables, c.entry_uuid, wanted.authors, dialect)
    return where


def folder_clauses(tables: Tables, wanted: FolderFilter) -> Clauses:
    """Return the conditions of a search for folders."""
    c = tables.folders.c
    where: Clauses = []
    if wanted.statuses:
        where.append(c.status.in_([str(s) for s in wanted.statuses]))
    where += _range(c.last_update_time, wanted.last_update)
    where += _groups(tables, c.entry_uuid, FOLDER_CODE, wanted.codes)
    return where


def _codes(
    value: sa.ColumnElement[str], scheme: sa.ColumnElement[str], codes: Iterable[Code]
) -> Clauses:
    same = [sa.and_(value == code.value, scheme == code.scheme) for code in codes]
    return [sa.or_(*same)] if same else []


def _range(column: sa.ColumnElement[str], asked: TimeRange) -> Clauses:
    where: Clauses = []
    if asked.start:
        where.append(column >= pad_dtm(asked.start))
    if asked.stop:
        where.append(column < pad_dtm(asked.stop))
    # What has no time is in no range of time.
    return [*where, column != ""] if where else []


def _groups(
    tables: Tables, entry_uuid: sa.ColumnElement[object], kind: str, groups: Groups
) -> Clauses:
    side = tables.codes.c
    return [
        sa.exists().where(
            side.object == entry_uuid, side.kind == kind, *_codes(side.value, side.scheme, group)
        )
        for group in groups
    ]


def _authors(
    tables: Tables, entry_uuid: sa.ColumnElement[object], patterns: Iterable[str], dialect: str
) -> Clauses:
    side = tables.authors.c
    likes = [_like(side.person, pattern, dialect) for pattern in patterns]
    return [sa.exists().where(side.object == entry_uuid, sa.or_(*likes))] if likes else []


def _like(column: sa.ColumnElement[str], pattern: str, dialect: str) -> sa.ColumnElement[bool]:
    """Match `%` and `_` case-sensitively, with no escape character, on both engines."""
    if dialect == "sqlite":
        # SQLite's LIKE folds ASCII case; its GLOB does not.
        glob = "".join({"%": "*", "_": "?"}.get(c, f"[{c}]" if c in "*?[" else c) for c in pattern)
        return column.op("GLOB", is_comparison=True)(glob)
    return column.like(pattern.replace("\\", "\\\\"))
