"""Sealed fields: the personal part of an event, readable only while the patient's key lives.

Design A3: AES-256-GCM under a data key per patient, AAD = ledger|stream|topic, one blob an event.
Called by `mapper.py`; the key ring behind it is `server/keys.py` (in tests: `MemoryRing`).
"""

from __future__ import annotations

import copy
import os
import threading
from typing import Protocol, runtime_checkable
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.events import Fact
from kernel.ledger.topics import EventKind
from kernel.refusals import Conflict

KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyDestroyed(Conflict):
    """The patient's data have been shredded; nothing more can be recorded about the person."""

    code = "key_destroyed"


class PersonalDataWithoutKey(TypeError):  # noqa: N818 - says what is so
    """Personal fields were appended without naming the patient key that seals them."""


class SealBroken(ValueError):  # noqa: N818 - says what is so
    """A sealed blob does not open under its key: it was altered or moved to another event."""


class KeyRing(Protocol):
    """Holds one data key a patient."""

    def key_for(self, patient_key: UUID, *, create: bool) -> bytes | None:
        """Return the data key, made durable first when `create`; None once destroyed or absent."""
        ...

    def destroy(self, patient_key: UUID) -> None:
        """Destroy the key for ever; it is never made again."""
        ...


@runtime_checkable
class WarmableRing(Protocol):
    """A ring that can fetch the keys of many patients in one go (replay on a remote database)."""

    def warm(self, patient_keys: set[UUID]) -> None:
        """Bring these keys near, so that the `key_for` calls that follow are cheap."""
        ...


class MemoryRing:
    """A key ring that lives as long as the process: for tests and for ledgers without persons."""

    def __init__(self) -> None:
        self._keys: dict[UUID, bytes | None] = {}
        self._lock = threading.Lock()

    def key_for(self, patient_key: UUID, *, create: bool) -> bytes | None:
        """Return the data key, made on demand."""
        with self._lock:
            if create and patient_key not in self._keys:
                self._keys[patient_key] = os.urandom(KEY_BYTES)
            return self._keys.get(patient_key)

    def destroy(self, patient_key: UUID) -> None:
        """Replace the key by a tombstone."""
        with self._lock:
            self._keys[patient_key] = None


class FieldSealing:
    """Splits a fact into its clear body and its sealed blob, and joins them again."""

    def __init__(self, ledger: str, ring: KeyRing) -> None:
        self._ledger = ledger.encode()
        self._ring = ring

    def split(
        self, kind: EventKind, fact: Fact, stream: UUID, patient_key: UUID | None
    ) -> tuple[str, UUID | None, bytes | None]:
        """Return the clear JSON body, the patient key and the sealed blob (None, None if none)."""
        values = {
            field.encoded: value
            for field in kind.personal
            if (value := getattr(fact, field.name)) != field.blank
        }
        if not values:
            return msgspec.json.encode(fact).decode(), None, None
        if patient_key is None:
            raise PersonalDataWithoutKey(
                f"{kind.topic} has personal fields {sorted(values)} but no patient_key"
            )
        key = self._ring.key_for(patient_key, create=True)
        if key is None:
            raise KeyDestroyed
        clear = copy.copy(fact)
        for field in kind.personal:
            msgspec.structs.force_setattr(clear, field.name, field.blank)
        nonce = os.urandom(_NONCE_BYTES)
        secret = msgspec.json.encode(values)
        blob = nonce + AESGCM(key).encrypt(nonce, secret, self._bound_to(stream, kind.topic))
        return msgspec.json.encode(clear).decode(), patient_key, blob

    def join(
        self, body: str, stream: UUID, topic: str, sealed_for: UUID, sealed: bytes
    ) -> str | None:
        """Return the whole JSON body, or None when the patient's key is gone."""
        key = self._ring.key_for(sealed_for, create=False)
        if key is None:
            return None
        try:
            secret = (
                AESGCM(key)
                .decrypt(
                    sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound_to(stream, topic)
                )
                .decode()
            )
        except InvalidTag:
            raise SealBroken("the sealed fields of an event do not open under its key") from None
        # Both are JSON objects without white space; the sealed one is never empty.
        return secret if body == "{}" else f"{body[:-1]},{secret[1:]}"

    def _bound_to(self, stream: UUID, topic: str) -> bytes:
        # The version is given under the head lock, after sealing; the hash chain binds it.
        return b"|".join((self._ledger, stream.bytes, topic.encode()))
