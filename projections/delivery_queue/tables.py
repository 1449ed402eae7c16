"""The tables of the delivery queue, on SQLite and PostgreSQL alike.

Design A4. Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from projections.merged_patients import merges_table

_URL: Final = 2048
_NAME: Final = 256
_STATE: Final = 16
_REASON: Final = 64


class Tables:
    """One row a subscription, one row a notification, and the folders whose growth is told."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.subscriptions = sa.Table(
            f"subscription{suffix}",
            self.metadata,
            sa.Column("subscription", sa.Uuid, primary_key=True),
            sa.Column("topic", sa.String(_NAME), nullable=False),
            sa.Column("consumer", sa.String(_URL), nullable=False),
            # As the subscriber knows us: it begins with whatever Host he wrote.
            sa.Column("address", sa.Text, nullable=False),
            sa.Column("subscriber", sa.String(_NAME), nullable=False),
            sa.Column("subscriber_kind", sa.String(_NAME), nullable=False),
            # Null: patient-independent.
            sa.Column("patient_key", sa.Uuid, nullable=True, index=True),
            sa.Column("criteria", sa.LargeBinary, nullable=False),
            sa.Column("state", sa.String(_STATE), nullable=False),
            sa.Column("created_at", sa.BigInteger, nullable=False),
            sa.Column("terminates", sa.BigInteger, nullable=False),
            # Attempts in vain since the consumer last took something, and when it is tried next.
            sa.Column("attempts", sa.Integer, nullable=False),
            sa.Column("again", sa.BigInteger, nullable=False),
        )
        self.notifications = sa.Table(
            f"notification{suffix}",
            self.metadata,
            sa.Column("subscription", sa.Uuid, primary_key=True),
            sa.Column("position", sa.BigInteger, primary_key=True),
            sa.Column("ordinal", sa.Integer, primary_key=True),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
            sa.Column("kind", sa.String(_STATE), nullable=False),
            sa.Column("object", sa.Uuid, nullable=False),
            # Told by a foreign registry: its metadata lie in the event, not in our index.
            sa.Column("foreign_object", sa.Boolean, nullable=False),
            sa.Column("caused_at", sa.BigInteger, nullable=False),
            sa.Column("state", sa.String(_STATE), nullable=False),
            sa.Column("reason", sa.String(_REASON), nullable=False),
            sa.Column("changed_at", sa.BigInteger, nullable=False),
            sa.Index(f"notification_waiting{suffix}", "state", "subscription", "position"),
        )
        self.folders = sa.Table(
            f"subscribed_folder{suffix}",
            self.metadata,
            sa.Column("entry_uuid", sa.Uuid, primary_key=True),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
            sa.Column("body", sa.LargeBinary, nullable=False),
        )
        self.merges = merges_table(self.metadata, f"subscription_merge{suffix}")
