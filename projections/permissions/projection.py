"""Turns the facts of the access room into the rows of who may come in.

Design A4 and A6. Run by `projections/runner.py`; few rows, so an event costs a statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.contract import ViewSpec
from projections.permissions.tables import Tables
from registry.access import events as facts
from registry.access.values import AeLimits

NAME: Final = "permissions"


class PermissionsProjection:
    """Writes the permissions view."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded in events:
            self._apply(connection, recorded)

    def _apply(self, connection: Connection, recorded: Recorded) -> None:
        fact = recorded.fact
        match fact:
            case (
                facts.AccountCreated()
                | facts.PasswordChanged()
                | facts.RolesAssigned()
                | facts.AccountDisabled()
            ):
                self._account(connection, fact, micros(recorded.at))
            case facts.TokenIssued() | facts.TokenRevoked():
                self._token(connection, fact, micros(recorded.at))
            case facts.AeTitleAllowed() | facts.AeTitleLimited() | facts.AeTitleRevoked():
                self._ae_title(connection, fact)
            case facts.CertificateTrusted() | facts.CertificateRevoked():
                self._certificate(connection, fact)
            case _:
                pass

    def _account(
        self,
        connection: Connection,
        fact: facts.AccountCreated
        | facts.PasswordChanged
        | facts.RolesAssigned
        | facts.AccountDisabled,
        at: int,
    ) -> None:
        table = self._tables.accounts
        match fact:
            case facts.AccountCreated():
                _replace(
                    connection,
                    table,
                    login=fact.login,
                    display_name=fact.display_name,
                    roles=_listed(fact.roles),
                    password_hash=fact.password_hash,
                    must_change=fact.must_change,
                    disabled=False,
                    created_at=at,
                    password_at=at,
                )
                return
            case facts.PasswordChanged():
                changed = {
                    "password_hash": fact.password_hash,
                    "password_at": at,
                    "must_change": fact.must_change,
                }
            case facts.RolesAssigned():
                changed = {"roles": _listed(fact.roles)}
            case facts.AccountDisabled():
                changed = {"disabled": True}
        connection.execute(table.update().where(table.c.login == fact.login).values(changed))

    def _token(
        self, connection: Connection, fact: facts.TokenIssued | facts.TokenRevoked, at: int
    ) -> None:
        table = self._tables.tokens
        if isinstance(fact, facts.TokenRevoked):
            connection.execute(
                table.update().where(table.c.token_id == fact.token_id).values(revoked=True)
            )
            return
        _replace(
            connection,
            table,
            token_id=fact.token_id,
            token_sha256=fact.token_sha256,
            label=fact.label,
            roles=_listed(fact.roles),
            expires=fact.expires,
            issued_at=at,
            revoked=False,
        )

    def _ae_title(
        self,
        connection: Connection,
        fact: facts.AeTitleAllowed | facts.AeTitleLimited | facts.AeTitleRevoked,
    ) -> None:
        table = self._tables.ae_titles
        if isinstance(fact, facts.AeTitleRevoked):
            connection.execute(table.delete().where(table.c.ae_title == fact.ae_title))
            return
        if isinstance(fact, facts.AeTitleLimited):
            connection.execute(
                table.update().where(table.c.ae_title == fact.ae_title).values(limits=_limits(fact))
            )
            return
        _replace(
            connection,
            table,
            limits=json.dumps({}),
            ae_title=fact.ae_title,
            networks=_listed(fact.networks),
            rights=_listed(fact.rights),
            host=fact.host,
            port=fact.port,
        )

    def _certificate(
        self, connection: Connection, fact: facts.CertificateTrusted | facts.CertificateRevoked
    ) -> None:
        table = self._tables.certificates
        if isinstance(fact, facts.CertificateRevoked):
            connection.execute(table.delete().where(table.c.fingerprint == fact.fingerprint))
            return
        _replace(
            connection,
            table,
            fingerprint=fact.fingerprint,
            label=fact.label,
            roles=_listed(fact.roles),
        )


def _replace(connection: Connection, table: sa.Table, **values: object) -> None:
    """Put a row in the place of the one with its key (the portable upsert)."""
    key = next(iter(table.primary_key.columns))
    connection.execute(table.delete().where(key == values[key.name]))
    connection.execute(table.insert().values(values))


def _listed(values: Sequence[str]) -> str:
    return json.dumps(list(values))


def _limits(fact: facts.AeTitleLimited) -> str:
    return json.dumps({name: getattr(fact, name) for name in AeLimits.__slots__})


SPEC: Final = ViewSpec(
    name=NAME,
    version=2,
    topics=tuple(
        fact.TOPIC
        for fact in (
            facts.AccountCreated,
            facts.PasswordChanged,
            facts.RolesAssigned,
            facts.AccountDisabled,
            facts.TokenIssued,
            facts.TokenRevoked,
            facts.AeTitleAllowed,
            facts.AeTitleLimited,
            facts.AeTitleRevoked,
            facts.CertificateTrusted,
            facts.CertificateRevoked,
        )
    ),
    make_tables=Tables,
    make_projection=PermissionsProjection,
)
