"""The one decision: may this subject do this action to this resource? Deny by default.

Implements design A6 and requirements 9.2 P-5: no role sees everything, a system administrator
reads neither patients nor audit. Called by `adapters/guard` and `projections/permissions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from registry.access.values import ACCESS_KINDS, SYSTEM_KINDS, Resource, Role, Subject

ANY: Final = frozenset({"*"})
_AUDIT: Final = frozenset({"audit"})
_STUDY: Final = frozenset({"study"})
"""Correcting tells nothing of a patient: an administrator may do it without seeing any."""

PERMISSIONS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    Role.CLINICIAN: {"query": ANY, "view": ANY, "retrieve": ANY},
    Role.SYSTEM: {
        "query": ANY,
        "view": ANY,
        "retrieve": ANY,
        "store": ANY,
        "register": ANY,
        "remove": ANY,
        "feed": ANY,
        "echo": ANY,
        "find": ANY,
        "move": ANY,
        "get": ANY,
        "correct": _STUDY,
    },
    Role.SYSTEM_ADMIN: {"configure": SYSTEM_KINDS, "correct": _STUDY},
    Role.SECURITY_ADMIN: {"configure": ACCESS_KINDS},
    Role.AUDIT_ADMIN: {"read-audit": _AUDIT},
}
"""Role -> action -> kinds of resource; what is not in the table is refused."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why; the reason names rules, never data."""

    allowed: bool
    reason: str


def decide(subject: Subject, action: str, resource: Resource) -> Decision:
    """Return whether `subject` may do `action` to `resource`."""
    if subject.rights is not None and action not in subject.rights:
        return Decision(allowed=False, reason="right_not_granted")
    for role in sorted(subject.roles):
        kinds = PERMISSIONS.get(role, {}).get(action, frozenset())
        if "*" in kinds or resource.kind in kinds:
            return Decision(allowed=True, reason=f"role:{role}")
    return Decision(allowed=False, reason="no_role_allows")
