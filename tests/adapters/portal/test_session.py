"""The session as a browser sees it: cookie, CSRF, lockout words, password change."""

from __future__ import annotations

import pytest

from tests.adapters.portal.conftest import House
from tests.support.installation import PASSWORD


def test_sign_in_tells_the_session_and_sets_a_guarded_cookie(sqlite_house: House) -> None:
    sqlite_house.place.account("lin", "clinician")
    browser = sqlite_house.browser()
    answer = browser.client.post("/api/v1/session", json={"user": "lin", "password": PASSWORD})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["user"], body["display_name"], body["roles"]) == ("lin", "Lin", ["clinician"])
    assert body["csrf"]
    assert body["expires_at"].startswith("2026-05-03T04:30:00")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("pianku_session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {p.strip() for p in cookie.split(";")}
    assert "Secure" not in cookie
    assert browser.client.get("/api/v1/session").json() == body
    assert answer.headers["cache-control"] == "no-store"


def test_the_cookie_is_secure_over_tls(sqlite_house: House) -> None:
    sqlite_house.place.account("lin", "clinician")
    browser = sqlite_house.browser(base="https://testserver")
    answer = browser.client.post("/api/v1/session", json={"user": "lin", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.tender("P-2")
@pytest.mark.parametrize("user", ["lin", "nobody"])
def test_wrong_words_then_locked(sqlite_house: House, user: str) -> None:
    sqlite_house.place.account("lin", "clinician")
    client = sqlite_house.browser().client
    codes = [
        client.post("/api/v1/session", json={"user": user, "password": "wrong"}) for _ in range(6)
    ]
    assert [answer.status_code for answer in codes] == [401] * 6
    assert [answer.json()["code"] for answer in codes] == ["bad_credentials"] * 5 + [
        "account_locked"
    ]
    assert codes[0].headers["content-type"] == "application/problem+json"
    assert set(codes[0].json()) == {"type", "title", "status", "code", "detail"}
    assert "set-cookie" not in codes[0].headers


def test_nobody_is_signed_in(sqlite_house: House) -> None:
    browser = sqlite_house.browser()
    assert browser.get("/session").json()["code"] == "signed_out"
    assert browser.send("DELETE", "/session").status_code == 204


@pytest.mark.tender("R-6.1.1.5")
def test_sign_out_ends_the_session_on_the_server(sqlite_house: House) -> None:
    browser = sqlite_house.browser("clinician")
    secret = browser.client.cookies["pianku_session"]
    assert browser.client.delete("/api/v1/session").json()["code"] == "csrf"
    assert browser.send("DELETE", "/session").status_code == 204
    browser.client.cookies.set("pianku_session", secret)
    assert browser.get("/session").status_code == 401


def test_a_new_sign_in_replaces_the_session(sqlite_house: House) -> None:
    browser = sqlite_house.browser("clinician")
    planted = browser.client.cookies["pianku_session"]
    sqlite_house.place.account("lin", "clinician")
    browser.sign_in("lin")
    assert browser.client.cookies["pianku_session"] != planted
    other = sqlite_house.browser()
    other.client.cookies.set("pianku_session", planted)
    assert other.get("/session").status_code == 401


def test_a_change_without_the_token_is_refused(sqlite_house: House) -> None:
    browser = sqlite_house.browser("clinician")
    browser.csrf = ""
    answer = browser.post("/studies/search", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


def test_change_the_own_password(sqlite_house: House) -> None:
    place = sqlite_house.place
    place.administration.create_account("new", "New", ["clinician"], PASSWORD)
    place.guard.directory.refresh()
    browser, other = sqlite_house.browser(), sqlite_house.browser()
    assert browser.sign_in("new")["must_change_password"]
    other.sign_in("new")
    answer = browser.post("/studies/search", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "password_must_change")

    def change(current: str, new: str) -> tuple[int, str]:
        answer = browser.send("PUT", "/session/password", json={"current": current, "new": new})
        body = answer.json()
        browser.csrf = body.get("csrf", browser.csrf)
        return answer.status_code, body.get("code", "")

    assert change(PASSWORD, "weak") == (400, "weak_password")
    assert change("wrong", "Other-1-Good") == (401, "bad_credentials")
    assert change(PASSWORD, "Other-1-Good") == (200, "")
    assert browser.post("/studies/search", {}).status_code == 200
    assert other.get("/session").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"user":"lin"}', b'{"user":1,"password":"x"}',
        b'{"user":"lin","password":"x","more":1}', b'{"user":"' + b"x" * 200 + b'","password":"x"}',
    ],
)  # fmt: skip
def test_malformed_sign_in(sqlite_house: House, body: bytes) -> None:
    answer = sqlite_house.browser().client.post(
        "/api/v1/session", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert "lin" not in answer.text


def test_a_form_cannot_sign_in(sqlite_house: House) -> None:
    """Login CSRF: what another site's form can send is no sign-in."""
    sqlite_house.place.account("lin", "clinician")
    answer = sqlite_house.browser().client.post(
        "/api/v1/session",
        content=f'{{"user":"lin","password":"{PASSWORD}"}}'.encode(),
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


def test_a_body_without_end_is_cut(sqlite_house: House) -> None:
    answer = sqlite_house.browser().client.post(
        "/api/v1/session",
        content=b'{"user":"' + b"x" * 1_000_000,
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
