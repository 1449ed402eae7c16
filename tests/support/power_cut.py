"""A power cut while images come in: every process killed at a seeded moment, then the proof.

What was acknowledged is there after the restart, what is there is whole, and the chain holds.
Called by the walk (6 cuts and 4) and the soak test (200 cuts).
"""

from __future__ import annotations

import io
import random
import re
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pydicom

from tests.support import ct
from tests.support.peers import program
from tests.support.running import RunningPianku

_SENDING = re.compile(r"Sending file: (\S+)")


def cut_during_ingest(pianku: RunningPianku, seed: int, folder: Path, images: int = 120) -> int:
    """Send a study, kill everything meanwhile, start again, prove; returns how many were sure.

    The installation runs before and after.
    """
    chance = random.Random(seed)
    series = ct.Series(patient_id=f"CUT{seed}-{time.monotonic_ns()}")
    files = ct.write(folder / f"cut{seed}", series, images, size=chance.choice((16, 64, 256)))
    delay = chance.uniform(0.0, 1.2) ** 2
    sender = subprocess.Popen(
        [program("storescu"), "-v", "-aet", "CT1", "-aec", "PIANKU", "127.0.0.1",
         str(pianku.dimse_port), *map(str, files)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said: list[str] = []
    listening = threading.Thread(target=_listen, args=(sender, said))
    listening.start()
    time.sleep(delay)
    pianku.kill()
    sender.wait(60)
    listening.join()
    acknowledged = _acknowledged(said)

    pianku.start()
    _prove(pianku, series, {str(path): path.read_bytes() for path in files}, acknowledged, seed)
    return len(acknowledged)


def _listen(sender: subprocess.Popen[str], said: list[str]) -> None:
    assert sender.stdout is not None
    said.extend(sender.stdout)


def _acknowledged(said: list[str]) -> list[str]:
    """Return the files whose C-STORE was answered with success."""
    sure, current = [], ""
    for line in said:
        if sending := _SENDING.search(line):
            current = sending.group(1)
        elif "Received Store Response (Success)" in line:
            sure.append(current)
    return sure


def _prove(
    pianku: RunningPianku, series: ct.Series, files: dict[str, bytes], acknowledged: list[str],
    seed: int,
) -> None:  # fmt: skip
    sent = {pydicom.dcmread(io.BytesIO(b), stop_before_pixels=True).SOPInstanceUID: b
            for b in files.values()}  # fmt: skip
    sure = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in acknowledged}
    study = f"{pianku.http}/dicom-web/studies/{quote(series.study_uid)}"
    with httpx.Client(headers=pianku.token(), timeout=60) as web:
        listed = web.get(f"{study}/instances", params={"limit": 1000})
        told = listed.json() if listed.status_code == 200 else []
        visible = {item["00080018"]["Value"][0] for item in told}
        assert sure <= visible, f"seed {seed}: {len(sure - visible)} acknowledged are missing"
        for uid in sorted(visible):
            answer = web.get(
                f"{study}/series/{series.series_uid}/instances/{uid}",
                headers={"Accept": 'multipart/related; type="application/dicom"'},
            )
            assert answer.status_code == 200, f"seed {seed}: {answer.status_code} for a listed one"
            assert _pixels(sent[uid]) in answer.content, f"seed {seed}: half an image is visible"
        searched = web.get(f"{pianku.http}/dicom-web/studies",
                           params={"StudyInstanceUID": series.study_uid})  # fmt: skip
        rows = searched.json() if searched.status_code == 200 else []
        counted = rows[0]["00201208"]["Value"][0] if rows else 0
        assert counted == len(visible), f"seed {seed}: the study says {counted}"


def _pixels(part10: bytes) -> bytes:
    return bytes(pydicom.dcmread(io.BytesIO(part10)).PixelData)
