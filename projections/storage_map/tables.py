"""The table of the storage map, on SQLite and PostgreSQL alike.

Design A4. Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa

from projections.merged_patients import merges_table
from projections.moved_instances import MoveTables


class Tables:
    """One row an instance."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.instances = sa.Table(
            f"stored_instance{suffix}",
            self.metadata,
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("study_uid", sa.String(64), nullable=False),
            sa.Column("series_uid", sa.String(64), nullable=False),
            sa.Column("sop_class", sa.String(64), nullable=False),
            sa.Column("transfer_syntax", sa.String(64), nullable=False),
            sa.Column("object_key", sa.String(64), nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("patient_key", sa.String(36), nullable=False),
            sa.Column("ordinal", sa.BigInteger, nullable=False),
            sa.Column("frames", sa.LargeBinary, nullable=False),
            # Taken out of sight by a rejection note (IOCM).
            sa.Column("hidden", sa.Boolean, nullable=False, default=False),
            sa.Index(f"stored_instance_study{suffix}", "study_uid", "series_uid", "ordinal"),
            sa.Index(f"stored_instance_patient{suffix}", "patient_key"),
        )
        self.rejected = sa.Table(
            f"stored_rejection{suffix}",
            self.metadata,
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("patient_key", sa.String(36), primary_key=True),
        )
        self.merges = merges_table(self.metadata, f"stored_instance_merge{suffix}")
        self.moves = MoveTables(self.metadata, "stored", suffix)
