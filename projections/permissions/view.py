"""Reads who may come in: one snapshot of accounts, tokens, AE titles and certificates.

Design A6. Called by `adapters/guard`, which keeps the snapshot and asks for its position.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Row

from projections.database import GENERATIONS, ViewsDatabase, told_when_away
from projections.permissions.projection import NAME
from registry.access.values import NO_LIMITS, AeLimits


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A person who may sign in."""

    login: str
    display_name: str
    roles: tuple[str, ...]
    password_hash: str = field(repr=False)
    must_change: bool
    disabled: bool
    created_at: int
    password_at: int
    """When the password was last set, microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A bearer token; only its hash is known."""

    token_id: str
    token_sha256: str = field(repr=False)
    label: str
    roles: tuple[str, ...]
    expires: str
    """DTM, or empty for none."""
    issued_at: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class AeTitleRow:
    """An AE title (or a sending application on MLLP) and where it may come from."""

    ae_title: str
    networks: tuple[str, ...]
    rights: tuple[str, ...]
    host: str
    port: int
    limits: AeLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A TLS client certificate that stands for a system."""

    fingerprint: str
    label: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everybody who may come in, as of a position of the ledger."""

    position: int = -1
    accounts: Mapping[str, AccountRow] = field(default_factory=dict)
    """By login."""
    tokens: Mapping[str, TokenRow] = field(default_factory=dict)
    """By SHA-256, revoked ones left out."""
    ae_titles: Mapping[str, AeTitleRow] = field(default_factory=dict)
    certificates: Mapping[str, CertificateRow] = field(default_factory=dict)
    """By fingerprint."""


class PermissionsView:
    """The query side of the permissions view."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def position(self) -> tuple[int, int]:
        """Return (generation, position) of what `snapshot` would tell now; one cheap query."""
        live = self._database.live(NAME)
        with told_when_away(), self._database.reader.connect() as connection:
            return live.generation, _position(connection, live.generation)

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """Return everybody; with `fresh`, not before the view holds all that is acknowledged."""
        generation = self._database.live(NAME).generation
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            # The position first: rows that are newer only mean one reload too many.
            position = _position(connection, generation)
            return Snapshot(
                position=position,
                accounts={r.login: _account(r) for r in _rows(connection, tables.accounts)},
                tokens={
                    r.token_sha256: _token(r)
                    for r in _rows(connection, tables.tokens)
                    if not r.revoked
                },
                ae_titles={r.ae_title: _ae_title(r) for r in _rows(connection, tables.ae_titles)},
                certificates={
                    r.fingerprint: CertificateRow(r.fingerprint, r.label, _list(r.roles))
                    for r in _rows(connection, tables.certificates)
                },
            )

    def wait(self) -> None:
        """Block until the view holds everything that was acknowledged before this call."""
        self._database.wait(NAME)


def _position(connection: Connection, generation: int) -> int:
    found = connection.execute(
        sa.select(GENERATIONS.c.position).where(
            GENERATIONS.c.view == NAME, GENERATIONS.c.generation == generation
        )
    ).scalar()
    return -1 if found is None else int(found)


def _rows(connection: Connection, table: sa.Table) -> list[Row[Any]]:
    return list(connection.execute(sa.select(table)))


def _list(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _account(row: Row[Any]) -> AccountRow:
    return AccountRow(
        login=row.login,
        display_name=row.display_name,
        roles=_list(row.roles),
        password_hash=row.password_hash,
        must_change=bool(row.must_change),
        disabled=bool(row.disabled),
        created_at=row.created_at,
        password_at=row.password_at,
    )


def _token(row: Row[Any]) -> TokenRow:
    return TokenRow(
        token_id=row.token_id,
        token_sha256=row.token_sha256,
        label=row.label,
        roles=_list(row.roles),
        expires=row.expires,
        issued_at=row.issued_at,
        revoked=bool(row.revoked),
    )


def _ae_title(row: Row[Any]) -> AeTitleRow:
    limits = msgspec.json.decode(row.limits, type=AeLimits)
    networks, rights = _list(row.networks), _list(row.rights)
    return AeTitleRow(row.ae_title, networks, rights, row.host, row.port, limits)
