"""Identifiers of the field: OID, UUID and the HL7 v2 types CX, HD, XCN, XON.

Implements ITI TF-3 4.2.3.1.7 (CX, OID, UUID coding in XDS metadata) and PS3.5 9.1 (UID).
Called by every room; parsing never guesses: what does not fit raises `BadIdentifier`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4, uuid5

from kernel.refusals import Invalid

_OID: Final = re.compile(r"[012](?:\.(?:0|[1-9][0-9]*))+")
_LAX_UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_MAX_OID: Final = 64

NAMESPACE: Final = uuid5(UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8"), "pianku")
"""Root of every uuid5 stream id of this product."""


class BadIdentifier(Invalid):
    """An identifier does not have the form its standard demands."""

    code = "bad_identifier"


def is_oid(text: str) -> bool:
    """Tell whether `text` is an OID of at most 64 characters (PS3.5 9.1, ITI TF-3 4.2.3.1.7)."""
    return len(text) <= _MAX_OID and _OID.fullmatch(text) is not None


def dicom_uid(text: str) -> str:
    """Return a UID stripped of its padding.

    Leading zeroes in a component are tolerated (real devices send them); anything but digits
    and dots, more than 64 characters, or an empty value raises `BadIdentifier`: such a value
    could act as a path.
    """
    uid = text.rstrip("\x00 ").strip()
    if len(uid) > _MAX_OID or _LAX_UID.fullmatch(uid) is None:
        raise BadIdentifier("not a DICOM UID", value=text[:_MAX_OID])
    return uid


def new_uid() -> str:
    """Return a new UID under 2.25 (PS3.5 B.2), good as an OID too."""
    return f"2.25.{uuid4().int}"


def stable_uid(*parts: str) -> str:
    """Return the UID under 2.25 that always belongs to `parts`."""
    return f"2.25.{stream_id(*parts).int}"


def stream_id(kind: str, *key: str) -> UUID:
    """Return the stream of the thing of `kind` named by `key` (uuid5, the same everywhere)."""
    return uuid5(NAMESPACE, "\x1f".join((kind, *key)))


def entry_uuid(text: str) -> UUID:
    """Parse `urn:uuid:...` (ITI TF-3 4.2.3.1.7); raises `BadIdentifier`."""
    prefix, found = text[:9], None
    with suppress(ValueError):
        found = UUID(text[9:])
    if prefix != "urn:uuid:" or found is None:
        raise BadIdentifier("not a urn:uuid identifier", value=text[:80])
    return found


def urn(uuid: UUID) -> str:
    """Return the `urn:uuid:` form of an entryUUID."""
    return f"urn:uuid:{uuid}"


@dataclass(frozen=True, slots=True)
class PatientId:
    """A patient identifier with its assigning authority (CX reduced to id and OID)."""

    id: str
    authority: str
    """OID of the assigning authority (CX.4.2, ISO)."""

    def __post_init__(self) -> None:
        """Refuse an empty id or an authority that is not an OID."""
        if not self.id or len(self.id) > 128 or any(c in self.id for c in "^&|~\r\n\x00"):
            raise BadIdentifier("the patient id is empty or holds HL7 delimiters")
        if not is_oid(self.authority):
            raise BadIdentifier("the assigning authority is not an OID", value=self.authority[:80])

    def __str__(self) -> str:
        """Return the CX form `id^^^&OID&ISO`."""
        return f"{self.id}^^^&{self.authority}&ISO"

    @classmethod
    def parse(cls, text: str) -> PatientId:
        """Parse `id^^^&OID&ISO`; namespace ids and other universal id types are refused."""
        components = text.split("^")
        if len(components) < 4:
            raise BadIdentifier("a patient id needs the form id^^^&OID&ISO")
        authority = components[3].split("&")
        named = any(components[1:3]) or any(authority[:1])
        if len(authority) != 3 or authority[2] != "ISO" or named:
            raise BadIdentifier("a patient id needs the form id^^^&OID&ISO")
        return cls(components[0], authority[1])


class PatientKeys:
    """Turns a patient identifier into the key that stands for it in events, views and URLs.

    The key is a uuid5 over an HMAC with the node's secret, so that it cannot be guessed from
    the identifier once the patient has been shredded.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the patient key secret needs at least 32 bytes")
        self._secret = secret

    def key(self, patient: PatientId) -> UUID:
        """Return the patient key (also the stream of the patient) of an identifier."""
        digest = hmac.new(self._secret, str(patient).encode(), hashlib.sha256).hexdigest()
        return stream_id("patient", digest)


def secret_token() -> str:
    """Return 256 random bits, URL safe, for bearer tokens and sessions."""
    return secrets.token_urlsafe(32)
