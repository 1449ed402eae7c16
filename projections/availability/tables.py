"""The tables of the notifications of availability, on SQLite and PostgreSQL alike.

Design A4. Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa


class Tables:
    """Who is told, what is owed to each on each study, and what we were told."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.recipients = sa.Table(
            f"availability_recipient{suffix}",
            self.metadata,
            sa.Column("ae_title", sa.String(16), primary_key=True),
        )
        self.owed = sa.Table(
            f"availability_owed{suffix}",
            self.metadata,
            sa.Column("ae_title", sa.String(16), primary_key=True),
            sa.Column("study_uid", sa.String(64), primary_key=True),
            sa.Column("state", sa.String(16), nullable=False),
            # The study as it stood at this position of the ledger is what is owed.
            sa.Column("through", sa.BigInteger, nullable=False),
            sa.Column("owed_at", sa.BigInteger, nullable=False),
            sa.Column("attempts", sa.Integer, nullable=False),
            # When it is tried next.
            sa.Column("again", sa.BigInteger, nullable=False),
            sa.Index(f"availability_waiting{suffix}", "state", "again"),
            sa.Index(f"availability_by_study{suffix}", "study_uid"),
        )
        self.notices = sa.Table(
            f"availability_notice{suffix}",
            self.metadata,
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("study_uid", sa.String(64), nullable=False, index=True),
            sa.Column("source", sa.String(16), nullable=False),
            sa.Column("step_uid", sa.String(64), nullable=False),
            sa.Column("at", sa.BigInteger, nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
        )
