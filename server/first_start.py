"""What happens before the first request: keys, tables, the first administrator.

Issue of design A6: a first start prints a generated administrator password once.
Called by `serve` and `demo` before the roles start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernel.context import Envelope, acting_as
from kernel.events import Recorded
from kernel.refusals import Conflict
from registry.access.events import AccountCreated
from registry.access.passwords import generate_password
from server.settings import Settings
from server.wiring import Installation

FIRST_ADMINISTRATOR: Final = "secadmin"


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
        account = FirstAccount(FIRST_ADMINISTRATOR, generate_password(20))
        try:
            with acting_as(Envelope(subject="system", protocol="cli", purpose="first start")):
                installation.administration.create_account(
                    account.login, "安全管理员", ("security_admin",), account.password
                )
        except Conflict:
            return None  # another node of the same database was first, and printed its password
        return account


def _any_account(installation: Installation) -> bool:
    found: list[Recorded] = installation.facts.read(0, 1, topics=(AccountCreated.TOPIC,))
    return bool(found)
