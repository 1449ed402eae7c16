"""ITI-64 Notify XAD-PID Link Change: a local identifier is another patient's now (ADT^A43).

Implements ITI TF-2 3.64.4.1. PID-3 holds the new patient id of the affinity domain and the local
one, MRG-1 the previous patient id and, if local ones were merged, the subsumed one.
"""

from __future__ import annotations

from typing import Final, Protocol

from adapters.hl7v2.decode import DELETED, Message, Segment, Value
from adapters.hl7v2.identifiers import domain_of
from adapters.hl7v2.refusals import ForeignAuthority, RequiredFieldMissing, WrongFieldValue
from adapters.hl7v2.result import Result
from kernel.identifiers import BadIdentifier, PatientId, PatientKeys
from projections.patient_index.view import PatientRow
from registry.patients.refusals import IdentifierUnknown
from registry.patients.values import IdentityDomains
from workflows.change_pid_link import LinkChange

EVENT: Final = "A43"


class Known(Protocol):
    """Knows which patients there are (projections.patient_index.view.PatientIndex)."""

    def by_id(self, patient_id: PatientId) -> PatientRow | None:
        """Return the patient of an identifier in use."""
        ...


class Change(Protocol):
    """Moves documents (workflows.change_pid_link.ChangePidLink)."""

    def __call__(self, change: LinkChange) -> int:
        """Do what a notification says; returns how many documents moved."""
        ...


class PidLinkChange:
    """Answers ADT^A43."""

    def __init__(
        self, change: Change, patients: Known, keys: PatientKeys, domains: IdentityDomains
    ) -> None:
        self._change = change
        self._patients = patients
        self._keys = keys
        self._domains = domains

    def __call__(self, message: Message) -> Result:
        """Move the documents of the local identifier."""
        asked = decode_link_change(message, self._domains)
        for patient_id in (asked.new, asked.previous):
            if self._patients.by_id(patient_id) is None:
                raise IdentifierUnknown("a patient id of the affinity domain is not known")
        self._change(asked)
        keys = (self._keys.key(asked.previous), self._keys.key(asked.new))
        return Result(patient_keys=tuple(dict.fromkeys(keys)), detail=EVENT)


def decode_link_change(message: Message, domains: IdentityDomains) -> LinkChange:
    """Return what the message says; raises the refusals of its fields."""
    patient, prior = message.required("PID"), message.required("MRG")
    new, local = _pair(patient, 3, domains)
    previous, subsumed = _pair(prior, 1, domains)
    if local is None:
        raise RequiredFieldMissing("PID-3 has no local identifier", at="PID^1^3^2")
    return LinkChange(local, new, previous, subsumed)


def _pair(
    segment: Segment, number: int, domains: IdentityDomains
) -> tuple[PatientId, PatientId | None]:
    """Return a field's identifier of the affinity domain and the first other one."""
    at = f"{segment.name}^1^{number}"
    values = [v for v in segment.repetitions(number) if v.text(1) not in ("", DELETED)]
    if not values:
        raise RequiredFieldMissing(f"{segment.name}-{number} is missing", at=at)
    own = next((v for v in values if domain_of(v, domains) is domains.affinity), None)
    if own is None:
        raise ForeignAuthority(at=f"{at}^1^4")
    other = next((v for v in values if v is not own), None)
    return (
        _identifier(own, domains, at),
        None if other is None else _identifier(other, domains, at),
    )


def _identifier(value: Value, domains: IdentityDomains, at: str) -> PatientId:
    """Return an identifier of any domain; one without an OID must be of a domain we know."""
    domain = domain_of(value, domains)
    try:
        return PatientId(value.text(1), domain.oid if domain else value.text(4, 2))
    except BadIdentifier as problem:
        raise WrongFieldValue(problem.message, at=at) from None
