"""Moves what belongs to a subsumed patient identifier to the survivor, patientId and all.

Implements ITI TF-2 3.8.4.2.4: submission sets, documents and folders point at the surviving
identity afterwards. Called by `projection.py`; the objects' sourcePatientId stays as submitted.
"""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from projections.document_index.tables import Tables
from registry.documents.values import DocumentEntry, Folder, SubmissionSet
from registry.patients.events import PatientAbsorbed

_encode: Final = msgspec.json.Encoder().encode


def move_to_survivor(connection: Connection, tables: Tables, fact: PatientAbsorbed) -> None:
    """Rewrite the rows of the subsumed identifier as the survivor's."""
    for table, kind in (
        (tables.documents, DocumentEntry),
        (tables.submission_sets, SubmissionSet),
        (tables.folders, Folder),
    ):
        _rename(connection, table, kind, fact)
    for table in tables.metadata.tables.values():
        if table is not tables.merges:
            connection.execute(
                sa.update(table)
                .where(table.c.patient_key == fact.subsumed)
                .values(patient_key=fact.patient_key)
            )


def _rename(
    connection: Connection,
    table: sa.Table,
    kind: type[DocumentEntry | SubmissionSet | Folder],
    fact: PatientAbsorbed,
) -> None:
    rows = connection.execute(
        sa.select(table.c.entry_uuid, table.c.body).where(table.c.patient_key == fact.subsumed)
    ).all()
    changed = [
        {
            "uuid": row.entry_uuid,
            "whole": _encode(
                msgspec.structs.replace(
                    msgspec.json.decode(row.body, type=kind), patient_id=fact.patient_id
                )
            ),
        }
        for row in rows
    ]
    if changed:
        connection.execute(
            sa.update(table)
            .where(table.c.entry_uuid == sa.bindparam("uuid"))
            .values(body=sa.bindparam("whole")),
            changed,
        )
