"""Decide about accounts, bearer tokens, AE titles and TLS certificates.

Implements design A6 and requirements 9.2 P-1 and P-5 (RFC 6750 tokens, PS3.8 AE titles, X.509).
Pure: past state and request -> Append. Called by `workflows/administer_access.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from typing import Final
from uuid import UUID

from kernel.events import Fact
from kernel.identifiers import is_oid, secret_token, stream_id
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import dtm
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
    GrantUnknown,
    OwnAccount,
    RolesExclude,
    WeakPassword,
)
from registry.access.values import (
    ADMINISTRATORS,
    AE_RIGHTS,
    DIMSE_SERVICES,
    NO_LIMITS,
    SOP_CLASS_GROUPS,
    AeLimits,
    Role,
)

__all__ = ["NO_ACCOUNT", "NO_GRANT", "AccountState", "GrantState", "apply_account", "apply_grant"]
"""What `workflows` fold streams with; the commands are below."""

_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}")
_MAX_NAME: Final = 200
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_AE_TITLE: Final = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_MOST_ASSOCIATIONS: Final = 10_000
_HOST: Final = re.compile(r"[A-Za-z0-9:._-]{0,253}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; the secret is shown once and kept nowhere."""

    token_id: str
    secret: str = field(repr=False)
    append: Append


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
        login=login, password_hash=hash_password(new_password), must_change=current_password is None
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


def grant_stream(kind: str, name: str) -> UUID:
    """Return the stream of a token (`token`), AE title (`ae`) or certificate (`certificate`)."""
    return stream_id(kind, name)


def issue_token(*, label: str, roles: Iterable[str], expires: datetime | None = None) -> NewToken:
    """Issue a bearer token; its id is readable, `label-xxxxxxxx`."""
    if _LABEL.fullmatch(label) is None:
        raise BadGrant("a token's label has 1 to 63 of the characters A-Z a-z 0-9 . _ -")
    secret = secret_token()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    token_id = f"{label}-{digest[:8]}"
    fact = facts.TokenIssued(
        token_id=token_id,
        token_sha256=digest,
        label=label,
        roles=check_roles(roles, person=False),
        expires="" if expires is None else dtm(expires),
    )
    return NewToken(token_id, secret, _grant_append("token", token_id, fact, version=0))


def revoke_token(state: GrantState, *, token_id: str) -> Append:
    """Revoke a token."""
    _check_good(state)
    return _grant_append("token", token_id, facts.TokenRevoked(token_id=token_id))


def allow_ae(
    *,
    ae_title: str,
    networks: Iterable[str],
    rights: Iterable[str],
    host: str = "",
    port: int = 0,
    limits: AeLimits = NO_LIMITS,
) -> Append:
    """Allow an AE title (PS3.5 6.2 AE) from these networks; a later grant replaces the former.

    `feed` lets a sending application (MSH-3) of that name send HL7 v2 messages by MLLP.
    """
    title = ae_title.strip()
    if _AE_TITLE.fullmatch(title) is None:
        raise BadGrant("an AE title has 1 to 16 printable characters, no backslash")
    wanted = tuple(sorted(set(rights)))
    if not set(wanted) <= AE_RIGHTS or not (wanted or host):
        raise BadGrant("an AE title is granted at least one of " + ", ".join(sorted(AE_RIGHTS)))
    if _HOST.fullmatch(host) is None or not 0 <= port < 65536 or bool(host) != bool(port):
        raise BadGrant("a move destination has a host and a port")
    fact = facts.AeTitleAllowed(
        ae_title=title, networks=_networks(networks), rights=wanted, host=host, port=port
    )
    held = _limited(title, limits)
    batch = (fact,) if held is None else (fact, held)
    return Append((StreamAppend(grant_stream("ae", title), batch),))


def revoke_ae(state: GrantState, *, ae_title: str) -> Append:
    """Revoke an AE title."""
    _check_good(state)
    return _grant_append("ae", ae_title, facts.AeTitleRevoked(ae_title=ae_title))


def trust_certificate(*, fingerprint: str, label: str, roles: Iterable[str]) -> Append:
    """Let a TLS client certificate (hex SHA-256 of its DER) stand for a system."""
    digest = fingerprint.replace(":", "").lower()
    if _FINGERPRINT.fullmatch(digest) is None:
        raise BadGrant("a fingerprint is the SHA-256 of the DER certificate in hex")
    if _LABEL.fullmatch(label) is None:
        raise BadGrant("a certificate's label has 1 to 63 of the characters A-Z a-z 0-9 . _ -")
    fact = facts.CertificateTrusted(
        fingerprint=digest, label=label, roles=check_roles(roles, person=False)
    )
    return _grant_append("certificate", digest, fact)


def revoke_certificate(state: GrantState, *, fingerprint: str) -> Append:
    """Stop to trust a certificate."""
    _check_good(state)
    return _grant_append(
        "certificate", fingerprint, facts.CertificateRevoked(fingerprint=fingerprint)
    )


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


def _networks(networks: Iterable[str]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(text.strip(), strict=False)) for text in networks)
    except ValueError:
        raise BadGrant("a network has the form 10.1.0.0/16 or fd00::/64") from None


def _limited(title: str, limits: AeLimits) -> facts.AeTitleLimited | None:
    """Return the fact of what an AE title is held to, None when to nothing; raises BadGrant."""
    if limits == NO_LIMITS:
        return None
    if not set(limits.services) <= DIMSE_SERVICES:
        raise BadGrant("an AE title's services are some of " + ", ".join(sorted(DIMSE_SERVICES)))
    for told in limits.sop_classes:
        if told not in SOP_CLASS_GROUPS and not is_oid(told):
            names = ", ".join(sorted(SOP_CLASS_GROUPS))
            raise BadGrant(f"a SOP class is named by its UID, a group is one of {names}")
    if not all(is_oid(told) for told in limits.transfer_syntaxes):
        raise BadGrant("a transfer syntax is named by its UID")
    digests = tuple(told.replace(":", "").lower() for told in limits.certificates)
    if not all(_FINGERPRINT.fullmatch(told) for told in digests):
        raise BadGrant("a fingerprint is the SHA-256 of the DER certificate in hex")
    if not 0 <= limits.max_associations <= _MOST_ASSOCIATIONS:
        raise BadGrant("the associations of an AE title are at most 10000, or 0 for any number")
    return facts.AeTitleLimited(
        ae_title=title,
        services=tuple(sorted(set(limits.services))),
        sop_classes=tuple(sorted(set(limits.sop_classes))),
        transfer_syntaxes=tuple(sorted(set(limits.transfer_syntaxes))),
        max_associations=limits.max_associations,
        # Who must show a certificate can only do so by TLS.
        tls=limits.tls or bool(digests),
        certificates=tuple(sorted(set(digests))),
        reached_by_tls=limits.reached_by_tls,
    )


def _check_good(state: GrantState) -> None:
    if not state.good:
        raise GrantUnknown


def _grant_append(kind: str, name: str, fact: Fact, version: int | None = None) -> Append:
    return Append((StreamAppend(grant_stream(kind, name), (fact,), version),))
