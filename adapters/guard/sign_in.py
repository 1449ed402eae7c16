"""Sign in and out with a password: lockout, equal timing, a new session id every time.

Implements requirements 9.2 P-1 and P-2. Called by `adapters/portal`, in a worker thread: a
password check costs ~50 ms and 64 MiB, so only a few run at once.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Final

from adapters.guard.guard import Guard, SignedIn, credential
from registry.access.passwords import verify_password
from registry.access.refusals import AccountLocked, BadCredentials
from registry.access.values import Subject

_CHECKS_AT_ONCE: Final = 4
_STRIPES: Final = 64


@dataclass(slots=True)
class SignIn:
    """The only way from a password to a session."""

    guard: Guard
    _room: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(_CHECKS_AT_ONCE), init=False
    )
    _one_at_a_time: tuple[threading.Lock, ...] = field(
        default_factory=lambda: tuple(threading.Lock() for _ in range(_STRIPES)), init=False
    )

    def sign_in(self, user: str, password: str, address: str, *, replaces: str = "") -> SignedIn:
        """Return a new session; raises BadCredentials, AccountLocked.

        An unknown, disabled or mistyped user looks the same from outside, in word and time.
        The session the browser came with (`replaces`) ends: an id is never taken over.
        """
        login = user.strip().lower()
        # Attempts on one account go one after another, so that a volley cannot try a hundred
        # passwords before the first failure is counted.
        stripe = hashlib.sha256(login.encode()).digest()[0] % _STRIPES
        with self._one_at_a_time[stripe]:
            return self._attempt(login, password, address, replaces)

    def sign_out(self, signed_in: SignedIn) -> None:
        """End the session on the server and record it."""
        self.guard.sessions.destroy(signed_in.session.secret)
        self.guard.record(signed_in.subject, "logout", "success", "portal.session")

    def renew(self, signed_in: SignedIn) -> SignedIn:
        """End every session of the account and begin a new one (the password was changed)."""
        login = signed_in.account.login
        self.guard.sessions.destroy_all(login)
        account = self.guard.directory.refresh().accounts[login]
        address = signed_in.subject.address
        session = self.guard.sessions.open(login, credential(account), address)
        return self.guard.with_account(session, account, address)

    def _attempt(self, login: str, password: str, address: str, replaces: str) -> SignedIn:
        sessions = self.guard.sessions
        account = self.guard.directory.newest().accounts.get(login)
        subject = (
            Subject("unknown", "account", frozenset(), address)
            if account is None
            else self.guard.account_subject(account, address)
        )
        if sessions.locked(login):
            self._record(subject, "denied", AccountLocked.code)
            raise AccountLocked
        with self._room:
            right = verify_password("" if account is None else account.password_hash, password)
        if account is None or account.disabled or not right:
            locked = sessions.failed(login)
            self._record(subject, "denied", "locked_now" if locked else BadCredentials.code)
            raise BadCredentials
        sessions.succeeded(login)
        self._record(subject, "success", "must_change" if account.must_change else "")
        if replaces:
            sessions.destroy(replaces)
        session = sessions.open(login, credential(account), address)
        return self.guard.with_account(session, account, address)

    def _record(self, subject: Subject, outcome: str, detail: str) -> None:
        self.guard.record(subject, "login", outcome, "portal.session", detail=detail)
