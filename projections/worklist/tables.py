"""The table of the worklist, on SQLite and PostgreSQL alike.

Design A4. Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa

from projections.merged_patients import merges_table


class Tables:
    """One row an order, which has one scheduled step; one a step that is being performed."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.steps = sa.Table(
            f"scheduled_step{suffix}",
            self.metadata,
            sa.Column("study_uid", sa.String(64), primary_key=True),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
            sa.Column("state", sa.String(16), nullable=False),
            sa.Column("starts_on", sa.String(8), nullable=False),
            sa.Column("starts", sa.String(14), nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
            sa.Index(f"scheduled_step_open{suffix}", "state", "starts_on"),
        )
        self.performing = sa.Table(
            f"scheduled_step_performing{suffix}",
            self.metadata,
            sa.Column("study_uid", sa.String(64), primary_key=True),
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            # Kept until the other steps of the order have ended too.
            sa.Column("completed", sa.Boolean, nullable=False),
        )
        self.merges = merges_table(self.metadata, f"scheduled_step_merge{suffix}")
