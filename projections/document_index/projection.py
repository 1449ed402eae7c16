"""Turns the facts of documents, submission sets, folders and associations into rows.

Design A4; filled so that ITI TF-2 3.18 can be answered. Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.codes import Code
from kernel.events import Fact, Recorded
from kernel.times import dtm, micros, pad_dtm, parse_dtm
from projections.contract import ViewSpec
from projections.document_index.merging import move_to_survivor
from projections.document_index.tables import Tables
from projections.merged_patients import MergedPatients
from registry.documents.events import (
    AssociationApproved,
    AssociationAsserted,
    AssociationDeprecated,
    DocumentApproved,
    DocumentDeprecated,
    DocumentRegistered,
    DocumentRevised,
    FolderApproved,
    FolderCreated,
    FolderDeprecated,
    FolderRevised,
    FolderUpdated,
    MetadataRemoved,
    SubmissionAccepted,
)
from registry.documents.values import DocumentEntry, Folder, Status, SubmissionSet
from registry.patients.events import PatientAbsorbed, PatientShredded
from repository.objects.events import DocumentRemoved

NAME: Final = "document_index"
EVENT_CODE: Final = "event"
CONFIDENTIALITY: Final = "confidentiality"
FOLDER_CODE: Final = "folder"
_STATUSES: Final[Mapping[type[Fact], tuple[str, Status]]] = {
    DocumentApproved: ("documents", Status.APPROVED),
    DocumentDeprecated: ("documents", Status.DEPRECATED),
    FolderApproved: ("folders", Status.APPROVED),
    FolderDeprecated: ("folders", Status.DEPRECATED),
    AssociationApproved: ("associations", Status.APPROVED),
    AssociationDeprecated: ("associations", Status.DEPRECATED),
}
"""Fact -> the table whose row has what status from then on."""
_WITHIN_A_SECOND: Final = 20
_CHANGES: Final = frozenset({FolderUpdated, DocumentRevised, FolderRevised, *_STATUSES})


class DocumentIndexProjection:
    """Writes the document index: inserts of a batch together, changes after them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._merged = MergedPatients(tables.merges)
        self._encode = msgspec.json.Encoder().encode

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        changes: list[sa.Update | sa.Delete] = []
        for recorded, told in self._merged.following(connection, events):
            match told:
                case DocumentRegistered(entry=DocumentEntry() as entry) as fact:
                    self._document(rows, recorded, fact, entry)
                    self._held_still(connection, rows, fact)
                case SubmissionAccepted(submission_set=SubmissionSet() as whole) as fact:
                    self._submission_set(rows, recorded, whole, fact.patient_key)
                case FolderCreated(folder=Folder() as folder) as fact:
                    self._folder(rows, recorded, folder, fact.patient_key)
                case AssociationAsserted() as fact:
                    self._association(rows, recorded, fact)
                case MetadataRemoved(entry_uuid=uuid):
                    changes += self._removal(uuid)
                case DocumentRemoved() | PatientShredded() as fact:
                    # It means what came before it, and not what comes after.
                    _insert(connection, rows)
                    self._forget(connection, fact)
                case PatientAbsorbed() as fact:
                    _insert(connection, rows)
                    _execute(connection, changes)
                    move_to_survivor(connection, self._tables, fact)
                case other if type(other) in _CHANGES:
                    changes.append(self._change(recorded.stream, other))
                case _:
                    continue  # sealed for ever: the row would say nothing
        _insert(connection, rows)
        _execute(connection, changes)

    def _document(
        self,
        rows: dict[sa.Table, list[dict[str, Any]]],
        recorded: Recorded,
        fact: DocumentRegistered,
        entry: DocumentEntry,
    ) -> None:
        """Add the rows of a document."""
        key = fact.patient_key
        rows[self._tables.documents].append(
            {
                **self._identity(recorded, entry, key),
                "logical_id": fact.logical_id,
                "version": fact.version,
                "is_current": True,
                "object_type": entry.object_type,
                "repository_unique_id": fact.repository_unique_id,
                "mime_type": fact.mime_type,
                "hash": fact.hash,
                "size": fact.size,
                "object_sha256": fact.object_sha256,
                **_code("class", entry.class_code),
                **_code("type", entry.type_code),
                **_code("format", entry.format_code),
                **_code("facility", entry.healthcare_facility_type_code),
                **_code("practice", entry.practice_setting_code),
                "creation_time": _time(entry.creation_time),
                "service_start_time": _time(entry.service_start_time),
                "service_stop_time": _time(entry.service_stop_time),
                "availability": entry.document_availability.rpartition(":")[2] or "Online",
            }
        )
        if fact.object_sha256 and fact.version == 1:
            rows[self._tables.held].append(
                {
                    "unique_id": fact.unique_id,
                    "repository_unique_id": fact.repository_unique_id,
                    "object_sha256": fact.object_sha256,
                    "patient_key": key,
                }
            )
        uuid = entry.entry_uuid
        self._codes(rows, uuid, key, EVENT_CODE, entry.event_codes)
        self._codes(rows, uuid, key, CONFIDENTIALITY, entry.confidentiality_codes)
        self._authors(rows, uuid, key, [author.person for author in entry.authors])
        rows[self._tables.references] += [
            {"object": uuid, "patient_key": key, "value": value} for value in entry.reference_ids
        ]

    def _held_still(
        self,
        connection: Connection,
        rows: dict[sa.Table, list[dict[str, Any]]],
        fact: DocumentRegistered,
    ) -> None:
        """Leave a new version of the metadata without octets if the document was removed."""
        if fact.version == 1:
            return
        # Asked now and not at the batch's end: by then it may have been provided again.
        _insert(connection, rows)
        documents, held = self._tables.documents, self._tables.held
        lies_here = sa.exists().where(
            held.c.unique_id == fact.unique_id,
            held.c.repository_unique_id == fact.repository_unique_id,
        )
        connection.execute(
            sa.update(documents)
            .where(documents.c.entry_uuid == fact.entry_uuid, ~lies_here)
            .values(object_sha256="")
        )

    def _submission_set(
        self,
        rows: dict[sa.Table, list[dict[str, Any]]],
        recorded: Recorded,
        whole: SubmissionSet,
        key: UUID,
    ) -> None:
        rows[self._tables.submission_sets].append(
            {
                **self._identity(recorded, whole, key),
                "source_id": whole.source_id,
                "submission_time": _time(whole.submission_time),
                **_code("content_type", whole.content_type_code),
            }
        )
        self._authors(rows, whole.entry_uuid, key, [a.person for a in whole.authors])

    def _folder(
        self,
        rows: dict[sa.Table, list[dict[str, Any]]],
        recorded: Recorded,
        folder: Folder,
        key: UUID,
    ) -> None:
        rows[self._tables.folders].append(
            {
                **self._identity(recorded, folder, key),
                "logical_id": folder.logical_id or folder.entry_uuid,
                "is_current": True,
                "last_update_time": _time(folder.last_update_time),
            }
        )
        self._codes(rows, folder.entry_uuid, key, FOLDER_CODE, folder.codes)

    def _association(
        self,
        rows: dict[sa.Table, list[dict[str, Any]]],
        recorded: Recorded,
        fact: AssociationAsserted,
    ) -> None:
        association = fact.association
        rows[self._tables.associations].append(
            {
                "entry_uuid": association.entry_uuid,
                "patient_key": fact.patient_key,
                "status": str(association.availability_status),
                "position": recorded.position,
                "type": str(association.type),
                "source": association.source,
                "target": association.target,
                "body": self._encode(association),
            }
        )

    def _identity(
        self, recorded: Recorded, thing: DocumentEntry | SubmissionSet | Folder, key: UUID
    ) -> dict[str, Any]:
        return {
            "entry_uuid": thing.entry_uuid,
            "unique_id": thing.unique_id,
            "patient_key": key,
            "status": str(Status.APPROVED),
            "position": recorded.position,
            "registered_at": micros(recorded.at),
            "body": self._encode(thing),
        }

    def _codes(
        self,
        rows: dict[sa.Table, list[dict[str, Any]]],
        uuid: UUID,
        key: UUID,
        kind: str,
        codes: Iterable[Code],
    ) -> None:
        rows[self._tables.codes] += [
            {"object": uuid, "patient_key": key, "kind": kind, "value": c.value, "scheme": c.scheme}
            for c in codes
        ]

    def _authors(
        self,
        rows: dict[sa.Table, list[dict[str, Any]]],
        uuid: UUID,
        key: UUID,
        persons: Iterable[str],
    ) -> None:
        rows[self._tables.authors] += [
            {"object": uuid, "patient_key": key, "person": person} for person in persons if person
        ]

    def _change(self, stream: UUID, fact: Fact) -> sa.Update:
        """Return what a fact changes in a row; its stream is the entryUUID or the logicalID."""
        match fact:
            case FolderUpdated(last_update_time=time):
                table = self._tables.folders
                later = _later(table.c.last_update_time, time)
                return sa.update(table).where(table.c.entry_uuid == stream).values(later)
            case DocumentRevised() | FolderRevised():
                revised = isinstance(fact, DocumentRevised)
                table = self._tables.documents if revised else self._tables.folders
                # The batch may hold rows of later versions already: the last one told wins.
                current = table.c.entry_uuid == fact.entry_uuid
                of = table.c.logical_id == fact.logical_id
                return sa.update(table).where(of).values(is_current=current)
            case _:
                name, status = _STATUSES[type(fact)]
                table, values = getattr(self._tables, name), {"status": str(status)}
        return sa.update(table).where(table.c.entry_uuid == stream).values(**values)

    def _removal(self, entry_uuid: UUID) -> Iterable[sa.Update | sa.Delete]:
        """Delete an object whatever it is: its entryUUID was never and will never be another's."""
        t = self._tables
        yield from (_latest_but(entry_uuid, table) for table in (t.documents, t.folders))
        for table in (t.documents, t.submission_sets, t.folders, t.associations):
            yield sa.delete(table).where(table.c.entry_uuid == entry_uuid)
        for side in (t.codes, t.authors, t.references):
            yield sa.delete(side).where(side.c.object == entry_uuid)

    def _forget(self, connection: Connection, fact: DocumentRemoved | PatientShredded) -> None:
        """Delete the rows of a patient, or the way to the octets of a document."""
        if isinstance(fact, PatientShredded):
            for table in self._tables.metadata.tables.values():
                connection.execute(sa.delete(table).where(table.c.patient_key == fact.patient_key))
            return
        documents, held = self._tables.documents, self._tables.held
        connection.execute(
            sa.update(documents).where(*_of(documents, fact)).values(object_sha256="")
        )
        connection.execute(sa.delete(held).where(*_of(held, fact)))


def _latest_but(entry_uuid: UUID, table: sa.Table) -> sa.Update:
    """Make the version before this one the current one, if this is the current one."""
    gone, other = table.alias(), table.alias()
    latest = (
        sa.select(other.c.entry_uuid)
        .join(gone, gone.c.logical_id == other.c.logical_id)
        .where(gone.c.entry_uuid == entry_uuid, gone.c.is_current)
        .where(other.c.entry_uuid != entry_uuid)
        .order_by(other.c.position.desc())
        .limit(1)
        .scalar_subquery()
    )
    return sa.update(table).where(table.c.entry_uuid == latest).values(is_current=True)


def _of(table: sa.Table, fact: DocumentRemoved) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.unique_id == fact.unique_id,
        table.c.repository_unique_id == fact.repository_unique_id,
    )


def _later(column: sa.Column[str], time: str) -> dict[str, sa.ColumnElement[str]]:
    """Set a time that is later than before, also for what happens within one second.

    The time has seconds only, and who compares two of them must see that a folder changed.
    """
    told = parse_dtm(time)
    seconds = [dtm(told + timedelta(seconds=n)) for n in range(_WITHIN_A_SECOND)]
    steps = [(column == now, sa.literal(then)) for now, then in pairwise(seconds)]
    return {column.name: sa.case((column < seconds[0], seconds[0]), *steps, else_=column)}


def _execute(connection: Connection, changes: list[sa.Update | sa.Delete]) -> None:
    for change in changes:
        connection.execute(change)
    changes.clear()


def _insert(connection: Connection, rows: dict[sa.Table, list[dict[str, Any]]]) -> None:
    for table, values in rows.items():
        if values:
            connection.execute(sa.insert(table), values)
    rows.clear()


def _code(name: str, code: Code | None) -> dict[str, str]:
    return {
        f"{name}_code": code.value if code else "",
        f"{name}_scheme": code.scheme if code else "",
    }


def _time(value: str) -> str:
    return pad_dtm(value) if value else ""


SPEC: Final = ViewSpec(
    name=NAME,
    version=6,
    topics=(
        SubmissionAccepted.TOPIC,
        DocumentRegistered.TOPIC,
        DocumentRevised.TOPIC,
        FolderCreated.TOPIC,
        FolderUpdated.TOPIC,
        FolderRevised.TOPIC,
        AssociationAsserted.TOPIC,
        *(fact.TOPIC for fact in _STATUSES),
        MetadataRemoved.TOPIC,
        DocumentRemoved.TOPIC,
        PatientAbsorbed.TOPIC,
        PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=DocumentIndexProjection,
)
