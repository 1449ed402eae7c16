"""A certificate authority for a test: its own CA, server and client certificates.

RFC 5280 certificates made with `cryptography`; called by tests of TLS doors.
"""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass
class Identity:
    """A certificate with its key, as PEM files."""

    certificate: Path
    key: Path
    fingerprint: str

    def server_context(self, client_ca: Path) -> ssl.SSLContext:
        """Return the context of a server that asks for client certificates, not insisting."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_ca))
        context.load_cert_chain(self.certificate, self.key)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


@dataclass
class Authority:
    """Issues certificates."""

    folder: Path
    name: str
    certificate: Path
    _key: ec.EllipticCurvePrivateKey
    _own: x509.Certificate

    def issue(self, name: str, *, lasts: timedelta = timedelta(days=1)) -> Identity:
        """Return a certificate good for servers on loopback and for clients."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(name, self._own.subject, key, lasts=lasts)
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
                ),
                critical=False,
            )
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        made = builder.sign(self._key, hashes.SHA256())
        return _written(self.folder, f"{self.name}-{name}", made, key)


def authority(folder: Path, name: str = "ca") -> Authority:
    """Return a new certificate authority that keeps its files in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    own = (
        _builder(name, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, key_agreement=False,
                key_encipherment=False, data_encipherment=False, content_commitment=False,
                encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    written = _written(folder, name, own, key)
    return Authority(folder, name, written.certificate, key, own)


def _builder(
    name: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    lasts: timedelta = timedelta(days=1),
) -> x509.CertificateBuilder:
    moment = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(hours=1))
        .not_valid_after(moment + lasts)
    )


def _written(
    folder: Path, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Identity:
    certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    fingerprint = hashlib.sha256(made.public_bytes(Encoding.DER)).hexdigest()
    return Identity(certificate, secret, fingerprint)
