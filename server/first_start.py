"""What happens before the first request: keys, tables, the first administrator.

Issue of design A6: a first start prints a generated administrator password once.
Called by `serve` and `demo` before the roles start.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import Final

from kernel.context import Envelope, acting_as
from kernel.events import Recorded
from registry.access.events import AccountCreated
from server.settings import Settings
from server.wiring import Installation

FIRST_ADMINISTRATOR: Final = "secadmin"
_CLASSES: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+=")


@dataclass(frozen=True, slots=True)
class FirstAccount:
    """The account made at the first start; the password is kept nowhere else."""

    login: str
    password: str


def prepare(settings: Settings) -> FirstAccount | None:
    """Make what is missing; returns the first administrator if one was made just now."""
    with Installation(settings, node="first-start") as installation:
        installation.create()
        if _any_account(installation):
            return None
        account = FirstAccount(FIRST_ADMINISTRATOR, generated_password())
        with acting_as(Envelope(subject="system", protocol="cli", purpose="first start")):
            installation.administration.create_account(
                account.login, "安全管理员", ("security_admin",), account.password
            )
        return account


def _any_account(installation: Installation) -> bool:
    found: list[Recorded] = installation.facts.read(0, 1, topics=(AccountCreated.TOPIC,))
    return bool(found)


def generated_password() -> str:
    """Return 20 random characters that meet the password policy (P-1)."""
    everything = "".join(_CLASSES)
    while True:
        password = "".join(secrets.choice(everything) for _ in range(20))
        if all(any(c in group for c in password) for group in _CLASSES):
            return password
