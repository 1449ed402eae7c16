"""The audit trail on both engines: search, counts, pages, what is forbidden is not counted."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from projections.audit_trail.projection import SPEC
from projections.audit_trail.view import AuditPage, AuditQuery, AuditTrail
from registry.access.values import Subject
from tests.support.installation import Installation, installation, on_engine

LIN = Subject("lin", "account", frozenset({"clinician"}), "10.0.0.9")
CT1 = Subject("CT1", "ae", frozenset({"system"}), "10.1.0.7")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Installation]:
    with installation(tmp_path, [SPEC], **on_engine(request)) as made:
        yield made


def find(place: Installation, **query: Any) -> AuditPage:
    return AuditTrail(place.views).search(AuditQuery(**query), policy=sa.true())


@pytest.mark.tender("R-4.1")
def test_search(place: Installation) -> None:
    one, two = uuid4(), uuid4()
    record = place.guard.record
    record(LIN, "query", "success", "portal.search", patient_keys=[one, two], count=2)
    record(LIN, "view", "success", "portal.study", patient_keys=[one], study_uids=["1.2"])
    record(LIN, "view", "denied", "portal.document", document_ids=["d1"], detail="no_role_allows")
    record(CT1, "store", "success", "C-STORE", patient_keys=[two], study_uids=["1.3"], count=64)

    page = find(place)
    assert (page.total, page.by_outcome) == (4, {"success": 3, "denied": 1})
    assert page.by_action == {"query": 1, "view": 2, "store": 1}
    assert [row.transaction for row in page.items] == [
        "C-STORE", "portal.document", "portal.study", "portal.search",
    ]  # fmt: skip
    newest = page.items[0]
    assert (newest.subject, newest.subject_kind, newest.address) == ("CT1", "ae", "10.1.0.7")
    assert (newest.count, newest.study_uids, newest.node) == (64, ("1.3",), "test")
    assert set(page.items[-1].patient_keys) == {str(one), str(two)}

    assert find(place, subject="lin").total == 3
    assert find(place, patient_key=one).total == 2
    assert find(place, patient_key=two, action="store").total == 1
    assert find(place, study_uid="1.2").total == 1
    assert find(place, document_id="d1").total == 1
    assert find(place, outcome="denied", action="view").total == 1
    assert find(place, transaction="C-STORE", address="10.1.0.7").total == 1
    assert find(place, patient_key=uuid4()).total == 0
    hour = timedelta(hours=1)
    assert find(place, since=newest.at - hour, until=newest.at + hour).total == 4
    assert find(place, since=newest.at + hour).total == 0
    assert find(place, until=page.items[-1].at).total == 0


def test_pages(place: Installation) -> None:
    for number in range(5):
        place.guard.record(LIN, "view", "success", "portal.study", count=number)
    trail = AuditTrail(place.views)
    pages = [
        trail.search(AuditQuery(), policy=sa.true(), offset=offset, limit=2)
        for offset in (0, 2, 4, 6)
    ]
    assert [[row.count for row in page.items] for page in pages] == [[4, 3], [2, 1], [0], []]
    assert {page.total for page in pages} == {5}


def test_what_is_forbidden_is_not_counted(place: Installation) -> None:
    place.guard.record(LIN, "view", "success", "portal.study")
    page = AuditTrail(place.views).search(AuditQuery(), policy=sa.false())
    assert (page.total, page.items, page.by_action) == (0, (), {})


def test_many_accesses_are_one_commit_each_batch(place: Installation) -> None:
    futures = [
        place.guard.record_soon(LIN, "view", "success", "portal.study", patient_keys=[uuid4()])
        for _ in range(300)
    ]
    for future in futures:
        future.result(30)
    assert find(place).total == 300
