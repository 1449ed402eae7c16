"""Administer access: fold the grant's stream, decide, append; once more if it moved meanwhile.

Implements the writing side of design A6. Called by `adapters/portal`, the command line and the
demo; whether the caller may configure is asked by the guard before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from kernel.ledger.ports import Append, Ledger, StreamMoved
from registry.access import commands
from registry.access.commands import NewToken
from registry.access.values import NO_LIMITS, AeLimits


class AccessAdministration:
    """Creates and changes accounts, tokens, AE titles and certificates."""

    def __init__(self, facts: Ledger) -> None:
        self._facts = facts

    def create_account(
        self,
        login: str,
        display_name: str,
        roles: Iterable[str],
        password: str,
        *,
        must_change: bool = True,
    ) -> int:
        """Create an account and return the position of its event."""
        wanted = tuple(roles)
        return self._account(
            login,
            lambda state, _version: commands.create_account(
                state,
                login=login,
                display_name=display_name,
                roles=wanted,
                password=password,
                must_change=must_change,
            ),
        )

    def change_password(self, login: str, new_password: str, current: str | None) -> int:
        """Change a password; `current` is None when an administrator sets it."""
        return self._account(
            login,
            lambda state, version: commands.change_password(
                state,
                login=login,
                new_password=new_password,
                current_password=current,
                version=version,
            ),
        )

    def assign_roles(self, login: str, roles: Iterable[str], *, by: str) -> int:
        """Set an account's roles; nobody sets his own."""
        wanted = tuple(roles)
        return self._account(
            login,
            lambda state, version: commands.assign_roles(
                state, login=login, roles=wanted, by=by, version=version
            ),
        )

    def disable(self, login: str, reason: str = "") -> int:
        """Disable an account."""
        return self._account(
            login,
            lambda state, version: commands.disable(
                state, login=login, reason=reason, version=version
            ),
        )

    def issue_token(
        self, label: str, roles: Iterable[str], expires: datetime | None = None
    ) -> NewToken:
        """Issue a bearer token; the secret is in the answer only."""
        made = commands.issue_token(label=label, roles=roles, expires=expires)
        self._facts.append(made.append)
        return made

    def revoke_token(self, token_id: str) -> int:
        """Revoke a bearer token."""
        state, _ = self._grant("token", token_id)
        return self._facts.append(commands.revoke_token(state, token_id=token_id))

    def allow_ae(
        self,
        ae_title: str,
        networks: Iterable[str],
        rights: Iterable[str],
        *,
        host: str = "",
        port: int = 0,
        limits: AeLimits = NO_LIMITS,
    ) -> int:
        """Allow an AE title, or change what it is allowed."""
        return self._facts.append(
            commands.allow_ae(
                ae_title=ae_title,
                networks=networks,
                rights=rights,
                host=host,
                port=port,
                limits=limits,
            )
        )

    def revoke_ae(self, ae_title: str) -> int:
        """Revoke an AE title."""
        state, _ = self._grant("ae", ae_title)
        return self._facts.append(commands.revoke_ae(state, ae_title=ae_title))

    def trust_certificate(self, fingerprint: str, label: str, roles: Iterable[str]) -> int:
        """Trust a TLS client certificate."""
        return self._facts.append(
            commands.trust_certificate(fingerprint=fingerprint, label=label, roles=roles)
        )

    def revoke_certificate(self, fingerprint: str) -> int:
        """Stop to trust a TLS client certificate."""
        state, _ = self._grant("certificate", fingerprint)
        return self._facts.append(commands.revoke_certificate(state, fingerprint=fingerprint))

    def _grant(self, kind: str, name: str) -> tuple[commands.GrantState, int]:
        stream = commands.grant_stream(kind, name)
        return self._facts.fold(stream, commands.NO_GRANT, commands.apply_grant)

    def _account(
        self, login: str, decide: Callable[[commands.AccountState, int], Append | None]
    ) -> int:
        stream = commands.account_stream(login)
        for last_try in (False, True):
            state, version = self._facts.fold(stream, commands.NO_ACCOUNT, commands.apply_account)
            batch = decide(state, version)
            if batch is None:
                return self._facts.head()
            try:
                return self._facts.append(batch)
            except StreamMoved:
                if last_try:
                    raise
        raise AssertionError("unreachable")
