"""The tables of the patient index, on SQLite and PostgreSQL alike.

Design A4. Keys that are searched by prefix compare byte by byte on both engines.
Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa


def _key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class Tables:
    """One row an identifier with its patient; the parts of his name in a side table.

    `person` is the same for identifiers that denote one person; one that stands alone is its
    own person. `merged_into` is the survivor's key, empty while the identifier is in use.
    """

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
            sa.Column("birth_date", _key(), nullable=False, index=True),
            sa.Column("address", sa.Text, nullable=False),
            sa.Column("telephone", sa.Text, nullable=False),
            sa.Column("authority", sa.String(64), nullable=False),
            sa.Column("person", sa.String(36), nullable=False, index=True),
            sa.Column("merged_into", sa.String(36), nullable=False, index=True),
            sa.Column("local", sa.Boolean, nullable=False),
            sa.Column("origin", sa.String(16), nullable=False),
            sa.Column("known_at", sa.BigInteger, nullable=False),
            sa.Column("changed_at", sa.BigInteger, nullable=False),
        )
        self.name_parts = sa.Table(
            f"patient_name_part{suffix}",
            self.metadata,
            sa.Column("patient_key", sa.String(36), nullable=False, index=True),
            sa.Column("part", sa.String(8), nullable=False),
            sa.Column("key", _key(), nullable=False),
            sa.Index(f"patient_name_part_key{suffix}", "part", "key"),
        )
