"""Corrections over the portal's API: who may, what is asked, what is answered and recorded."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from projections.audit_trail.view import AuditQuery
from tests.adapters.portal.conftest import House
from tests.support.archive import AUTHORITY, stable

A, B = stable("A"), stable("B")
WHY = "wrong worklist entry"


@pytest.mark.tender("R-6.3.4")
def test_a_study_is_corrected_reassigned_split_and_put_back(sqlite_house: House) -> None:
    house = sqlite_house
    house.store(study="A", PatientID="P1")
    house.store(study="A", number=2, series="2", PatientID="P1")
    house.store(study="B", PatientID="P2", PatientName="Li^Si=李^四")
    admin, path = house.browser("system_admin"), f"/studies/{A}"
    asked = {"reason": WHY, "values": {"AccessionNumber": "RIGHT"}}
    tried = admin.post(f"{path}/corrections", asked | {"dry_run": True})
    assert (tried.status_code, tried.json()["position"]) == (200, 0), tried.text
    done = admin.post(f"{path}/corrections", asked).json()
    assert done["tags"] == ["00080050"]
    assert done["position"] > 0
    again = admin.post(f"{path}/corrections", asked)
    assert (again.status_code, again.json()["code"]) == (400, "nothing_changes")
    patient = {"reason": WHY, "patient_id": f"P2^^^&{AUTHORITY}&ISO"}
    assert admin.post(f"{path}/reassignment", patient).json()["kind"] == "reassigned"
    moved = admin.post(f"{path}/moves", {"reason": WHY, "series_uids": [stable("A", "2")]}).json()
    assert moved["series"][0] == {
        "series_uid": stable("A", "2"),
        "to_series_uid": stable("A", "2"),
        "instance_count": 0,
    }
    there = moved["to_study_uid"]
    assert admin.post(f"{path}/moves", {"reason": WHY, "to_study_uid": there}).status_code == 200
    doctor = house.browser("clinician")
    assert doctor.get(path).status_code == 404
    study = doctor.get(f"/studies/{there}").json()["study"]
    assert (study["accession_number"], study["patient_id"]) == ("RIGHT", "P2")
    acts = admin.get(f"{path}/corrections").json()
    assert [one["kind"] for one in acts] == ["corrected", "reassigned", "moved", "moved"]
    assert {one["reason"] for one in acts} == {WHY}
    for _ in acts:
        assert admin.post(f"{path}/reversals", {"reason": "no"}).status_code == 200
    study = doctor.get(path).json()["study"]
    assert (study["accession_number"], study["patient_id"]) == ("ACC-A", "P1")
    assert doctor.get(f"/studies/{there}").status_code == 404
    page = house.portal.audit.search(AuditQuery(action="correct"), limit=100, policy=sa.true())
    rows = [row for row in page.items if row.outcome == "success"]
    assert len(rows) == 10
    assert not any("P2" in row.detail or "RIGHT" in row.detail for row in rows)


def test_who_may_not_correct_is_refused(sqlite_house: House) -> None:
    house = sqlite_house
    house.store(study="A")
    asked = {"reason": WHY, "values": {"StudyID": "7"}}
    for role in ("clinician", "security_admin", "audit_admin"):
        browser = house.browser(role)
        assert browser.post(f"/studies/{A}/corrections", asked).status_code == 403
        assert browser.get(f"/studies/{A}/corrections").status_code == 403


@pytest.mark.parametrize(
    ("path", "asked", "status", "code"),
    [
        (f"{A}/corrections", {"values": {"StudyID": "7"}}, 400, "invalid"),
        (f"{A}/corrections", {"reason": WHY, "values": {"PatientID": "7"}}, 400,
         "correction_invalid"),
        ("x/corrections", {"reason": WHY, "values": {"StudyID": "7"}}, 400, "bad_identifier"),
        ("1.2.3/corrections", {"reason": WHY, "values": {"StudyID": "7"}}, 404,
         "study_not_known"),
        (f"{A}/reassignment", {"reason": WHY, "patient_id": "P1"}, 400, "bad_identifier"),
        (f"{A}/reassignment", {"reason": WHY, "patient_id": "P9^^^&1.2.3&ISO"}, 404,
         "patient_not_known"),
        (f"{A}/moves", {"reason": WHY, "series_uids": ["1.2.3"]}, 400, "instances_not_of_study"),
        (f"{A}/moves", {"reason": WHY, "to_study_uid": B}, 409, "study_of_another_patient"),
        (f"{A}/reversals", {"reason": WHY}, 400, "nothing_changes"),
    ],
)  # fmt: skip
def test_bad_requests_are_told(
    refusing: House, path: str, asked: dict[str, object], status: int, code: str
) -> None:
    answer = refusing.browser("system_admin").post(f"/studies/{path}", asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.fixture
def refusing(sqlite_house: House) -> House:
    sqlite_house.store(study="A")
    sqlite_house.store(study="B")
    return sqlite_house
