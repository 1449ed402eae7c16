"""The table of the commitments, on SQLite and PostgreSQL alike.

Design A4. Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa


class Tables:
    """One row a commitment."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.commitments = sa.Table(
            f"commitment{suffix}",
            self.metadata,
            sa.Column("ae_title", sa.String(16), primary_key=True),
            sa.Column("transaction_uid", sa.String(64), primary_key=True),
            sa.Column("state", sa.String(16), nullable=False),
            sa.Column("asked_at", sa.BigInteger, nullable=False),
            sa.Column("attempts", sa.Integer, nullable=False),
            # When the report is tried next, if it is owed.
            sa.Column("again", sa.BigInteger, nullable=False),
            sa.Column("committed", sa.Integer, nullable=False),
            sa.Column("failed", sa.Integer, nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
            sa.Index(f"commitment_waiting{suffix}", "state", "again"),
        )
