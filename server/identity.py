"""The identifiers of an installation: repositoryUniqueId, assigning authority, sourceId.

Design A10 (demo.json names them); ITI TF-3 4.2.3.2.18. Made once, then kept in the data folder.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from kernel.identifiers import is_oid, new_uid
from server.settings import BadSettings, Settings


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this installation is to others; all OIDs."""

    repository_oid: str
    assigning_authority: str
    source_oid: str


def identity_of(settings: Settings) -> Identity:
    """Return the identifiers configured, or those made at the first start.

    With PostgreSQL several nodes share them, so they must be configured; raises BadSettings.
    """
    told = settings.domain
    path = settings.directory / "identity.json"
    made = _made(path, settings) if not (told.repository_oid and told.assigning_authority) else {}
    repository = told.repository_oid or made["repository_oid"]
    authority = told.assigning_authority or made["assigning_authority"]
    source = told.source_oid or repository
    for name, value in (
        ("domain.repository_oid", repository),
        ("domain.assigning_authority", authority),
        ("domain.source_oid", source),
    ):
        if not is_oid(value):
            raise BadSettings(f"{name} is not an OID")
    return Identity(repository, authority, source)


def _made(path: Path, settings: Settings) -> dict[str, str]:
    if settings.ledger.engine == "postgresql" and not path.exists():
        raise BadSettings(
            "domain.repository_oid and domain.assigning_authority must be set: nodes share them"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    made = {"repository_oid": new_uid(), "assigning_authority": new_uid()}
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file)
        file.flush()
        os.fsync(file.fileno())
    return made
