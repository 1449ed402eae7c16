"""The tables of the workitems and their watchers, on SQLite and PostgreSQL alike.

Design A4. Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

import sqlalchemy as sa

from projections.merged_patients import merges_table


class Tables:
    """One row a workitem, a subscription, a global subscription, a report, a watcher."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.workitems = sa.Table(
            f"workitem{suffix}",
            self.metadata,
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
            sa.Column("patient_id", sa.String(64), nullable=False, index=True),
            sa.Column("study_uid", sa.String(64), nullable=False, index=True),
            sa.Column("state", sa.String(16), nullable=False),
            sa.Column("starts", sa.String(32), nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
            sa.Index(f"workitem_by_state{suffix}", "state", "starts"),
            sa.Index(f"workitem_by_start{suffix}", "starts", "sop_uid"),
        )
        self.subscriptions = sa.Table(
            f"workitem_subscription{suffix}",
            self.metadata,
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("ae_title", sa.String(16), primary_key=True),
            sa.Column("deletion_lock", sa.Boolean, nullable=False),
            sa.Index(f"workitem_subscription_by_ae{suffix}", "ae_title"),
        )
        # Who is to be told of workitems that are yet to come.
        self.globals = sa.Table(
            f"workitem_global{suffix}",
            self.metadata,
            sa.Column("ae_title", sa.String(16), primary_key=True),
            sa.Column("sop_uid", sa.String(64), primary_key=True),
            sa.Column("deletion_lock", sa.Boolean, nullable=False),
            sa.Column("filters", sa.LargeBinary, nullable=False),
        )
        self.reports = sa.Table(
            f"workitem_report{suffix}",
            self.metadata,
            sa.Column("ae_title", sa.String(16), primary_key=True),
            # From the place of its event in the ledger: rising, and the same when rebuilt.
            sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("sop_uid", sa.String(64), nullable=False),
            sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
            sa.Column("event_type", sa.Integer, nullable=False),
            sa.Column("at", sa.BigInteger, nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
        )
        # Only those whose last report was not taken at once.
        self.delays = sa.Table(
            f"workitem_delay{suffix}",
            self.metadata,
            sa.Column("ae_title", sa.String(16), primary_key=True),
            sa.Column("attempts", sa.Integer, nullable=False),
            sa.Column("again", sa.BigInteger, nullable=False),
        )
        self.merges = merges_table(self.metadata, f"workitem_merge{suffix}")
