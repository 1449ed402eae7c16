"""An image that a technologist rejected is seen by nobody any more, at whichever door he asks.

RAD TF-3 4.66 (IOCM): the note comes by C-STORE; asked are C-FIND, C-GET, C-MOVE, QIDO-RS, WADO-RS,
WADO-URI and FHIR.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pydicom
import pytest

from tests.support import ct, modality
from tests.support.manifests import foreign_kos
from tests.support.running import RunningPianku

pytestmark = [pytest.mark.peer("dcmtk"), pytest.mark.tender("R-6.3.4")]


@pytest.fixture(scope="module")
def files(pianku: RunningPianku, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Three images, of which the second is rejected after it was seen."""
    folder = tmp_path_factory.mktemp("rejected")
    series = ct.Series(patient_id=f"RJ{time.monotonic_ns()}")
    written = ct.write(folder, series, 3, size=64)
    modality.store(pianku.node, written)
    second = pydicom.dcmread(written[1], stop_before_pixels=True)
    assert found(pianku, written) == set(modality.by_uid(written))
    note = pydicom.dcmread(
        io.BytesIO(
            foreign_kos(
                series.study_uid,
                {series.series_uid: [str(second.SOPInstanceUID)]},
                title=("113037", "DCM", "Rejected for Patient Safety Reasons"),
                PatientID=series.patient_id,
            )
        )
    )
    path = folder / "note.dcm"
    note.save_as(path)
    modality.store(pianku.node, [path])
    return written


def found(pianku: RunningPianku, written: Sequence[Path]) -> set[str]:
    one = pydicom.dcmread(written[0], stop_before_pixels=True)
    keys = [
        "QueryRetrieveLevel=IMAGE",
        f"StudyInstanceUID={one.StudyInstanceUID}",
        "SeriesInstanceUID",
        "SOPInstanceUID",
    ]
    return {str(i.SOPInstanceUID) for i in modality.find(pianku.node, keys)}


def uids(files: Sequence[Path]) -> tuple[str, str, str, set[str]]:
    """Return study, series, the rejected instance, and the others."""
    read = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    left = {str(read[0].SOPInstanceUID), str(read[2].SOPInstanceUID)}
    one = read[1]
    return str(one.StudyInstanceUID), str(one.SeriesInstanceUID), str(one.SOPInstanceUID), left


def test_queries_do_not_tell_of_it(pianku: RunningPianku, files: Sequence[Path]) -> None:
    study, _, _, left = uids(files)
    assert found(pianku, files) == left
    (told,) = modality.find(
        pianku.node,
        ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}", "ModalitiesInStudy",
         "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries"],
    )  # fmt: skip
    assert told.NumberOfStudyRelatedInstances == 2
    assert told.NumberOfStudyRelatedSeries == 1
    assert told.ModalitiesInStudy == "CT"


def test_get_and_move_do_not_send_it(
    pianku: RunningPianku, files: Sequence[Path], tmp_path: Path
) -> None:
    study, _, _, left = uids(files)
    keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}"]
    modality.get(pianku.node, keys, tmp_path / "got")
    assert set(modality.by_uid(sorted((tmp_path / "got").iterdir()))) == left
    with modality.receiver("RJDEST") as third:
        pianku.allow_destination("RJDEST", third.node.port)
        modality.move(pianku.node, keys, "RJDEST")
        assert set(modality.by_uid(third.files(2))) == left


def test_the_web_does_not_show_it(pianku: RunningPianku, files: Sequence[Path]) -> None:
    study, series, rejected, left = uids(files)
    with httpx.Client(base_url=pianku.http, headers=pianku.token(), timeout=60) as web:
        root = f"/dicom-web/studies/{study}"
        answers = web.get(f"{root}/instances").json()
        metadata = web.get(f"{root}/metadata").json()
        one = f"{root}/series/{series}/instances/{rejected}"
        refused = [
            web.get(one),
            web.get(f"{one}/metadata"),
            web.get(f"{one}/frames/1"),
            web.get(
                "/wado",
                params={
                    "requestType": "WADO", "studyUID": study, "seriesUID": series,
                    "objectUID": rejected,
                },
            ),
        ]  # fmt: skip
        whole = web.get(root)
        fhir = web.get("/fhir/r4/ImagingStudy", params={"identifier": f"urn:oid:{study}"})
    assert {i["00080018"]["Value"][0] for i in answers} == left
    assert {i["00080018"]["Value"][0] for i in metadata} == left
    assert [answer.status_code for answer in refused] == [404] * 4
    assert whole.content.count(b"DICM") == 2
    (entry,) = fhir.json()["entry"]
    assert entry["resource"]["numberOfInstances"] == 2
