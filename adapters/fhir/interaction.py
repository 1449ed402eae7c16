"""One interaction in hand and its reply, and the rooms the transactions stand on.

HL7 FHIR R4 3.1.0 (http.html). Made by `endpoint.py`; every transaction module takes an `Asked` and
gives a `Reply`, in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from adapters.fhir.element import Element, Json, read
from adapters.fhir.refusals import ParameterInvalid
from adapters.fhir.search import Given, Parameters
from adapters.guard.guard import AuditUnavailable, Guard
from kernel.identifiers import PatientKeys
from kernel.refusals import Forbidden, Refusal
from kernel.times import Clock, now
from projections.document_index.view import DocumentIndex
from projections.patient_index.view import PatientIndex
from projections.study_index.view import StudyIndex
from registry.access.values import Subject
from repository.tiers.ports import BlobStore
from workflows.generate_on_demand import GenerateOnDemand
from workflows.provide_and_register import ProvideAndRegister
from workflows.register_documents import RegisterDocuments

PREFIX: Final = "/fhir/r4"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one interaction may bring or take."""

    body_octets: int = 64 << 20
    """A document travels inside of its bundle and is held in memory: larger ones go by ITI-41."""
    documents: int = 10_000
    """Documents of one patient that a search looks at."""
    patients: int = 200
    studies: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirRooms:
    """What the FHIR face stands on."""

    guard: Guard
    register: RegisterDocuments
    provide: ProvideAndRegister
    generate: GenerateOnDemand
    documents: DocumentIndex
    patients: PatientIndex
    studies: StudyIndex
    blobs: BlobStore
    patient_keys: PatientKeys
    clause: Callable[[Subject, str, str], sa.ColumnElement[bool]]
    """`projections.permissions.policy.clause`."""
    repository_oid: str
    source_oid: str
    authorities: tuple[str, ...]
    """OIDs of the assigning authorities, that of the affinity domain first."""
    zone: ZoneInfo
    limits: Limits = field(default_factory=Limits)
    clock: Clock = now


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a known caller."""

    subject: Subject
    method: str
    parameters: Parameters
    base: str
    """The URL of the FHIR service, without a slash at its end."""
    body: bytes = b""
    body_xml: bool = False
    header: Callable[[bytes], str | None] = lambda _name: None
    resource_id: str = ""

    def resource(self) -> Element:
        """Return the resource in the body; raises ResourceMalformed."""
        return read(self.body, xml=self.body_xml)

    def check_known(self, names: Sequence[str]) -> list[str]:
        """Return unknown parameters; raises ParameterInvalid when the caller asks to be strict."""
        unknown = self.parameters.unknown(names)
        if unknown and "handling=strict" in (self.header(b"prefer") or "").replace(" ", ""):
            shown = ", ".join(name for name in unknown if name.isascii())[:200]
            raise ParameterInvalid(f"these search parameters are not known here: {shown}")
        return unknown


@dataclass(frozen=True, slots=True)
class Octets:
    """A stream that is the whole answer."""

    content_type: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a resource, or octets."""

    resource: Json | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    octets: Octets | None = None


Interaction = Callable[[Asked, FhirRooms], Reply]


def recorded(action: str, transaction: str) -> Callable[[Interaction], Interaction]:
    """Have what an interaction refuses recorded as failed; denials the guard records itself."""

    def around(interaction: Interaction) -> Interaction:
        @wraps(interaction)
        def run(asked: Asked, rooms: FhirRooms) -> Reply:
            try:
                return interaction(asked, rooms)
            except (AuditUnavailable, Forbidden):
                raise  # what was done must not be told and recorded as failed
            except Refusal as refusal:
                rooms.guard.record(
                    asked.subject, action, "failed", transaction, detail=refusal.code
                )
                raise

        return run

    return around


@dataclass(frozen=True, slots=True)
class Kept:
    """The parameters of a search that its self and next links repeat."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, given: Sequence[Given], patient_key: UUID | None = None) -> Kept:
        """Return those of `given` that tell nothing personal of a patient."""
        named = {"patient", "subject", "patient.identifier", "subject.identifier"}
        pairs = [
            (f"{one.name}:{one.modifier}" if one.modifier else one.name, one.value)
            for one in given
            if one.name not in named and one.name not in {"_offset", "_format"}
        ]
        if patient_key is not None:
            pairs.insert(0, ("patient", str(patient_key)))
        return cls(tuple(pairs))
