"""Decide about clients: bearer tokens, AE titles, TLS certificates.

Implements design A6 (RFC 6750 tokens, PS3.8 application entities, X.509 client certificates).
Pure; the state comes from `commands.apply_grant`. Called by `workflows/administer_access.py`.
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
from kernel.identifiers import secret_token, stream_id
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import dtm
from registry.access import events as facts
from registry.access.commands import GrantState, check_roles
from registry.access.refusals import BadGrant, GrantUnknown
from registry.access.values import AE_RIGHTS

_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_AE_TITLE: Final = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_HOST: Final = re.compile(r"[A-Za-z0-9:._-]{0,253}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; the secret is shown once and kept nowhere."""

    token_id: str
    secret: str = field(repr=False)
    append: Append


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
    return NewToken(token_id, secret, _append("token", token_id, fact, version=0))


def revoke_token(state: GrantState, *, token_id: str) -> Append:
    """Revoke a token."""
    _check_good(state)
    return _append("token", token_id, facts.TokenRevoked(token_id=token_id))


def allow_ae(
    *,
    ae_title: str,
    networks: Iterable[str],
    rights: Iterable[str],
    host: str = "",
    port: int = 0,
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
    return _append("ae", title, fact)


def revoke_ae(state: GrantState, *, ae_title: str) -> Append:
    """Revoke an AE title."""
    _check_good(state)
    return _append("ae", ae_title, facts.AeTitleRevoked(ae_title=ae_title))


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
    return _append("certificate", digest, fact)


def revoke_certificate(state: GrantState, *, fingerprint: str) -> Append:
    """Stop to trust a certificate."""
    _check_good(state)
    return _append(
        "certificate", fingerprint, facts.CertificateRevoked(fingerprint=fingerprint)
    )


def _networks(networks: Iterable[str]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(text.strip(), strict=False)) for text in networks)
    except ValueError:
        raise BadGrant("a network has the form 10.1.0.0/16 or fd00::/64") from None


def _check_good(state: GrantState) -> None:
    if not state.good:
        raise GrantUnknown


def _append(kind: str, name: str, fact: Fact, version: int | None = None) -> Append:
    return Append((StreamAppend(grant_stream(kind, name), (fact,), version),))
