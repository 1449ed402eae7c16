"""STOW-RS: answers of PS3.18 10.5.3, bad input, half-sent requests, limits."""

import json
import socket
import time
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pydicom
import pytest
from pydicom.data import get_testdata_file

from adapters.dicomweb import stow_response
from adapters.dicomweb.faults import failure_reason, status_of
from kernel.refusals import Unavailable, leaves
from repository.instances.part10 import with_preamble
from tests.support.archive import instance, octets, stable

MULTIPART = 'multipart/related; type="application/dicom"; boundary=B'


def body_of(*parts, content_type="application/dicom"):
    return (
        b"".join(
            b"--B\r\nContent-Type: " + content_type.encode() + b"\r\n\r\n" + part + b"\r\n"
            for part in parts
        )
        + b"--B--\r\n"
    )


def post(door, *parts, path="/studies", **headers):
    return door.http.post(
        path, content=body_of(*parts), headers={"content-type": MULTIPART, **headers}
    )


def reasons(answer, tag="00081198"):
    return [i["00081197"]["Value"][0] for i in answer.json().get(tag, {}).get("Value", [])]


def test_all_stored_is_200_with_where_to_retrieve_them(door):
    answer = post(door, *(octets(instance(n, study="A")) for n in (1, 2)))
    assert answer.status_code == 200
    told = answer.json()
    assert told["00081190"]["Value"] == [f"{door.base}/dicom-web/studies/{stable('A')}"]
    url = told["00081199"]["Value"][1]["00081190"]["Value"][0]
    assert door.http.get(url, headers={"accept": "application/dicom"}).content == octets(
        instance(2, study="A")
    )
    event = [a for a in door.accesses() if a.action == "store"][-1]
    assert (event.outcome, event.count, event.study_uids) == ("success", 2, (stable("A"),))


def test_the_same_again_is_200_and_other_bytes_are_409(door):
    file = octets(instance(1, study="A"))
    assert post(door, file).status_code == 200
    assert post(door, file).status_code == 200
    other = post(door, octets(instance(1, study="A", InstanceNumber=99)))
    assert other.status_code == 409
    assert reasons(other) == [0x0111]
    path = f"/studies/{stable('A')}/series/{stable('A', '1')}/instances/{stable('A', '1', 1)}"
    assert door.http.get(path, headers={"accept": "application/dicom"}).content == file


def test_some_stored_is_202_and_the_others_have_a_reason(door):
    answer = post(
        door,
        octets(instance(1, study="A")),
        b"not DICOM at all" * 20,
        octets(instance(2, study="A"))[:-100],
        octets(instance(3, study="A", StudyInstanceUID=None)),
    )
    assert answer.status_code == 202
    told = answer.json()
    assert len(told["00081199"]["Value"]) == 1
    assert reasons(answer) == [0xC000]  # cut off: it could be identified
    assert reasons(answer, "0008119A") == [0xC000, 0xC000]


@pytest.mark.parametrize(
    "name", ["rtplan_truncated.dcm", "SC_rgb_jpeg.dcm", "no_meta.dcm", "meta_missing_tsyntax.dcm"]
)
def test_files_that_break_the_standard_are_409(door, name):
    answer = post(door, Path(get_testdata_file(name)).read_bytes())
    assert answer.status_code == 409


def test_uids_that_look_like_paths_are_refused(door):
    file = octets(instance(1, study="A", SeriesInstanceUID="1.2.3.4.5.6.7.8"))
    answer = post(door, file.replace(b"1.2.3.4.5.6.7.8", b"../../etc/passw"))
    assert answer.status_code == 409


def test_the_study_of_the_path_must_be_that_of_the_instances(door):
    file = octets(instance(1, study="A"))
    assert post(door, file, path=f"/studies/{stable('B')}").status_code == 409
    assert post(door, file, path=f"/studies/{stable('A')}").status_code == 200


def test_xml_is_answered_when_asked_for(door):
    answer = post(door, octets(instance(1, study="A")), accept="application/dicom+xml")
    assert answer.headers["content-type"] == "application/dicom+xml"
    root = ET.fromstring(answer.content)
    assert [a.get("keyword") for a in root] == ["RetrieveURL", "ReferencedSOPSequence"]
    assert post(door, octets(instance(2, study="A")), accept="text/html").status_code == 406


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ('multipart/related; type="application/json"; boundary=B', 415),
        ("text/plain", 415),
        ("", 415),
        ('multipart/related; type="application/dicom"', 400),
        ('multipart/related; boundary="' + "x" * 290 + '"', 400),
    ],
)
def test_other_media_types_are_refused(door, content_type, status):
    answer = door.http.post(
        "/studies", content=body_of(octets(instance(1))), headers={"content-type": content_type}
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_parts_of_another_type_are_415(door):
    answer = door.http.post(
        "/studies",
        content=body_of(b"x", content_type="text/plain"),
        headers={"content-type": MULTIPART},
    )
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "body", [b"", b"--B--", b"--B\r\n\r\n", b"rubbish", b"--B\r\n" + b"x" * 99]
)
def test_broken_bodies_are_400(door, body):
    answer = door.http.post("/studies", content=body, headers={"content-type": MULTIPART})
    assert answer.status_code == 400


def test_a_half_sent_request_leaves_nothing_behind(door):
    whole = body_of(octets(instance(1, study="A")), octets(instance(2, study="A")))
    for cut in (50, len(whole) // 2, len(whole) - 3):
        with socket.create_connection(("127.0.0.1", int(door.base.rsplit(":", 1)[1]))) as peer:
            peer.sendall(
                b"POST /dicom-web/studies HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                + door.token.encode()
                + b"\r\nContent-Type: "
                + MULTIPART.encode()
                + b"\r\nContent-Length: %d\r\n\r\n" % len(whole)
                + whole[:cut]
            )
            time.sleep(0.2)
    assert door.http.get("/studies").json() == []
    time.sleep(0.3)
    incoming = door.imaging.blobs._incoming
    assert [p for p in incoming.rglob("*") if p.is_file() and p.name != ".lock"] == []


def test_limits_are_413(small_door):
    big = octets(instance(1, study="A", size=300))
    assert post(small_door, big).status_code == 413
    assert post(small_door, *[b"x" * 10] * 6).status_code == 413
    medium = octets(instance(1, study="A", size=160))
    answer = post(small_door, medium, octets(instance(2, study="A", size=8)))
    assert answer.status_code == 202
    assert reasons(answer) + reasons(answer, "0008119A") == [0xA700]
    chunked = small_door.http.post(
        "/studies", content=iter([big, big]), headers={"content-type": MULTIPART}
    )
    assert chunked.status_code == 413


def test_a_file_without_preamble_is_stored_with_one(door):
    target = BytesIO()
    pydicom.dcmwrite(target, instance(1, study="A"))
    bare = target.getvalue()
    assert post(door, bare).status_code == 200
    path = f"/studies/{stable('A')}/series/{stable('A', '1')}/instances/{stable('A', '1', 1)}"
    back = door.http.get(path, headers={"accept": "application/dicom"}).content
    assert back[128:132] == b"DICM"
    assert back.endswith(bare)
    read = pydicom.dcmread(BytesIO(back))
    group = read.file_meta.FileMetaInformationGroupLength
    assert back[144 + group : 146 + group] == b"\x08\x00"  # the data set begins where it says
    assert with_preamble(b"DICM") == b"DICM"


def test_a_big_instance_streams_through(door):
    file = octets(instance(1, study="A", size=1500))
    assert len(file) > 4_000_000
    assert post(door, file).status_code == 200
    (back,) = door.dicomweb.iter_series(stable("A"), stable("A", "1"))
    assert octets(back) == file


def test_nobody_unknown_and_nobody_without_the_right_stores(door):
    file = octets(instance(1, study="A"))
    anonymous = door.client().post(
        "/studies", content=file, headers={"content-type": "application/dicom"}
    )
    assert anonymous.status_code == 401
    assert "Bearer" in anonymous.headers["www-authenticate"]
    clinician = door.client(door.imaging.house.token("clinician"))
    assert (
        clinician.post(
            "/studies", content=file, headers={"content-type": "application/dicom"}
        ).status_code
        == 403
    )
    assert [a.outcome for a in door.accesses() if a.action == "store"] == ["denied"]


def test_every_refusal_has_a_status_and_a_reason():
    for kind in leaves():
        refusal = kind.__new__(kind)
        assert 400 <= status_of(refusal) <= 503
        assert failure_reason(refusal) in {0x0110, 0x0111, 0x0122, 0x0124, 0xA700, 0xA900, 0xC000}


def test_a_request_of_which_nothing_can_be_stored_now_is_503():
    results = [stow_response.Result(None, Unavailable())]
    assert stow_response.response_status(results) == 503
    assert json.dumps(stow_response.response(results, "http://h"))
