"""How fast images go out by DIMSE: C-GET and C-MOVE of a series of 500 CT, dcmtk at the other end.

PS3.4 C.4.2 and C.4.3. getscu and storescp count what they receive and write nothing, so that no
disk of the receiver's is measured; before that, once, what they receive is written and compared.
Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.images import Image
from benchmarks.measuring import Report, Target, interleaved, stopwatch
from benchmarks.servers import Peer, Pianku
from tests.support.modality import Node, echo
from tests.support.peers import free_port, peer, program

_DESTINATION = "BENCHSCP"


def get(report: Report, targets: Sequence[Target], images: Sequence[Image], folder: Path) -> None:
    """Fetch the study by C-GET, one association."""
    peer("dcmtk")
    for target in targets:
        received = folder / "received"
        received.mkdir()
        _get(target, images, ["+B", "-od", str(received)])
        _compare(target, received, images)
        shutil.rmtree(received)
    for number in range(report.rounds):
        row = report.row(f"C-GET of {len(images)} CT", "images/s")
        row.note = "CPU s per 500"
        for target in interleaved(targets, number):
            with stopwatch(target) as told:
                _get(target, images, ["--ignore"])
            wall, cpu = told()
            row.add(target.name, len(images) / wall, cpu * 500 / len(images))


def move(report: Report, targets: Sequence[Target], images: Sequence[Image], folder: Path) -> None:
    """Have the study moved to a storescp, one association each way."""
    peer("dcmtk")
    port = free_port()
    for target in targets:
        _introduce(target, port)
    received = folder / "received"
    received.mkdir()
    with _receiver(port, ["+B", "-od", str(received)]):
        for target in targets:
            _move(target, images)
            _compare(target, received, images)
            for file in received.iterdir():
                file.unlink()
    with _receiver(port, ["--ignore"]):
        for number in range(report.rounds):
            row = report.row(f"C-MOVE of {len(images)} CT", "images/s")
            row.note = "CPU s per 500"
            for target in interleaved(targets, number):
                with stopwatch(target) as told:
                    _move(target, images)
                wall, cpu = told()
                row.add(target.name, len(images) / wall, cpu * 500 / len(images))
    shutil.rmtree(received)


def _get(target: Target, images: Sequence[Image], options: Sequence[str]) -> None:
    node = target.node
    _run(target, "getscu", "-S", *options, "-aet", "WORKSTATION", "-aec", node.ae_title,
         *_keys(images), node.host, str(node.port))  # fmt: skip


def _move(target: Target, images: Sequence[Image]) -> None:
    node = target.node
    _run(target, "movescu", "-S", "-aet", "WORKSTATION", "-aec", node.ae_title,
         "-aem", _DESTINATION, *_keys(images), node.host, str(node.port))  # fmt: skip


def _keys(images: Sequence[Image]) -> list[str]:
    return ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={images[0].study_uid}"]


def _run(target: Target, name: str, *arguments: str) -> None:
    done = subprocess.run(
        [program(name), *arguments], capture_output=True, check=False, timeout=300,
        env={**os.environ, "TCP_NODELAY": "1"},
    )  # fmt: skip
    if done.returncode != 0 or b"Failed" in done.stderr:
        said = target.running.log() if isinstance(target, Pianku) else ""
        raise RuntimeError(
            f"{name} of {target.name} ended with {done.returncode}: {done.stderr[-2000:]!r}\n{said}"
        )


def _compare(target: Target, folder: Path, images: Sequence[Image]) -> None:
    """Insist that every image arrived, with its pixels."""
    found = list(folder.iterdir())
    if len(found) != len(images):
        raise RuntimeError(f"{len(found)} of {len(images)} arrived from {target.name}")
    pixels = {image.part10[-4096:] for image in images}
    for file in found:
        with file.open("rb") as opened:
            opened.seek(-4096, os.SEEK_END)
            if opened.read() not in pixels:
                raise RuntimeError(f"{target.name} sent other pixels")


def _introduce(target: Target, port: int) -> None:
    """Tell a server of the receiver."""
    if isinstance(target, Pianku):
        target.running.allow_destination(_DESTINATION, port)
    elif isinstance(target, Peer):
        target.running.knows(_DESTINATION.lower(), _DESTINATION, port)


@contextmanager
def _receiver(port: int, options: Sequence[str]) -> Iterator[None]:
    process = subprocess.Popen(
        [program("storescp"), "-aet", _DESTINATION, "+xa", *options, str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "TCP_NODELAY": "1"},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not echo(Node(_DESTINATION, port), check=False):
            if time.monotonic() > deadline:
                raise RuntimeError("storescp did not start")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(10)
