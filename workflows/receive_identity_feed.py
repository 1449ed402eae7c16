"""A patient identity feed arrived: make patients known, merge them, link their identifiers.

Implements ITI TF-2 3.8.4.1.3 and 3.8.4.2.4. Idempotent: a message that tells nothing new makes no
event. Called by `adapters/hl7v2` and `hl7v3` in a worker thread; durable when it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from kernel.identifiers import PatientId, PatientKeys
from kernel.ledger.ports import Append, Ledger, StreamMoved
from registry.patients import commands
from registry.patients.commands import Identity, Person
from registry.patients.values import Told

Loaded = tuple[list[Identity], dict[UUID, Person]]


class IdentityFeed:
    """Takes what a feed tells of patients into the ledger. Raises the patients room's refusals."""

    def __init__(self, facts: Ledger, keys: PatientKeys, affinity: str) -> None:
        self._facts = facts
        self._keys = keys
        self._affinity = affinity
        """OID of the affinity domain."""

    def receive(self, patient_ids: Sequence[PatientId], told: Told) -> UUID:
        """Record what a message tells of one person; returns the key of the first identifier.

        All identifiers are the person's, and are cross-referenced. Only one of the affinity
        domain makes him known to XDS: put it first.
        """
        self._do(
            patient_ids,
            lambda named, persons: commands.receive_feed(
                named, persons, told, affinity=self._affinity
            ),
        )
        return self._keys.key(patient_ids[0])

    def merge(self, subsumed: PatientId, survivor: PatientId, told: Told) -> tuple[UUID, UUID]:
        """Merge `subsumed` into `survivor` (ADT^A40, MRG-1 into PID-3); returns their keys."""
        self._do(
            (subsumed, survivor),
            lambda named, persons: commands.merge(
                named[0], named[1], persons, told, affinity=self._affinity
            ),
        )
        return self._keys.key(subsumed), self._keys.key(survivor)

    def link(self, first: PatientId, other: PatientId) -> tuple[UUID, UUID]:
        """Cross-reference two known identifiers; returns their keys."""
        self._do(
            (first, other),
            lambda named, persons: commands.link(
                named[0], named[1], persons, affinity=self._affinity
            ),
        )
        return self._keys.key(first), self._keys.key(other)

    def unlink(self, first: PatientId, other: PatientId) -> tuple[UUID, UUID]:
        """Let `other` stand alone if it is cross-referenced to `first`; returns their keys."""
        self._do(
            (first, other),
            lambda named, persons: commands.unlink(
                named[0], named[1], persons, affinity=self._affinity
            ),
        )
        return self._keys.key(first), self._keys.key(other)

    def _do(
        self,
        patient_ids: Sequence[PatientId],
        decide: Callable[[list[Identity], dict[UUID, Person]], Append | None],
    ) -> None:
        for last in (False, True):
            batch = decide(*self._load(patient_ids))
            if batch is None:
                return
            try:
                self._facts.append(batch)
            except StreamMoved:
                if last:
                    raise
            else:
                return

    def _load(self, patient_ids: Sequence[PatientId]) -> Loaded:
        named = [self._identity(patient_id) for patient_id in dict.fromkeys(patient_ids)]
        if len(named) < len(patient_ids) == 2:
            named = [named[0], named[0]]
        denoted = {one.state.person for one in named if one.state.person is not None}
        return named, {person: self._person(person) for person in denoted}

    def _identity(self, patient_id: PatientId) -> Identity:
        key = self._keys.key(patient_id)
        state, version = self._facts.fold(key, commands.NOT_KNOWN, commands.apply_patient)
        return Identity(patient_id, key, state, version)

    def _person(self, person: UUID) -> Person:
        state, version = self._facts.fold(person, commands.NOBODY, commands.apply_person)
        return Person(state.members, version)
