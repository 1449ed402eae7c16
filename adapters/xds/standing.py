"""Whether somebody who subscribed once may still come in, and with which rights.

Design A6. Notifications are sent without a request, so nobody offers credentials: the account,
token, certificate or AE title that subscribed is looked up as it stands now. Called by ITI-53.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from adapters.guard.directory import Directory
from kernel.refusals import Unauthenticated
from kernel.times import dtm, now, pad_dtm
from projections.permissions.view import Snapshot
from registry.access.values import Role, Subject
from registry.subscriptions.values import Subscriber


def standing(directory: Directory, who: Subscriber, *, loopback_system: bool = False) -> Subject:
    """Return the subscriber as the guard would know him now; raises Unauthenticated."""
    looked_up = _LOOK_UPS.get(who.kind)
    roles = None if looked_up is None else looked_up(directory.newest(), who.name)
    if who.kind == "system" and loopback_system:
        roles = frozenset({str(Role.SYSTEM)})
    if roles is None:
        raise Unauthenticated("the subscriber may not come in any more")
    return Subject(who.name, who.kind, frozenset(roles))


def _account(snapshot: Snapshot, login: str) -> Iterable[str] | None:
    account = snapshot.accounts.get(login)
    return None if account is None or account.disabled else account.roles


def _token(snapshot: Snapshot, token_id: str) -> Iterable[str] | None:
    for token in snapshot.tokens.values():
        if token.token_id == token_id:
            over = bool(token.expires) and pad_dtm(token.expires) <= dtm(now())
            return None if over else token.roles
    return None


def _certificate(snapshot: Snapshot, label: str) -> Iterable[str] | None:
    certificates = snapshot.certificates.values()
    return next((c.roles for c in certificates if c.label == label), None)


_LOOK_UPS: Final[dict[str, Callable[[Snapshot, str], Iterable[str] | None]]] = {
    "account": _account,
    "token": _token,
    "certificate": _certificate,
}
