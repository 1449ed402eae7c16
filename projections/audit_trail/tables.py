"""The tables of the audit trail, on SQLite and PostgreSQL alike.

Design A4: one row an access, one row for each thing it touched. Used by `projection.py` to
write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa


class Tables:
    """Accesses, and the patients, studies and documents they touched."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.accesses = sa.Table(
            f"audit_access{suffix}",
            self.metadata,
            sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("at", sa.BigInteger, nullable=False, index=True),
            sa.Column("subject", sa.String(255), nullable=False, index=True),
            sa.Column("subject_kind", sa.String(32), nullable=False),
            sa.Column("address", sa.String(64), nullable=False),
            sa.Column("protocol", sa.String(64), nullable=False),
            sa.Column("source", sa.Text, nullable=False),
            sa.Column("node", sa.Text, nullable=False),
            sa.Column("purpose", sa.Text, nullable=False),
            sa.Column("correlation", sa.String(36), nullable=False, index=True),
            sa.Column("action", sa.String(32), nullable=False, index=True),
            sa.Column("outcome", sa.String(16), nullable=False, index=True),
            sa.Column("transaction", sa.String(64), nullable=False),
            sa.Column("count", sa.BigInteger, nullable=False),
            sa.Column("detail", sa.Text, nullable=False),
        )
        self.touched = sa.Table(
            f"audit_touched{suffix}",
            self.metadata,
            sa.Column("kind", sa.String(16), primary_key=True),
            sa.Column("key", sa.String(255), primary_key=True),
            sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Index(f"audit_touched_position{suffix}", "position"),
        )
