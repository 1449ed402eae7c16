"""Who may come in: accounts, tokens, AE titles and certificates.

Facts of design A6 and requirements 7.4. Streams: `stream_id("account", login)`,
`stream_id("token", token_id)`, `stream_id("ae", title)`, `stream_id("certificate", fingerprint)`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.events import Fact


class AccountCreated(Fact, frozen=True, kw_only=True):
    """A person may sign in. `password_hash` is an argon2id string."""

    TOPIC: ClassVar[str] = "account.created:v1"
    login: str
    display_name: str
    roles: tuple[str, ...]
    password_hash: str
    must_change: bool = False


class PasswordChanged(Fact, frozen=True, kw_only=True):
    """An account's password was changed."""

    TOPIC: ClassVar[str] = "account.password-changed:v1"
    login: str
    password_hash: str
    must_change: bool = False
    """True when somebody else set it: the person then chooses his own at the next sign-in."""


class RolesAssigned(Fact, frozen=True, kw_only=True):
    """An account's roles were set to exactly these."""

    TOPIC: ClassVar[str] = "account.roles-assigned:v1"
    login: str
    roles: tuple[str, ...]


class AccountDisabled(Fact, frozen=True, kw_only=True):
    """An account may no longer sign in."""

    TOPIC: ClassVar[str] = "account.disabled:v1"
    login: str
    reason: str = ""


class TokenIssued(Fact, frozen=True, kw_only=True):
    """A bearer token was issued to a client; only its SHA-256 is kept."""

    TOPIC: ClassVar[str] = "token.issued:v1"
    token_id: str
    token_sha256: str
    label: str
    roles: tuple[str, ...]
    expires: str = ""
    """DTM, or empty for none."""


class TokenRevoked(Fact, frozen=True, kw_only=True):
    """A bearer token is no longer good."""

    TOPIC: ClassVar[str] = "token.revoked:v1"
    token_id: str


class AeTitleAllowed(Fact, frozen=True, kw_only=True):
    """A calling AE title may associate from these addresses with these rights."""

    TOPIC: ClassVar[str] = "ae.allowed:v1"
    ae_title: str
    """`*` stands for any title (only used by `demo`, for loopback)."""
    networks: tuple[str, ...]
    """CIDR networks it may come from."""
    rights: tuple[str, ...]
    """Subset of echo, store, find, move, get; or feed, for a sending application on MLLP."""
    host: str = ""
    """Where C-MOVE sends to for this title, if it is a move destination."""
    port: int = 0


class AeTitleLimited(Fact, frozen=True, kw_only=True):
    """What an AE title just allowed is held to; without it, to nothing more than its rights."""

    TOPIC: ClassVar[str] = "ae.limited:v1"
    ae_title: str
    services: tuple[str, ...] = ()
    """The DIMSE services it may use, finer than its rights; empty: what those say."""
    sop_classes: tuple[str, ...] = ()
    """UIDs and group names of what it may store; empty: any."""
    transfer_syntaxes: tuple[str, ...] = ()
    """UIDs of what it may store in; empty: any."""
    max_associations: int = 0
    """At once, with all receivers of a machine; 0: no bound of its own."""
    tls: bool = False
    certificates: tuple[str, ...] = ()
    """Hex SHA-256 of the TLS certificates of which it must show one."""
    reached_by_tls: bool = False


class AeTitleRevoked(Fact, frozen=True, kw_only=True):
    """A calling AE title may no longer associate."""

    TOPIC: ClassVar[str] = "ae.revoked:v1"
    ae_title: str


class CertificateTrusted(Fact, frozen=True, kw_only=True):
    """A TLS client certificate stands for a system."""

    TOPIC: ClassVar[str] = "certificate.trusted:v1"
    fingerprint: str
    """Hex SHA-256 of the DER certificate."""
    label: str
    roles: tuple[str, ...]


class CertificateRevoked(Fact, frozen=True, kw_only=True):
    """A TLS client certificate no longer stands for a system."""

    TOPIC: ClassVar[str] = "certificate.revoked:v1"
    fingerprint: str
