"""ITI-44 Patient Identity Feed V3: add, revise and merge patients.

Implements ITI TF-2 3.44.4.1 (PRPA_IN201301UV02, PRPA_IN201302UV02) and 3.44.4.2
(PRPA_IN201304UV02). Called by `adapters.soap.door` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

from adapters.guard.guard import Guard
from adapters.hl7v3 import decode, encode, names
from adapters.hl7v3.decode import Message
from adapters.hl7v3.faults import detail
from adapters.hl7v3.refusals import DomainUnknown
from adapters.soap.door import Answer, Call
from kernel.context import acting_as
from kernel.identifiers import PatientId
from kernel.refusals import Forbidden, Refusal
from kernel.times import Clock, now
from registry.access.values import Resource
from registry.patients.values import IdentityDomains, Told

TRANSACTION: Final = "ITI-44"
_EVENT: Final = ("subject", "registrationEvent")
_PATIENT: Final = (*_EVENT, "subject1", "patient")
_PRIOR: Final = (
    *_EVENT, "replacementOf", "priorRegistration", "subject1", "priorRegisteredRole",
)  # fmt: skip


class Feed(Protocol):
    """Takes what an identity feed tells (workflows.receive_identity_feed.IdentityFeed)."""

    def receive(self, patient_ids: list[PatientId], told: Told) -> UUID:
        """Record what is new, durably, and return the patient's key."""
        ...

    def merge(self, subsumed: PatientId, survivor: PatientId, told: Told) -> tuple[UUID, UUID]:
        """Merge the first into the second, durably, and return their keys."""
        ...


class PatientIdentityFeed:
    """Takes in what a patient registry tells; the answer is an accept acknowledgement."""

    def __init__(
        self, feed: Feed, guard: Guard, domains: IdentityDomains, device: str, clock: Clock = now
    ) -> None:
        self._feed = feed
        self._guard = guard
        self._domains = domains
        self._device = device
        self._clock = clock

    def add(self, call: Call) -> Answer:
        """Take PRPA_IN201301UV02: a patient was registered."""
        return self._taken(call, names.ADD, self._receive)

    def revise(self, call: Call) -> Answer:
        """Take PRPA_IN201302UV02: something is known better now."""
        return self._taken(call, names.REVISE, self._receive)

    def merge(self, call: Call) -> Answer:
        """Take PRPA_IN201304UV02: two registrations were of one patient."""
        return self._taken(call, names.MERGE, self._merge)

    def _taken(
        self, call: Call, interaction: str, take: Callable[[Message], tuple[UUID, ...]]
    ) -> Answer:
        request = decode.message(call.body, interaction)
        guard, subject = self._guard, call.subject
        guard.check(subject, "feed", Resource("patient"), transaction=TRANSACTION)
        envelope = encode.Envelope(self._device, self._clock())
        try:
            with acting_as(guard.envelope(subject, "iti-44", source=request.sender.root)):
                keys = take(request)
        except Forbidden:
            raise
        except Refusal as refusal:
            told = f"{interaction} {refusal.code}"
            guard.record(subject, "feed", "failed", TRANSACTION, detail=told)
            body = encode.acknowledgement(request, envelope, "CE", (detail(refusal),))
        else:
            guard.record(
                subject, "feed", "success", TRANSACTION, patient_keys=keys, detail=interaction
            )
            body = encode.acknowledgement(request, envelope, "CA")
        return Answer(body, action=names.action(names.ACKNOWLEDGED))

    def _receive(self, request: Message) -> tuple[UUID, ...]:
        patient = request.required(*_PATIENT)
        person = decode.child(patient, "patientPerson")
        others = [] if person is None else decode.children(person, "asOtherIDs")
        at = request.location(*_PATIENT)
        patient_ids = decode.patient_ids([patient, *others], self._domains, f"{at}/id")
        return (self._feed.receive(patient_ids, decode.told(person, f"{at}/patientPerson")),)

    def _merge(self, request: Message) -> tuple[UUID, ...]:
        patient = request.required(*_PATIENT)
        request.required(*_PRIOR)
        event = request.required(*_EVENT)
        at, prior = request.location(*_PATIENT), request.location(*_PRIOR)
        stays = decode.patient_ids([patient], self._domains, f"{at}/id")
        roles = decode.children(event, *_PRIOR[len(_EVENT) :])
        gone = decode.patient_ids(roles, self._domains, f"{prior}/id")
        told = decode.told(decode.child(patient, "patientPerson"), f"{at}/patientPerson")
        survivors = {one.authority: one for one in stays}
        pairs = [(one, survivors[one.authority]) for one in gone if one.authority in survivors]
        if not pairs:
            raise DomainUnknown("the two registrations have no domain in common", at=f"{prior}/id")
        keys: list[UUID] = []
        for subsumed, survivor in pairs:
            keys += self._feed.merge(subsumed, survivor, told)
        return tuple(dict.fromkeys(keys))
