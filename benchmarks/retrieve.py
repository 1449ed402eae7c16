"""How fast images go out: WADO-RS frames, instances, and the metadata of a large series.

PS3.18 10.4. The page cache is warm for both; every answer is checked once before it is timed.
Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Sequence
from typing import Final

from benchmarks.images import Image
from benchmarks.load import load
from benchmarks.measuring import Report, Target, interleaved, settle
from benchmarks.static_files import frame_path, static_files
from tests.support.running import cpu_seconds

FRAME: Final = {"Accept": 'multipart/related; type="application/octet-stream"'}
INSTANCE: Final = {"Accept": 'multipart/related; type="application/dicom"'}
JPEG: Final = {"Accept": "image/jpeg"}
JSON: Final = {"Accept": "application/dicom+json"}
_SECONDS: Final = 4


def ask(target: Target, path: str, headers: dict[str, str]) -> bytes:
    """Return the body of a GET; raises on any status but success."""
    request = urllib.request.Request(target.dicomweb + path, headers={**target.headers, **headers})
    with urllib.request.urlopen(request, timeout=120) as answer:
        body: bytes = answer.read()
    return body


def frames(report: Report, targets: Sequence[Target], images: Sequence[Image]) -> None:
    """Ask for 512 KB frames by 1, 16 and 64 connections."""
    paths = [frame_path(image) for image in images]
    with static_files(images) as files:
        asked = [*targets, files] if files is not None else targets
        for target in asked:
            body = ask(target, paths[0], FRAME)
            if images[0].part10[-524288:] not in body:
                raise RuntimeError(f"{target.name} returned another frame")
        _rates(report, asked, paths, FRAME, "WADO-RS frame (512 KB)")


def rendered(report: Report, targets: Sequence[Target], images: Sequence[Image]) -> None:
    """Ask for rendered JPEG images of 512x512 by 16 connections."""
    paths = [f"/studies/{i.study_uid}/series/{i.series_uid}/instances/{i.sop_uid}/rendered"
             for i in images]  # fmt: skip
    for target in targets:
        if ask(target, paths[0], JPEG)[:2] != b"\xff\xd8":
            raise RuntimeError(f"{target.name} returned no JPEG")
    _rates(report, targets, paths, JPEG, "WADO-RS rendered JPEG (512x512)", connections=(16,))


def instances(report: Report, targets: Sequence[Target], images: Sequence[Image]) -> None:
    """Ask for whole instances by 16 connections."""
    paths = [f"/studies/{i.study_uid}/series/{i.series_uid}/instances/{i.sop_uid}"
             for i in images]  # fmt: skip
    for target in targets:
        if images[0].part10[-524288:] not in ask(target, paths[0], INSTANCE):
            raise RuntimeError(f"{target.name} returned another instance")
    _rates(report, targets, paths, INSTANCE, "WADO-RS instance (516 KB)", connections=(16,))


def _rates(
    report: Report, targets: Sequence[Target], paths: Sequence[str], headers: dict[str, str],
    name: str, *, connections: Sequence[int] = (1, 16, 64),
) -> None:  # fmt: skip
    for target in targets:
        load(target, paths, connections=4, seconds=1, headers=headers)
    for number in range(report.rounds):
        for clients in connections:
            row = report.row(f"{name}, {clients} connection(s)", "requests/s", cpu_of="1000")
            row.note = "CPU s per 1,000"
            for target in interleaved(targets, number):
                told = load(target, paths, connections=clients, seconds=_SECONDS, headers=headers)
                row.add(target.name, told.per_second, told.cpu_per_1000)


def series_metadata(report: Report, targets: Sequence[Target], images: Sequence[Image]) -> None:
    """Ask for the metadata of the whole series, one request after another."""
    path = f"/studies/{images[0].study_uid}/series/{images[0].series_uid}/metadata"
    row = report.row(f"metadata of a series of {len(images)} instances", "s", better="lower")
    for target in targets:
        told = json.loads(ask(target, path, JSON))
        if len(told) != len(images):
            raise RuntimeError(f"{target.name} told of {len(told)} instances")
    for number in range(report.rounds):
        for target in interleaved(targets, number):
            settle(target)
            for _ in range(2):
                before, began = cpu_seconds(target.pids()), time.monotonic()
                ask(target, path, JSON)
                row.add(target.name, time.monotonic() - began, cpu_seconds(target.pids()) - before)
