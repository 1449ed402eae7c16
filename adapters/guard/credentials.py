"""What an HTTP request offers to prove who is calling: token, cookie, certificate, address.

Implements RFC 6750 2.1 (Bearer), the session cookie of design A10 and the `pianku.tls` extension
that `server/tls.py` puts into the ASGI scope. Called by `guard.py`; decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from starlette.requests import HTTPConnection

SESSION_COOKIE: Final = "pianku_session"
CSRF_HEADER: Final = "x-pianku-csrf"
UNATTENDED_HEADER: Final = "x-pianku-unattended"
TLS_EXTENSION: Final = "pianku.tls"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_SECRET: Final = 512
_BROWSER_OR_PROXY: Final = (
    "origin", "sec-fetch-site", "forwarded", "x-forwarded-for", "x-real-ip", "via",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offered:
    """The credentials of one request; empty where nothing was offered."""

    address: str
    bearer: str | None
    """The token; empty when the Authorization header is not a bearer token."""
    session: str
    csrf: str
    changes_state: bool
    attended: bool
    """False when the viewer says that nobody has touched it for a while: its own refresh."""
    fingerprint: str
    local: bool
    """True for a program on this machine that speaks to us directly, not a browser or proxy."""
    path: str


def offered(request: HTTPConnection) -> Offered:
    """Return what the request offers."""
    headers = request.headers
    address = request.client.host if request.client else ""
    authorization = headers.get("authorization")
    tls = (request.scope.get("extensions") or {}).get(TLS_EXTENSION) or {}
    return Offered(
        address=address,
        bearer=None if authorization is None else _bearer(authorization),
        session=request.cookies.get(SESSION_COOKIE, "")[:_MAX_SECRET],
        csrf=headers.get(CSRF_HEADER, "")[:_MAX_SECRET],
        changes_state=request.scope.get("method", "GET") not in _SAFE_METHODS,
        attended=UNATTENDED_HEADER not in headers,
        fingerprint=str(tls.get("fingerprint", "")),
        local=is_loopback(address) and not any(name in headers for name in _BROWSER_OR_PROXY),
        path=str(request.scope.get("path", "")),
    )


def is_loopback(address: str) -> bool:
    """Tell whether an IP address is this machine (127.0.0.0/8, ::1, also IPv4-mapped)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_loopback


def _bearer(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() != "bearer" or len(value) > _MAX_SECRET:
        return ""
    return value
