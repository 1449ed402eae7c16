"""UPS-RS over HTTP: every transaction of the Worklist Service, its statuses and Warning headers.

PS3.18 11.4 to 11.12.
"""

from __future__ import annotations

import json
import threading
from email.parser import BytesParser
from xml.etree import ElementTree as ET

import pytest

from projections.workitems.view import Workitems
from registry.access.values import Role
from registry.workitems.values import FILTERED, GLOBAL
from tests.support.workitems import (
    TRANSACTION,
    UID,
    body,
    claimed,
    in_state,
    new_workitem,
    performed,
    progress,
)

PATH = f"/workitems/{UID}"
STATE = f"{PATH}/state"
JSON = {"content-type": "application/dicom+json"}


def create(door, uid=UID, *, study="A", **changes):
    return door.http.post(
        f"/workitems?workitem={uid}", content=body(new_workitem(study, **changes)), headers=JSON
    )


def change_state(door, state, transaction=TRANSACTION, path=STATE):
    return door.http.put(path, content=body(in_state(state, transaction)), headers=JSON)


def update(door, ds, query=""):
    return door.http.post(PATH + query, content=body(ds), headers=JSON)


def warned(answer, words):
    return (
        answer.headers.get("warning", "").startswith("299 ") and words in answer.headers["warning"]
    )


def test_a_workitem_from_its_beginning_to_its_end(door):
    created = create(door)
    assert created.status_code == 201
    assert created.headers["location"] == f"{door.base}/dicom-web{PATH}"
    assert "warning" not in created.headers

    assert change_state(door, "IN PROGRESS").status_code == 200
    assert update(door, progress("30"), f"?transaction={TRANSACTION}").status_code == 200
    assert update(door, progress("40"), f"?{TRANSACTION}").status_code == 200
    assert update(door, claimed(performed())).status_code == 200
    assert change_state(door, "COMPLETED", path=f"{STATE}?requester=WS1").status_code == 200

    told = door.http.get(PATH)
    assert told.status_code == 200
    assert told.headers["content-type"] == "application/dicom+json"
    held = told.json()
    assert held["00741000"]["Value"] == ["COMPLETED"]
    assert held["00100010"]["Value"] == [{"Alphabetic": "Test^Archive"}]
    assert "00081195" not in held
    viewed = [fact for fact in door.accesses() if fact.transaction == "UPS-RS Retrieve"]
    assert [len(fact.patient_keys) for fact in viewed] == [1]


def test_who_names_no_workitem_gets_one_and_what_was_added_is_warned_of(door):
    answer = door.http.post("/workitems", content=body(new_workitem(WorklistLabel=None)))
    assert answer.status_code == 201
    assert warned(answer, "The Workitem was created with modifications.")
    uid = answer.headers["location"].rpartition("/")[2]
    assert door.http.get(f"/workitems/{uid}").json()["00741202"]["Value"] == ["DEFAULT"]


def test_the_statuses_of_creation(door):
    assert create(door).status_code == 201
    assert create(door).status_code == 409
    assert create(door, "1.2", ProcedureStepState="IN PROGRESS").status_code == 400
    assert create(door, "1.2", ProcedureStepLabel=None).status_code == 400
    assert create(door, "no-uid").status_code == 400
    for content in (b"", b"nonsense", b"[]", b"[{},{}]", b'{"00100010":5}', b"[[[[", b'{"7":{}}'):
        assert door.http.post("/workitems", content=content, headers=JSON).status_code == 400
    nested = {"00400275": {"vr": "SQ", "Value": [{}]}}
    for _ in range(40):
        nested = {"00400275": {"vr": "SQ", "Value": [nested]}}
    deep = door.http.post("/workitems", content=json.dumps(nested).encode(), headers=JSON)
    assert deep.status_code == 413
    other = {"content-type": "text/plain"}
    assert door.http.post("/workitems", content=b"x", headers=other).status_code == 415
    big = door.http.post("/workitems", content=b" " * (5 << 20), headers=JSON)
    assert big.status_code == 413


def test_the_statuses_of_an_update(door):
    assert update(door, progress()).status_code == 404
    create(door)
    assert update(door, progress()).status_code == 200
    early = update(door, progress("60"), f"?transaction={TRANSACTION}")
    assert early.status_code == 409
    assert warned(early, "The target URI did not reference a claimed Workitem.")
    change_state(door, "IN PROGRESS")
    missing = update(door, progress("60"))
    assert missing.status_code == 400
    assert warned(missing, "The Transaction UID is missing.")
    wrong = update(door, progress("60"), "?transaction=2.25.1")
    assert wrong.status_code == 400
    assert warned(wrong, "The Transaction UID is incorrect.")
    assert update(door, claimed(new_workitem(PatientID="X"))).status_code == 400
    change_state(door, "CANCELED")
    ended = update(door, claimed(progress("60")))
    assert ended.status_code == 400
    assert warned(ended, "inconsistent with the current state of the Workitem.")


def test_the_statuses_of_a_change_of_state(door):
    assert change_state(door, "IN PROGRESS").status_code == 404
    create(door)
    early = change_state(door, "COMPLETED")
    assert early.status_code == 409
    assert warned(early, "inconsistent with the state of the UPS Instance.")
    assert change_state(door, "SCHEDULED").status_code == 409
    assert change_state(door, "DONE").status_code == 400
    assert warned(change_state(door, "IN PROGRESS", ""), "The Transaction UID is missing.")
    assert change_state(door, "IN PROGRESS").status_code == 200
    assert change_state(door, "IN PROGRESS").status_code == 409
    wrong = change_state(door, "CANCELED", "2.25.1")
    assert wrong.status_code == 400
    assert warned(wrong, "The Transaction UID is incorrect.")
    assert change_state(door, "COMPLETED").status_code == 409
    assert change_state(door, "CANCELED").status_code == 200
    again = change_state(door, "CANCELED")
    assert again.status_code == 200
    assert warned(again, "The UPS is already in the requested state of CANCELED.")
    assert change_state(door, "COMPLETED").status_code == 409


def test_the_statuses_of_a_request_to_cancel(door):
    path = f"{PATH}/cancelrequest"
    assert door.http.post(path).status_code == 404
    create(door)
    assert door.http.post(f"{path}?requester=DOCTOR").status_code == 202
    assert door.http.get(PATH).json()["00741000"]["Value"] == ["CANCELED"]
    again = door.http.post(path)
    assert again.status_code == 202
    assert warned(again, "The UPS is already in the requested state of CANCELED.")
    create(door, "1.2")
    state = "/workitems/1.2/state"
    change_state(door, "IN PROGRESS", path=state)
    assert door.http.post("/workitems/1.2/cancelrequest").status_code == 202
    assert door.http.get("/workitems/1.2").json()["00741000"]["Value"] == ["IN PROGRESS"]
    door.http.post("/workitems/1.2", content=body(claimed(performed())))
    change_state(door, "COMPLETED", path=state)
    ended = door.http.post("/workitems/1.2/cancelrequest")
    assert ended.status_code == 409
    assert warned(ended, "The UPS is already COMPLETED.")


def test_search_pages_and_fields(door):
    for number in range(3):
        start = f"2026030{number + 1}080000"
        create(door, f"1.{number}", study="ABC"[number], ScheduledProcedureStepStartDateTime=start)
    change_state(door, "IN PROGRESS", path="/workitems/1.1/state")

    def uids(query=""):
        answer = door.http.get(f"/workitems?{query}")
        assert answer.status_code == 200
        return [one["00080018"]["Value"][0] for one in answer.json()]

    assert uids() == ["1.0", "1.1", "1.2"]
    assert uids("ProcedureStepState=SCHEDULED") == ["1.0", "1.2"]
    assert uids("00100020=PAT-B") == ["1.1"]
    assert uids("ScheduledProcedureStepStartDateTime=20260302-") == ["1.1", "1.2"]
    assert uids("ScheduledWorkitemCodeSequence.CodeValue=110005&PatientID=PAT-C") == ["1.2"]
    assert uids("ScheduledWorkitemCodeSequence.CodeValue=0") == []
    assert uids("PatientName=test*") == ["1.0", "1.1", "1.2"]
    page = door.http.get("/workitems?limit=1&offset=1")
    assert page.status_code == 206
    assert warned(page, "additional results")
    assert [one["00080018"]["Value"] for one in page.json()] == [["1.1"]]
    assert warned(door.http.get("/workitems?Nonsense=1"), "not used for matching: Nonsense")
    (few,) = door.http.get("/workitems?PatientID=PAT-A").json()
    (more,) = door.http.get("/workitems?PatientID=PAT-A&includefield=all").json()
    (one,) = door.http.get(
        "/workitems?PatientID=PAT-A&includefield=InputInformationSequence"
    ).json()
    assert "00404021" not in few
    assert "00404021" in more
    assert "00404021" in one
    assert door.http.get("/workitems?limit=x").status_code == 400
    details = [fact.detail for fact in door.accesses() if fact.transaction == "UPS-RS Search"]
    assert not any("PAT-" in detail for detail in details)


def test_xml_goes_in_and_comes_out(door):
    create(door, PatientName="Wang^Xiaoming=王^小明")
    accept = {"accept": "application/dicom+xml"}
    told = door.http.get(PATH, headers=accept)
    assert told.headers["content-type"] == "application/dicom+xml"
    assert ET.fromstring(told.content).tag.endswith("NativeDicomModel")
    kept = told.content.replace(UID.encode(), b"1.2")
    sent = door.http.post(
        "/workitems?1.2", content=kept, headers={"content-type": "application/dicom+xml"}
    )
    assert sent.status_code == 201
    first, second = door.http.get(PATH).json(), door.http.get("/workitems/1.2").json()
    for held in (first, second):
        del held["00080018"], held["00404010"]
    assert first == second
    assert first["00100010"]["Value"] == [{"Alphabetic": "Wang^Xiaoming", "Ideographic": "王^小明"}]
    many = door.http.get("/workitems", headers=accept)
    assert many.headers["content-type"].startswith("multipart/related")
    head = b"content-type: " + many.headers["content-type"].encode() + b"\r\n\r\n"
    parts = BytesParser().parsebytes(head + many.content).get_payload()
    assert len(parts) == 2
    assert door.http.get(PATH, headers={"accept": "image/png"}).status_code == 406


def test_of_two_claimers_one_wins(door):
    create(door)
    answers, barrier = [], threading.Barrier(4)

    def claim(number):
        with door.client(door.token) as own:
            barrier.wait(10)
            told = own.put(STATE, content=body(in_state("IN PROGRESS", f"2.25.{number}")))
            answers.append(told.status_code)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [200, 400, 400, 400]


def test_subscriptions(door):
    view = Workitems(door.imaging.house.views)
    path = f"{PATH}/subscribers/WATCHER"
    assert door.http.post(path).status_code == 404
    create(door)
    assert door.http.post(f"{path}?deletionlock=true").status_code == 201
    assert view.watched("WATCHER") == {UID: True}
    assert door.http.delete(path).status_code == 200
    assert view.watched("WATCHER") == {}
    assert door.http.post(f"{PATH}/subscribers/{'A' * 17}").status_code == 403
    opened = door.http.post(f"{PATH}/subscribers/SOME BODY")
    channel = f"ws{door.base[4:]}/dicom-web/subscribers/SOME%20BODY"
    assert (opened.status_code, opened.headers["content-location"]) == (201, channel)
    everything = f"/workitems/{GLOBAL}/subscribers/WATCHER"
    assert door.http.post(f"{everything}?deletionlock=false").status_code == 201
    create(door, "1.2")
    assert view.watched("WATCHER") == {UID: False, "1.2": False}
    assert door.http.post(f"{everything}/suspend").status_code == 200
    create(door, "1.3")
    assert set(view.watched("WATCHER")) == {UID, "1.2"}
    assert door.http.delete(everything).status_code == 200
    matching = f"/workitems/{FILTERED}/subscribers/WATCHER"
    assert door.http.post(f"{matching}?filter=00741204=Wanted,00741200=HIGH").status_code == 201
    create(door, "1.4", ProcedureStepLabel="Wanted", ScheduledProcedureStepPriority="HIGH")
    create(door, "1.5", ProcedureStepLabel="Wanted")
    assert view.watched("WATCHER") == {"1.4": False}
    assert door.http.post(f"{matching}?PatientID=PAT-A").status_code == 403
    assert door.http.post(f"{matching}?Nonsense=1").status_code == 400
    assert door.http.post(matching).status_code == 400
    assert door.http.post(f"{path}/suspend").status_code == 400
    assert door.http.put(path).status_code == 405
    assert [r.event_type for r in view.due("WATCHER")][:1] == [1]


def test_methods_and_callers(door):
    assert door.http.delete("/workitems").status_code == 405
    assert door.http.put(PATH).status_code == 405
    assert door.http.get(STATE).status_code == 405
    assert door.http.get(f"{PATH}/nonsense").status_code == 404
    assert door.client().get(PATH).status_code == 401
    create(door)
    clinician = door.client(door.imaging.house.token(Role.CLINICIAN))
    assert clinician.get(PATH).status_code == 200
    assert clinician.get("/workitems").status_code == 200
    assert clinician.post("/workitems", content=body(new_workitem())).status_code == 403
    assert clinician.put(STATE, content=body(in_state("IN PROGRESS"))).status_code == 403
    assert clinician.post(f"{PATH}/subscribers/WATCHER").status_code == 403
    administrator = door.client(door.imaging.house.token(Role.SYSTEM_ADMIN))
    assert administrator.get(PATH).status_code == 403
    assert administrator.get("/workitems").status_code == 403


def test_bad_input_ends_nothing(door):
    for name in ("PatientName", "00100010", "ScheduledStationNameCodeSequence.CodeValue"):
        assert door.http.get("/workitems", params={name: "*" * 2000}).status_code == 413
    assert door.http.get("/workitems/not-a-uid").status_code == 404
    assert door.http.get("/workitems", params={"StudyInstanceUID": "1\x00"}).status_code == 200


@pytest.mark.parametrize("value", ["1" * 65, "a\u0000b"])
def test_values_that_do_not_fit_are_refused(door, value):
    told = json.loads(body(new_workitem()))
    told[0]["00741204"]["Value"] = [value]
    answer = door.http.post("/workitems", content=json.dumps(told).encode())
    assert answer.status_code == 400
