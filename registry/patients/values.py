"""A patient as the identity feed or an image header describes him.

Implements the PID fields of ITI TF-2 3.8 (ITI-8) and the DICOM patient module (PS3.3 C.7.1.1).
Also the domains that assign identifiers (ITI TF-1 5). Used by commands, views and adapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec


class Demographics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who the patient is; every member may be empty."""

    name: str = ""
    """DICOM PN text, component groups alphabetic=ideographic=phonetic (PS3.5 6.2.1)."""
    birth_date: str = ""
    """YYYYMMDD or shorter."""
    sex: str = ""
    """M, F, O or empty (PS3.3 C.7.1.1)."""
    address: str = ""
    telephone: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one message says: None = not said, empty = to be removed (HL7 2.5 2.5.3)."""

    name: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    address: str | None = None
    telephone: str | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier of a person: its patient key and the OID of the domain that assigned it."""

    patient_key: UUID
    authority: str


@dataclass(frozen=True, slots=True)
class IdentityDomain:
    """A patient identification domain: who assigns identifiers, by OID and by short name."""

    oid: str
    namespace: str = ""
    """HD.1 as senders write it; empty: they send the OID."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class IdentityDomains:
    """The domains whose identifiers are taken in; any other is passed over."""

    affinity: IdentityDomain
    """The one whose identifiers XDS metadata carry (patientId)."""
    others: tuple[IdentityDomain, ...] = ()

    def find(self, oid: str, namespace: str = "") -> IdentityDomain | None:
        """Return the domain of an OID or, without one, of a namespace; None if it is foreign."""
        for domain in (self.affinity, *self.others):
            if (domain.oid == oid) if oid else (namespace and domain.namespace == namespace):
                return domain
        return None
