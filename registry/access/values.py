"""Who asks for what: Subject, Resource, the roles and the actions of the one decision.

Implements the vocabulary of design A6 and requirements 7.4 (function x data scope x action).
Made by `adapters/guard`, judged by `decision.py`, named in every access event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID


class Role(StrEnum):
    """What a caller may be; the rights of each stand in `decision.PERMISSIONS`."""

    CLINICIAN = "clinician"
    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDIT_ADMIN = "audit_admin"
    SYSTEM = "system"
    """An API, XDS or DICOM client."""


ADMINISTRATORS: Final = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})
"""The three administrators (GB/T 22239-2019 8.1.4.2): one account holds one of them, alone."""

ACTIONS: Final = frozenset(
    {
        "query", "view", "retrieve", "store", "register", "remove", "feed",
        "echo", "find", "move", "get", "correct", "read-audit", "configure",
    }
)  # fmt: skip

AE_RIGHTS: Final = frozenset({"echo", "store", "find", "move", "get", "feed"})
"""What an AE title may be granted; `feed` is for a sending application (MSH-3) on MLLP."""

DIMSE_SERVICES: Final = frozenset(
    {"echo", "store", "find", "move", "get", "commit", "worklist", "mpps", "availability", "ups"}
)
"""What an AE title may be held to, finer than its rights: names of the DIMSE services."""

SOP_CLASS_GROUPS: Final = frozenset(
    {
        "images", "video", "waveforms", "presentation-states", "structured-reports",
        "encapsulated-documents", "segmentations", "radiotherapy", "other", "private",
    }
)  # fmt: skip
"""Names that stand for many storage SOP classes (PS3.4 B.5)."""

ACCESS_KINDS: Final = frozenset({"account", "token", "ae-title", "certificate"})
"""Resource kinds that the security administrator configures."""

SYSTEM_KINDS: Final = frozenset({"projection", "storage", "ledger", "node", "settings", "channel"})
"""Resource kinds that the system administrator configures."""


@dataclass(frozen=True, slots=True)
class AeLimits:
    """What an AE title is held to beside its rights; empty means: nothing more than those."""

    services: tuple[str, ...] = ()
    """Of `DIMSE_SERVICES`."""
    sop_classes: tuple[str, ...] = ()
    """What it may store: SOP Class UIDs and `SOP_CLASS_GROUPS`."""
    transfer_syntaxes: tuple[str, ...] = ()
    """What it may store in."""
    max_associations: int = 0
    """At once, with all receivers of a machine; 0: as many as there are places."""
    tls: bool = False
    """It is let in by TLS only."""
    certificates: tuple[str, ...] = ()
    """Hex SHA-256 of the certificates of which it must show one."""
    reached_by_tls: bool = False
    """Associations of ours to it are made by TLS."""


NO_LIMITS: Final = AeLimits()


@dataclass(frozen=True, slots=True)
class Subject:
    """A caller as the guard knows him; attributes, not queries, decide what he may."""

    name: str
    """Login, token id, AE title, certificate label or system name."""
    kind: str
    """account | token | ae | certificate | system."""
    roles: frozenset[str] = frozenset()
    address: str = ""
    label: str = ""
    """What a person calls it: display name, token label."""
    rights: frozenset[str] | None = field(default=None)
    """Actions the caller is limited to (an AE title's grant); None: what the roles allow."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is asked for; the ids are given where the request names one thing."""

    kind: str
    """study | document | patient | instance | audit | account | token | ..."""
    patient_key: UUID | None = None
    study_uid: str = ""
    document_id: str = ""
