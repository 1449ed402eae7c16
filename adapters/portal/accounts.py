"""Accounts of persons, for the security administrator.

Implements requirements 9.2 P-1 and P-5 over HTTP. Called by viewer-app and scripts; decided by
`registry/access/commands.py` through `workflows/administer_access.py`.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request

from adapters.portal import encode
from adapters.portal.decode import Disabling, NewAccount, PasswordReset, RoleAssignment
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import Portal
from projections.permissions.view import AccountRow
from registry.access.refusals import AccountUnknown, OwnAccount
from registry.access.values import Resource, Subject

_TRANSACTION: Final = "portal.accounts"


def routes(portal: Portal) -> APIRouter:
    """Return the routes of accounts."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["accounts"])

    @router.get("/accounts")
    def list_accounts(request: Request) -> list[encode.Account]:
        """List the accounts."""
        with portal.caller(request) as subject:
            _check(portal, subject)
            rows = portal.guard.directory.refresh().accounts.values()
            _record(portal, subject, "listed", len(rows))
            return [_account(row) for row in sorted(rows, key=lambda row: row.login)]

    @router.post("/accounts", status_code=201)
    def create_account(account: NewAccount, request: Request) -> encode.Account:
        """Create an account; one account holds at most one administrator's role, alone."""
        with portal.caller(request) as subject:
            _check(portal, subject)
            portal.administration.create_account(
                account.login,
                account.display_name,
                account.roles,
                account.password.get_secret_value(),
                must_change=account.must_change,
            )
            return _changed(portal, subject, account.login, f"created: {','.join(account.roles)}")

    @router.put("/accounts/{login}/roles")
    def assign_roles(login: str, assignment: RoleAssignment, request: Request) -> encode.Account:
        """Set an account's roles; nobody sets his own."""
        with portal.caller(request) as subject:
            _check(portal, subject)
            before = _known(portal, login).roles
            portal.administration.assign_roles(login, assignment.roles, by=_person(subject))
            told = f"roles: {','.join(before)} -> {','.join(assignment.roles)}"
            return _changed(portal, subject, login, told)

    @router.put("/accounts/{login}/password")
    def reset_password(login: str, reset: PasswordReset, request: Request) -> encode.Account:
        """Set an account's password; its owner chooses an own one at the next sign-in."""
        with portal.caller(request) as subject:
            _check(portal, subject)
            if _person(subject) == login:
                # His own he changes by telling the present one.
                raise OwnAccount("nobody resets his own password")
            portal.administration.change_password(login, reset.password.get_secret_value(), None)
            portal.guard.sessions.destroy_all(login)
            portal.guard.sessions.succeeded(login)
            return _changed(portal, subject, login, "password reset")

    @router.post("/accounts/{login}/disable")
    def disable_account(login: str, disabling: Disabling, request: Request) -> encode.Account:
        """Disable an account and end its sessions."""
        with portal.caller(request) as subject:
            _check(portal, subject)
            if _person(subject) == login:
                raise OwnAccount("nobody disables himself")
            portal.administration.disable(login, disabling.reason)
            portal.guard.sessions.destroy_all(login)
            return _changed(portal, subject, login, "disabled")

    return router


def _changed(portal: Portal, subject: Subject, login: str, what: str) -> encode.Account:
    row = _known(portal, login)
    _record(portal, subject, f"account {login} {what}")
    return _account(row)


def _known(portal: Portal, login: str) -> AccountRow:
    row = portal.guard.directory.refresh().accounts.get(login)
    if row is None:
        raise AccountUnknown
    return row


def _record(portal: Portal, subject: Subject, what: str, count: int = 1) -> None:
    portal.guard.record(subject, "configure", "success", _TRANSACTION, count=count, detail=what)


def _check(portal: Portal, subject: Subject) -> None:
    portal.guard.check(subject, "configure", Resource("account"), transaction=_TRANSACTION)


def _person(subject: Subject) -> str:
    return subject.name if subject.kind == "account" else ""


def _account(row: AccountRow) -> encode.Account:
    return encode.Account(
        login=row.login,
        display_name=row.display_name,
        roles=list(row.roles),
        disabled=row.disabled,
        must_change=row.must_change,
    )
