"""ZIP, ranges, conditional requests, videos and capabilities (PS3.18 8.7, 8.9; RFC 9110 13, 14)."""

import io
import zipfile
from xml.etree import ElementTree as ET

import pytest

from adapters.dicomweb.capabilities import OFFERS
from tests.support.archive import instance, octets, stable
from tests.support.dicom_corpus import VIDEO, generated
from tests.support.steps import CT_IMAGE
from tests.support.workitems import UID, body, commitment, new_workitem

STUDY = f"/studies/{stable('A')}"
SERIES = f"{STUDY}/series/{stable('A', '1')}"
ONE = f"{SERIES}/instances/{stable('A', '1', 1)}"
FILE = {"accept": "application/dicom"}


@pytest.fixture
def filled(door):
    door.imaging.store(*(instance(n, study="A") for n in (1, 2, 3)))
    return door


@pytest.mark.parametrize(("path", "count"), [(STUDY, 3), (SERIES, 3), (ONE, 1)])
@pytest.mark.parametrize(
    "accept", ["application/zip", "application/zip, multipart/related;q=0.5", "*/*;q=0.1, application/zip"]
)  # fmt: skip
def test_a_zip_holds_every_file_as_stored(filled, path, count, accept):
    answer = filled.http.get(path, headers={"accept": accept})

    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    assert held == {
        f"{stable('A', '1')}/{stable('A', '1', n)}.dcm": octets(instance(n, study="A"))
        for n in range(1, count + 1)
    }
    event = [a for a in filled.accesses() if a.action == "retrieve"][-1]
    assert event.count == count


def test_a_zip_is_not_what_anything_means(filled):
    for accept in ("*/*", "multipart/related, application/zip;q=0.9"):
        told = filled.http.get(STUDY, headers={"accept": accept}).headers["content-type"]
        assert told.startswith("multipart/related")
    assert (
        filled.http.get(f"{STUDY}/metadata", headers={"accept": "application/zip"}).status_code
        == 406
    )


@pytest.mark.parametrize(
    ("asked", "status", "place"),
    [("bytes=0-9", 206, slice(0, 10)), ("bytes=100-", 206, slice(100, None)),
     ("bytes=-7", 206, slice(-7, None)), ("bytes=9-1", 200, slice(None)),
     ("bytes=0-1,4-5", 200, slice(None)), ("lines=1-2", 200, slice(None))],
)  # fmt: skip
def test_an_instance_is_given_by_range(filled, asked, status, place):
    whole = octets(instance(1, study="A"))
    answer = filled.http.get(ONE, headers={**FILE, "range": asked})

    assert (answer.status_code, answer.content) == (status, whole[place])
    if status == 206:
        assert answer.headers["content-range"].endswith(f"/{len(whole)}")


def test_a_range_outside_is_416_and_another_state_is_sent_whole(filled):
    assert filled.http.get(ONE, headers={**FILE, "range": "bytes=99999999-"}).status_code == 416
    etag = filled.http.get(ONE, headers=FILE).headers["etag"]
    same = {**FILE, "range": "bytes=0-3", "if-range": etag}
    assert filled.http.get(ONE, headers=same).status_code == 206
    assert filled.http.get(ONE, headers={**same, "if-range": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (ONE, "application/dicom"),
        (ONE + "/metadata", "application/dicom+json"),
        (SERIES + "/metadata", "application/dicom+json"),
        (ONE + "/frames/1", "application/octet-stream"),
        (ONE + "/frames/1", "multipart/related; type=application/octet-stream"),
        (ONE + "/rendered", "image/png"),
        (ONE + "/thumbnail", "image/jpeg"),
        (ONE + "/bulkdata/7FE00010", "application/octet-stream"),
    ],
)
def test_what_the_client_holds_is_304(filled, path, accept):
    first = filled.http.get(path, headers={"accept": accept})
    etag = first.headers["etag"]

    def again(told):
        answer = filled.http.get(path, headers={"accept": accept, "if-none-match": told})
        return answer.status_code, len(answer.content)

    assert first.status_code == 200
    assert again(etag) == (304, 0)
    assert again(f'"other", {etag}') == (304, 0)
    assert again("*") == (304, 0)
    assert again('"other"') == (200, len(first.content))
    assert "private" in first.headers["cache-control"]


def test_a_video_is_sought_by_range_and_rendered_as_it_is(door):
    name = VIDEO["1.2.840.10008.1.2.4.102"]
    sample = next(one for one in generated() if one.name == name)
    door.imaging.store(sample.octets)
    (found,) = door.http.get(f"/instances?SOPInstanceUID={sample.sop_uid}").json()
    url = found["00081190"]["Value"][0]
    stream = bytes(range(256)) * 40

    whole = door.http.get(url + "/frames/1", headers={"accept": "video/mp4"})
    part = door.http.get(
        url + "/frames/1", headers={"accept": "video/mp4", "range": "bytes=256-511"}
    )
    played = door.http.get(url + "/rendered", headers={"accept": "video/*", "range": "bytes=0-1"})

    assert whole.content == stream
    assert whole.headers["accept-ranges"] == "bytes"
    assert (part.status_code, part.content) == (206, bytes(range(256)))
    assert part.headers["content-range"] == f"bytes 256-511/{len(stream)}"
    assert (played.status_code, played.content) == (206, b"\x00\x01")
    assert played.headers["content-type"].startswith("video/mp4")
    assert door.http.get(url + "/rendered", headers={"accept": "image/jpeg"}).status_code == 406
    beyond = {"accept": "video/mp4", "range": "bytes=999999-"}
    assert door.http.get(url + "/frames/1", headers=beyond).status_code == 416


def test_a_decoded_frame_has_ranges_too(filled):
    accept = {"accept": "application/octet-stream"}
    whole = filled.http.get(ONE + "/frames/1", headers=accept).content
    part = filled.http.get(ONE + "/frames/1", headers={**accept, "range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, whole[2:6])


def test_capabilities_are_told_as_wadl_and_json_and_are_true(filled):
    told = filled.http.request("OPTIONS", "")
    assert told.headers["content-type"] == "application/vnd.sun.wadl+xml"
    root = ET.fromstring(told.content)
    assert len(list(root.iter("{http://wadl.dev.java.net/2009/02}method"))) == len(OFFERS)
    as_json = filled.http.request("OPTIONS", "", headers={"accept": "application/json"}).json()

    names = {"study": stable("A"), "series": stable("A", "1"), "instance": stable("A", "1", 1),
             "frames": "1", "attribute": "7FE00010", "workitem": UID,
             "transaction": "2.25.1"}  # fmt: skip
    assert filled.http.post(f"/workitems?{UID}", content=body(new_workitem())).is_success
    asked = commitment((CT_IMAGE, names["instance"]))
    assert filled.http.post("/commitment-requests/2.25.1", content=asked).is_success
    for offer in as_json["resources"]:
        if offer["method"] != "GET":
            continue
        for media in offer["mediaTypes"]:
            path = offer["path"].format(**names)
            form = media
            if media == "multipart/related" and path.endswith(
                ("metadata", "series", "studies", "instances", "workitems")
            ):
                form = 'multipart/related; type="application/dicom+xml"'
            answer = filled.http.get(path, headers={"accept": form})
            assert answer.status_code == 200, (path, form, answer.text[:200])
            assert answer.headers["content-type"].startswith(media.split(";")[0])


def test_capabilities_are_for_those_who_may_ask(door):
    assert door.client().request("OPTIONS", "").status_code == 401
