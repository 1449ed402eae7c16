"""RAD-107: what an imaging document consumer asks of WADO-RS (RAD TF-2 4.107, PS3.18 10.4)."""

import io
from email.parser import BytesParser

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from tests.support.archive import instance, stable

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DICOM = 'multipart/related; type="application/dicom"'


def study_of(ds):
    return f"/studies/{ds.StudyInstanceUID}"


def series_of(ds):
    return f"{study_of(ds)}/series/{ds.SeriesInstanceUID}"


def instance_of(ds):
    return f"{series_of(ds)}/instances/{ds.SOPInstanceUID}"


def parts(answer):
    head = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n"
    message = BytesParser().parsebytes(head + answer.content)
    return [(p["Content-Type"], p.get_payload(decode=True)) for p in message.get_payload()]


@pytest.mark.tender("R-6.2.3.2", "H-2")
@pytest.mark.parametrize("resource", [study_of, series_of, instance_of])
def test_rad107_study_series_and_instance(door, resource):
    ds = instance()
    (file,) = door.imaging.store(ds)
    answer = door.http.get(resource(ds), headers={"Accept": DICOM})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/related")
    assert 'type="application/dicom"' in answer.headers["content-type"]
    ((kind, octets),) = parts(answer)
    assert kind == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert octets == file


@pytest.mark.parametrize(
    "wanted", [EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"]
)
def test_rad107_the_accepted_transfer_syntax_is_made(door, wanted):
    ds = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    door.imaging.store(ds)
    accept = f"{DICOM}; transfer-syntax={wanted}"
    ((kind, octets),) = parts(door.http.get(study_of(ds), headers={"Accept": accept}))
    theirs = pydicom.dcmread(io.BytesIO(octets))
    assert kind.endswith(f"transfer-syntax={wanted}")
    assert theirs.file_meta.TransferSyntaxUID == wanted
    assert np.array_equal(theirs.pixel_array, ds.pixel_array)


def test_rad107_of_several_accepted_forms_the_first_that_can_be_had(door):
    ds = instance()
    (file,) = door.imaging.store(ds)
    accept = (
        f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50;q=1.0, {DICOM}; transfer-syntax=*;q=0.5"
    )
    ((_, octets),) = parts(door.http.get(study_of(ds), headers={"Accept": accept}))
    assert octets == file


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("multipart/related", 200),
        ('multipart/related; type="application/*"', 200),
        (f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50", 406),
        ('multipart/related; type="image/jpeg"', 406),
        ("text/html", 406),
    ],
)
def test_rad107_what_is_not_acceptable_is_406(door, accept, status):
    ds = instance()
    door.imaging.store(ds)
    assert door.http.get(study_of(ds), headers={"Accept": accept}).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/studies/1.2.3",
        f"/studies/{stable('A')}/series/1.2.3",
        f"/studies/{stable('A')}/series/{stable('A', '1')}/instances/1.2.3",
        f"/studies/{stable('B')}/series/{stable('A', '1')}/instances/{stable('A', '1', 1)}",
    ],
)
def test_rad107_what_is_not_there_is_404(door, path):
    door.imaging.store(instance())
    assert door.http.get(path, headers={"Accept": DICOM}).status_code == 404


def test_rad107_metadata_as_the_transaction_offers_them(door):
    ds = instance()
    door.imaging.store(ds)
    answer = door.http.get(f"{study_of(ds)}/metadata", headers={"Accept": "application/dicom+json"})
    assert answer.headers["content-type"] == "application/dicom+json"
    assert answer.json()[0]["00080018"]["Value"] == [ds.SOPInstanceUID]


def test_rad107_access_is_recorded(door):
    ds = instance()
    door.imaging.store(ds)
    before = len(door.accesses())
    door.http.get(study_of(ds), headers={"Accept": DICOM})
    (recorded,) = door.accesses()[before:]
    assert (recorded.action, recorded.transaction) == ("retrieve", "WADO-RS")
    assert recorded.study_uids == (stable("A"),)
