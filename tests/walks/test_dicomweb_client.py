"""A DICOMweb client nobody here wrote stores, searches, and retrieves what it stored.

PS3.18 10.4 to 10.6, by `dicomweb-client` from PyPI.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence

import httpx
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from tests.support import ct
from tests.support.running import RunningPianku

pytestmark = pytest.mark.tender("R-6.2.3.2")


@pytest.fixture(scope="module")
def client(pianku: RunningPianku) -> DICOMwebClient:
    return DICOMwebClient(f"{pianku.http}/dicom-web", headers=pianku.token("clinician"))


@pytest.fixture(scope="module")
def stored(pianku: RunningPianku) -> Sequence[Dataset]:
    series = ct.Series(patient_id=f"DW{time.monotonic_ns()}", patient_name="Web^Phantom")
    datasets = [pydicom.dcmread(io.BytesIO(part10(d))) for d in ct.slices(series, 6, size=128)]
    system = DICOMwebClient(f"{pianku.http}/dicom-web", headers=pianku.token("system"))
    told = system.store_instances(datasets)
    assert len(told.ReferencedSOPSequence) == 6
    assert "FailedSOPSequence" not in told
    return datasets


def test_what_was_stored_is_found_at_once(
    client: DICOMwebClient, stored: Sequence[Dataset]
) -> None:
    one = stored[0]

    studies = client.search_for_studies(search_filters={"PatientID": one.PatientID})
    by_name = client.search_for_studies(
        search_filters={"PatientName": "Web*", "StudyInstanceUID": one.StudyInstanceUID}
    )
    series = client.search_for_series(one.StudyInstanceUID)
    instances = client.search_for_instances(one.StudyInstanceUID, one.SeriesInstanceUID)

    assert [s["0020000D"]["Value"] for s in studies] == [[one.StudyInstanceUID]]
    assert len(by_name) == 1
    assert [s["00080060"]["Value"] for s in series] == [["CT"]]
    assert {i["00080018"]["Value"][0] for i in instances} == {d.SOPInstanceUID for d in stored}


def test_what_was_stored_is_retrieved_byte_for_byte(
    pianku: RunningPianku, stored: Sequence[Dataset]
) -> None:
    one = stored[0]
    address = (f"{pianku.http}/dicom-web/studies/{one.StudyInstanceUID}/series/"
               f"{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}")  # fmt: skip
    answer = httpx.get(
        address, headers={**pianku.token(), "Accept": 'multipart/related; type="application/dicom"'}
    )

    assert answer.status_code == 200
    assert _only_part(answer) == part10(one)


def test_the_client_retrieves_the_study_with_equal_elements(
    client: DICOMwebClient, stored: Sequence[Dataset]
) -> None:
    got = {d.SOPInstanceUID: d for d in client.retrieve_study(stored[0].StudyInstanceUID)}

    assert set(got) == {d.SOPInstanceUID for d in stored}
    for dataset in stored:
        assert got[dataset.SOPInstanceUID] == dataset


def test_frames_and_metadata_and_a_rendered_picture(
    client: DICOMwebClient, stored: Sequence[Dataset]
) -> None:
    one = stored[2]
    names = (one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID)

    frame = client.retrieve_instance_frames(*names, frame_numbers=[1])[0]
    metadata = client.retrieve_series_metadata(*names[:2])
    rendered = client.retrieve_instance_rendered(*names, media_types=("image/png",))

    assert frame == one.PixelData
    assert len(metadata) == len(stored)
    read = next(m for m in metadata if m["00080018"]["Value"] == [one.SOPInstanceUID])
    assert "7FE00010" not in read or "BulkDataURI" in read["7FE00010"]
    assert read["00280010"]["Value"] == [128]
    assert rendered.startswith(b"\x89PNG")


def test_without_a_token_nothing_is_told(pianku: RunningPianku, stored: Sequence[Dataset]) -> None:
    for path in ("studies", f"studies/{stored[0].StudyInstanceUID}/metadata"):
        assert httpx.get(f"{pianku.http}/dicom-web/{path}").status_code == 401


def part10(dataset: Dataset) -> bytes:
    """Return the file that the client sends of a data set."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _only_part(answer: httpx.Response) -> bytes:
    boundary = answer.headers["content-type"].partition("boundary=")[2].split(";")[0].strip('"')
    body = answer.content
    begin = body.index(b"\r\n\r\n") + 4
    end = body.rindex(b"\r\n--" + boundary.encode() + b"--")
    part = body[begin:end]
    assert pydicom.dcmread(io.BytesIO(part)).file_meta
    return part
