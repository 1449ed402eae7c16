"""The tables of the permissions view, on SQLite and PostgreSQL alike.

Design A4: one set of tables a generation, named by its suffix.
Used by `projection.py` to write and `view.py` to read.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

_LONG: Final = 255


class Tables:
    """Accounts, tokens, AE titles and certificates; lists are JSON text."""

    def __init__(self, suffix: str) -> None:
        self.metadata = sa.MetaData()
        self.accounts = sa.Table(
            f"permission_account{suffix}",
            self.metadata,
            sa.Column("login", sa.String(_LONG), primary_key=True),
            sa.Column("display_name", sa.Text, nullable=False),
            sa.Column("roles", sa.Text, nullable=False),
            sa.Column("password_hash", sa.Text, nullable=False),
            sa.Column("must_change", sa.Boolean, nullable=False),
            sa.Column("disabled", sa.Boolean, nullable=False),
            sa.Column("created_at", sa.BigInteger, nullable=False),
            sa.Column("password_at", sa.BigInteger, nullable=False),
        )
        self.tokens = sa.Table(
            f"permission_token{suffix}",
            self.metadata,
            sa.Column("token_id", sa.String(_LONG), primary_key=True),
            sa.Column("token_sha256", sa.String(64), nullable=False, index=True),
            sa.Column("label", sa.Text, nullable=False),
            sa.Column("roles", sa.Text, nullable=False),
            sa.Column("expires", sa.String(14), nullable=False),
            sa.Column("issued_at", sa.BigInteger, nullable=False),
            sa.Column("revoked", sa.Boolean, nullable=False),
        )
        self.ae_titles = sa.Table(
            f"permission_ae{suffix}",
            self.metadata,
            sa.Column("ae_title", sa.String(_LONG), primary_key=True),
            sa.Column("networks", sa.Text, nullable=False),
            sa.Column("rights", sa.Text, nullable=False),
            sa.Column("host", sa.Text, nullable=False),
            sa.Column("port", sa.Integer, nullable=False),
            sa.Column("limits", sa.Text, nullable=False),
        )
        self.certificates = sa.Table(
            f"permission_certificate{suffix}",
            self.metadata,
            sa.Column("fingerprint", sa.String(64), primary_key=True),
            sa.Column("label", sa.Text, nullable=False),
            sa.Column("roles", sa.Text, nullable=False),
        )
