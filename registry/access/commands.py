"""Decide about accounts: create, change password, assign roles, disable.

Implements design A6 and requirements 9.2 P-1 and P-5. Pure: past state and request -> Append;
the clients' grants are in `grants.py`. Called by `workflows/administer_access.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from registry.access import events as facts
from registry.access.aggregate import (
    NO_ACCOUNT,
    NO_GRANT,
    AccountState,
    GrantState,
    apply_account,
    apply_grant,
)
from registry.access.passwords import check_policy, hash_password, verify_password
from registry.access.refusals import (
    AccountExists,
    AccountUnknown,
    BadCredentials,
    BadGrant,
    OwnAccount,
    RolesExclude,
    WeakPassword,
)
from registry.access.values import ADMINISTRATORS, Role

__all__ = [
    "NO_ACCOUNT",
    "NO_GRANT",
    "AccountState",
    "GrantState",
    "account_stream",
    "apply_account",
    "apply_grant",
    "assign_roles",
    "change_password",
    "check_roles",
    "create_account",
    "disable",
]

_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}")
_MAX_NAME: Final = 200


def account_stream(login: str) -> UUID:
    """Return the stream of an account."""
    return stream_id("account", login)


def create_account(
    state: AccountState,
    *,
    login: str,
    display_name: str,
    roles: Iterable[str],
    password: str,
    must_change: bool = True,
) -> Append:
    """Create an account; its owner chooses his own password when `must_change`."""
    if _LOGIN.fullmatch(login) is None:
        raise BadGrant("a login has 2 to 63 of the characters a-z 0-9 . _ @ -")
    if state.exists:
        raise AccountExists
    name = display_name.strip()
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise BadGrant("a display name has 1 to 200 printable characters")
    fact = facts.AccountCreated(
        login=login,
        display_name=name,
        roles=check_roles(roles, person=True),
        password_hash=hash_password(check_policy(password, login)),
        must_change=must_change,
    )
    return _append(login, fact, expected_version=0)


def change_password(
    state: AccountState,
    *,
    login: str,
    new_password: str,
    current_password: str | None,
    version: int | None = None,
) -> Append:
    """Change a password: by its owner, who tells the current one, or (None) by an administrator.

    After an administrator's change the owner must choose his own at the next sign-in.
    """
    _check_alive(state)
    newest = state.password_hashes[0]
    if current_password is not None and not verify_password(newest, current_password):
        raise BadCredentials
    check_policy(new_password, login)
    if any(verify_password(old, new_password) for old in state.password_hashes):
        raise WeakPassword("the last five passwords do not come back")
    fact = facts.PasswordChanged(
        login=login,
        password_hash=hash_password(new_password),
        must_change=current_password is None,
    )
    return _append(login, fact, expected_version=version)


def assign_roles(
    state: AccountState,
    *,
    login: str,
    roles: Iterable[str],
    by: str = "",
    version: int | None = None,
) -> Append | None:
    """Set an account's roles to exactly these; None when it has them. Not by itself (`by`)."""
    _check_alive(state)
    if by == login:
        raise OwnAccount
    wanted = check_roles(roles, person=True)
    if set(wanted) == set(state.roles):
        return None
    return _append(login, facts.RolesAssigned(login=login, roles=wanted), expected_version=version)


def disable(
    state: AccountState, *, login: str, reason: str = "", version: int | None = None
) -> Append | None:
    """Disable an account for good; None when it is disabled already."""
    if not state.exists:
        raise AccountUnknown
    if state.disabled:
        return None
    fact = facts.AccountDisabled(login=login, reason=reason[:_MAX_NAME])
    return _append(login, fact, expected_version=version)


def check_roles(roles: Iterable[str], *, person: bool) -> tuple[str, ...]:
    """Return the roles in order; raises BadGrant, RolesExclude.

    The three administrators exclude each other and every other role, so that whoever runs the
    system or its accounts sees neither patients nor audit (P-5). `system` is not for persons.
    """
    wanted = tuple(sorted(set(roles)))
    if not wanted or any(role not in set(Role) for role in wanted):
        raise BadGrant("a grant names at least one role, and only known ones")
    if len(wanted) > 1 and any(role in ADMINISTRATORS for role in wanted):
        raise RolesExclude
    if person and Role.SYSTEM in wanted:
        raise BadGrant("the role of systems is not given to accounts of persons")
    return wanted


def _check_alive(state: AccountState) -> None:
    if not state.exists or state.disabled:
        raise AccountUnknown


def _append(
    login: str,
    fact: facts.AccountCreated
    | facts.PasswordChanged
    | facts.RolesAssigned
    | facts.AccountDisabled,
    *,
    expected_version: int | None,
) -> Append:
    return Append((StreamAppend(account_stream(login), (fact,), expected_version),))
