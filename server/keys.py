"""Keys: the master key, a data key per patient, the node's signing key and its HMAC secret.

Design A3 (personal data sealed per patient; destroying the key shreds) and docs/decisions/0003.
Opened once a process by `server/wiring.py` with `open_keys`; used by the ledgers and by seals.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.identifiers import PatientKeys
from server.key_store import KeyStore, PostgresKeyStore, SqliteKeyStore

MASTER_FILE: Final = "master.key"
HMAC_FILE: Final = "node.secret"
SIGNING_FILE: Final = "signing.key"
STORE_FILE: Final = "keys.db"

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CACHED_KEYS: Final = 20_000
_NOTICE_SECONDS: Final = 0.2
"""How long a process may go on with a key that another process has destroyed."""


class BadKeyFile(RuntimeError):  # noqa: N818 - says what is so
    """A key file is damaged, of the wrong size, or others than its owner may read it."""


class NodeSigner:
    """Signs for this node (Ed25519); `name` goes with the signature in a seal."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()
        self.name: str = f"pianku-{hashlib.sha256(self.public_key).hexdigest()[:8]}"

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`."""
        return self._key.sign(message)


class PatientRing:
    """The key ring of the ledgers: data keys wrapped by the master key in a store. Thread safe."""

    def __init__(self, store: KeyStore, master: bytes) -> None:
        self._store = store
        self._master = AESGCM(master)
        self._wrap = f"aes256gcm/{hashlib.sha256(b'wrap' + master).hexdigest()[:8]}"
        self._lock = threading.Lock()
        self._cache: OrderedDict[UUID, bytes | None] = OrderedDict()
        self._generation = store.generation()
        self._looked_at = time.monotonic()

    def key_for(self, patient_key: UUID, *, create: bool) -> bytes | None:
        """Return the data key, made durable first when `create`; None once destroyed or absent."""
        with self._lock:
            self._notice_destruction()
            if patient_key in self._cache:
                self._cache.move_to_end(patient_key)
                return self._cache[patient_key]
            if create:
                key = os.urandom(_KEY_BYTES)
                held = self._store.make(patient_key, self._wrap, self._wrapped(patient_key, key))
            else:
                found = self._store.find({patient_key})
                if patient_key not in found:
                    # Not cached: another process may make it at any moment.
                    return None
                held = found[patient_key]
            return self._keep(patient_key, held)

    def warm(self, patient_keys: set[UUID]) -> None:
        """Fetch the keys of many patients in one go."""
        with self._lock:
            self._notice_destruction()
            missing = patient_keys - self._cache.keys()
            if missing:
                for patient_key, held in self._store.find(missing).items():
                    self._keep(patient_key, held)

    def destroy(self, patient_key: UUID) -> None:
        """Destroy the key for ever: a tombstone takes its place, in every process soon."""
        with self._lock:
            self._store.destroy(patient_key)
            self._cache[patient_key] = None

    def close(self) -> None:
        """Forget the keys and close the store."""
        with self._lock:
            self._cache.clear()
            self._store.close()

    def _keep(self, patient_key: UUID, held: tuple[str, bytes] | None) -> bytes | None:
        key = None if held is None else self._unwrapped(patient_key, *held)
        self._cache[patient_key] = key
        if len(self._cache) > _CACHED_KEYS:
            self._cache.popitem(last=False)
        return key

    def _notice_destruction(self) -> None:
        moment = time.monotonic()
        if moment - self._looked_at < _NOTICE_SECONDS:
            return
        for generation, patient_key in self._store.destroyed_after(self._generation):
            self._generation = generation
            self._cache[patient_key] = None
        self._looked_at = moment

    def _wrapped(self, patient_key: UUID, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, patient_key.bytes)

    def _unwrapped(self, patient_key: UUID, wrap: str, wrapped: bytes) -> bytes:
        if wrap != self._wrap:
            raise BadKeyFile(f"the patient keys are wrapped with {wrap}, not with {self._wrap}")
        try:
            nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
            return self._master.decrypt(nonce, sealed, patient_key.bytes)
        except InvalidTag:
            raise BadKeyFile("a wrapped patient key was altered") from None


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of a node."""

    ring: PatientRing
    patient_keys: PatientKeys
    signer: NodeSigner

    def close(self) -> None:
        """Forget the keys."""
        self.ring.close()


def open_keys(directory: Path, dsn: str | None = None, *, schema: str = "pianku_keys") -> Keys:
    """Open the keys in `directory`, made on the first start.

    With a `dsn` the wrapped patient keys are in PostgreSQL; then all nodes must be given the
    same master key and node secret, for they read each other's events.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    store: KeyStore
    store = SqliteKeyStore(directory / STORE_FILE) if dsn is None else PostgresKeyStore(dsn, schema)
    return Keys(
        ring=PatientRing(store, secret_file(directory / MASTER_FILE)),
        patient_keys=PatientKeys(secret_file(directory / HMAC_FILE)),
        signer=NodeSigner(secret_file(directory / SIGNING_FILE)),
    )


def secret_file(path: Path, make: Callable[[int], bytes] = os.urandom) -> bytes:
    """Return the 256 bits in a file of mode 600; makes the file when it is not there."""
    if not path.exists():
        _write_once(path, base64.b64encode(make(_KEY_BYTES)) + b"\n")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise BadKeyFile(f"{path.name} may be read by others (mode {mode:o}); set it to 600")
    try:
        secret = base64.b64decode(path.read_bytes().strip(), validate=True)
    except binascii.Error:
        raise BadKeyFile(f"{path.name} is damaged") from None
    if len(secret) != _KEY_BYTES:
        raise BadKeyFile(f"{path.name} does not hold {_KEY_BYTES} bytes")
    return secret


def _write_once(path: Path, content: bytes) -> None:
    """Write a whole file or none; of processes that start together one wins."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
