"""WADO-URI (RAD-55) over the wire: files, pictures, documents, films, and the refusals of I3."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pydicom
import pytest
import uvicorn
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41, EncapsulatedPDFStorage, VideoEndoscopicImageStorage

from adapters.dicomweb.archive import Archive
from adapters.dicomweb.wado_uri import WadoUri
from projections.permissions.policy import clause
from tests.support import drawn
from tests.support.archive import instance, stable
from tests.support.correcting import correct
from tests.support.imaging import imaging

EXPLICIT, IMPLICIT, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.90"


class Door:
    """A running server with what stands behind it."""

    def __init__(self, made, port):
        self.made, self.base = made, f"http://127.0.0.1:{port}"
        self.http = self.client("system")

    def client(self, role):
        token = self.made.house.token(role) if role else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.base, headers=headers, timeout=30)

    def get(self, ds, accept=None, client=None, **query):
        asked = {
            "requestType": "WADO",
            "studyUID": ds.StudyInstanceUID,
            "seriesUID": ds.SeriesInstanceUID,
            "objectUID": ds.SOPInstanceUID,
            **query,
        }
        headers = {} if accept is None else {"Accept": accept}
        return (client or self.http).get("/wado", params=asked, headers=headers)

    def accesses(self):
        return [r.fact for r in self.made.house.access.read(0, 10_000)]


@pytest.fixture
def door(tmp_path):
    threads, renderers = ThreadPoolExecutor(8), ThreadPoolExecutor(2)
    with imaging(tmp_path) as made:
        app = WadoUri(
            Archive(
                blobs=made.blobs,
                stored=made.stored,
                index=made.index,
                searches=made.searches,
                storage=made.storage,
                intake=made.intake,
                guard=made.house.guard,
                clause=clause,
                threads=threads,
                renderers=renderers,
            )
        )
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield Door(made, server.servers[0].sockets[0].getsockname()[1])
        server.should_exit = True
        thread.join(10)
    threads.shutdown()
    renderers.shutdown()


def read(answer):
    return pydicom.dcmread(io.BytesIO(answer.content))


def picture(answer):
    return Image.open(io.BytesIO(answer.content))


@pytest.mark.tender("R-6.2.3.2", "H-2")
def test_rad55_a_file_as_stored(door):
    ds = instance()
    (file,) = door.made.store(ds)
    answer = door.get(ds, contentType="application/dicom")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert answer.content == file
    by_header = door.get(ds, accept="application/dicom")
    assert by_header.content == file


@pytest.mark.parametrize(
    ("asked", "given"),
    [("", EXPLICIT), (EXPLICIT, EXPLICIT), (IMPLICIT, IMPLICIT), (J2K, J2K), ("*", J2K),
     ("1.2.840.10008.1.2.4.50", EXPLICIT)],
)  # fmt: skip
def test_rad55_the_asked_transfer_syntax_else_the_default_one(door, asked, given):
    ds = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    door.made.store(ds)
    query = {"transferSyntax": asked} if asked else {}
    answer = door.get(ds, contentType="application/dicom", **query)
    assert answer.status_code == 200, answer.text
    assert read(answer).file_meta.TransferSyntaxUID == given
    assert answer.headers["content-type"].endswith(f"transfer-syntax={given}")
    assert np.array_equal(read(answer).pixel_array, ds.pixel_array)


@pytest.mark.tender("R-6.3.4")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_rad55_a_file_has_its_corrected_header(door, syntax):
    ds = instance()
    (file,) = door.made.store(ds)
    correct(door.made.house.facts, door.made.index, str(ds.StudyInstanceUID))
    query = {"contentType": "application/dicom", "transferSyntax": syntax}
    answer = door.get(ds, **query)
    assert (str(read(answer).PatientName), read(answer).PatientID) == ("Li^Si=李^四", "RIGHT-1")
    assert read(answer).file_meta.TransferSyntaxUID == syntax
    assert read(answer).PixelData == ds.PixelData
    assert "no-cache" in answer.headers["cache-control"]
    assert door.get(ds, **{**query, "transferSyntax": "*"}, original="true").content == file
    assert door.accesses()[-1].detail == "original"


def test_rad55_a_picture_is_the_default_of_a_single_frame(door):
    ds = instance(size=64)
    door.made.store(ds)
    for more in ({}, {"accept": "*/*"}, {"accept": "image/jpeg"}, {"contentType": "image/jpeg"}):
        answer = door.get(ds, **more)
        assert answer.headers["content-type"] == "image/jpeg"
        assert picture(answer).size == (64, 64)


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_rad55_other_pictures(door, kind):
    ds = instance(size=64)
    door.made.store(ds)
    answer = door.get(ds, contentType=f"image/{kind}")
    assert answer.headers["content-type"] == f"image/{kind}"
    assert picture(answer).format == kind.upper()


def test_rad55_size_region_window_and_quality(door):
    ds = instance(size=64)
    door.made.store(ds)
    assert picture(door.get(ds, rows="16")).size == (16, 16)
    assert picture(door.get(ds, rows="32", columns="8")).size == (8, 8)
    cut = door.get(ds, contentType="image/png", region="0.25,0.5,0.75,1")
    whole = door.get(ds, contentType="image/png")
    assert picture(cut).size == (32, 32)
    assert np.array_equal(np.array(picture(cut)), np.array(picture(whole))[32:64, 16:48])
    dark = door.get(ds, contentType="image/png", windowCenter="60000", windowWidth="2")
    assert np.array(picture(dark)).max() == 0
    assert len(door.get(ds, imageQuality="5").content) < len(
        door.get(ds, imageQuality="100").content
    )


def test_rad55_frames_of_a_multi_frame_instance(door):
    ds = pydicom.dcmread(get_testdata_file("SC_rgb_rle_2frame.dcm"))
    door.made.store(ds)
    assert door.get(ds).headers["content-type"].startswith("application/dicom")
    assert door.get(ds, contentType="image/jpeg").status_code == 200
    first, second = (
        np.array(picture(door.get(ds, contentType="image/png", frameNumber=n))) for n in ("1", "2")
    )
    assert np.array_equal(first, ds.pixel_array[0])
    assert np.array_equal(second, ds.pixel_array[1])
    assert door.get(ds, contentType="image/png", frameNumber="3").status_code == 404


def test_rad55_a_document_inside_an_instance(door):
    ds = instance(PixelData=None, Rows=None, Columns=None, SOPClassUID=EncapsulatedPDFStorage)
    ds.EncapsulatedDocument, ds.MIMETypeOfEncapsulatedDocument = b"%PDF-1.7 x", "application/pdf"
    door.made.store(ds)
    answer = door.get(ds, contentType="application/pdf")
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", b"%PDF-1.7 x")
    assert door.get(ds).headers["content-type"].startswith("application/dicom")
    assert door.get(ds, contentType="image/jpeg").status_code == 406


def test_rad55_a_film_is_given_as_the_stream_that_it_is(door):
    film = bytes(range(250)) * 20
    ds = instance(SOPClassUID=VideoEndoscopicImageStorage, NumberOfFrames=25)
    ds.file_meta.TransferSyntaxUID = MPEG4HP41
    ds.PixelData = encapsulate([film], has_bot=False)
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    door.made.store(ds)
    answer = door.get(ds, contentType="video/mp4")
    assert (answer.headers["content-type"], answer.content) == ("video/mp4", film)
    whole = door.get(ds, contentType="application/dicom")
    assert read(whole).file_meta.TransferSyntaxUID == MPEG4HP41  # nothing else can be made of it
    assert door.get(ds, contentType="video/mpeg").status_code == 406


@pytest.mark.parametrize(
    "query",
    [
        {"objectUID": "1.2.3.4"},
        {"seriesUID": "1.2.3.4"},
        {"studyUID": "1.2.3.4"},
        {"studyUID": ""},
        {"seriesUID": ""},
        {"studyUID": "", "seriesUID": ""},
        {"objectUID": ""},
        {"objectUID": "no uid"},
        {"seriesUID": stable("A", "2")},
        {"studyUID": stable("B")},
    ],
)
def test_i3_wrong_study_series_or_instance_is_404(door, query):
    ds = instance()
    door.made.store(ds, instance(2, series="2"), instance(1, study="B"))
    for kind in ("application/dicom", "image/jpeg"):
        assert door.get(ds, contentType=kind, **query).status_code == 404


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        ({"contentType": "image/jp2"}, None, 406),
        ({"contentType": "text/html"}, None, 406),
        ({"contentType": "application/dicom"}, "image/jpeg", 406),
        ({}, "text/plain", 406),
        ({"contentType": "image/jp2,image/png"}, None, 200),
        ({"contentType": "application/dicom"}, "application/dicom, */*;q=0.1", 200),
        ({"requestType": "wado"}, None, 200),
        ({"requestType": "QIDO"}, None, 400),
        ({"anonymize": "yes"}, None, 406),
        ({"anonymize": "no"}, None, 200),
        ({"presentationUID": "1.2.3"}, None, 400),
        ({"annotation": "patient"}, None, 200),
        ({"annotation": "colour"}, None, 400),
        ({"presentationUID": "1.2.3", "presentationSeriesUID": "1.2"}, None, 404),
        ({"rows": "0"}, None, 400),
        ({"rows": "-1"}, None, 400),
        ({"columns": "99999999"}, None, 400),
        ({"frameNumber": "x"}, None, 400),
        ({"frameNumber": "0"}, None, 400),
        ({"frameNumber": "2"}, None, 404),
        ({"windowCenter": "40"}, None, 400),
        ({"windowCenter": "40", "windowWidth": "0"}, None, 400),
        ({"windowCenter": "nan", "windowWidth": "1"}, None, 400),
        ({"region": "0,0,2,1"}, None, 400),
        ({"region": "0.5,0,0.5,1"}, None, 400),
        ({"region": "1,2"}, None, 400),
        ({"imageQuality": "101"}, None, 400),
    ],
)
def test_rad55_what_is_asked_wrongly_is_told_so(door, query, accept, status):
    ds = instance()
    door.made.store(ds)
    answer = door.get(ds, accept=accept, **query)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


def test_rad55_a_missing_parameter_and_another_method(door):
    assert door.http.get("/wado").status_code == 400
    assert door.http.get("/wado", params={"requestType": "WADO"}).status_code == 400
    assert door.http.post("/wado", params={"requestType": "WADO"}).status_code == 405


def test_rad55_access_is_asked_for_and_recorded(door):
    ds = instance()
    door.made.store(ds)
    assert door.get(ds, client=door.client("")).status_code == 401
    refused = door.get(ds, client=door.client("audit_admin"))
    unknown = door.get(ds, client=door.client("audit_admin"), objectUID="1.2.3")
    assert refused.status_code == unknown.status_code == 403
    before = len(door.accesses())
    for _ in range(3):
        assert door.get(ds, contentType="application/dicom").status_code == 200
    (recorded,) = door.accesses()[before:]
    assert (recorded.action, recorded.outcome, recorded.transaction) == (
        "retrieve",
        "success",
        "RAD-55",
    )
    assert recorded.study_uids == (stable("A"),)


def test_rad55_head_gives_no_octets(door):
    ds = instance()
    (file,) = door.made.store(ds)
    answer = door.http.head(
        "/wado",
        params={
            "requestType": "WADO", "studyUID": ds.StudyInstanceUID,
            "seriesUID": ds.SeriesInstanceUID, "objectUID": ds.SOPInstanceUID,
            "contentType": "application/dicom",
        },
    )  # fmt: skip
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(file))


def test_rad55_an_image_is_shown_by_a_presentation_state(door):
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 64, (48, 1))
    image = drawn.image(ramp, BitsStored=12, WindowCenter=99, WindowWidth=9)
    door.made.store(image)
    door.made.store(drawn.state(ImageHorizontalFlip="Y", ImageRotation=0))
    ds = pydicom.dcmread(io.BytesIO(image))
    by = {"presentationUID": drawn.STATE, "presentationSeriesUID": drawn.STATE_SERIES}
    answer = door.get(ds, contentType="image/png", **by)
    assert answer.status_code == 200, answer.text
    shown = np.asarray(picture(answer))
    assert np.abs(shown - (ramp * 255.0 / 4095)[:, ::-1]).max() <= 0.51
    for wrong in (
        {**by, "presentationUID": drawn.IMAGE},
        {**by, "presentationSeriesUID": drawn.SERIES},
        {**by, "presentationUID": "1.2.99"},
    ):
        assert door.get(ds, contentType="image/png", **wrong).status_code == 404
    del by["presentationSeriesUID"]
    assert door.get(ds, contentType="image/png", **by).status_code == 400
