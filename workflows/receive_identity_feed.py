"""A patient identity feed arrived: make the patient known or change what is known of him.

Implements ITI TF-2 3.8.4.1.3. Idempotent: a message that tells nothing new makes no event.
Called by `adapters/hl7v2` in a worker thread; the event is durable when it returns.
"""

from __future__ import annotations

from uuid import UUID

from kernel.identifiers import PatientId, PatientKeys
from kernel.ledger.ports import Ledger, StreamMoved
from registry.patients import commands
from registry.patients.values import Told


class IdentityFeed:
    """Takes what a feed tells of patients into the ledger."""

    def __init__(self, facts: Ledger, keys: PatientKeys) -> None:
        self._facts = facts
        self._keys = keys

    def receive(self, patient_id: PatientId, told: Told) -> UUID:
        """Record what is new and return the patient's key; raises the room's refusals."""
        key = self._keys.key(patient_id)
        try:
            self._decide(key, patient_id, told)
        except StreamMoved:
            self._decide(key, patient_id, told)
        return key

    def _decide(self, key: UUID, patient_id: PatientId, told: Told) -> None:
        state, version = self._facts.fold(key, commands.NOT_KNOWN, commands.apply_patient)
        batch = commands.receive_feed(
            state, patient_key=key, patient_id=patient_id, told=told, version=version
        )
        if batch is not None:
            self._facts.append(batch)
