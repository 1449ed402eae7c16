"""Accounts, clients and the audit over HTTP; OpenAPI; faults."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fastapi import FastAPI

from adapters.portal import faults
from adapters.portal.endpoint import build_router
from adapters.portal.ports import Portal
from kernel.ledger.ports import LedgerUnavailable
from kernel.refusals import Refusal, leaves
from tests.adapters.portal.conftest import Browser, House
from tests.support.archive import stable
from tests.support.installation import PASSWORD

NEW = {"login": "mei", "display_name": "梅医生", "roles": ["clinician"], "password": PASSWORD}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


@pytest.mark.tender("R-6.2.12")
def test_accounts(house: House) -> None:
    admin = house.browser("security_admin")
    answer = admin.post("/accounts", {**NEW, "must_change": False})
    assert answer.status_code == 201
    assert PASSWORD not in answer.text
    assert "argon2" not in answer.text
    doctor = house.browser()
    doctor.sign_in("mei")
    assert code(admin.post("/accounts", NEW)) == (409, "account_exists")
    listed = {row["login"]: row for row in admin.get("/accounts").json()}
    assert listed["mei"]["roles"] == ["clinician"]
    answer = admin.send("PUT", "/accounts/mei/roles", json={"roles": ["audit_admin"]})
    assert answer.json()["roles"] == ["audit_admin"]
    assert doctor.get("/session").json()["roles"] == ["audit_admin"]
    assert code(doctor.post("/studies/search", {})) == (403, "forbidden")
    reset = admin.send("PUT", "/accounts/mei/password", json={"password": "Other-1-Good"})
    assert reset.json()["must_change"]
    assert doctor.get("/session").status_code == 401
    assert doctor.sign_in("mei", "Other-1-Good")["must_change_password"]
    assert admin.post("/accounts/mei/disable", {"reason": "left"}).json()["disabled"]
    assert doctor.get("/session").status_code == 401
    assert code(admin.send("PUT", "/accounts/nobody/roles", json={"roles": ["clinician"]})) == (
        404, "account_unknown",
    )  # fmt: skip


@pytest.mark.tender("P-5")
@pytest.mark.tender("R-4.4")
@pytest.mark.parametrize(
    "roles",
    [
        ["system_admin", "audit_admin"], ["system_admin", "security_admin"],
        ["security_admin", "audit_admin"], ["clinician", "system_admin"],
    ],
)  # fmt: skip
def test_one_account_never_holds_two(sqlite_house: House, roles: list[str]) -> None:
    admin = sqlite_house.browser("security_admin")
    assert code(admin.post("/accounts", {**NEW, "roles": roles})) == (400, "roles_exclude")
    admin.post("/accounts", NEW)
    answer = admin.send("PUT", "/accounts/mei/roles", json={"roles": roles})
    assert code(answer) == (400, "roles_exclude")


def test_nobody_serves_himself(sqlite_house: House) -> None:
    admin = sqlite_house.browser("security_admin")
    me = admin.get("/session").json()["user"]
    for answer in (
        admin.send("PUT", f"/accounts/{me}/roles", json={"roles": ["clinician"]}),
        admin.send("PUT", f"/accounts/{me}/password", json={"password": "Other-1-Good"}),
        admin.post(f"/accounts/{me}/disable", {}),
    ):
        assert code(answer) == (403, "own_account")


@pytest.mark.parametrize("role", ["clinician", "system_admin", "audit_admin"])
def test_only_the_security_administrator_grants(sqlite_house: House, role: str) -> None:
    browser = sqlite_house.browser(role)
    attempts = [
        browser.get("/accounts"), browser.post("/accounts", NEW), browser.get("/tokens"),
        browser.post("/tokens", {"label": "x", "roles": ["system"]}),
        browser.get("/ae-titles"), browser.get("/certificates"),
        browser.post("/ae-titles", {"ae_title": "X", "networks": [], "rights": ["echo"]}),
        browser.post("/certificates", {"fingerprint": "ab" * 32, "label": "x", "roles": ["system"]}),
        browser.send("DELETE", "/tokens/x"), browser.send("DELETE", "/ae-titles/x"),
        browser.send("DELETE", "/certificates/x"),
    ]  # fmt: skip
    if role != "audit_admin":
        attempts.append(browser.get("/audit"))
    assert {code(answer) for answer in attempts} == {(403, "forbidden")}


def test_tokens(house: House) -> None:
    admin = house.browser("security_admin")
    answer = admin.post("/tokens", {"label": "ris", "roles": ["system"]})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    client = house.browser().client
    search = {"json": {}, "headers": headers}
    assert client.post("/api/v1/studies/search", **search).status_code == 200
    (listed,) = admin.get("/tokens").json()
    assert listed["token_id"] == made["token_id"]
    assert made["token"] not in str(listed)
    assert admin.send("DELETE", f"/tokens/{made['token_id']}").status_code == 204
    assert client.post("/api/v1/studies/search", **search).status_code == 401
    assert code(admin.send("DELETE", f"/tokens/{made['token_id']}")) == (404, "grant_unknown")
    late = {"label": "late", "roles": ["system"], "expires_at": "2026-05-03T11:00:00"}
    expired = admin.post("/tokens", late).json()
    headers["Authorization"] = f"Bearer {expired['token']}"
    assert client.post("/api/v1/studies/search", **search).status_code == 401


def test_ae_titles_and_certificates(house: House) -> None:
    admin = house.browser("security_admin")
    grant = {"ae_title": "CT1", "networks": ["10.1.0.0/16"], "rights": ["store", "echo"],
             "host": "10.1.0.9", "port": 104}  # fmt: skip
    assert admin.post("/ae-titles", grant).json()["rights"] == ["echo", "store"]
    assert house.place.guard.ae_subject("CT1", "10.1.0.9").rights == {"echo", "store"}
    assert [row["ae_title"] for row in admin.get("/ae-titles").json()] == ["CT1"]
    assert code(admin.post("/ae-titles", {**grant, "networks": ["x"]})) == (400, "bad_grant")
    limits = {"services": ["echo"], "sop_classes": ["images"], "max_associations": 2, "tls": True}
    held = admin.post("/ae-titles", {**grant, "limits": limits}).json()["limits"]
    assert held == {**limits, "transfer_syntaxes": [], "certificates": [], "reached_by_tls": False}
    assert admin.get("/ae-titles").json()[0]["limits"] == held
    wrong = {**grant, "limits": {"services": ["delete"]}}
    assert code(admin.post("/ae-titles", wrong)) == (400, "bad_grant")
    assert admin.send("DELETE", "/ae-titles/CT1").status_code == 204
    assert admin.get("/ae-titles").json() == []
    trust = {"fingerprint": "AB:" * 31 + "AB", "label": "xds", "roles": ["system"]}
    assert admin.post("/certificates", trust).json()["fingerprint"] == "ab" * 32
    assert house.place.guard.certificate_subject("ab" * 32, "").name == "xds"
    assert admin.send("DELETE", f"/certificates/{'ab' * 32}").status_code == 204
    assert admin.get("/certificates").json() == []


@pytest.mark.tender("R-4.1", "R-6.2.19.1")
@pytest.mark.tender("R-4.1")
def test_the_audit_tells_who_did_what_and_reading_it_is_told(house: House) -> None:
    house.store(study="A", PatientID="P1")
    doctor, auditor = house.browser("clinician"), house.browser("audit_admin")
    name = doctor.get("/session").json()["user"]
    doctor.get(f"/studies/{stable('A')}")
    doctor.get("/audit")
    page = auditor.get("/audit", params={"user": name}).json()
    assert page["by_action"] == {"login": 1, "view": 1, "read-audit": 1}
    assert page["by_outcome"] == {"success": 2, "denied": 1}
    denied, view, _login = page["items"]
    assert (denied["action"], denied["outcome"]) == ("read-audit", "denied")
    assert view["patient_keys"] == [str(house.key("P1"))]
    assert view["study_uids"] == [stable("A")]
    assert view["address"] == "testclient"
    by_patient = auditor.get("/audit", params={"patient_key": str(house.key("P1"))}).json()
    assert by_patient["total"] == 1
    own = auditor.get("/audit", params={"action": "read-audit", "outcome": "success"}).json()
    assert own["total"] == 2
    assert own["items"][0]["detail"] == "patient_key"
    future = auditor.get("/audit", params={"since": "2100-01-01T00:00:00"}).json()
    assert future["total"] == 0
    for wrong in ({"patient_key": "x"}, {"since": "x"}, {"limit": 9999}, {"other": 1}):
        assert code(auditor.get("/audit", params=wrong)) == (400, "invalid")


@pytest.mark.tender("P-10")
def test_no_record_no_answer(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_house.store(study="A", PatientID="P1")
    browser = sqlite_house.browser("clinician")

    def full(_batch: object) -> None:
        raise LedgerUnavailable("disk full")

    monkeypatch.setattr(sqlite_house.place.access, "append_soon", full)
    for answer in (
        browser.post("/studies/search", {}),
        browser.get(f"/studies/{stable('A')}"),
        browser.client.post("/api/v1/session", json={"user": "x", "password": "y"}),
    ):
        assert code(answer) == (503, "audit_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "Archive" not in answer.text


def test_a_bug_is_answered_without_its_words(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Zhang San")

    monkeypatch.setattr(type(sqlite_house.portal.studies), "search_studies", broken)
    answer = sqlite_house.browser("clinician").post("/studies/search", {})
    assert code(answer) == (500, "internal_error")
    assert "Zhang" not in answer.text


def test_every_refusal_has_a_status() -> None:
    for kind in leaves(Refusal):
        refusal = kind.__new__(kind)
        Refusal.__init__(refusal, "no")
        refusal.retry_after_seconds = 5  # what an Unavailable has besides
        answer = faults.refused(refusal)
        assert 400 <= answer.status_code < 600
        assert answer.media_type == "application/problem+json"


def test_openapi_is_complete_without_an_installation() -> None:
    app = FastAPI()
    app.include_router(build_router(cast("Portal", None)))
    described = app.openapi()
    operations = {
        operation["operationId"]: operation
        for path in described["paths"].values()
        for operation in path.values()
    }
    assert {"sign_in", "read_session", "sign_out", "search_studies", "read_study",
            "read_timeline", "read_document", "read_audit", "list_accounts"} <= set(operations)  # fmt: skip
    for name, operation in operations.items():
        assert operation["tags"], name
        assert operation["description"], name
        assert "401" in operation["responses"], name
    assert {"StudyRow", "StudyPage", "StudyDetail", "SeriesRow", "Timeline", "DocumentRow",
            "Session", "Problem"} <= set(described["components"]["schemas"])  # fmt: skip


def test_methods_and_paths_that_are_not(sqlite_house: House) -> None:
    browser: Browser = sqlite_house.browser("clinician")
    assert browser.send("PATCH", "/session").status_code == 405
    assert browser.get("/nothing").status_code == 404
