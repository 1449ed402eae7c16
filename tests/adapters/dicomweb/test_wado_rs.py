"""WADO-RS: representations, caching, refusals, and the record of who saw what."""

from concurrent.futures import Future
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from adapters.dicomweb import negotiate
from adapters.http.refusals import NotAcceptable
from kernel.ledger.ports import LedgerUnavailable
from repository.instances.header import identify
from repository.tiers.ports import ObjectMissing
from tests.support.archive import instance, octets, stable

SERIES = f"/studies/{stable('A')}/series/{stable('A', '1')}"
ONE = f"{SERIES}/instances/{stable('A', '1', 1)}"
ANY = {"accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}


def path_of(file):
    ids = identify(file)
    return f"/studies/{ids.study_uid}/series/{ids.series_uid}/instances/{ids.sop_uid}"


def send(door, name):
    file = Path(get_testdata_file(name)).read_bytes()
    door.imaging.store(file)
    return file, path_of(file)


def test_metadata_are_compressed_cached_and_fresh(door):
    door.imaging.store(*(instance(n, study="A", ImageComments="c" * 500) for n in (1, 2, 3)))
    plain = door.http.get(f"{SERIES}/metadata", headers={"accept-encoding": "identity"})
    zipped = door.http.get(f"{SERIES}/metadata", headers={"accept-encoding": "gzip"})
    assert plain.headers["content-type"] == "application/dicom+json"
    assert zipped.headers["content-encoding"] == "gzip"
    assert plain.json() == zipped.json()
    assert len(plain.json()) == 3
    etag = plain.headers["etag"]
    again = door.http.get(f"{SERIES}/metadata", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    door.imaging.store(instance(4, study="A"))
    fresh = door.http.get(f"{SERIES}/metadata", headers={"if-none-match": etag})
    assert (fresh.status_code, len(fresh.json())) == (200, 4)
    assert len(door.http.get(f"/studies/{stable('A')}/metadata").json()) == 4
    (one,) = door.http.get(f"{ONE}/metadata").json()
    assert one["00080018"]["Value"] == [stable("A", "1", 1)]
    assert one["7FE00010"]["BulkDataURI"] == f"{door.base}/dicom-web{ONE}/bulkdata/7FE00010"
    assert b"\x01" not in plain.content


def test_metadata_as_xml_hold_the_same_values(door):
    door.imaging.store(
        instance(1, study="A", PatientName="Wang^Xiaoming=王^小明", ImageType=["A", "B"])
    )
    answer = door.http.get(
        f"{ONE}/metadata", headers={"accept": 'multipart/related; type="application/dicom+xml"'}
    )
    xml = answer.content.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
    root = ET.fromstring(xml)
    space = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
    by_keyword = {a.get("keyword"): a for a in root}
    assert [v.text for v in by_keyword["ImageType"]] == ["A", "B"]
    name = by_keyword["PatientName"][0]
    assert name.find(f"{space}Ideographic/{space}FamilyName").text == "王"
    assert by_keyword["PixelData"][0].get("uri").endswith("/bulkdata/7FE00010")


def test_a_frame_is_sent_with_its_syntax_place_and_an_immutable_etag(door):
    dataset = instance(1, study="A")
    door.imaging.store(dataset)
    answer = door.http.get(f"{ONE}/frames/1", headers=ANY)
    head, _, rest = answer.content.partition(b"\r\n\r\n")
    assert rest.startswith(dataset.PixelData)
    assert b"application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1" in head
    assert f"Content-Location: {door.base}/dicom-web{ONE}/frames/1".encode() in head
    assert "immutable" in answer.headers["cache-control"]
    assert "content-encoding" not in answer.headers
    again = door.http.get(
        f"{ONE}/frames/1", headers={**ANY, "if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    single = door.http.get(f"{ONE}/frames/1", headers={"accept": "application/octet-stream"})
    assert single.content == dataset.PixelData
    assert door.http.head(f"{ONE}/frames/1", headers=ANY).content == b""


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{ONE}/frames/2", 404),
        (f"{ONE}/frames/0", 400),
        (f"{ONE}/frames/x", 400),
        (f"{ONE}/frames/1,2", 404),
        (f"{ONE}/frames/99999999999999999999", 404),
        (f"{SERIES}/instances/1.2.3/frames/1", 404),
        (f"{SERIES}/instances/..%2f../frames/1", 404),
        (f"/studies/1.2.3/series/{stable('A', '1')}/instances/{stable('A', '1', 1)}", 404),
        ("/studies/1.2.3", 404),
        ("/studies/1.2.3/metadata", 404),
        (f"{SERIES}/nonsense", 404),
        ("/nonsense", 404),
        ("", 404),
        (f"{ONE}/bulkdata/00080018/0", 404),
        (f"{ONE}/bulkdata/7FE00011", 404),
        (f"{ONE}/bulkdata/zz", 404),
        (f"{ONE}/bulkdata", 404),
        (f"{ONE}/frames/1,2/rendered", 400),
        (f"{ONE}/frames/7/rendered", 404),
        (f"{ONE}/rendered?window=1", 400),
        (f"{ONE}/rendered?viewport=0,0", 400),
        (f"{ONE}/rendered?window=1,0,linear", 400),
        (f"{ONE}/rendered?quality=x", 400),
        ("/studies/a/b/c/d/e/f/g/h", 404),
        ("/studies/%00", 404),
    ],
)
def test_what_is_not_there_is_told_so(door, path, status):
    door.imaging.store(instance(1, study="A"))
    answer = door.http.get(path)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_other_methods_are_405(door):
    answer = door.http.delete(ONE)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert door.http.post(ONE).status_code == 405


def test_forms_that_cannot_be_given_are_406(door):
    _file, path = send(door, "MR_small_jp2klossless.dcm")
    for url, accept in (
        (path, "image/png"),
        (f"{path}/frames/1", 'multipart/related; type="image/jphc"'),
        (f"{path}/metadata", "text/html"),
        (f"{path}/rendered", "video/mp4"),
        (path, 'multipart/related; type="application/dicom"; transfer-syntax=1.2.3'),
    ):
        assert door.http.get(url, headers={"accept": accept}).status_code == 406, accept
    _plan, plan = send(door, "rtplan.dcm")
    assert door.http.get(f"{plan}/rendered").status_code == 406
    assert door.http.get(f"{plan}/frames/1").status_code == 406


JPEG, J2K, LE, BE = (
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
)


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        ("", JPEG, ("image/jpeg", JPEG, True, True)),
        ("*/*", LE, ("application/octet-stream", LE, True, True)),
        (
            'multipart/related; type="application/octet-stream"',
            JPEG,
            ("application/octet-stream", LE, False, True),
        ),
        (
            'multipart/related; type="application/octet-stream"; transfer-syntax=*',
            JPEG,
            ("application/octet-stream", JPEG, True, True),
        ),
        ('multipart/related; type="image/jpeg"', JPEG, ("image/jpeg", JPEG, True, True)),
        (
            'multipart/related; type="image/*"; transfer-syntax=*',
            J2K,
            ("image/jp2", J2K, True, True),
        ),
        ("image/jpeg", JPEG, ("image/jpeg", JPEG, True, False)),
        ("application/octet-stream", J2K, ("application/octet-stream", LE, False, False)),
        ("multipart/related", BE, ("application/octet-stream", LE, False, True)),
        ("multipart/related; transfer-syntax=*", BE, ("application/octet-stream", BE, True, True)),
        (
            'multipart/related; type="image/jp2", multipart/related; type="application/octet-stream";q=0.5',
            LE,
            ("application/octet-stream", LE, True, True),
        ),
    ],
)
def test_frames_are_sent_as_stored_whenever_the_client_takes_it(accept, stored, expected):
    found = negotiate.for_frames(accept or None, (), stored, single=True)
    assert (found.media_type, found.transfer_syntax, found.as_stored, found.multipart) == expected


def test_whole_instances_never_go_as_one_file_when_there_are_many():
    with pytest.raises(NotAcceptable):
        negotiate.for_instances("application/dicom", (), LE, single=False)


def test_big_endian_and_deflated_frames_are_sent_little_and_plain(door):
    expected = pydicom.dcmread(get_testdata_file("MR_small.dcm")).PixelData[: 64 * 64 * 2]
    _file, path = send(door, "MR_small_bigendian.dcm")
    accept = {"accept": "application/octet-stream"}
    assert door.http.get(f"{path}/frames/1", headers=accept).content == expected
    file, path = send(door, "image_dfl.dcm")
    pixels = pydicom.dcmread(BytesIO(file)).PixelData
    assert door.http.get(f"{path}/frames/1", headers=accept).content == pixels[: 512 * 512]
    assert door.http.get(f"{path}/bulkdata/7FE00010").content == pixels
    assert door.http.get(f"{path}/rendered").status_code == 200


def test_bulk_data_come_by_path_and_by_range(door):
    file, path = send(door, "CT_small.dcm")
    pixels = pydicom.dcmread(BytesIO(file)).PixelData
    url = f"{path}/bulkdata/7FE00010"
    assert door.http.get(url).content == pixels
    part = door.http.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, pixels[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(pixels)}"
    assert door.http.get(url, headers={"range": "bytes=99999999-"}).status_code == 416
    parts = door.http.get(
        url, headers={"accept": 'multipart/related; type="application/octet-stream"'}
    )
    assert pixels in parts.content
    waveform = pydicom.dcmread(get_testdata_file("waveform_ecg.dcm"))
    _file, path = send(door, "waveform_ecg.dcm")
    value = door.http.get(f"{path}/bulkdata/54000100/1/54001010")
    assert value.content == waveform.WaveformSequence[1].WaveformData
    assert door.http.get(f"{path}/bulkdata/54000100/9/54001010").status_code == 404


def test_pictures_follow_the_parameters(door):
    _file, path = send(door, "CT_small.dcm")

    def picture(url, **headers):
        answer = door.http.get(url, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer, Image.open(BytesIO(answer.content))

    answer, image = picture(f"{path}/rendered")
    assert (image.format, image.size) == ("JPEG", (128, 128))
    etag = answer.headers["etag"]
    assert door.http.get(f"{path}/rendered", headers={"if-none-match": etag}).status_code == 304
    assert picture(f"{path}/rendered?accept=image/png")[1].format == "PNG"
    assert picture(f"{path}/rendered?viewport=64,32")[1].size == (32, 32)
    assert picture(f"{path}/rendered?viewport=50,50,0,0,40,20")[1].size == (50, 25)
    dark = picture(f"{path}/rendered?window=3000,10,linear", accept="image/png")[1]
    assert dark.getextrema() == (0, 0)
    assert picture(f"{path}/thumbnail?viewport=16,16")[1].size == (16, 16)
    assert max(picture(f"{path}/thumbnail")[1].size) <= 128
    study = path.split("/series")[0]
    assert picture(f"{study}/thumbnail")[1].format == "JPEG"
    assert picture(f"{study}/rendered", accept="image/jpeg")[1].format == "JPEG"
    many = door.http.get(f"{study}/rendered")
    assert many.headers["content-type"].startswith('multipart/related; type="image/jpeg"')
    assert many.content.count(b"\xff\xd8\xff") == 1


def test_an_encapsulated_document_is_rendered_as_itself(door):
    pdf = b"%PDF-1.4 synthetic\n%%EOF"
    dataset = instance(
        1,
        study="A",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        Modality="DOC",
        PixelData=None,
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocumentLength=len(pdf),
    )
    dataset.EncapsulatedDocument = pdf + b"\0"
    door.imaging.store(dataset)
    answer = door.http.get(f"{ONE}/rendered")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content == pdf
    assert door.http.get(f"{ONE}/bulkdata/00420011").content == pdf
    assert door.http.get(f"{ONE}/thumbnail").status_code == 406


def test_a_study_streams_whole(door):
    sent = [octets(instance(n, study="A", size=700)) for n in (1, 2, 3)]
    door.imaging.store(*sent)
    answer = door.http.get(f"/studies/{stable('A')}")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert all(file in answer.content for file in sent)


def test_octets_that_are_gone_are_404_before_the_answer_begins(door):
    door.imaging.store(instance(1, study="A"))
    blobs = door.imaging.blobs
    key = door.imaging.storage.locate(stable("A", "1", 1)).key
    Path(blobs.path(key)).unlink()
    with pytest.raises(ObjectMissing):
        blobs.read(key)
    for url in (ONE, f"{ONE}/frames/1", f"{ONE}/rendered"):
        assert door.http.get(url).status_code == 404


def test_more_pictures_than_can_be_made_are_503(small_door):
    small_door.imaging.store(instance(1, study="A"))
    answer = small_door.http.get(f"{ONE}/rendered")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_one_view_is_one_access_event_however_many_frames(door):
    door.imaging.store(instance(1, study="A"), instance(1, study="B"))
    for _ in range(5):
        door.http.get(f"{ONE}/frames/1", headers=ANY)
        door.http.get(f"{ONE}/rendered")
    views = [a for a in door.accesses() if a.action == "view"]
    assert len(views) == 1
    assert views[0].study_uids == (stable("A"),)
    assert len(views[0].patient_keys) == 1
    door.http.get(f"/studies/{stable('B')}/metadata")
    assert len([a for a in door.accesses() if a.action == "view"]) == 2
    door.http.get(ONE)
    door.http.get(ONE)
    assert [a.count for a in door.accesses() if a.action == "retrieve"] == [1, 1]


def test_nothing_is_given_when_the_access_cannot_be_recorded(door, monkeypatch):
    door.imaging.store(instance(1, study="A"))

    def full(*_args, **_options):
        future = Future()
        future.set_exception(LedgerUnavailable())
        return future

    monkeypatch.setattr(door.imaging.house.guard, "record_soon", full)
    for url in (f"{ONE}/frames/1", f"{ONE}/metadata", ONE, "/studies", f"{ONE}/rendered"):
        assert door.http.get(url).status_code == 503


def test_strangers_and_administrators_see_nothing_not_even_what_exists(door):
    door.imaging.store(instance(1, study="A"))
    admin = door.client(door.imaging.house.token("system_admin"))
    for url in (
        ONE,
        f"{ONE}/frames/1",
        f"{ONE}/metadata",
        f"{SERIES}/metadata",
        "/studies",
        "/studies/1.2.3",
        f"{SERIES}/instances/1.2.3/rendered",
    ):
        assert door.client().get(url).status_code == 401
        assert admin.get(url).status_code == 403
    assert {a.outcome for a in door.accesses() if a.action in {"view", "query"}} == {"denied"}


def test_a_defect_is_500_and_tells_nothing(door, monkeypatch):
    monkeypatch.setattr(door.imaging.index, "revision", lambda *_a, **_o: 1 / 0)
    answer = door.http.get(f"{SERIES}/metadata")
    assert answer.status_code == 500
    assert "correlation" in answer.json()
    assert "zero" not in answer.text
