"""uvicorn's HTTP protocol with one thing more: the TLS client certificate in the ASGI scope.

Design A6 (ITI TF-2 3.19): no ASGI server tells the application the TLS peer (decision 0006).
Used by `server.roles` as the `http=` class; read by `adapters/guard` as `pianku.tls`.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION: Final = "pianku.tls"


class PeerCertificateProtocol(HttpToolsProtocol):
    """Puts `scope["extensions"]["pianku.tls"]` on requests of peers with a certificate.

    The value holds `der` (octets), `subject` (RFC 4514 text) and `fingerprint` (SHA-256 of the
    DER, hex). It comes from the connection alone: no header can claim it.
    """

    _peer: dict[object, object] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate once, when the handshake is done."""
        super().connection_made(transport)
        self._peer = peer_certificate(transport)

    def on_message_begin(self) -> None:
        """Begin a request's scope."""
        super().on_message_begin()
        if self._peer is not None:
            self.scope["extensions"] = {EXTENSION: dict(self._peer)}


def peer_certificate(transport: asyncio.BaseTransport) -> dict[object, object] | None:
    """Return what the guard needs of the peer's certificate, or None without one."""
    tls = transport.get_extra_info("ssl_object")
    der = None if tls is None else tls.getpeercert(binary_form=True)
    if not der:
        return None
    # The dictionary form is filled only for a certificate that the handshake has verified.
    verified = tls.getpeercert()
    if not verified:
        return None
    return {
        "der": der,
        "subject": _subject(verified.get("subject", ())),
        "fingerprint": hashlib.sha256(der).hexdigest(),
    }


def _subject(names: Any) -> str:
    parts = [f"{key}={value}" for relative in names for key, value in relative]
    return ",".join(reversed(parts))
