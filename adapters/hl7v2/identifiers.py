"""Patient identifiers of a message: CX and HD, read by the domains we know and written back.

Implements ITI TF-2 3.8.4.1.2.3 (PID-3), 3.9.4.1.2.2 (QPD-3, QPD-4) and appendix N (CX, HD).
Called by the transaction modules.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.hl7v2.decode import DELETED, Delimiters, Segment, Value
from adapters.hl7v2.encode import escaped
from adapters.hl7v2.refusals import ForeignAuthority, RequiredFieldMissing, WrongFieldValue
from kernel.identifiers import BadIdentifier, PatientId
from registry.patients.values import IdentityDomain, IdentityDomains


def domain_of(value: Value, domains: IdentityDomains) -> IdentityDomain | None:
    """Return the domain of CX.4: by universal id when it is an ISO one, else by namespace."""
    universal, kind = value.text(4, 2), value.text(4, 3)
    if universal:
        return domains.find(universal) if kind.upper() in ("ISO", "") else None
    namespace = value.text(4, 1)
    return domains.find("", namespace) if namespace else None


def person_identifiers(segment: Segment, number: int, domains: IdentityDomains) -> list[PatientId]:
    """Return a field's identifiers of domains we know, that of the affinity domain first.

    Raises RequiredFieldMissing, ForeignAuthority and WrongFieldValue; identifiers of other
    domains are passed over.
    """
    at = f"{segment.name}^1^{number}"
    values = [v for v in segment.repetitions(number) if v.text(1) not in ("", DELETED)]
    if not values:
        raise RequiredFieldMissing(f"{segment.name}-{number} is missing", at=at)
    found: dict[PatientId, None] = {}
    for value in values:
        domain = domain_of(value, domains)
        if domain is not None:
            found[identifier(value, domain, at=f"{at}^1^1")] = None
    if not found:
        raise ForeignAuthority(at=f"{at}^1^4")
    own = domains.affinity.oid
    if sum(one.authority == own for one in found) > 1:
        raise WrongFieldValue(
            f"{segment.name}-{number} has several identifiers of the affinity domain", at=at
        )
    return sorted(found, key=lambda one: one.authority != own)


def identifier(value: Value, domain: IdentityDomain, *, at: str) -> PatientId:
    """Return the identifier of a CX in a domain; raises WrongFieldValue."""
    try:
        return PatientId(value.text(1), domain.oid)
    except BadIdentifier as problem:
        raise WrongFieldValue(problem.message, at=at) from None


def encode_identifiers(
    patient_ids: Sequence[str], domains: IdentityDomains, marks: Delimiters
) -> str:
    """Return a field of CX from texts in the registry's form."""
    texts = []
    for patient_id in map(PatientId.parse, patient_ids):
        domain = domains.find(patient_id.authority)
        namespace = domain.namespace if domain else ""
        authority = marks.subcomponent.join((namespace, patient_id.authority, "ISO"))
        texts.append(marks.component.join((escaped(patient_id.id, marks), "", "", authority)))
    return marks.repetition.join(texts)
