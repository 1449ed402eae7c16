"""A study is corrected from the command line; DIMSE and DICOMweb tell it at once, and the original.

Requirements R-6.3.4; findscu is dcmtk's.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pydicom
import pytest

from tests.support import ct, modality
from tests.support.running import RunningPianku

pytestmark = pytest.mark.peer("dcmtk")


def told(pianku: RunningPianku, study_uid: str) -> list[tuple[str, str, str]]:
    """Return accession number, description and instances of a study by C-FIND."""
    found = modality.find(
        pianku.node,
        ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_uid}", "AccessionNumber",
         "StudyDescription", "NumberOfStudyRelatedInstances"],
    )  # fmt: skip
    return [
        (str(o.AccessionNumber), str(o.StudyDescription), str(o.NumberOfStudyRelatedInstances))
        for o in found
    ]


@pytest.mark.tender("R-6.3.4")
def test_corrected_split_and_put_back(pianku: RunningPianku, tmp_path: Path) -> None:
    accession = f"K{time.monotonic_ns() % 10**12}"
    series = ct.Series(patient_id=f"P{accession}", accession=accession)
    files = ct.write(tmp_path / "ct", series, 3, size=64)
    modality.store(pianku.node, files)
    uid = series.study_uid
    before = told(pianku, uid)
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"AccessionNumber": "RIGHT", "StudyDescription": "胸部 CT"}))

    pianku.cli("studies", "correct", uid, str(values), "--reason", "typed wrong")
    assert told(pianku, uid) == [("RIGHT", "胸部 CT", "3")]

    sop_uid = str(pydicom.dcmread(files[0]).SOPInstanceUID)
    split = pianku.cli("studies", "split", uid, "--instance", sop_uid, "--reason", "two exams")
    there = split.stdout.splitlines()[0].partition(" -> ")[2]
    assert (told(pianku, uid)[0][2], told(pianku, there)[0][2]) == ("2", "1")
    acts = json.loads(pianku.cli("studies", "show", uid, "--json").stdout)
    assert [one["kind"] for one in acts] == ["corrected", "moved"]
    report = tmp_path / "pacs.csv"
    report.write_text(f"study_uid,date,instances\n{uid},{series.study_date},3\n")
    differs = pianku.cli("studies", "reconcile", str(report), "--json", check=False)
    assert differs.returncode == 1
    found = {one["study_uid"]: one for one in json.loads(differs.stdout)}
    assert (found[uid]["what"], found[uid]["here"]) == ("instances", 2)
    assert found[there]["what"] == "missing there"
    for _ in acts:
        pianku.cli("studies", "revert", uid, "--reason", "it was right")
    assert told(pianku, uid) == before
    assert told(pianku, there) == []
