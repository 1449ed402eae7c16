"""How fast images come in: C-STORE by dcmtk's storescu, STOW-RS by a plain HTTP client.

PS3.4 B and PS3.18 10.5. One storescu process an association; files are written beforehand.
Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.images import Image, Press, deal
from benchmarks.measuring import Report, Target, interleaved, settle, stopwatch
from tests.support.peers import peer, program

_COUNT: Final = "00201208"
_JSON: Final = "application/dicom+json"
BOUNDARY: Final = "pianku-benchmark-boundary"


def c_store(report: Report, targets: Sequence[Target], folder: Path, press: Press) -> None:
    """Send a study by 1 and by 4 associations: until all is acknowledged, until all is found."""
    peer("dcmtk")
    for number in range(report.rounds):
        for associations in (1, 4):
            images = list(press.series())
            parts = deal(images, folder / "send", associations)
            name = f"C-STORE, {associations} association(s)"
            row = report.row(f"{name}, acknowledged", "images/s")
            row.note = "CPU s per 500"
            found = report.row(f"{name}, and indexed", "images/s")
            for target in interleaved(targets, number):
                settle(target)
                with stopwatch(target) as told:
                    began = time.monotonic()
                    _send(target, parts)
                    sent = time.monotonic() - began
                    _until_found(target, images)
                wall, cpu = told()
                row.add(target.name, len(images) / sent, cpu * 500 / len(images))
                found.add(target.name, len(images) / wall, None)
            shutil.rmtree(folder / "send")


def _until_found(target: Target, images: Sequence[Image]) -> None:
    """Ask (QIDO-RS) for the study until its count of instances is that of the images."""
    address = urlsplit(target.dicomweb)
    query = f"StudyInstanceUID={images[0].study_uid}&includefield={_COUNT}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        connection.request(
            "GET", f"{address.path}/studies?{query}", headers={"Accept": _JSON, **target.headers}
        )
        answer = connection.getresponse()
        said = json.loads(answer.read() or b"[]") if answer.status in {200, 204} else []
        connection.close()
        if said and said[0][_COUNT]["Value"] == [len(images)]:
            return
        time.sleep(0.01)
    raise RuntimeError(f"{target.name} does not find what it acknowledged")


def _send(target: Target, parts: Sequence[Path]) -> None:
    node = target.node
    senders = [
        subprocess.Popen(
            [program("storescu"), "-aet", f"BENCH{number}", "-aec", node.ae_title, "+sd",
             node.host, str(node.port), str(part)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        for number, part in enumerate(parts)
    ]  # fmt: skip
    for sender in senders:
        said = sender.communicate()[1]
        if sender.returncode != 0:
            raise RuntimeError(f"storescu to {target.name}: {said[-2000:].decode()}")


def stow(report: Report, targets: Sequence[Target], press: Press) -> None:
    """Send a study by STOW-RS: 1 and 25 instances a request, by 1 and by 4 connections."""
    for number in range(report.rounds):
        for per_request, connections in ((1, 1), (1, 4), (25, 1), (25, 4)):
            images = list(press.series())
            row = report.row(
                f"STOW-RS, {per_request} per request, {connections} connection(s)", "images/s"
            )
            row.note = "CPU s per 500"
            for target in interleaved(targets, number):
                bodies = [stow_body(images[i : i + per_request])
                          for i in range(0, len(images), per_request)]  # fmt: skip
                settle(target)
                with stopwatch(target) as told:
                    _post_all(target, bodies, connections)
                wall, cpu = told()
                row.add(target.name, len(images) / wall, cpu * 500 / len(images))


def stow_body(images: Sequence[Image]) -> bytes:
    """Return a multipart body; its boundary is `BOUNDARY`."""
    pieces = []
    for image in images:
        pieces += [b"--", BOUNDARY.encode(), b"\r\nContent-Type: application/dicom\r\n\r\n",
                   image.part10, b"\r\n"]  # fmt: skip
    return b"".join([*pieces, b"--", BOUNDARY.encode(), b"--\r\n"])


def _post_all(target: Target, bodies: Sequence[bytes], connections: int) -> None:
    failures: list[str] = []
    waiting = iter(bodies)
    lock = threading.Lock()

    def work() -> None:
        address = urlsplit(target.dicomweb)
        connection = http.client.HTTPConnection(address.netloc, timeout=120)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
            "Accept": _JSON,
            **getattr(target, "writing_headers", {}),
        }
        while not failures:
            with lock:
                body = next(waiting, None)
            if body is None:
                break
            connection.request("POST", f"{address.path}/studies", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                failures.append(f"{answer.status} {said[:300]!r}")
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"STOW-RS to {target.name}: {failures[0]}")
