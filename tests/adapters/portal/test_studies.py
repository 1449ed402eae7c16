"""The list, a study, the timeline and documents, on both engines."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydicom.uid import UID

from kernel.codes import Code
from kernel.identifiers import new_uid
from projections.audit_trail.view import AuditQuery
from registry.documents.values import Author
from tests.adapters.portal.conftest import House
from tests.support.archive import stable

PDF_STORAGE = UID("1.2.840.10008.5.1.4.1.1.104.1")
SR_STORAGE = UID("1.2.840.10008.5.1.4.1.1.88.33")


def stored(house: House) -> None:
    """Store three studies: today, yesterday (in Shanghai), a week ago."""
    house.store(
        study="A", StudyDate="20260503", StudyTime="093015.5", PatientID="P1",
        PatientName="Zhang^San=张^三", PatientBirthDate="19800203", PatientSex="F",
        BodyPartExamined="CHEST", AccessionNumber="AC1",
    )  # fmt: skip
    house.store(number=2, study="A", StudyDate="20260503", PatientID="P1",
                PatientName="Zhang^San=张^三")  # fmt: skip
    house.store(number=3, study="A", StudyDate="20260503", PatientID="P1",
                PatientName="Zhang^San=张^三")  # fmt: skip
    house.store(study="B", StudyDate="20260502", PatientID="P2", PatientName="Li^Si=李^四",
                Modality="MR", AccessionNumber="AC2")  # fmt: skip
    house.store(study="C", StudyDate="20260426", StudyTime="", PatientID="P1",
                PatientName="Zhang^San=张^三", AccessionNumber="")  # fmt: skip


@pytest.mark.tender("R-6.1.1.2", "R-6.1.2.1a", "R-6.1.2.1b", "R-6.1.2.3")
def test_search(house: House) -> None:
    stored(house)
    browser = house.browser("clinician")

    def found(**search: object) -> list[str]:
        answer = browser.post("/studies/search", search)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["total"] == len(page["items"]) or search.get("limit") is not None
        return [next(k for k in "ABC" if stable(k) == item["study_uid"]) for item in page["items"]]

    assert found() == ["A", "B", "C"]
    assert found(descending=False) == ["C", "B", "A"]
    assert found(preset="today") == ["A"]
    assert found(preset="yesterday") == ["B"]
    assert found(preset="3d") == ["A", "B"]
    assert found(preset="7d") == ["A", "B"]
    assert found(date_from="2026-04-26", date_to="2026-05-02") == ["B", "C"]
    assert found(name="zhang") == found(name="张三") == found(name="zs") == ["A", "C"]
    assert found(name="li", modalities=["MR", "CT"]) == ["B"]
    assert found(modalities=["MR"]) == ["B"]
    assert found(patient_id="P2") == ["B"]
    assert found(accession_number="AC1") == ["A"]
    assert found(limit=1, offset=1) == ["B"]
    assert found(sort="patient_name", descending=False) == ["B", "A", "C"] or found(
        sort="patient_name", descending=False
    ) == ["B", "C", "A"]
    assert found(sort="received_at") == ["C", "B", "A"]
    assert found(sort="modality") == ["B", "C", "A"] or found(sort="modality") == ["B", "A", "C"]
    assert found(name=None, patient_id=None, modalities=[], preset=None) == ["A", "B", "C"]

    (row,) = browser.post("/studies/search", {"accession_number": "AC1"}).json()["items"]
    assert row == {
        "study_uid": stable("A"), "patient_key": str(house.key("P1")),
        "patient_name": "Zhang San", "patient_name_ideographic": "张 三", "patient_id": "P1",
        "patient_sex": "F", "patient_birth_date": "1980-02-03", "patient_age": None,
        "accession_number": "AC1", "study_datetime": "2026-05-03T09:30:15",
        "study_description": "Study A", "modalities": ["CT"], "body_parts": ["CHEST"],
        "status": "receiving", "series_count": 1, "instance_count": 3,
        "received_at": row["received_at"],
    }  # fmt: skip
    assert len(row["received_at"]) == len("2026-05-03T09:30:15")


@pytest.mark.parametrize(
    "search",
    [
        {"preset": "tomorrow"}, {"sort": "password"}, {"limit": 501}, {"limit": -1},
        {"offset": -1}, {"date_from": "yesterday"}, {"name": "x" * 200}, {"name": {"$ne": ""}},
        {"date_from": "2026-05-02", "date_to": "2026-05-01"},
        {"preset": "today", "date_from": "2026-05-02"}, {"unknown": 1}, {"modalities": ["x" * 99]},
        {"name": "a\x00b"},
    ],
)  # fmt: skip
def test_a_malformed_search(sqlite_house: House, search: dict[str, object]) -> None:
    answer = sqlite_house.browser("clinician").post("/studies/search", search)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_hostile_text_is_only_text(sqlite_house: House) -> None:
    stored(sqlite_house)
    browser = sqlite_house.browser("clinician")
    for text in ("' OR 1=1 --", "%", "_", "%25", "\\", "*", "<script>"):
        for field in ("name", "patient_id", "accession_number"):
            answer = browser.post("/studies/search", {field: text})
            assert answer.status_code == 200
            assert answer.json()["total"] == 0 or text == "*"


def test_a_study_with_its_series(house: House) -> None:
    stored(house)
    house.store(study="A", series="2", SOPClassUID=PDF_STORAGE, PatientID="P1",
                StudyDate="20260503", Modality="DOC")  # fmt: skip
    house.store(study="A", series="3", SOPClassUID=SR_STORAGE, PatientID="P1",
                StudyDate="20260503", Modality="SR")  # fmt: skip
    browser = house.browser("clinician")
    body = browser.get(f"/studies/{stable('A')}").json()
    assert body["study"]["study_uid"] == stable("A")
    image, document, report = body["series"]
    assert image["viewable"] == "image"
    assert image["representative"] == {"sop_uid": stable("A", "1", 2), "frames": 1}
    assert (image["series_number"], image["instance_count"]) == (1, 3)
    assert (document["viewable"], document["sop_classes"]) == ("document", [PDF_STORAGE])
    assert document["representative"]["sop_uid"] == stable("A", "2", 1)
    assert (report["viewable"], report["representative"]) == ("none", None)
    assert browser.get("/studies/1.2.3").json()["code"] == "not_found"
    assert browser.get("/studies/..%2f..%2fetc").status_code in (400, 404)
    assert browser.get("/studies/1.2.3;drop").status_code == 400
    page = house.portal.audit.search(
        AuditQuery(study_uid=stable("A"), action="view"), policy=sa.true()
    )
    (row,) = page.items
    assert row.patient_keys == (str(house.key("P1")),)
    assert (row.transaction, row.protocol) == ("portal.study", "portal")


@pytest.mark.tender("R-6.1.1.0", "R-6.1.3.1")
def test_the_timeline_and_a_document(house: House) -> None:
    stored(house)
    pdf = b"%PDF-1.7 invented" * 9000
    author = Author(person="123^Wu^Min^^^^^^&1.2.3&ISO")
    report = house.register(
        pdf, "P1", title="Report 5", creation_time="20260503020000", authors=(author,)
    )
    old = house.register(b"old", "P1", title="Draft", creation_time="202604", authors=())
    house.deprecate(old)
    house.register(b"kos", "P1", mime_type="application/dicom",
                   format_code=Code("1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.2.6.1"))  # fmt: skip
    house.register(b"other", "P2")
    browser = house.browser("clinician")
    body = browser.get(f"/patients/{house.key('P1')}/timeline").json()
    assert [row["study_uid"] for row in body["studies"]] == [stable("A"), stable("C")]
    first, second = body["documents"]
    assert first == {
        "entry_uuid": str(report), "title": "Report 5", "type_display": "Diagnostic imaging study",
        "class_display": "Reports", "mime_type": "application/pdf",
        "creation_time": "2026-05-03T10:00:00", "size_bytes": len(pdf), "author": "Wu Min",
        "format_code": "urn:ihe:iti:xds-sd:pdf:2008", "availability": "approved",
    }  # fmt: skip
    assert (second["availability"], second["creation_time"]) == ("deprecated", "2026-04-01")
    answer = browser.get(f"/documents/{report}/content")
    assert answer.content == pdf
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == str(len(pdf))
    assert answer.headers["x-content-type-options"] == "nosniff"
    name = f"document-{str(report)[:8]}.pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="{name}"'
    assert browser.get(f"/documents/urn:uuid:{report}/content").content == pdf
    assert browser.get(f"/documents/{uuid4()}/content").status_code == 404
    assert browser.get("/documents/..%2fsecret/content").status_code in (400, 404)
    assert browser.get(f"/patients/{uuid4()}/timeline").status_code == 404


@pytest.mark.parametrize(
    ("mime", "served", "how"),
    [
        ("text/html", "text/html", "attachment"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("text/javascript", "application/octet-stream", "attachment"),
        ("application/x-javascript", "application/octet-stream", "attachment"),
        ("text/plain", "text/plain", "inline"),
        ("image/jpeg", "image/jpeg", "inline"),
        ("bad\r\nX: 1", "application/octet-stream", "attachment"),
    ],
)
def test_a_document_is_never_run_as_ours(
    sqlite_house: House, mime: str, served: str, how: str
) -> None:
    uuid = sqlite_house.register(b"<script>alert(1)</script>", mime_type=mime)
    answer = sqlite_house.browser("clinician").get(f"/documents/{uuid}/content")
    assert answer.headers["content-type"] == served
    assert answer.headers["content-disposition"].startswith(how)
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "X" not in answer.headers


def test_octets_that_are_gone(sqlite_house: House) -> None:
    uuid = sqlite_house.register(b"here for now")
    for file in (sqlite_house.place, sqlite_house.blobs):
        assert file
    located = sqlite_house.portal.documents.locate(uuid)
    assert located is not None
    path = sqlite_house.blobs.path(located.object_sha256)
    assert path is not None
    path.unlink()
    answer = sqlite_house.browser("clinician").get(f"/documents/{uuid}/content")
    assert (answer.status_code, answer.json()["code"]) == (404, "object_missing")


@pytest.mark.tender("P-5")
@pytest.mark.tender("R-6.2.14.1")
@pytest.mark.parametrize("role", ["system_admin", "security_admin", "audit_admin"])
def test_administrators_see_no_patients(sqlite_house: House, role: str) -> None:
    stored(sqlite_house)
    uuid = sqlite_house.register(b"secret")
    browser = sqlite_house.browser(role)
    for answer in (
        browser.post("/studies/search", {}),
        browser.get(f"/studies/{stable('A')}"),
        browser.get(f"/patients/{sqlite_house.key('P1')}/timeline"),
        browser.get(f"/documents/{uuid}/content"),
        browser.get(f"/studies/{new_uid()}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_nobody_sees_anything(sqlite_house: House) -> None:
    client = sqlite_house.browser().client
    assert client.post("/api/v1/studies/search", json={}).status_code == 401
    for path in (
        f"/studies/{stable('A')}", f"/patients/{uuid4()}/timeline", f"/documents/{uuid4()}/content",
        "/accounts", "/tokens", "/ae-titles", "/certificates", "/audit",
    ):  # fmt: skip
        answer = client.get(f"/api/v1{path}")
        assert (answer.status_code, answer.json()["code"]) == (401, "signed_out")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_may_do_likewise(sqlite_house: House) -> None:
    stored(sqlite_house)
    headers = {"Authorization": f"Bearer {sqlite_house.place.token('clinician')}"}
    client = sqlite_house.browser().client
    answer = client.post("/api/v1/studies/search", json={}, headers=headers)
    assert answer.json()["total"] == 3
