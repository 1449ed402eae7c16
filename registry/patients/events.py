"""What became known of patients. The stream is the patient key (kernel.identifiers.PatientKeys).

Facts of ITI TF-2 3.8 (Patient Identity Feed) and of automatic creation from DICOM by policy.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact
from registry.patients.values import Demographics


class PatientIdentified(Fact, frozen=True, kw_only=True):
    """A patient identifier became known to the registry."""

    TOPIC: ClassVar[str] = "patient.identified:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"patient_id", "demographics"})
    patient_key: UUID
    origin: str
    """feed | dicom | manual."""
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
