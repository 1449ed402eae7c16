"""Accounts and grants: given past events, when a command, then an event or a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.ledger.ports import Append
from kernel.refusals import Refusal
from registry.access import commands
from registry.access import events as facts
from registry.access.commands import NO_ACCOUNT, NO_GRANT, AccountState, GrantState
from registry.access.events import AccountCreated, PasswordChanged, RolesAssigned
from registry.access.passwords import (
    check_policy,
    generate_password,
    hash_password,
    verify_password,
)
from registry.access.refusals import (
    AccountExists,
    AccountUnknown,
    BadCredentials,
    BadGrant,
    GrantUnknown,
    OwnAccount,
    RolesExclude,
    WeakPassword,
)
from registry.access.values import AeLimits

GOOD = "Right-2-Good"
HASH = hash_password(GOOD)


def fact(batch: Append | None) -> Any:
    assert batch is not None
    return batch.streams[0].facts[0]


def account(*roles: str, disabled: bool = False) -> AccountState:
    return AccountState(exists=True, roles=roles, password_hashes=(HASH,), disabled=disabled)


def create(state: AccountState = NO_ACCOUNT, **changed: Any) -> Append:
    wanted = {
        "login": "lin", "display_name": "林医生", "roles": ["clinician"], "password": GOOD,
        **changed,
    }  # fmt: skip
    return commands.create_account(state, **wanted)


def test_create_account() -> None:
    made = fact(create())
    assert isinstance(made, AccountCreated)
    assert made.roles == ("clinician",)
    assert made.password_hash.startswith("$argon2id$")
    assert GOOD not in repr(made)
    assert made.must_change


def test_a_login_is_taken_once() -> None:
    with pytest.raises(AccountExists):
        create(account("clinician"))
    assert create().streams[0].expected_version == 0


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"login": "Lin"}, BadGrant),
        ({"login": "l"}, BadGrant),
        ({"login": "../etc"}, BadGrant),
        ({"login": "lin" * 40}, BadGrant),
        ({"display_name": "  "}, BadGrant),
        ({"display_name": "a\x1b[2J"}, BadGrant),
        ({"roles": []}, BadGrant),
        ({"roles": ["root"]}, BadGrant),
        ({"roles": ["system"]}, BadGrant),
        ({"roles": ["system_admin", "audit_admin"]}, RolesExclude),
        ({"roles": ["security_admin", "audit_admin"]}, RolesExclude),
        ({"roles": ["system_admin", "clinician"]}, RolesExclude),
        ({"password": "Short-1a"}, WeakPassword),
        ({"password": "nouppercase-1"}, WeakPassword),
        ({"password": "NOLOWERCASE-1"}, WeakPassword),
        ({"password": "NoDigitsHere-"}, WeakPassword),
        ({"password": "NoSpecials123"}, WeakPassword),
        ({"password": "Aa1-" + "x" * 300}, WeakPassword),
        ({"login": "linlin", "password": "Aa1-LinLin-x"}, WeakPassword),
    ],
)  # fmt: skip
@pytest.mark.tender("R-4.4")
def test_what_is_refused(changed: dict[str, Any], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        create(**changed)


def test_change_password_by_its_owner() -> None:
    made = fact(
        commands.change_password(
            account("clinician"), login="lin", new_password="Other-1-Good", current_password=GOOD
        )
    )
    assert isinstance(made, PasswordChanged)
    assert not made.must_change
    assert verify_password(made.password_hash, "Other-1-Good")


def test_change_password_by_an_administrator_must_be_followed_by_the_owners() -> None:
    made = fact(
        commands.change_password(
            account("clinician"), login="lin", new_password="Other-1-Good", current_password=None
        )
    )
    assert made.must_change


@pytest.mark.parametrize(
    ("new", "current", "refusal"),
    [
        ("Other-1-Good", "wrong", BadCredentials),
        ("weak", GOOD, WeakPassword),
        (GOOD, GOOD, WeakPassword),
    ],
)
def test_a_change_that_is_refused(new: str, current: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        commands.change_password(
            account("clinician"), login="lin", new_password=new, current_password=current
        )


def test_a_disabled_account_is_no_account() -> None:
    gone = account("clinician", disabled=True)
    for change in (
        lambda: commands.assign_roles(gone, login="lin", roles=["clinician"]),
        lambda: commands.change_password(
            gone, login="lin", new_password="Other-1-Good", current_password=None
        ),
        lambda: commands.disable(NO_ACCOUNT, login="lin"),
    ):
        with pytest.raises(AccountUnknown):
            change()
    assert commands.disable(gone, login="lin") is None


def test_assign_roles() -> None:
    made = fact(commands.assign_roles(account("clinician"), login="lin", roles=["audit_admin"]))
    assert made == RolesAssigned(login="lin", roles=("audit_admin",))
    assert commands.assign_roles(account("clinician"), login="lin", roles=["clinician"]) is None
    with pytest.raises(OwnAccount):
        commands.assign_roles(account("security_admin"), login="lin", roles=["clinician"], by="lin")
    with pytest.raises(RolesExclude):
        commands.assign_roles(
            account("clinician"), login="lin", roles=["audit_admin", "security_admin"]
        )


def test_a_token_is_kept_as_its_hash_only() -> None:
    made = commands.issue_token(label="ris", roles=["system"])
    issued = fact(made.append)
    assert made.secret not in repr(issued)
    assert made.secret not in repr(made)
    assert len(made.secret) >= 43
    assert issued.token_id == made.token_id
    assert made.token_id.startswith("ris-")


@pytest.mark.parametrize("label", ["", "with blank", "x" * 64, "-x", "a/b"])
def test_a_bad_token_label(label: str) -> None:
    with pytest.raises(BadGrant):
        commands.issue_token(label=label, roles=["system"])


def test_a_token_with_two_administrators_roles_is_refused() -> None:
    with pytest.raises(RolesExclude):
        commands.issue_token(label="t", roles=["audit_admin", "system"])


def test_allow_ae() -> None:
    made = fact(
        commands.allow_ae(ae_title=" CT1 ", networks=["10.0.0.7"], rights=["store", "echo"])
    )
    assert (made.ae_title, made.networks) == ("CT1", ("10.0.0.7/32",))
    assert made.rights == ("echo", "store")


@pytest.mark.parametrize(
    "changed",
    [
        {"ae_title": ""},
        {"ae_title": "SEVENTEEN_LETTERS"},
        {"ae_title": "A\\B"},
        {"ae_title": "片库"},
        {"networks": ["10.0.0"]},
        {"networks": ["example"]},
        {"rights": ["delete"]},
        {"rights": []},
        {"host": "10.0.0.7"},
        {"host": "10.0.0.7", "port": 70000},
        {"host": "bad host", "port": 104},
    ],
)
def test_a_bad_ae_title(changed: dict[str, Any]) -> None:
    wanted = {"ae_title": "CT1", "networks": ["10.0.0.0/8"], "rights": ["store"], **changed}
    with pytest.raises(BadGrant):
        commands.allow_ae(**wanted)


def test_what_an_ae_title_is_held_to_is_told_beside_the_grant() -> None:
    limits = AeLimits(
        services=("store", "echo", "echo"),
        sop_classes=("images", "1.2.840.10008.5.1.4.1.1.104.1"),
        transfer_syntaxes=("1.2.840.10008.1.2.1",),
        max_associations=2,
        certificates=("AB:" * 31 + "AB",),
        reached_by_tls=True,
    )
    batch = commands.allow_ae(
        ae_title="CT1", networks=["10.0.0.7"], rights=["store"], limits=limits
    )
    allowed, held = batch.streams[0].facts
    assert isinstance(allowed, facts.AeTitleAllowed)
    assert held == facts.AeTitleLimited(
        ae_title="CT1",
        services=("echo", "store"),
        sop_classes=("1.2.840.10008.5.1.4.1.1.104.1", "images"),
        transfer_syntaxes=("1.2.840.10008.1.2.1",),
        max_associations=2,
        tls=True,  # how else would he show one
        certificates=("ab" * 32,),
        reached_by_tls=True,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"services": ("delete",)},
        {"sop_classes": ("pictures",)},
        {"sop_classes": ("1.2.",)},
        {"transfer_syntaxes": ("explicit",)},
        {"certificates": ("ab",)},
        {"max_associations": -1},
        {"max_associations": 10_001},
    ],
)
def test_what_nobody_can_be_held_to(changed: dict[str, Any]) -> None:
    with pytest.raises(BadGrant):
        commands.allow_ae(
            ae_title="CT1", networks=["10.0.0.7"], rights=["store"], limits=AeLimits(**changed)
        )


def test_trust_certificate() -> None:
    digest = "AB" * 32
    colons = ":".join(digest[i : i + 2] for i in range(0, 64, 2))
    made = fact(commands.trust_certificate(fingerprint=colons, label="xds", roles=["system"]))
    assert made.fingerprint == digest.lower()
    with pytest.raises(BadGrant):
        commands.trust_certificate(fingerprint="ab", label="xds", roles=["system"])


def test_only_a_grant_that_is_good_is_revoked() -> None:
    good = GrantState(good=True)
    assert fact(commands.revoke_token(good, token_id="t")).token_id == "t"
    assert fact(commands.revoke_ae(good, ae_title="CT1")).ae_title == "CT1"
    assert fact(commands.revoke_certificate(good, fingerprint="ab")).fingerprint == "ab"
    with pytest.raises(GrantUnknown):
        commands.revoke_token(NO_GRANT, token_id="t")


def test_generated_passwords_are_good_and_differ() -> None:
    made = {check_policy(generate_password()) for _ in range(20)}
    assert len(made) == 20


def test_an_empty_hash_matches_no_password() -> None:
    assert not verify_password("", "")
    assert not verify_password("", GOOD)
    assert not verify_password("not a hash", GOOD)
    assert verify_password(HASH, GOOD)
