"""The permissions view on both engines: every fact of the access room, replay equals live."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import sqlalchemy as sa

from projections.permissions.policy import clause
from projections.permissions.view import PermissionsView, Snapshot
from registry.access.values import AeLimits, Subject
from tests.support.installation import PASSWORD, Installation, installation, on_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Installation]:
    with installation(tmp_path, **on_engine(request)) as made:
        yield made


def snapshot(place: Installation) -> Snapshot:
    return PermissionsView(place.views).snapshot(fresh=True)


def test_every_fact_has_its_row(place: Installation) -> None:
    doing = place.administration
    doing.create_account("lin", "林", ["clinician"], PASSWORD)
    account = snapshot(place).accounts["lin"]
    assert (account.roles, account.must_change, account.disabled) == (("clinician",), True, False)
    assert account.password_hash not in repr(account)
    doing.change_password("lin", "Other-1-Good", PASSWORD)
    changed = snapshot(place).accounts["lin"]
    assert not changed.must_change
    assert changed.password_hash != account.password_hash
    assert changed.password_at >= account.password_at
    doing.assign_roles("lin", ["audit_admin"], by="sec")
    doing.disable("lin")
    last = snapshot(place).accounts["lin"]
    assert (last.roles, last.disabled) == (("audit_admin",), True)

    token = doing.issue_token("ris", ["system"])
    (row,) = snapshot(place).tokens.values()
    assert (row.token_id, row.label, row.roles) == (token.token_id, "ris", ("system",))
    doing.revoke_token(token.token_id)
    assert snapshot(place).tokens == {}

    doing.allow_ae("CT1", ["10.0.0.0/8"], ["store"])
    doing.allow_ae("CT1", ["10.1.0.0/16"], ["store", "find"])
    assert snapshot(place).ae_titles["CT1"].networks == ("10.1.0.0/16",)
    assert snapshot(place).ae_titles["CT1"].limits == AeLimits()
    limits = AeLimits(services=("echo",), max_associations=2, tls=True, certificates=("ab" * 32,))
    doing.allow_ae("CT1", ["10.1.0.0/16"], ["store"], limits=limits)
    assert snapshot(place).ae_titles["CT1"].limits == limits
    doing.allow_ae("CT1", ["10.1.0.0/16"], ["store"])
    assert snapshot(place).ae_titles["CT1"].limits == AeLimits()
    doing.revoke_ae("CT1")
    assert snapshot(place).ae_titles == {}

    doing.trust_certificate("ab" * 32, "xds", ["system"])
    assert snapshot(place).certificates["ab" * 32].label == "xds"
    doing.revoke_certificate("ab" * 32)
    assert snapshot(place).certificates == {}


def test_the_position_tells_of_news(place: Installation) -> None:
    view = PermissionsView(place.views)
    before = view.position()
    place.administration.issue_token("ris", ["system"])
    view.wait()
    assert view.position() > before
    assert view.snapshot().position == view.position()[1]


def test_the_policy_clause() -> None:
    def text(*roles: str) -> str:
        return str(clause(Subject("s", "account", frozenset(roles)), "query", "study"))

    assert text("clinician") == text("system") == str(sa.true())
    assert text("system_admin") == text("audit_admin") == text() == str(sa.false())
