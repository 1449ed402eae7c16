"""Reads the document index: the searches and look-ups that stored queries are made of.

Implements the selections of ITI TF-2 3.18.4.1.2.3.7; `Reading` is one consistent look.
Called by adapters/xds, the portal and FHIR.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from projections.database import ViewsDatabase
from projections.document_index.filters import (
    DocumentFilter,
    FolderFilter,
    SubmissionSetFilter,
    document_clauses,
    folder_clauses,
    level_one,
    submission_set_clauses,
)
from projections.document_index.projection import NAME
from projections.document_index.rows import (
    AssociationRow,
    DocumentRow,
    DocumentSummary,
    FolderRow,
    Located,
    SubmissionSetRow,
    summary,
)
from projections.document_index.tables import Tables
from registry.documents.values import Status

__all__ = [
    "AssociationRow",
    "DocumentIndex",
    "DocumentRow",
    "DocumentSummary",
    "FolderRow",
    "Located",
    "Reading",
    "SubmissionSetRow",
]

_CHUNK: Final = 500


class DocumentIndex:
    """The document index of an installation."""

    def __init__(self, views: ViewsDatabase) -> None:
        self._views = views

    @contextmanager
    def reading(
        self,
        *,
        fresh: bool = True,
        within: sa.ColumnElement[bool] | None = None,
        current_only: bool = False,
        association_statuses: Sequence[Status] = tuple(Status),
    ) -> Iterator[Reading]:
        """Open one consistent look; `within` is what the caller's rights leave visible.

        `current_only` hides what a consumer of metadata level 1 does not know of;
        `association_statuses` are those of the associations that are to be seen.
        """
        with self._views.reading(NAME, fresh=fresh) as (connection, tables):
            shown = level_one(tables) if current_only else {}
            if len(association_statuses) < len(Status):
                shown[tables.associations] = tables.associations.c.status.in_(
                    [str(status) for status in association_statuses]
                )
            yield Reading(connection, tables, within, shown)

    def documents_of(
        self, patient_key: UUID, *, fresh: bool = True, with_deprecated: bool = False
    ) -> list[DocumentSummary]:
        """Return a patient's documents, newest first."""
        with self.reading(fresh=fresh) as look:
            return look.summaries(patient_key, with_deprecated=with_deprecated)

    def locate(self, entry_uuid: UUID) -> Located | None:
        """Return where a document lies, by its entryUUID."""
        return self._located(lambda look: look.locate_entry(entry_uuid))

    def locate_unique(self, unique_id: str, repository_unique_id: str) -> Located | None:
        """Return where a document lies, by uniqueId and repository (as ITI-43 asks)."""
        return self._located(lambda look: look.locate_unique(unique_id, repository_unique_id))

    def _located(self, look_up: Any) -> Located | None:
        # Nearly always the row is there already: wait for the view on a miss only. A document
        # without octets may have been removed and provided again meanwhile.
        for fresh in (False, True):
            with self.reading(fresh=fresh) as look:
                found: Located | None = look_up(look)
            if found is not None and (fresh or found.object_sha256):
                return found
        return None


class Reading:
    """One consistent look at the index; the orders of its lists are those of registration."""

    def __init__(
        self,
        connection: Connection,
        tables: Tables,
        within: sa.ColumnElement[bool] | None = None,
        shown: Mapping[sa.Table, sa.ColumnElement[bool]] = MappingProxyType({}),
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._within = sa.true() if within is None else within
        self._shown = shown

    def every_version(self) -> Reading:
        """Return the same look at what no consumer's level hides."""
        return Reading(self._connection, self._tables, self._within)

    def find_documents(
        self,
        patient_keys: Sequence[UUID] | None,
        wanted: DocumentFilter,
        *,
        limit: int | None = None,
    ) -> list[DocumentRow]:
        """Return the documents that pass the filter, of these patients or (None) of all."""
        patients = self._of(self._tables.documents, patient_keys)
        where = document_clauses(self._tables, wanted, self._connection.dialect.name)
        return self._documents(patients, *where, limit=limit)

    def documents(
        self,
        *,
        entry_uuids: Iterable[UUID] = (),
        unique_ids: Iterable[str] = (),
        logical_ids: Iterable[UUID] = (),
        wanted: DocumentFilter | None = None,
    ) -> list[DocumentRow]:
        """Return documents by one kind of identifier, those that pass the filter if given."""
        columns = self._tables.documents.c
        dialect = self._connection.dialect.name
        where = [] if wanted is None else document_clauses(self._tables, wanted, dialect)

        def read(named: sa.ColumnElement[bool]) -> list[DocumentRow]:
            return self._documents(named, *where)

        return [
            *self._chunked(columns.entry_uuid, entry_uuids, read),
            *self._chunked(columns.unique_id, unique_ids, read),
            *self._chunked(columns.logical_id, logical_ids, read),
        ]

    def find_submission_sets(
        self, patient_keys: Sequence[UUID], wanted: SubmissionSetFilter
    ) -> list[SubmissionSetRow]:
        """Return the submission sets of these patients that pass the filter."""
        table = self._tables.submission_sets
        where = submission_set_clauses(self._tables, wanted, self._connection.dialect.name)
        return self._submission_sets(table.c.patient_key.in_(patient_keys), *where)

    def submission_sets(
        self, *, entry_uuids: Iterable[UUID] = (), unique_ids: Iterable[str] = ()
    ) -> list[SubmissionSetRow]:
        """Return submission sets by one kind of identifier."""
        columns = self._tables.submission_sets.c
        return [
            *self._chunked(columns.entry_uuid, entry_uuids, self._submission_sets),
            *self._chunked(columns.unique_id, unique_ids, self._submission_sets),
        ]

    def find_folders(
        self, patient_keys: Sequence[UUID] | None, wanted: FolderFilter
    ) -> list[FolderRow]:
        """Return the folders that pass the filter, of these patients or (None) of all."""
        patients = self._of(self._tables.folders, patient_keys)
        return self._folders(patients, *folder_clauses(self._tables, wanted))

    def folders(
        self,
        *,
        entry_uuids: Iterable[UUID] = (),
        unique_ids: Iterable[str] = (),
        logical_ids: Iterable[UUID] = (),
    ) -> list[FolderRow]:
        """Return folders by one kind of identifier."""
        columns = self._tables.folders.c
        return [
            *self._chunked(columns.entry_uuid, entry_uuids, self._folders),
            *self._chunked(columns.unique_id, unique_ids, self._folders),
            *self._chunked(columns.logical_id, logical_ids, self._folders),
        ]

    def associations(
        self,
        *,
        entry_uuids: Iterable[UUID] = (),
        sources: Iterable[UUID] = (),
        targets: Iterable[UUID] = (),
    ) -> list[AssociationRow]:
        """Return associations by id, or that start or end at one of these objects."""
        columns = self._tables.associations.c
        found = [
            *self._chunked(columns.entry_uuid, entry_uuids, self._associations),
            *self._chunked(columns.source, sources, self._associations),
            *self._chunked(columns.target, targets, self._associations),
        ]
        return list({row.entry_uuid: row for row in found}.values())

    def summaries(self, patient_key: UUID, *, with_deprecated: bool) -> list[DocumentSummary]:
        """Return a patient's documents, newest first."""
        table = self._tables.documents
        query = (
            sa.select(table.c.body, table.c.status, table.c.object_sha256)
            .where(table.c.patient_key == patient_key, table.c.is_current, self._within)
            .order_by(table.c.creation_time.desc(), table.c.position.desc())
        )
        if not with_deprecated:
            query = query.where(table.c.status == str(Status.APPROVED))
        return [summary(row) for row in self._connection.execute(query)]

    def locate_entry(self, entry_uuid: UUID) -> Located | None:
        """Return where the document with this entryUUID lies."""
        return self._locate(self._tables.documents.c.entry_uuid == entry_uuid)

    def locate_unique(self, unique_id: str, repository_unique_id: str) -> Located | None:
        """Return where the document lies; of several entries of the same octets the newest."""
        columns = self._tables.documents.c
        return self._locate(
            columns.unique_id == unique_id, columns.repository_unique_id == repository_unique_id
        )

    def _locate(self, *where: sa.ColumnElement[bool]) -> Located | None:
        c = self._tables.documents.c
        query = (
            sa.select(
                c.entry_uuid, c.unique_id, c.repository_unique_id, c.patient_key, c.mime_type,
                c.size, c.hash, c.object_sha256, c.status,
            )
            .where(*where, self._within)
            .order_by(c.object_sha256.desc(), c.position.desc())
            .limit(1)
        )  # fmt: skip
        row = self._connection.execute(query).first()
        return None if row is None else Located(*row[:-1], Status(row.status))

    def _documents(
        self, *where: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[DocumentRow]:
        c = self._tables.documents.c
        columns = (c.entry_uuid, c.patient_key, c.status, c.body, c.registered_at)
        rows = self._select(columns, where, limit)
        return [DocumentRow(r[0], r[1], Status(r[2]), r[3], r[4]) for r in rows]

    def _submission_sets(self, *where: sa.ColumnElement[bool]) -> list[SubmissionSetRow]:
        c = self._tables.submission_sets.c
        rows = self._select((c.entry_uuid, c.patient_key, c.status, c.body), where)
        return [SubmissionSetRow(r[0], r[1], Status(r[2]), r[3]) for r in rows]

    def _folders(self, *where: sa.ColumnElement[bool]) -> list[FolderRow]:
        c = self._tables.folders.c
        columns = (c.entry_uuid, c.patient_key, c.status, c.body, c.last_update_time)
        return [
            FolderRow(r[0], r[1], Status(r[2]), r[3], r[4]) for r in self._select(columns, where)
        ]

    def _associations(self, *where: sa.ColumnElement[bool]) -> list[AssociationRow]:
        c = self._tables.associations.c
        columns = (c.entry_uuid, c.patient_key, c.status, c.body, c.source, c.target, c.type)
        return [
            AssociationRow(r[0], r[1], Status(r[2]), r[3], r[4], r[5], r[6])
            for r in self._select(columns, where)
        ]

    def _select(
        self,
        columns: Sequence[sa.ColumnElement[Any]],
        where: Iterable[sa.ColumnElement[bool]],
        limit: int | None = None,
    ) -> Sequence[Any]:
        table = columns[0].table
        shown = self._shown.get(table, sa.true())
        query = sa.select(*columns).where(*where, self._within, shown)
        query = query.order_by(table.c.position, table.c.entry_uuid).limit(limit)
        return self._connection.execute(query).all()

    @staticmethod
    def _of(table: sa.Table, patient_keys: Sequence[UUID] | None) -> sa.ColumnElement[bool]:
        return sa.true() if patient_keys is None else table.c.patient_key.in_(patient_keys)

    @staticmethod
    def _chunked(column: sa.ColumnElement[Any], values: Iterable[Any], read: Any) -> list[Any]:
        listed = list(dict.fromkeys(values))
        found: list[Any] = []
        for start in range(0, len(listed), _CHUNK):
            found += read(column.in_(listed[start : start + _CHUNK]))
        return found
