"""Why the access room says no: credentials, locks, passwords and grants.

Leaves of `kernel.refusals`; the reasons follow requirements 9.2 P-1, P-2 and P-5.
Raised by `commands.py` and by `adapters/guard`; each protocol's `faults.py` maps them.
"""

from __future__ import annotations

from kernel.refusals import Conflict, Forbidden, Invalid, NotFound, Unauthenticated


class BadCredentials(Unauthenticated):
    """The user or the password is wrong."""

    code = "bad_credentials"


class AccountLocked(Unauthenticated):
    """Too many failed attempts: the account is locked for a while."""

    code = "account_locked"


class SignedOut(Unauthenticated):
    """Nobody is signed in."""

    code = "signed_out"


class CsrfMissing(Forbidden):
    """A state-changing request with a session cookie needs the X-Pianku-Csrf header."""

    code = "csrf"


class PasswordMustChange(Forbidden):
    """The password must be changed first."""

    code = "password_must_change"


class WeakPassword(Invalid):
    """The password does not meet the policy."""

    code = "weak_password"


class BadGrant(Invalid):
    """A login, role, right, network or date of the grant does not have the right form."""

    code = "bad_grant"


class RolesExclude(Invalid):
    """An administrator role stands alone: no account holds two, nor one beside another role."""

    code = "roles_exclude"


class OwnAccount(Forbidden):
    """Nobody grants rights to himself."""

    code = "own_account"


class AccountExists(Conflict):
    """The login is already taken."""

    code = "account_exists"


class AccountUnknown(NotFound):
    """No such account."""

    code = "account_unknown"


class GrantUnknown(NotFound):
    """No such token, AE title or certificate."""

    code = "grant_unknown"
