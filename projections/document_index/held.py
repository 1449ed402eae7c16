"""Reads which documents the repository holds, with metadata or without, and who uses an object.

Implements what ITI TF-2 3.86.4.1.3 needs to know: a document may outlive its metadata.
Called by `workflows/remove_documents.py` and `workflows/erase_removed.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from projections.database import ViewsDatabase
from projections.document_index.projection import NAME


@dataclass(frozen=True, slots=True)
class Held:
    """A document whose octets lie here."""

    unique_id: str
    repository_unique_id: str
    object_sha256: str
    patient_key: UUID


class HeldDocuments:
    """The documents of our own repository."""

    def __init__(self, views: ViewsDatabase) -> None:
        self._views = views

    def find(self, unique_id: str, repository_unique_id: str) -> Held | None:
        """Return a document that was stored and not removed."""
        with self._views.reading(NAME) as (connection, tables):
            c = tables.held.c
            query = sa.select(
                c.unique_id, c.repository_unique_id, c.object_sha256, c.patient_key
            ).where(c.unique_id == unique_id, c.repository_unique_id == repository_unique_id)
            row = connection.execute(query.limit(1)).first()
        return None if row is None else Held(*row)

    def uses(self, object_sha256: str) -> bool:
        """Tell whether any document consists of these octets."""
        with self._views.reading(NAME) as (connection, tables):
            c = tables.held.c
            query = sa.select(c.unique_id).where(c.object_sha256 == object_sha256).limit(1)
            return connection.execute(query).first() is not None

    def wait(self) -> None:
        """Wait until the view holds everything that was acknowledged before."""
        self._views.wait(NAME)
