"""Whose a patient's things are today: follows the merges from an identifier to its survivor.

Implements what ITI TF-2 3.8.4.2.4 asks of the Document Registry: after a merge the things of the
subsumed identifier are the survivor's. Called by workflows that compare or name patients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import UUID

from kernel.identifiers import PatientId, PatientKeys
from kernel.ledger.ports import Ledger
from registry.documents.commands import RegistryObject
from registry.patients import commands
from registry.patients.commands import PatientState

_LONGEST_CHAIN: Final = 1000


class SurvivingPatients:
    """Follows merge chains in the ledger. Thread safe."""

    def __init__(self, facts: Ledger, keys: PatientKeys) -> None:
        self._facts = facts
        self._keys = keys

    def key(self, patient_key: UUID) -> UUID:
        """Return the key of the patient that this one was merged into, himself if into none."""
        return self._follow(patient_key)[0]

    def owner_of(self, held: RegistryObject) -> RegistryObject:
        """Return a registry object as one of the patient whose it is today."""
        if held.patient_key is None:
            return held
        return replace(held, patient_key=self.key(held.patient_key))

    def patient_id(self, patient_id: PatientId) -> PatientId:
        """Return the identifier that this one was merged into, itself if into none."""
        own = self._keys.key(patient_id)
        key, state = self._follow(own)
        return (
            patient_id if key == own or not state.patient_id else PatientId.parse(state.patient_id)
        )

    def _follow(self, key: UUID) -> tuple[UUID, PatientState]:
        state = self._state(key)
        for _ in range(_LONGEST_CHAIN):
            if state.merged_into is None:
                break
            key = state.merged_into
            state = self._state(key)
        return key, state

    def _state(self, key: UUID) -> PatientState:
        return self._facts.fold(key, commands.NOT_KNOWN, commands.apply_patient)[0]
