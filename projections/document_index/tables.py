"""The tables of the document index, on SQLite and PostgreSQL alike.

Design A4; the columns are the parameters of the stored queries (ITI TF-2 3.18.4.1.2.3.7).
Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from projections.merged_patients import merges_table

_STATUS: Final = 10
_NAME: Final = 256
_TIME: Final = 14


class Tables:
    """Typed columns for what queries filter on; `body` is the whole object as JSON.

    Times are padded to the second, so that text order is time order. Codes, authors and
    references of many values stand in side tables, which repeat the patient for shredding.
    """

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.documents = sa.Table(
            f"document_entry{suffix}",
            self.metadata,
            *_identity(),
            sa.Column("logical_id", sa.Uuid, nullable=False, index=True),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("is_current", sa.Boolean, nullable=False),
            sa.Column("object_type", sa.String(_NAME), nullable=False),
            sa.Column("repository_unique_id", sa.String(_NAME), nullable=False),
            sa.Column("mime_type", sa.String(_NAME), nullable=False),
            # SHA-1 has 40 digits; others register what they have.
            sa.Column("hash", sa.String(_NAME), nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("object_sha256", sa.String(64), nullable=False),
            *_code("class"),
            *_code("type"),
            *_code("format"),
            *_code("facility"),
            *_code("practice"),
            sa.Column("creation_time", sa.String(_TIME), nullable=False),
            sa.Column("service_start_time", sa.String(_TIME), nullable=False),
            sa.Column("service_stop_time", sa.String(_TIME), nullable=False),
            sa.Column("availability", sa.String(_NAME), nullable=False),
        )
        self.submission_sets = sa.Table(
            f"document_submission_set{suffix}",
            self.metadata,
            *_identity(),
            sa.Column("source_id", sa.String(_NAME), nullable=False),
            sa.Column("submission_time", sa.String(_TIME), nullable=False),
            *_code("content_type"),
        )
        self.folders = sa.Table(
            f"document_folder{suffix}",
            self.metadata,
            *_identity(),
            sa.Column("logical_id", sa.Uuid, nullable=False, index=True),
            sa.Column("is_current", sa.Boolean, nullable=False),
            sa.Column("last_update_time", sa.String(_TIME), nullable=False),
        )
        self.associations = sa.Table(
            f"document_association{suffix}",
            self.metadata,
            sa.Column("entry_uuid", sa.Uuid, primary_key=True),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
            sa.Column("status", sa.String(_STATUS), nullable=False),
            sa.Column("position", sa.BigInteger, nullable=False),
            sa.Column("type", sa.String(_NAME), nullable=False),
            sa.Column("source", sa.Uuid, nullable=False, index=True),
            sa.Column("target", sa.Uuid, nullable=False, index=True),
            sa.Column("body", sa.LargeBinary, nullable=False),
        )
        self.held = sa.Table(
            f"document_held{suffix}",
            self.metadata,
            sa.Column("unique_id", sa.String(_NAME), nullable=False, index=True),
            sa.Column("repository_unique_id", sa.String(_NAME), nullable=False),
            sa.Column("object_sha256", sa.String(64), nullable=False, index=True),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
        )
        """Documents whose octets lie here, also those whose metadata were removed."""
        self.codes = _side(self.metadata, f"document_code{suffix}", "kind", "value", "scheme")
        self.authors = _side(self.metadata, f"document_author{suffix}", "person")
        self.references = _side(self.metadata, f"document_reference{suffix}", "value")
        self.merges = merges_table(self.metadata, f"document_merge{suffix}")


def _identity() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("entry_uuid", sa.Uuid, primary_key=True),
        sa.Column("unique_id", sa.String(_NAME), nullable=False, index=True),
        sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
        sa.Column("status", sa.String(_STATUS), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("registered_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _code(name: str) -> tuple[sa.Column[object], ...]:
    return (
        sa.Column(f"{name}_code", sa.String(_NAME), nullable=False),
        sa.Column(f"{name}_scheme", sa.String(_NAME), nullable=False),
    )


def _side(metadata: sa.MetaData, name: str, *values: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("object", sa.Uuid, nullable=False, index=True),
        sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
        *(sa.Column(value, sa.String(_NAME), nullable=False) for value in values),
    )
