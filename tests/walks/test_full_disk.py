"""A disk that fills up under a whole installation, and is given room again without a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import ct, modality
from tests.support.full_disk import SmallDisk, small_disk
from tests.support.running import RunningPianku

SIZE = 256 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path, SIZE) as found:
        yield found


def stored(pianku: RunningPianku, files: list[Path]) -> list[bool]:
    """Send files one by one; tells which were acknowledged."""
    return [modality.store(pianku.node, [one], check=False).returncode == 0 for one in files]


def posted(pianku: RunningPianku, files: list[Path]) -> list[int]:
    with httpx.Client(headers=pianku.token("system"), timeout=60) as web:
        return [
            web.post(
                f"{pianku.http}/dicom-web/studies",
                content=b"--b\r\nContent-Type: application/dicom\r\n\r\n"
                + one.read_bytes()
                + b"\r\n--b--\r\n",
                headers={"content-type": 'multipart/related; type="application/dicom"; boundary=b'},
            ).status_code
            for one in files
        ]


def listed(pianku: RunningPianku, series: ct.Series) -> set[str]:
    with httpx.Client(headers=pianku.token(), timeout=60) as web:
        study = f"{pianku.http}/dicom-web/studies/{series.study_uid}"
        answer = web.get(f"{study}/instances", params={"limit": 1000})
        assert answer.status_code in {200, 204}, answer.text
        told = answer.json() if answer.status_code == 200 else []
        return {item["00080018"]["Value"][0] for item in told}


@pytest.mark.peer("dcmtk")
def test_what_is_refused_while_the_disk_is_full_is_taken_afterwards(
    disk: SmallDisk, tmp_path: Path
) -> None:
    series, other = ct.Series(patient_id="FULL"), ct.Series(patient_id="FULL-WEB")
    files = ct.write(tmp_path / "dimse", series, 8, size=128)
    web = ct.write(tmp_path / "web", other, 8, size=128)
    with RunningPianku(parent=disk.folder, flags=("--no-load",)) as pianku:
        assert all(stored(pianku, files[:1]))
        assert posted(pianku, web[:2]) == [200, 200]
        disk.fill(leave=40 << 10)

        over = stored(pianku, files[1:4])
        answers = posted(pianku, web[2:6])
        assert not all(over)
        assert set(answers) <= {200, 503, 507}
        assert {503, 507} & set(answers)
        disk.fill()
        assert not any(stored(pianku, files[4:5]))
        assert set(posted(pianku, web[6:7])) <= {503, 507}

        disk.make_room()
        deadline = time.monotonic() + 60
        while not all(stored(pianku, files[1:5])):
            assert time.monotonic() < deadline, pianku.log()
        assert modality.store(pianku.node, files, check=False).returncode == 0
        assert set(posted(pianku, web)) == {200}
        assert len(listed(pianku, series)) == len(files)
        assert len(listed(pianku, other)) == len(web)
        told = pianku.cli("events", "verify").stdout
        assert "broken" not in told.lower()


@pytest.mark.soak
@pytest.mark.peer("dcmtk")
def test_a_disk_that_becomes_full_in_the_middle_of_a_series(
    disk: SmallDisk, tmp_path: Path
) -> None:
    series = ct.Series(patient_id="MIDDLE")
    files = ct.write(tmp_path / "dimse", series, 60, size=256)
    with RunningPianku(parent=disk.folder, flags=("--no-load",)) as pianku:
        assert all(stored(pianku, files[:1]))
        disk.fill(leave=3 << 20)
        said = modality.store(
            pianku.node, files[1:], check=False, options=("-v", "--no-halt")
        ).stdout
        sure = said.count("Received Store Response (Success)")
        assert 0 < sure < len(files) - 1, said[-2000:]
        assert "Refused: OutOfResources" in said
        disk.make_room()

        assert modality.store(pianku.node, files, check=False).returncode == 0
        assert len(listed(pianku, series)) == len(files)
        pianku.cli("events", "verify")
