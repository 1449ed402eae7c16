"""Who is calling: tokens, AE titles, certificates, loopback; denials and records."""

from __future__ import annotations

import time
from concurrent.futures import Future
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from adapters.guard.guard import AuditUnavailable
from kernel.context import acting_as
from kernel.ledger.ports import LedgerUnavailable
from kernel.refusals import Forbidden, Unauthenticated
from projections.audit_trail.view import AuditQuery, AuditTrail
from registry.access.refusals import SignedOut
from registry.access.values import AeLimits, Resource, Subject
from tests.support.installation import Installation

EVERYTHING = sa.true()


def request(
    headers: dict[str, str] | None = None,
    *,
    address: str = "10.0.0.9",
    path: str = "/dicom-web/studies",
    method: str = "GET",
    extensions: dict[str, Any] | None = None,
) -> Request:
    raw = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    return Request(
        {
            "type": "http", "method": method, "path": path, "headers": raw, "query_string": b"",
            "client": (address, 4711), "extensions": extensions or {},
        }
    )  # fmt: skip


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def tls(fingerprint: str) -> dict[str, Any]:
    return {"pianku.tls": {"fingerprint": fingerprint}}


def recorded(place: Installation, **query: Any) -> list[tuple[str, str, str]]:
    page = AuditTrail(place.views).search(AuditQuery(**query), policy=EVERYTHING)
    return [(row.action, row.outcome, row.detail) for row in page.items]


def test_a_token_is_its_subject(place: Installation) -> None:
    secret = place.token("system", label="ris")
    subject = place.guard.http_subject(request(bearer(secret)))
    assert (subject.kind, subject.label, subject.address) == ("token", "ris", "10.0.0.9")
    assert subject.roles == {"system"}
    assert subject.name.startswith("ris-")


def test_a_new_token_is_good_at_once_and_a_revoked_one_no_more(place: Installation) -> None:
    place.guard.directory.current()
    made = place.administration.issue_token("ris", ["system"])
    place.views.wait("permissions")
    subject = place.guard.http_subject(request(bearer(made.secret)))
    place.administration.revoke_token(subject.name)
    place.guard.directory.refresh()
    with pytest.raises(Unauthenticated):
        place.guard.http_subject(request(bearer(made.secret)))
    # Refusals of strangers are recorded without making them wait: later records come after.
    place.guard.record(subject, "query", "success", "test")
    assert ("login", "denied", "token_unknown") in recorded(place, subject="unknown")


def test_a_revocation_holds_within_a_second_where_nobody_is_told(place: Installation) -> None:
    secret = place.token("system")
    name = place.guard.http_subject(request(bearer(secret))).name
    place.administration.revoke_token(name)
    place.views.wait("permissions")
    deadline = time.monotonic() + 1.0
    while True:
        try:
            place.guard.http_subject(request(bearer(secret)))
        except Unauthenticated:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_expired_token_is_not_good(place: Installation) -> None:
    until = place.clock() + timedelta(hours=1)
    made = place.administration.issue_token("ris", ["system"], until)
    place.guard.directory.refresh()
    place.guard.http_subject(request(bearer(made.secret)))
    place.clock.forward(hours=2)
    with pytest.raises(Unauthenticated):
        place.guard.http_subject(request(bearer(made.secret)))


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer wrong", "Basic bGluOmxpbg==", "Bearer " + "x" * 10_000]
)
def test_what_is_offered_and_wrong_is_not_passed_over(
    demo_place: Installation, header: str
) -> None:
    wrong = request({"Authorization": header}, address="127.0.0.1", path="/xds/registry")
    with pytest.raises(Unauthenticated):
        demo_place.guard.http_subject(wrong)


def test_nobody_is_nobody(place: Installation) -> None:
    with pytest.raises(SignedOut):
        place.guard.http_subject(request())
    with pytest.raises(SignedOut):
        place.guard.http_subject(request({"Cookie": "pianku_session=made-up"}))


def test_a_certificate_is_its_subject(place: Installation) -> None:
    with pytest.raises(Unauthenticated):
        place.guard.http_subject(request(extensions=tls("ab" * 32)))
    place.administration.trust_certificate("ab" * 32, "xds-source", ["system"])
    place.guard.directory.refresh()
    subject = place.guard.http_subject(request(extensions=tls("ab" * 32)))
    assert (subject.kind, subject.name) == ("certificate", "xds-source")
    place.administration.revoke_certificate("ab" * 32)
    place.guard.directory.refresh()
    with pytest.raises(Unauthenticated):
        place.guard.http_subject(request(extensions=tls("ab" * 32)))


def test_an_ae_title_from_its_network(place: Installation) -> None:
    place.administration.allow_ae("CT1", ["10.1.0.0/16"], ["store", "echo"])
    place.administration.allow_ae(
        "WS1", ["10.2.0.1"], ["find", "move"], host="10.2.0.1", port=11112
    )
    place.guard.directory.refresh()
    subject = place.guard.ae_subject("CT1 ", "10.1.2.3")
    assert (subject.name, subject.kind, subject.rights) == ("CT1", "ae", {"store", "echo"})
    place.guard.ae_subject("CT1", "::ffff:10.1.2.3")
    place.guard.check(subject, "store", Resource("instance"))
    with pytest.raises(Forbidden):
        place.guard.check(subject, "find", Resource("study"))
    for title, address in (("CT1", "10.2.0.1"), ("CT2", "10.1.2.3"), ("CT1", ""), ("", "10.1.2.3")):
        with pytest.raises(Unauthenticated):
            place.guard.ae_subject(title, address)
    assert place.guard.destination("WS1") == ("10.2.0.1", 11112)
    assert place.guard.destination("CT1") is None
    place.administration.revoke_ae("CT1")
    place.guard.directory.refresh()
    with pytest.raises(Unauthenticated):
        place.guard.ae_subject("CT1", "10.1.2.3")


def test_an_ae_title_is_tied_to_its_certificate(place: Installation) -> None:
    known = "ab" * 32
    guard, network = place.guard, ["10.1.0.0/16"]
    place.administration.allow_ae("CT1", network, ["store"], limits=AeLimits(tls=True))
    place.administration.allow_ae(
        "CT2", network, ["store"], limits=AeLimits(certificates=(known,), max_associations=3)
    )
    guard.directory.refresh()
    for shown in ("", known, "cd" * 32):
        assert guard.ae_subject("CT1", "10.1.2.3", shown).name == "CT1"
    assert guard.ae_subject("CT2", "10.1.2.3", known).name == "CT2"
    for title, fingerprint in (("CT1", None), ("CT2", None), ("CT2", ""), ("CT2", "cd" * 32)):
        with pytest.raises(Unauthenticated):
            guard.ae_subject(title, "10.1.2.3", fingerprint)
    assert guard.ae_limits("CT2 ").max_associations == 3
    assert guard.ae_limits("CT3") == AeLimits()


def test_a_star_stands_for_any_title(place: Installation) -> None:
    place.administration.allow_ae("*", ["127.0.0.0/8"], ["echo"])
    place.guard.directory.refresh()
    assert place.guard.ae_subject("ANY", "127.0.0.1").name == "ANY"


def test_a_sending_application_on_mllp(place: Installation) -> None:
    place.administration.allow_ae("HIS", ["10.3.0.0/24"], ["feed"])
    place.guard.directory.refresh()
    subject = place.guard.mllp_subject("HIS", "10.3.0.5")
    place.guard.check(subject, "feed", Resource("patient"))
    with pytest.raises(Unauthenticated):
        place.guard.mllp_subject("HIS", "10.4.0.5")
    with pytest.raises(Unauthenticated):
        place.guard.mllp_subject("HIS", "127.0.0.1")


def test_loopback_is_somebody_in_the_demo_only_on_the_doors_of_systems(
    place: Installation, demo_place: Installation
) -> None:
    local = {"address": "127.0.0.1", "path": "/xds/registry"}
    assert demo_place.guard.http_subject(request(**local)).name == "loopback"
    assert demo_place.guard.mllp_subject("HIS", "::1").name == "loopback"
    assert demo_place.guard.ae_subject("ANY", "127.0.0.1").name == "ANY"
    for refused in (
        request(address="127.0.0.1", path="/dicom-web/studies"),
        request(address="127.0.0.1", path="/api/v1/audit"),
        request(address="10.0.0.9", path="/xds/registry"),
        request({"Origin": "http://evil.example"}, **local),
        request({"X-Forwarded-For": "10.0.0.9"}, **local),
    ):
        with pytest.raises(SignedOut):
            demo_place.guard.http_subject(refused)
    with pytest.raises(SignedOut):
        place.guard.http_subject(request(**local))
    with pytest.raises(Unauthenticated):
        place.guard.ae_subject("ANY", "127.0.0.1")


def test_a_denial_is_recorded_with_what_was_asked(place: Installation) -> None:
    key = uuid4()
    admin = Subject("ops", "account", frozenset({"system_admin"}), "10.0.0.9")
    with pytest.raises(Forbidden) as refused:
        place.guard.check(
            admin, "view", Resource("study", key, "1.2.3"), transaction="portal.study"
        )
    assert "1.2.3" not in str(refused.value)
    (row,) = AuditTrail(place.views).search(AuditQuery(patient_key=key), policy=EVERYTHING).items
    assert (row.subject, row.outcome, row.transaction) == ("ops", "denied", "portal.study")
    assert (row.address, row.study_uids, row.node) == ("10.0.0.9", ("1.2.3",), "test")


def test_records_share_the_correlation_of_the_request(place: Installation) -> None:
    subject = Subject("lin", "account", frozenset({"clinician"}))
    with acting_as(place.guard.envelope(subject, "portal")) as envelope:
        place.guard.record(subject, "query", "success", "portal.search", count=3)
        place.guard.record(subject, "view", "success", "portal.study")
    page = AuditTrail(place.views).search(AuditQuery(subject="lin"), policy=EVERYTHING)
    assert {row.correlation for row in page.items} == {envelope.correlation}
    assert page.by_action == {"query": 1, "view": 1}
    assert {row.protocol for row in page.items} == {"portal"}


@pytest.mark.tender("R-4.1")
def test_no_record_no_answer(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_batch: object) -> Future[int]:
        future: Future[int] = Future()
        future.set_exception(LedgerUnavailable("disk full"))
        return future

    monkeypatch.setattr(place.access, "append_soon", full)
    subject = Subject("lin", "account", frozenset({"clinician"}))
    with pytest.raises(AuditUnavailable):
        place.guard.record(subject, "view", "success", "portal.study")
    with pytest.raises(AuditUnavailable):
        place.guard.check(subject, "configure", Resource("account"))
