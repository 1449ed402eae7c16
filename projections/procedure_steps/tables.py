"""The tables of the performed procedure steps, on SQLite and PostgreSQL alike.

Design A4. Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa

from projections.merged_patients import merges_table


class Tables:
    """One row a step, and one for each study and each accession number it is for."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.steps = sa.Table(
            f"performed_step{suffix}",
            self.metadata,
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
            sa.Column("status", sa.String(16), nullable=False),
            sa.Column("modality", sa.String(16), nullable=False),
            sa.Column("station_ae", sa.String(16), nullable=False),
            sa.Column("reason", sa.String(80), nullable=False),
            # Microseconds since 1970: when we were told.
            sa.Column("started_at", sa.BigInteger, nullable=False),
            sa.Column("changed_at", sa.BigInteger, nullable=False),
            sa.Column("listed", sa.Integer, nullable=False),
            # Ended, and not all it lists is known to be held.
            sa.Column("is_owing", sa.Boolean, nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
            sa.Column("performed", sa.LargeBinary, nullable=False),
            sa.Index(f"performed_step_by_status{suffix}", "status", "started_at"),
            sa.Index(f"performed_step_by_time{suffix}", "started_at", "sop_uid"),
            sa.Index(f"performed_step_owing{suffix}", "is_owing", "changed_at"),
        )
        self.keys = sa.Table(
            f"performed_step_key{suffix}",
            self.metadata,
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("kind", sa.String(16), primary_key=True),
            sa.Column("value", sa.String(64), primary_key=True),
            sa.Index(f"performed_step_by_key{suffix}", "kind", "value"),
        )
        self.merges = merges_table(self.metadata, f"performed_step_merge{suffix}")
