"""TLS of the DICOM door, both ways: who comes in, and whom we go to.

PS3.15 B.12 (BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile). Called by
`server.dimse_door`, `server.dimse_client` and `server.conformance`.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from typing import Final, Protocol

from registry.access.values import AeLimits
from server.dicom_settings import DimseSettings
from server.settings import BadSettings

CIPHERS: Final = {
    "ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
}
"""The library's names -> the standard's, of the cipher suites for TLS 1.2 (RFC 9325 4.2)."""


class Grants(Protocol):
    """Knows what is granted to AE titles; the guard is one."""

    def ae_limits(self, ae_title: str) -> AeLimits:
        """Return what an AE title is held to."""
        ...


class OtherCertificate(ssl.SSLError):
    """The AE showed a good certificate, but none of those it is known by."""


def acceptor(told: DimseSettings) -> ssl.SSLContext:
    """Return how associations are accepted by TLS; raises BadSettings."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    _prove(context, told.tls_certificate, told.tls_key)
    required = told.tls_clients == "required"
    if not told.tls_ca and required:
        raise BadSettings("dimse.tls_ca names the authorities of clients that must be known")
    if told.tls_ca:
        _trust(context, told.tls_ca)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def requestor(*, ca: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Return how associations are asked for by TLS; raises BadSettings."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    # A node is known by its address, which certificates of devices hardly ever name: what
    # counts is who issued the certificate, and for whom the AE title was granted.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if ca:
        _trust(context, ca)
    else:
        context.load_default_certs()
    if certificate:
        _prove(context, certificate, key)
    return context


class OutgoingTls:
    """Makes associations of ours secure, to AE titles that are reached by TLS."""

    def __init__(self, grants: Grants, told: DimseSettings) -> None:
        self._grants = grants
        self._context: ssl.SSLContext | None = None
        self._told = told

    def __call__(self, sock: socket.socket, ae_title: str) -> socket.socket:
        """Return the connection as it is to be used; raises OSError."""
        held = self._grants.ae_limits(ae_title)
        if not held.reached_by_tls:
            return sock
        secured = self._prepared().wrap_socket(sock)
        shown = secured.getpeercert(binary_form=True) or b""
        if held.certificates and hashlib.sha256(shown).hexdigest() not in held.certificates:
            secured.close()
            raise OtherCertificate(1, "the AE is known by another certificate")
        return secured

    def _prepared(self) -> ssl.SSLContext:
        if self._context is None:
            told = self._told
            try:
                self._context = requestor(
                    ca=told.tls_ca, certificate=told.tls_certificate, key=told.tls_key
                )
            except BadSettings as problem:
                raise ssl.SSLError(1, "the files of dimse.tls cannot be used") from problem
        return self._context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _prove(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as problem:
        raise BadSettings("dimse.tls_certificate or tls_key cannot be used") from problem


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as problem:
        raise BadSettings("dimse.tls_ca cannot be used") from problem
