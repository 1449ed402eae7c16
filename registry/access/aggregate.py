"""What is known of an account, token, AE title or certificate when a command decides.

State made of the facts of `events.py`; the apply functions only assign (design A3).
Imported by `commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kernel.events import Recorded
from registry.access import events as facts

_HISTORY = 5
"""How many earlier passwords may not come back (requirements 9.2 P-1)."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as its stream tells it."""

    exists: bool = False
    disabled: bool = False
    roles: tuple[str, ...] = ()
    password_hashes: tuple[str, ...] = field(default=(), repr=False)
    """The newest first, at most five."""


@dataclass(frozen=True, slots=True)
class GrantState:
    """A token, AE title or certificate as its stream tells it."""

    good: bool = False


NO_ACCOUNT = AccountState()
NO_GRANT = GrantState()


def apply_account(state: AccountState, recorded: Recorded) -> AccountState:
    """Return the account after one more event."""
    fact = recorded.fact
    match fact:
        case facts.AccountCreated():
            return AccountState(
                exists=True, roles=fact.roles, password_hashes=(fact.password_hash,)
            )
        case facts.PasswordChanged():
            hashes = (fact.password_hash, *state.password_hashes)[:_HISTORY]
            return replace(state, password_hashes=hashes)
        case facts.RolesAssigned():
            return replace(state, roles=fact.roles)
        case facts.AccountDisabled():
            return replace(state, disabled=True)
        case _:
            return state


def apply_grant(state: GrantState, recorded: Recorded) -> GrantState:
    """Return the grant after one more event."""
    match recorded.fact:
        case facts.TokenIssued() | facts.AeTitleAllowed() | facts.CertificateTrusted():
            return GrantState(good=True)
        case facts.TokenRevoked() | facts.AeTitleRevoked() | facts.CertificateRevoked():
            return GrantState(good=False)
        case _:
            return state
