"""Register a submission: load what it touches, decide, append; again if the state moved.

Implements ITI TF-2 3.42.4.1.3 (ITI-42) and is the registry half of ITI-41 and RAD-68.
Called by adapters/xds and by `provide_and_register.py`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from kernel.identifiers import BadIdentifier, PatientId, PatientKeys
from kernel.ledger.ports import Append, ClaimTaken, Ledger, StreamAppend, StreamMoved
from kernel.times import Clock, now
from registry.documents import commands
from registry.documents.commands import Known, Registration, RegistryObject, Rules
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import ON_DEMAND, Status, Submission
from workflows.follow_merges import SurvivingPatients

_TRIES: Final = 12
_PAUSE: Final = 0.02
"""Several sources may fill one folder at once, and each submission moves it."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A submission that was registered."""

    patient_key: UUID
    position: int
    """Position in the ledger of facts, for those who wait for a view."""


class RegisterDocuments:
    """Registers submissions in the ledger of facts. Thread safe."""

    def __init__(
        self, facts: Ledger, patient_keys: PatientKeys, *, rules: Rules, clock: Clock = now
    ) -> None:
        self._facts = facts
        self._patient_keys = patient_keys
        self.rules = rules
        self._clock = clock
        self.survivors = SurvivingPatients(facts, patient_keys)
        """Tells whose a merged patient's things are."""

    def __call__(self, submission: Submission) -> Registered:
        """Register `submission`; raises the refusals of `registry.documents`."""
        return self.with_objects(submission, {}, lambda: ())

    def on_demand(self, submission: Submission) -> Registered:
        """Register documents that are made when they are asked for (ITI TF-2 3.61)."""
        key = self.patient_key(submission)
        asked = Registration(submission, key, self._clock(), object_type=ON_DEMAND)
        return self._append(asked, lambda: ())

    def with_objects(
        self,
        submission: Submission,
        objects: Mapping[UUID, str],
        keep: Callable[[], Iterable[StreamAppend]],
    ) -> Registered:
        """Register documents whose octets lie in our own repository.

        `keep` makes the octets durable and returns their facts; it is called once, after
        the submission was found good and before anything is recorded.
        """
        key = self.patient_key(submission)
        return self._append(Registration(submission, key, self._clock(), objects), keep)

    def _append(
        self, asked: Registration, keep: Callable[[], Iterable[StreamAppend]]
    ) -> Registered:
        decided = self._decide(asked, again=False)
        kept = tuple(keep())
        for tried in range(_TRIES - 1):
            try:
                return Registered(asked.patient_key, self._facts.append(_with(decided, kept)))
            except (StreamMoved, ClaimTaken):
                # Somebody was faster: decide once more on what now stands there.
                time.sleep(random.uniform(0, _PAUSE * tried))  # noqa: S311 - spreads writers
                decided = self._decide(asked, again=True)
        return Registered(asked.patient_key, self._facts.append(_with(decided, kept)))

    def is_approved(self, entry_uuid: UUID) -> bool:
        """Tell whether a document is registered, was not removed, and may be replaced."""
        held = self.load((entry_uuid,))[entry_uuid]
        return held.kind is commands.Kind.DOCUMENT and held.status is Status.APPROVED

    def patient_key(self, submission: Submission) -> UUID:
        """Return the key of the submission's patient."""
        try:
            return self._patient_keys.key(PatientId.parse(submission.submission_set.patient_id))
        except BadIdentifier:
            raise MetadataInvalid(
                "SubmissionSet.patientId needs the form id^^^&OID&ISO", attribute="patientId"
            ) from None

    def _decide(self, asked: Registration, *, again: bool) -> Append:
        submission = asked.submission
        objects = self.load(commands.references(submission))
        while more := commands.dependents(submission, objects):
            objects |= self.load(more)
        if again:
            # Only now can a new object's own stream be the one that moved.
            objects |= self.load(commands.new_objects(submission))
        claims = self._facts.claims(commands.UNIQUE_ID_CLAIM, commands.unique_ids(submission))
        past = self._facts.load(asked.patient_key)
        known = Known(
            commands.patient_known(past), objects, claims, commands.patient_subsumed(past)
        )
        return commands.register(asked, known, self.rules)

    def load(self, uuids: Iterable[UUID]) -> dict[UUID, RegistryObject]:
        """Return registry objects as their streams made them, each its patient's of today."""
        return {
            uuid: self.survivors.owner_of(
                self._facts.fold(uuid, commands.initial(uuid), commands.evolve)[0]
            )
            for uuid in uuids
        }


def _with(decided: Append, kept: tuple[StreamAppend, ...]) -> Append:
    return replace(decided, streams=(*kept, *decided.streams))
