"""The decision table, whole: every role, every action, every kind; deny by default."""

from __future__ import annotations

import itertools

import pytest

from registry.access.decision import PERMISSIONS, decide
from registry.access.values import ACCESS_KINDS, ACTIONS, SYSTEM_KINDS, Resource, Role, Subject

DATA = ("study", "document", "patient", "instance")
KINDS = (*DATA, "audit", *sorted(ACCESS_KINDS), *sorted(SYSTEM_KINDS))
READ = {"query", "view", "retrieve"}
CLIENT = READ | {"store", "register", "remove", "feed", "echo", "find", "move", "get"}


def expected(role: str, action: str, kind: str) -> bool:
    match role:
        case "clinician":
            return action in READ
        case "system":
            return action in CLIENT or (action == "correct" and kind == "study")
        case "system_admin":
            corrects = action == "correct" and kind == "study"
            return corrects or (action == "configure" and kind in SYSTEM_KINDS)
        case "security_admin":
            return action == "configure" and kind in ACCESS_KINDS
        case "audit_admin":
            return action == "read-audit" and kind == "audit"
    return False


@pytest.mark.tender("R-6.2.14.1")
@pytest.mark.parametrize("role", [*Role, "nobody"])
def test_every_cell_of_the_table(role: str) -> None:
    subject = Subject("s", "account", frozenset({role}))
    for action, kind in itertools.product(sorted(ACTIONS), KINDS):
        decision = decide(subject, action, Resource(kind))
        assert decision.allowed == expected(role, action, kind), (role, action, kind)
        assert decision.reason


def test_no_role_no_right() -> None:
    assert not decide(Subject("s", "account"), "query", Resource("study")).allowed


def test_an_unknown_action_is_refused_to_everybody() -> None:
    everybody = Subject("s", "account", frozenset(Role))
    assert not decide(everybody, "delete", Resource("study")).allowed


def test_rights_narrow_what_the_role_allows() -> None:
    ae = Subject("CT1", "ae", frozenset({"system"}), rights=frozenset({"echo", "store"}))
    assert decide(ae, "store", Resource("instance")).allowed
    assert not decide(ae, "find", Resource("study")).allowed
    # A right the role does not have is not made by granting it.
    odd = Subject("CT1", "ae", frozenset({"system"}), rights=frozenset({"configure"}))
    assert not decide(odd, "configure", Resource("account")).allowed


def test_no_role_sees_everything() -> None:
    for role, table in PERMISSIONS.items():
        cells = {(a, k) for a, kinds in table.items() for k in KINDS if "*" in kinds or k in kinds}
        patients = any(a in READ for a, _ in cells)
        accounts = ("configure", "account") in cells
        audit = ("read-audit", "audit") in cells
        assert sum((patients, accounts, audit)) <= 1, role
