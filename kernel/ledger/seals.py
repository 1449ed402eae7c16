"""Seals: the chain head at a moment, signed by the node and exported as a text file.

Design A3 (tamper evidence): a chain alone does not bind who can rewrite all of it; a seal kept
off the machine does. The form is a C2SP signed note. Called by `verify.py` and the CLI.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kernel.ledger.chain import Head
from kernel.times import from_micros

SUFFIX: Final = ".seal"
_ORIGIN: Final = "pianku/"
_SIGNATURE: Final = "\N{EM DASH} "
_ED25519: Final = b"\x01"


class Signer(Protocol):
    """Signs for a node (`server/keys.py`)."""

    name: str
    public_key: bytes

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of `message`."""
        ...


class Sealable(Protocol):
    """A ledger as far as sealing needs it."""

    name: str

    def chain_head(self) -> Head:
        """Return the end of the ledger."""
        ...


class BadSeal(ValueError):  # noqa: N818 - says what is so
    """A seal's text is damaged, or no known node has signed it."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What a node vouched for: the hash of the event at a position, and when it was recorded."""

    ledger: str
    position: int
    hash: bytes
    at: datetime
    signed_by: str


def seal_text(ledger: str, head: Head, signer: Signer) -> str:
    """Return the signed note: origin, position, hash, extension lines, signature."""
    body = (
        f"{_ORIGIN}{ledger}\n{head.position}\n{base64.b64encode(head.hash).decode()}\n"
        f"suite {head.suite}\nat {from_micros(head.at).isoformat()}\n"
    )
    signature = _key_id(signer.name, signer.public_key) + signer.sign(body.encode())
    return f"{body}\n{_SIGNATURE}{signer.name} {base64.b64encode(signature).decode()}\n"


def read_seal(text: str, nodes: Mapping[str, bytes]) -> Seal:
    """Return a seal signed by one of `nodes` (name -> public key); raises `BadSeal`."""
    body, blank, signatures = text.partition("\n\n")
    body += "\n"
    signed_by = next(
        (
            name
            for name, blob in _signatures(signatures)
            if name in nodes and _signed(body.encode(), name, blob, nodes[name])
        ),
        None,
    )
    if not blank or signed_by is None:
        raise BadSeal("no known node has signed this seal")
    lines = body.splitlines()
    try:
        return Seal(
            ledger=lines[0].removeprefix(_ORIGIN),
            position=int(lines[1]),
            hash=base64.b64decode(lines[2], validate=True),
            at=datetime.fromisoformat(lines[4].removeprefix("at ")),
            signed_by=signed_by,
        )
    except (IndexError, ValueError) as error:
        raise BadSeal("the text of the seal is damaged") from error


def read_seals(directory: Path, ledger: str, nodes: Mapping[str, bytes]) -> list[Seal]:
    """Return the seals of a ledger in a directory, by position; raises `BadSeal` with its name."""
    found = []
    for path in sorted(directory.glob(f"{ledger}-*{SUFFIX}")):
        try:
            seal = read_seal(path.read_text(encoding="utf-8"), nodes)
        except (BadSeal, UnicodeDecodeError) as error:
            raise BadSeal(f"{path.name}: {error}") from error
        if seal.ledger != ledger:
            raise BadSeal(f"{path.name} seals another ledger")
        found.append(seal)
    return sorted(found, key=lambda seal: seal.position)


class Sealer:
    """Seals a ledger every so many events or seconds, into a directory that is copied away."""

    def __init__(
        self,
        ledger: Sealable,
        signer: Signer,
        directory: Path,
        *,
        every_events: int = 10_000,
        every_seconds: float = 3600,
    ) -> None:
        self._ledger = ledger
        self._signer = signer
        self._directory = directory
        self._every_events = every_events
        self._every_seconds = every_seconds
        self._last = max(_positions(directory, ledger.name), default=0)
        self._sealed_at = time.monotonic()

    def seal_if_due(self) -> Path | None:
        """Seal when enough events or time have passed since the last seal; call it often."""
        head = self._ledger.chain_head()
        news = head.position - self._last
        waited = time.monotonic() - self._sealed_at
        if news >= self._every_events or (news > 0 and waited >= self._every_seconds):
            return self._write(head)
        return None

    def seal(self) -> Path | None:
        """Seal now; None when nothing was recorded since the last seal."""
        head = self._ledger.chain_head()
        return self._write(head) if head.position > self._last else None

    def _write(self, head: Head) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{self._ledger.name}-{head.position:015d}{SUFFIX}"
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        with draft.open("x", encoding="utf-8") as file:
            file.write(seal_text(self._ledger.name, head, self._signer))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        self._last, self._sealed_at = head.position, time.monotonic()
        return path


def _positions(directory: Path, ledger: str) -> Iterable[int]:
    for path in directory.glob(f"{ledger}-*{SUFFIX}"):
        with contextlib.suppress(ValueError):
            yield int(path.stem.removeprefix(f"{ledger}-"))


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def _signatures(text: str) -> Iterable[tuple[str, bytes]]:
    for line in text.splitlines():
        name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
        if line.startswith(_SIGNATURE):
            with contextlib.suppress(binascii.Error):
                yield name, base64.b64decode(encoded, validate=True)


def _signed(message: bytes, name: str, blob: bytes, public_key: bytes) -> bool:
    if blob[:4] != _key_id(name, public_key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(blob[4:], message)
    except InvalidSignature:
        return False
    return True
