"""What makes an installation a demo: accounts, tokens, `demo.json`, open doors on loopback.

Design A10 (after `demo` is ready, DIR/demo.json holds all a script needs to know).
Called by `pianku demo`; nothing of this exists in `serve`.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any, Final

import msgspec

from kernel.context import Envelope, acting_as
from server.first_start import prepare
from server.settings import Settings
from server.wiring import Installation

_ACCOUNTS: Final = (
    ("clinician", "doctor", "演示医生"),
    ("system_admin", "sysadmin", "系统管理员"),
    ("security_admin", "secadmin", "安全管理员"),
    ("audit_admin", "auditadmin", "审计管理员"),
)
_TOKENS: Final = ("system_admin", "security_admin", "audit_admin", "clinician", "system")
_WORDS: Final = ("Film", "Frame", "Slice", "Window", "Light", "Image", "Series", "Voxel")
_QUIET_SECONDS: Final = 3.0
_HERE: Final = ("http://127.0.0.1:*", "http://localhost:*")


def demo_settings(settings: Settings) -> Settings:
    """Return the settings of a demo: programs of this machine come in, studies complete soon."""
    replace = msgspec.structs.replace
    return replace(
        settings,
        guard=replace(settings.guard, loopback_system=True),
        study=replace(settings.study, quiet_seconds=_QUIET_SECONDS),
        subscriptions=replace(
            settings.subscriptions, consumers=settings.subscriptions.consumers or _HERE
        ),
        gateway=replace(settings.gateway, reply_to=settings.gateway.reply_to or _HERE),
    )


def make_demo(settings: Settings) -> dict[str, Any]:
    """Make the demo's accounts and tokens and write demo.json; returns what it holds."""
    path = settings.directory / "demo.json"
    prepare(settings)
    told = _kept(path) or _made(settings)
    with Installation(settings, node="demo") as installation:
        identity = installation.identity
    scheme = "https" if settings.http.tls_certificate else "http"
    told |= {
        "http": f"{scheme}://{settings.http.host}:{settings.http.port}",
        "dimse": {
            "ae": settings.dimse.ae_title,
            "host": settings.dimse.host,
            "port": settings.dimse.port,
        },
        "mllp": f"{settings.mllp.host}:{settings.mllp.port}",
        "repository_oid": identity.repository_oid,
        "assigning_authority": identity.assigning_authority,
        "home_community_oid": identity.home_community_oid,
    }
    _write(path, told)
    return told


def already_loaded(settings: Settings) -> bool:
    """Tell whether the sample patients of an earlier start are in."""
    return (settings.directory / "demo-loaded").exists()


def note_loaded(settings: Settings) -> None:
    """Remember that they are: their dates follow from the day they were loaded."""
    (settings.directory / "demo-loaded").touch()


def _kept(path: Path) -> dict[str, Any] | None:
    """Return the accounts and tokens of an earlier start."""
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return {"accounts": held["accounts"], "tokens": held["tokens"]}


def _made(settings: Settings) -> dict[str, Any]:
    accounts, tokens = [], {}
    envelope = Envelope(subject="demo", protocol="cli", purpose="demo accounts")
    with Installation(settings, node="demo") as installation, acting_as(envelope):
        administration = installation.administration
        for role, login, name in _ACCOUNTS:
            password = _password()
            if login == "secadmin":  # made by the first start
                administration.change_password(login, password, None)
            else:
                administration.create_account(login, name, (role,), password, must_change=False)
            accounts.append({"role": role, "user": login, "password": password})
        for role in _TOKENS:
            tokens[role] = administration.issue_token(f"demo-{role}", (role,)).secret
    return {"accounts": accounts, "tokens": tokens}


def _password() -> str:
    """Return a password that a person can type (only loopback reaches a demo)."""
    first, second = secrets.choice(_WORDS), secrets.choice(_WORDS).lower()
    return f"{first}-{second}-{secrets.randbelow(9000) + 1000}"


def _write(path: Path, told: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(told, file, indent=1, ensure_ascii=False)
    draft.replace(path)
