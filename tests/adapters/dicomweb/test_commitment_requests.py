"""Storage commitment over the web: what is kept, what is not, and the same again.

PS3.18 13.
"""

from __future__ import annotations

import json

from registry.access.values import Role
from tests.support.archive import instance, stable
from tests.support.steps import CT_IMAGE
from tests.support.workitems import commitment

HELD = [stable("A", "1", n) for n in (1, 2)]
PATH = "/commitment-requests/2.25.77"


def named(told, tag):
    return [item["00081155"]["Value"][0] for item in told.get(tag, {}).get("Value", ())]


def test_what_is_kept_and_what_is_not_is_told_at_once_and_again(door):
    door.imaging.store(*(instance(n, study="A") for n in (1, 2)))
    asked = commitment(*((CT_IMAGE, uid) for uid in (*HELD, "9.9")), ("1.2.840.10008.1", HELD[0]))
    answer = door.http.post(PATH, content=asked, headers={"content-type": "application/dicom+json"})
    assert answer.status_code == 200
    told = answer.json()
    assert named(told, "00081199") == HELD
    reasons = {
        item["00081150"]["Value"][0]: item["00081197"]["Value"][0]
        for item in told["00081198"]["Value"]
    }
    assert reasons == {CT_IMAGE: 0x0112, "1.2.840.10008.1": 0x0119}

    again = door.http.get(PATH)
    assert (again.status_code, again.json()) == (200, told)
    as_xml = door.http.get(PATH, headers={"accept": "application/dicom+xml"})
    assert as_xml.headers["content-type"] == "application/dicom+xml"
    assert door.http.post(PATH, content=asked).json() == told


def test_references_may_come_by_study(door):
    door.imaging.store(instance(1, study="A"))
    asked = {"00081110": {"vr": "SQ", "Value": [{
        "0020000D": {"vr": "UI", "Value": [stable("A")]},
        "00081115": {"vr": "SQ", "Value": [{
            "0020000E": {"vr": "UI", "Value": [stable("A", "1")]},
            "00081112": {"vr": "SQ", "Value": [{
                "00081150": {"vr": "UI", "Value": [CT_IMAGE]},
                "0008114A": {"vr": "SQ", "Value": [
                    {"00081155": {"vr": "UI", "Value": [uid]}} for uid in HELD
                ]},
            }]},
        }]},
    }]}}  # fmt: skip
    told = door.http.post(PATH, content=json.dumps(asked).encode()).json()
    assert named(told, "00081199") == HELD[:1]
    assert named(told, "00081198") == HELD[1:]


def test_the_other_statuses(door):
    assert door.http.get(PATH).status_code == 404
    assert door.http.post(PATH, content=b"{}").status_code == 400
    assert door.http.post(PATH, content=b"nonsense").status_code == 400
    assert door.http.post(PATH, content=commitment((CT_IMAGE, "no uid"))).status_code == 400
    assert door.http.post("/commitment-requests/x", content=b"{}").status_code == 404
    assert door.http.post("/commitment-requests", content=b"{}").status_code == 404
    assert door.http.put(PATH, content=b"{}").status_code == 405
    assert door.http.post(PATH, content=commitment((CT_IMAGE, "9.9"))).status_code == 200
    taken = door.http.post(PATH, content=commitment((CT_IMAGE, "9.8")))
    assert taken.status_code == 409
    clinician = door.client(door.imaging.house.token(Role.CLINICIAN))
    assert clinician.get(PATH).status_code == 403
    assert door.client().get(PATH).status_code == 401
