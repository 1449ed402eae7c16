"""A corrected study is fetched from a running installation: new headers at every door, then the old.

Requirements R-6.3.4, decision 0024; getscu is dcmtk's.
"""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import httpx
import pydicom
import pytest

from tests.support import ct, modality
from tests.support.running import RunningPianku

pytestmark = pytest.mark.peer("dcmtk")


@pytest.mark.tender("R-6.3.4")
def test_files_go_out_corrected_until_it_is_taken_back(
    pianku: RunningPianku, tmp_path: Path
) -> None:
    series = ct.Series(patient_id=f"H{time.monotonic_ns()}", patient_name="Zhang^San")
    (path,) = ct.write(tmp_path / "ct", series, 1, size=64)
    modality.store(pianku.node, [path])
    sent, uid = pydicom.dcmread(path), series.study_uid
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"PatientName": "Li^Si=李^四"}))
    pianku.cli("studies", "correct", uid, str(values), "--reason", "wrong worklist entry")

    (got,) = fetched(pianku, uid, tmp_path / "new")
    assert (str(got.PatientName), got.SpecificCharacterSet) == ("Li^Si=李^四", "ISO_IR 192")
    (item,) = got.OriginalAttributesSequence
    assert str(item.ModifiedAttributesSequence[0].PatientName) == "Zhang^San"
    assert got.PixelData == sent.PixelData
    where = f"/dicom-web/studies/{uid}/series/{series.series_uid}/instances/{sent.SOPInstanceUID}"
    headers = {**pianku.token(), "Accept": "application/dicom"}
    with httpx.Client(base_url=pianku.http, headers=headers, timeout=60) as web:
        by_web = pydicom.dcmread(io.BytesIO(web.get(where).content))
        original = pydicom.dcmread(io.BytesIO(web.get(f"{where}?original=true").content))
        told = web.get(f"{where}/metadata", headers={"Accept": "application/dicom+json"}).json()
    assert by_web == got
    assert original == sent
    assert told[0]["00100010"]["Value"][0]["Ideographic"] == "李^四"

    pianku.cli("studies", "revert", uid, "--reason", "it was right")
    (again,) = fetched(pianku, uid, tmp_path / "old")
    assert again == sent


def fetched(pianku: RunningPianku, study_uid: str, folder: Path) -> list[pydicom.Dataset]:
    keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_uid}"]
    modality.get(pianku.node, keys, folder)
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
