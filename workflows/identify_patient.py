"""Whose image is this: from the patient module of a data set to a patient identifier.

PS3.3 C.7.1.1 (Patient ID, Issuer of Patient ID) to ITI TF-3 4.2.3.1.7 (CX), by policy.
Called by `store_instances` and `publish_study`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kernel.identifiers import PatientId, is_oid, stable_uid
from registry.patients.values import Demographics
from registry.studies.refusals import PatientNotUsable


class PatientModule(Protocol):
    """The identifying attributes of the patient module, decoded; empty when absent."""

    @property
    def study_uid(self) -> str:
        """Return Study Instance UID."""
        ...

    @property
    def patient_id(self) -> str:
        """Return Patient ID."""
        ...

    @property
    def patient_id_issuer(self) -> str:
        """Return Issuer of Patient ID, or its Universal Entity ID."""
        ...

    @property
    def patient_name(self) -> str:
        """Return Patient's Name."""
        ...

    @property
    def patient_birth_date(self) -> str:
        """Return Patient's Birth Date."""
        ...

    @property
    def patient_sex(self) -> str:
        """Return Patient's Sex."""
        ...


@dataclass(frozen=True, slots=True)
class PatientPolicy:
    """What to make of patients that come with images."""

    assigning_authority: str
    """OID for a Patient ID that comes without an issuer."""
    issuers: Mapping[str, str] = field(default_factory=dict)
    """Issuer of Patient ID as devices send it -> OID."""
    create: bool = True
    """Make patients known whom nobody announced; otherwise their images are refused."""
    placeholder: bool = True
    """Take images without a Patient ID, each study for a patient of its own."""

    def authority(self, issuer: str) -> str:
        """Return the OID of an issuer.

        An issuer that is neither an OID nor configured gets an OID of its own: two hospitals'
        equal numbers must never become one patient.
        """
        if not issuer:
            return self.assigning_authority
        if is_oid(issuer):
            return issuer
        return self.issuers.get(issuer) or stable_uid("issuer-of-patient-id", issuer)

    def patient(self, header: PatientModule) -> PatientId:
        """Return the identifier of the patient a data set names.

        Raises `PatientNotUsable` and BadIdentifier.
        """
        local = escaped(header.patient_id)
        if local:
            return PatientId(local, self.authority(header.patient_id_issuer))
        if not self.placeholder:
            raise PatientNotUsable("the data set has no Patient ID")
        return PatientId(f"NOID-{header.study_uid}", self.assigning_authority)


def demographics(header: PatientModule) -> Demographics:
    """Return who the patient is according to a data set."""
    return Demographics(
        name=header.patient_name, birth_date=header.patient_birth_date, sex=header.patient_sex
    )


def escaped(text: str) -> str:
    """Return an identifier fit for CX.1: what would act as a delimiter there becomes %XX."""
    if text.isalnum():
        return text
    return "".join(
        f"%{ord(c):02X}" if c in "^&|~%" or ord(c) < 32 or ord(c) == 127 else c for c in text
    )
