"""Sessions: fixation, CSRF, lockout, expiry, timing, what ends them."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from adapters.guard.sessions import SessionStore
from kernel.refusals import Unauthenticated
from projections.audit_trail.view import AuditQuery, AuditTrail
from registry.access.refusals import (
    AccountLocked,
    BadCredentials,
    CsrfMissing,
    PasswordMustChange,
    SignedOut,
)
from tests.adapters.guard.test_guard import request
from tests.support.installation import PASSWORD, Installation


def cookie(secret: str, csrf: str = "") -> dict[str, str]:
    headers = {"Cookie": f"theme=dark; pianku_session={secret}"}
    return {**headers, "X-Pianku-Csrf": csrf} if csrf else headers


def test_sign_in_and_out(place: Installation) -> None:
    place.account("lin", "clinician")
    signed = place.sign_in.sign_in(" LIN ", PASSWORD, "10.0.0.9")
    subject = place.guard.http_subject(request(cookie(signed.session.secret)))
    assert (subject.name, subject.kind, subject.roles) == ("lin", "account", {"clinician"})
    place.sign_in.sign_out(signed)
    with pytest.raises(SignedOut):
        place.guard.http_subject(request(cookie(signed.session.secret)))
    page = AuditTrail(place.views).search(AuditQuery(subject="lin"), policy=sa.true())
    assert page.by_action == {"login": 1, "logout": 1}


def test_ids_are_random_and_lie_hashed(place: Installation) -> None:
    place.account("lin", "clinician")
    first = place.sign_in.sign_in("lin", PASSWORD, "a").session
    second = place.sign_in.sign_in("lin", PASSWORD, "a").session
    assert first.secret != second.secret
    assert len(first.secret) >= 43
    with place.sessions._reader.connect() as connection:
        stored = repr(connection.execute(sa.text("SELECT * FROM web_session")).all())
    assert first.secret not in stored
    assert first.csrf not in stored


def test_a_session_is_never_taken_over(place: Installation) -> None:
    """Fixation: the id the browser came with does not become the signed-in one."""
    place.account("lin", "clinician")
    place.account("mei", "clinician")
    planted = place.sign_in.sign_in("mei", PASSWORD, "a").session
    signed = place.sign_in.sign_in("lin", PASSWORD, "a", replaces=planted.secret)
    assert signed.session.secret != planted.secret
    with pytest.raises(SignedOut):
        place.guard.http_subject(request(cookie(planted.secret)))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_change_needs_the_csrf_token(place: Installation, method: str) -> None:
    place.account("lin", "clinician")
    session = place.sign_in.sign_in("lin", PASSWORD, "a").session
    for csrf in ("", "wrong", session.csrf[:-1], session.csrf + "0", "é"):
        with pytest.raises(CsrfMissing):
            place.guard.http_subject(request(cookie(session.secret, csrf), method=method))
    place.guard.http_subject(request(cookie(session.secret, session.csrf), method=method))
    place.guard.http_subject(request(cookie(session.secret), method="GET"))


@pytest.mark.tender("R-4.4")
def test_five_failures_lock_for_half_an_hour(place: Installation) -> None:
    place.account("lin", "clinician")
    for _ in range(5):
        with pytest.raises(BadCredentials):
            place.sign_in.sign_in("lin", "wrong", "a")
    with pytest.raises(AccountLocked):
        place.sign_in.sign_in("lin", PASSWORD, "a")
    place.clock.forward(minutes=29)
    with pytest.raises(AccountLocked):
        place.sign_in.sign_in("lin", PASSWORD, "a")
    place.clock.forward(minutes=2)
    place.sign_in.sign_in("lin", PASSWORD, "a")
    details = [
        row.detail
        for row in AuditTrail(place.views)
        .search(AuditQuery(subject="lin", outcome="denied"), policy=sa.true())
        .items
    ]
    assert details == ["account_locked"] * 2 + ["locked_now"] + ["bad_credentials"] * 4


def test_a_success_forgets_the_failures(place: Installation) -> None:
    place.account("lin", "clinician")
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(BadCredentials):
                place.sign_in.sign_in("lin", "wrong", "a")
        place.sign_in.sign_in("lin", PASSWORD, "a")


def test_an_unknown_user_is_locked_like_a_known_one(place: Installation) -> None:
    for _ in range(5):
        with pytest.raises(BadCredentials):
            place.sign_in.sign_in("nobody", "wrong", "a")
    with pytest.raises(AccountLocked):
        place.sign_in.sign_in("nobody", "wrong", "a")


def test_a_volley_gets_no_more_than_five_guesses(place: Installation) -> None:
    place.account("lin", "clinician")
    said: list[type[Exception]] = []
    sign_in = place.sign_in

    def guess() -> None:
        try:
            sign_in.sign_in("lin", "wrong", "a")
        except Unauthenticated as refusal:
            said.append(type(refusal))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count(BadCredentials) == 5
    assert said.count(AccountLocked) == 7


def test_known_and_unknown_users_cost_the_same_work(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.account("lin", "clinician")
    hashed: list[str] = []
    real = PasswordHasher.verify

    def counted(self: PasswordHasher, hash: str, password: str) -> bool:  # noqa: A002
        hashed.append(hash)
        return real(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for user in ("lin", "nobody"):
        with pytest.raises(BadCredentials):
            place.sign_in.sign_in(user, "wrong", "a")
    known, unknown = hashed
    # The same algorithm with the same parameters: as much memory and as many rounds.
    assert known.split("$")[1:4] == unknown.split("$")[1:4]


@pytest.mark.tender("P-2")
def test_idle_and_absolute_limits(place: Installation) -> None:
    place.account("lin", "clinician")
    idle = place.sign_in.sign_in("lin", PASSWORD, "a").session
    place.clock.forward(minutes=31)
    with pytest.raises(SignedOut):
        place.guard.http_subject(request(cookie(idle.secret)))
    busy = place.sign_in.sign_in("lin", PASSWORD, "a").session
    for _ in range(35):
        place.clock.forward(minutes=20)
        place.guard.http_subject(request(cookie(busy.secret)))
    place.clock.forward(minutes=21)
    with pytest.raises(SignedOut):
        place.guard.http_subject(request(cookie(busy.secret)))


def test_a_viewer_that_refreshes_itself_keeps_no_session_alive(place: Installation) -> None:
    place.account("lin", "clinician")
    secret = place.sign_in.sign_in("lin", PASSWORD, "a").session.secret
    unattended = {**cookie(secret), "x-pianku-unattended": "1"}
    for _ in range(2):
        place.clock.forward(minutes=14)
        place.guard.http_subject(request(unattended))
    place.clock.forward(minutes=3)
    with pytest.raises(SignedOut):
        place.guard.http_subject(request(unattended))


def test_a_disabled_account_is_out_and_cannot_come_in(place: Installation) -> None:
    place.account("lin", "clinician")
    session = place.sign_in.sign_in("lin", PASSWORD, "a").session
    place.administration.disable("lin", "left the hospital")
    place.guard.directory.refresh()
    with pytest.raises(SignedOut):
        place.guard.http_subject(request(cookie(session.secret)))
    with pytest.raises(BadCredentials):
        place.sign_in.sign_in("lin", PASSWORD, "a")


def test_roles_are_those_of_now(place: Installation) -> None:
    place.account("lin", "clinician")
    session = place.sign_in.sign_in("lin", PASSWORD, "a").session
    place.administration.assign_roles("lin", ["audit_admin"], by="sec")
    place.guard.directory.refresh()
    assert place.guard.http_subject(request(cookie(session.secret))).roles == {"audit_admin"}


def test_a_changed_password_ends_the_other_sessions(place: Installation) -> None:
    place.account("lin", "clinician")
    other = place.sign_in.sign_in("lin", PASSWORD, "a")
    mine = place.sign_in.sign_in("lin", PASSWORD, "a")
    place.administration.change_password("lin", "Other-1-Good", PASSWORD)
    place.clock.forward(seconds=30)
    renewed = place.sign_in.renew(mine)
    place.guard.http_subject(request(cookie(renewed.session.secret)))
    for old in (other, mine):
        with pytest.raises(SignedOut):
            place.guard.http_subject(request(cookie(old.session.secret)))
    with pytest.raises(BadCredentials):
        place.sign_in.sign_in("lin", PASSWORD, "a")


def test_a_password_that_must_change_opens_nothing(place: Installation) -> None:
    place.administration.create_account("new", "New", ["clinician"], PASSWORD)
    place.guard.directory.refresh()
    session = place.sign_in.sign_in("new", PASSWORD, "a").session
    with pytest.raises(PasswordMustChange):
        place.guard.http_subject(request(cookie(session.secret)))
    assert place.guard.signed_in(request(cookie(session.secret))).account.must_change


def test_a_password_of_ninety_days_must_change(place: Installation) -> None:
    place.account("lin", "clinician")
    place.clock.forward(days=89)
    assert not place.sign_in.sign_in("lin", PASSWORD, "a").must_change
    place.clock.forward(days=2)
    signed = place.sign_in.sign_in("lin", PASSWORD, "a")
    assert signed.must_change
    with pytest.raises(PasswordMustChange):
        place.guard.http_subject(request(cookie(signed.session.secret)))


def test_an_endless_password_costs_no_more(place: Installation) -> None:
    place.account("lin", "clinician")
    with pytest.raises(BadCredentials):
        place.sign_in.sign_in("lin", "x" * 10_000_000, "a")


def test_processes_may_create_the_tables_together(place: Installation) -> None:
    stores = [SessionStore(place.sessions._reader, place.sessions._writer) for _ in range(4)]
    threads = [threading.Thread(target=store.create) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
