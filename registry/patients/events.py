"""What became known of patients. The stream is the patient key (kernel.identifiers.PatientKeys).

Facts of ITI TF-2 3.8 (Patient Identity Feed), of 3.9 (cross-references) and of automatic creation
from DICOM by policy. A person, who may have several identifiers, has a stream of his own.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact
from registry.patients.values import Demographics, Member


class PatientIdentified(Fact, frozen=True, kw_only=True):
    """A patient identifier became known to the registry."""

    TOPIC: ClassVar[str] = "patient.identified:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"patient_id", "demographics"})
    patient_key: UUID
    origin: str
    """feed | local | dicom | manual; `local`: a feed told an identifier of a domain that is not
    the affinity domain's, which makes nobody known to XDS."""
    patient_id: str = ""
    """CX `id^^^&OID&ISO`."""
    demographics: Demographics | None = None


class PatientDemographicsChanged(Fact, frozen=True, kw_only=True):
    """A later message told other demographics."""

    TOPIC: ClassVar[str] = "patient.demographics-changed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"demographics"})
    patient_key: UUID
    origin: str
    demographics: Demographics | None = None


class PatientShredded(Fact, frozen=True, kw_only=True):
    """The patient's key was destroyed: sealed fields can never be read again."""

    TOPIC: ClassVar[str] = "patient.shredded:v1"
    patient_key: UUID
    reason: str


class PatientMerged(Fact, frozen=True, kw_only=True):
    """The identifier was subsumed by another of its domain and is used no more (ADT^A40)."""

    TOPIC: ClassVar[str] = "patient.merged:v1"
    patient_key: UUID
    into: UUID
    origin: str


class PatientAbsorbed(Fact, frozen=True, kw_only=True):
    """Told in the survivor's stream: what belonged to the subsumed identifier is his now."""

    TOPIC: ClassVar[str] = "patient.absorbed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"patient_id"})
    patient_key: UUID
    subsumed: UUID
    patient_id: str = ""
    """The survivor's identifier, CX `id^^^&OID&ISO`."""


class IdentifierLinked(Fact, frozen=True, kw_only=True):
    """The identifier denotes this person, and no other any more."""

    TOPIC: ClassVar[str] = "identifier.linked:v1"
    patient_key: UUID
    person: UUID
    origin: str


class IdentifierUnlinked(Fact, frozen=True, kw_only=True):
    """The identifier is cross-referenced to no other any more."""

    TOPIC: ClassVar[str] = "identifier.unlinked:v1"
    patient_key: UUID
    person: UUID
    """Whom it denoted until now."""
    origin: str


class PersonComposed(Fact, frozen=True, kw_only=True):
    """The identifiers of a person, all of them; told in the person's own stream."""

    TOPIC: ClassVar[str] = "person.composed:v1"
    person: UUID
    members: tuple[Member, ...]


class CrossReferencesNotified(Fact, frozen=True, kw_only=True):
    """A PIX consumer has been told of every change up to a position of the ledger (ITI-10).

    The stream is the consumer's (`stream_id("pix-consumer", name)`). The first one marks where
    his interest begins.
    """

    TOPIC: ClassVar[str] = "cross-references.notified:v1"
    consumer: str
    through: int
    refused: bool = False
    """He did not accept the last one, and would not accept it again."""
