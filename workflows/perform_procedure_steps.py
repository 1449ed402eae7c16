"""Take what modalities tell of the procedure steps they perform, and tell it back.

PS3.4 F.7 and F.8 (Modality Performed Procedure Step and its Retrieve), IHE RAD TF-2 4.6 and 4.7.
Called by `adapters/dimse`; what was answered with success is durable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.identifiers import PatientKeys
from kernel.ledger.ports import Ledger, StreamMoved
from registry.procedure_steps import attributes as rules
from registry.procedure_steps import commands
from registry.procedure_steps.refusals import ProcedureStepExists
from registry.procedure_steps.values import Attributes
from workflows.identify_patient import PatientPolicy

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Told:
    """A step as it stands."""

    patient_key: UUID
    study_uids: tuple[str, ...]
    character_set: str
    """What it was created in."""
    attributes: Attributes


class PerformProcedureSteps:
    """Starts, changes and tells performed procedure steps. Thread safe."""

    def __init__(self, facts: Ledger, patient_keys: PatientKeys, policy: PatientPolicy) -> None:
        self._facts = facts
        self._patient_keys = patient_keys
        self._policy = policy

    def start(
        self, sop_uid: str, attributes: Attributes, character_set: str, envelope: Envelope
    ) -> None:
        """Take an N-CREATE; raises the refusals of `registry.procedure_steps`, BadIdentifier."""
        state, _ = self._fold(sop_uid)
        rules.check_new(attributes)
        batch = commands.start(
            state,
            sop_uid=sop_uid,
            patient_key=self._patient_keys.key(self._policy.patient(_Patient(attributes))),
            attributes=attributes,
            character_set=character_set,
            envelope=envelope,
        )
        try:
            self._facts.append(batch)
        except StreamMoved:
            # Somebody else created it in the same moment.
            raise ProcedureStepExists(sop_uid=sop_uid) from None

    def change(self, sop_uid: str, attributes: Attributes, envelope: Envelope) -> None:
        """Take an N-SET; raises the refusals of `registry.procedure_steps`, BadIdentifier."""
        for attempt in range(_ATTEMPTS):
            state, version = self._fold(sop_uid)
            batch = commands.change(
                state, version, sop_uid=sop_uid, attributes=attributes, envelope=envelope
            )
            if batch is None:
                return
            try:
                self._facts.append(batch)
            except StreamMoved:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def read(self, sop_uid: str) -> Told:
        """Return a step as it stands; raises ProcedureStepNotKnown."""
        state, _ = self._fold(sop_uid)
        attributes = commands.whole(state, sop_uid=sop_uid)
        key = state.patient_key or UUID(int=0)
        return Told(key, state.study_uids, state.character_set, attributes)

    def _fold(self, sop_uid: str) -> tuple[commands.StepState, int]:
        stream = commands.step_stream(sop_uid)
        return self._facts.fold(stream, commands.NOT_STARTED, commands.fold)


@dataclass(frozen=True, slots=True)
class _Patient:
    """The patient module of a step, as `PatientPolicy` reads it."""

    attributes: Attributes

    @property
    def study_uid(self) -> str:
        return next(iter(rules.study_uids(self.attributes)), "")

    @property
    def patient_id(self) -> str:
        return rules.text(self.attributes, "00100020")

    @property
    def patient_id_issuer(self) -> str:
        for qualifiers in rules.items(self.attributes, "00100024"):
            if universal := rules.text(qualifiers, "00400032"):
                return universal
        return rules.text(self.attributes, "00100021")

    @property
    def patient_name(self) -> str:
        return rules.text(self.attributes, "00100010")

    @property
    def patient_birth_date(self) -> str:
        return rules.text(self.attributes, "00100030")

    @property
    def patient_sex(self) -> str:
        return rules.text(self.attributes, "00100040")
