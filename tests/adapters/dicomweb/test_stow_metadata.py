"""STOW-RS of metadata and bulk data: pictures, frames, video, PDF; as JSON and as XML."""

import io
import json

import numpy as np
import pydicom
import pytest
from PIL import Image

from adapters.dicomweb import encode, native_xml
from repository.instances.refusals import MalformedInstance
from tests.support.archive import instance, octets, stable
from tests.support.dicom_corpus import differences, read

JSON = "application/dicom+json"
XML = "application/dicom+xml"


def identifiers(number, sop_class="1.2.840.10008.5.1.4.1.1.7", **more):
    return {
        "00080016": {"vr": "UI", "Value": [sop_class]},
        "00080018": {"vr": "UI", "Value": [stable("apart", number)]},
        "0020000D": {"vr": "UI", "Value": [stable("apart", "study")]},
        "0020000E": {"vr": "UI", "Value": [stable("apart", "series")]},
        "00100020": {"vr": "LO", "Value": ["APART-1"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Pic^Ture", "Ideographic": "图^片"}]},
        "00080060": {"vr": "CS", "Value": ["OT"]},
        **more,
    }


def post(door, metadata, *bulk, kind=JSON, path="/studies"):
    """Send metadata and bulk data given as (content type, content location, octets)."""
    if kind == JSON:
        parts = [(JSON, "", json.dumps(metadata).encode())]
    else:
        parts = [(XML, "", encode.xml_document(one)) for one in metadata]
    body = b"".join(
        b"--B\r\nContent-Type: %s\r\n%s\r\n%s\r\n"
        % (media.encode(), b"Content-Location: %s\r\n" % at.encode() if at else b"", value)
        for media, at, value in (*parts, *bulk)
    )
    return door.http.post(
        path,
        content=body + b"--B--\r\n",
        headers={"content-type": f'multipart/related; type="{kind}"; boundary=B'},
    )


def stored(door, number=1):
    url = (
        f"/studies/{stable('apart', 'study')}/series/{stable('apart', 'series')}"
        f"/instances/{stable('apart', number)}"
    )
    return pydicom.dcmread(
        io.BytesIO(door.http.get(url, headers={"accept": "application/dicom"}).content)
    )


def jpeg(*, colour):
    mode = "RGB" if colour else "L"
    target = io.BytesIO()
    Image.new(mode, (40, 30), (90, 90, 90) if colour else 90).save(target, "JPEG")
    return target.getvalue()


@pytest.mark.parametrize("kind", [JSON, XML])
def test_an_instance_taken_apart_is_stored_whole(door, kind):
    original = instance(1, study="A", PatientName="Wang^Xiaoming=王^小明")
    original.SpecificCharacterSet = "ISO_IR 192"
    metadata = original.to_json_dict(
        bulk_data_element_handler=lambda _: "http://client/pixels", bulk_data_threshold=256
    )
    answer = post(
        door,
        [metadata],
        ("application/octet-stream", "http://client/pixels", original.PixelData),
        kind=kind,
    )
    assert answer.status_code == 200, answer.text
    url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    got = door.http.get(url, headers={"accept": "application/dicom"}).content
    assert differences(read(octets(original)), read(got)) == []


@pytest.mark.parametrize("colour", [True, False])
def test_a_picture_is_told_of_by_its_own_header(door, colour):
    picture = jpeg(colour=colour)
    metadata = identifiers(1, **{"7FE00010": {"vr": "OB", "BulkDataURI": "picture.jpg"}})
    answer = post(door, [metadata], ("image/jpeg", "picture.jpg", picture))

    assert answer.status_code == 202
    (told,) = answer.json()["00081199"]["Value"]
    assert told["00081196"]["Value"] == [0xB000]
    got = stored(door)
    assert (got.Rows, got.Columns, got.SamplesPerPixel) == (30, 40, 3 if colour else 1)
    assert got.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert str(got.PatientName) == "Pic^Ture=图^片"
    assert abs(int(np.median(got.pixel_array)) - 90) < 3
    shown = door.http.get(answer.json()["00081190"]["Value"][0] + "/rendered?accept=image/jpeg")
    assert shown.headers["content-type"] == "image/jpeg"


def test_single_frames_become_one_image(door):
    frames = [jpeg(colour=False), jpeg(colour=False)]
    metadata = identifiers(1, **{"7FE00010": {"vr": "OB", "BulkDataURI": "http://c/px"}})
    answer = post(
        door,
        [metadata],
        *(("image/jpeg", f"http://c/px/frames/{n}", f) for n, f in enumerate(frames, 1)),
    )
    assert answer.status_code == 202
    assert stored(door).NumberOfFrames == 2


def test_a_video_keeps_its_stream(door):
    stream = bytes(range(256)) * 30
    metadata = identifiers(
        1, "1.2.840.10008.5.1.4.1.1.77.1.1.1", **{"7FE00010": {"vr": "OB", "BulkDataURI": "v"}}
    )
    answer = post(door, [metadata], ("video/mp4", "v", stream))
    assert answer.status_code == 200
    got = stored(door)
    assert got.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert next(pydicom.encaps.generate_frames(got.PixelData, number_of_frames=1)) == stream


def test_a_pdf_is_encapsulated(door):
    document = b"%PDF-1.7 synthetic\n%%EOF"
    metadata = identifiers(
        1, "1.2.840.10008.5.1.4.1.1.104.1", **{"00420011": {"vr": "OB", "BulkDataURI": "d.pdf"}}
    )
    answer = post(door, [metadata], ("application/pdf", "d.pdf", document))
    assert answer.status_code == 202
    url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert door.http.get(url + "/rendered").content == document


def test_each_instance_of_a_request_is_stored_or_refused_on_its_own(door):
    pixels = {"7FE00010": {"vr": "OB", "BulkDataURI": "did-not-come"}}
    answer = post(
        door, [identifiers(1), identifiers(2, **pixels), identifiers(3), {"00080018": {"vr": "UI"}}]
    )
    assert answer.status_code == 202
    assert len(answer.json()["00081199"]["Value"]) == 2
    assert [one["00081197"]["Value"] for one in answer.json()["0008119A"]["Value"]] == [
        [0xC000],
        [0xC000],
    ]


def test_the_study_of_the_path_is_the_study(door):
    metadata = identifiers(1)
    del metadata["0020000D"]
    assert post(door, [metadata], path=f"/studies/{stable('apart', 'study')}").status_code == 200
    other = post(door, [identifiers(2)], path="/studies/1.2.3")
    assert other.status_code == 409


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1]", b'[{"00080018": 7}]', b'[{"00080018": {"vr": 7}}]', b'"x"', b"\xff",
     b'[{"zz": {"vr": "UI", "Value": [{}]}}]'],
)  # fmt: skip
def test_what_is_no_metadata_is_409(door, body):
    answer = door.http.post(
        "/studies",
        content=b"--B\r\nContent-Type: application/dicom+json\r\n\r\n" + body + b"\r\n--B--\r\n",
        headers={"content-type": f'multipart/related; type="{JSON}"; boundary=B'},
    )
    assert answer.status_code == 409, answer.text


@pytest.mark.parametrize(
    "document",
    [b"", b"<a/>", b"<NativeDicomModel><DicomAttribute",
     b'<!DOCTYPE a [<!ENTITY e "x">]><NativeDicomModel>&e;</NativeDicomModel>',
     b'<NativeDicomModel><DicomAttribute tag="1" vr="US"><Value>x</Value></DicomAttribute></NativeDicomModel>'],
)  # fmt: skip
def test_what_is_no_native_model_is_refused(document):
    with pytest.raises(MalformedInstance):
        native_xml.dataset_of(document)
