"""The identifiers of an installation: repositoryUniqueId, assigning authority, sourceId.

Design A10 (demo.json names them); ITI TF-3 4.2.3.2.18. Made once, then kept where all nodes find
them: in the data folder, or in PostgreSQL when the nodes share one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from kernel.identifiers import is_oid, new_uid
from registry.patients.values import IdentityDomain, IdentityDomains
from server.settings import BadSettings, Settings

_HOME: Final = UUID("6b0a3c52-7d5e-5c0f-9c1e-2f0f5a3a9d41")
_LOCK_KEY: Final = 0x7069616E6B7569  # "pianku" + i, for the advisory lock that guards creation


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this installation is to others; all OIDs."""

    repository_oid: str
    assigning_authority: str
    source_oid: str
    home_community_oid: str


def identity_of(settings: Settings) -> Identity:
    """Return the identifiers configured, or those made at the first start; raises BadSettings."""
    told = settings.domain
    made: dict[str, str] = {}
    if not (told.repository_oid and told.assigning_authority):
        dsn = settings.dsn()
        made = _in_folder(settings) if dsn is None else _in_database(dsn, settings.ledger.schema)
    repository = told.repository_oid or made["repository_oid"]
    authority = told.assigning_authority or made["assigning_authority"]
    source = told.source_oid or repository
    # Derived, not drawn: installations from before there were communities have one too.
    home = told.home_community_oid or f"2.25.{uuid5(_HOME, repository).int}"
    for name, value in (
        ("domain.repository_oid", repository),
        ("domain.assigning_authority", authority),
        ("domain.source_oid", source),
        ("domain.home_community_oid", home),
    ):
        if not is_oid(value):
            raise BadSettings(f"{name} is not an OID")
    return Identity(repository, authority, source, home)


def domains_of(settings: Settings, identity: Identity) -> IdentityDomains:
    """Return the patient identification domains that are served; raises BadSettings."""
    told = settings.domain
    others: list[IdentityDomain] = []
    for text in told.identity_domains:
        namespace, found, oid = (part.strip() for part in text.partition("="))
        if not found or not is_oid(oid):
            raise BadSettings("domain.identity_domains needs NAMESPACE=OID")
        others.append(IdentityDomain(oid, namespace))
    oids = [identity.assigning_authority, *(domain.oid for domain in others)]
    if len(set(oids)) < len(oids):
        raise BadSettings("domain.identity_domains names a domain twice")
    return IdentityDomains(IdentityDomain(oids[0], told.namespace), tuple(others))


def _new() -> dict[str, str]:
    return {"repository_oid": new_uid(), "assigning_authority": new_uid()}


def _in_folder(settings: Settings) -> dict[str, str]:
    path = settings.directory / "identity.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    made = _new()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file)
        file.flush()
        os.fsync(file.fileno())
    return made


def _in_database(dsn: str, schema: str) -> dict[str, str]:
    table = sql.Identifier(schema, "installation")
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        for statement in (
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)),
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {} (name text PRIMARY KEY, value text NOT NULL)"
            ).format(table),
        ):
            connection.execute(statement)
        for name, value in _new().items():
            connection.execute(
                sql.SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT DO NOTHING").format(table),
                (name, value),
            )
        rows = connection.execute(sql.SQL("SELECT name, value FROM {}").format(table))
        return {str(name): str(value) for name, value in rows}
