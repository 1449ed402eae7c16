"""The table of the patient index, on SQLite and PostgreSQL alike.

Design A4. Keys that are searched by prefix compare byte by byte on both engines.
Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa


def _key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class Tables:
    """One row a patient."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.patients = sa.Table(
            f"patient{suffix}",
            self.metadata,
            sa.Column("patient_key", sa.String(36), primary_key=True),
            sa.Column("patient_id", _key(), nullable=False, index=True),
            sa.Column("local_id", _key(), nullable=False, index=True),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("alphabetic", sa.Text, nullable=False),
            sa.Column("ideographic", sa.Text, nullable=False),
            sa.Column("latin", _key(), nullable=False, index=True),
            sa.Column("written", _key(), nullable=False, index=True),
            sa.Column("pinyin", _key(), nullable=False, index=True),
            sa.Column("initials", _key(), nullable=False, index=True),
            sa.Column("sex", sa.String(16), nullable=False),
            sa.Column("birth_date", sa.String(64), nullable=False),
            sa.Column("origin", sa.String(16), nullable=False),
            sa.Column("known_at", sa.BigInteger, nullable=False),
            sa.Column("changed_at", sa.BigInteger, nullable=False),
        )
