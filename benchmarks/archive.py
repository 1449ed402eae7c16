"""What an archive costs as it grows: one more study stored, found, listed, its metadata read.

PS3.18 10.4 to 10.6, PS3.4 C.4.1; of 1,000 to 1,000,000 studies. Our server alone: what is in the
views was written there by `benchmarks.filling_studies`. Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pydicom.dataset import Dataset
from pynetdicom import AE

from benchmarks import filling_studies as filled
from benchmarks.images import Press
from benchmarks.measuring import Report, settle
from benchmarks.servers import Pianku
from benchmarks.store import BOUNDARY, stow_body
from tests.support.running import ROOT, cpu_seconds

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
_TIMES: Final = 100
_STORED: Final = 20
_LARGE: Final = 100_000
"""Of so many studies every question but those for nobody finds some."""
_STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.1"
_JSON: Final = "application/dicom+json"

Question = Callable[[random.Random, int], str]
"""Makes a path, of a chance and the number of studies."""


def _month(chance: random.Random, _size: int) -> str:
    month = f"20{chance.randrange(16, 26)}{chance.randrange(1, 13):02d}"
    return f"StudyDate={month}01-{month}31"


def _metadata(study: int) -> str:
    return f"/studies/{filled.study_uid(study)}/series/{filled.series_uid(study)}/metadata"


QUESTIONS: Final[Mapping[str, Question]] = {
    "PatientID": lambda c, n: f"/studies?PatientID={filled.patient_id(c.randrange(n))}",
    "AccessionNumber": lambda c, n: f"/studies?AccessionNumber={filled.accession(c.randrange(n))}",
    "StudyInstanceUID": lambda c, n: (
        f"/studies?StudyInstanceUID={filled.study_uid(c.randrange(n))}"
    ),
    "AccessionNumber=ACC..*, first 50": (
        lambda c, n: f"/studies?AccessionNumber={filled.accession(c.randrange(n))[:-2]}*&limit=50"
    ),
    "PatientName=Wang* (1 in 20), first 50": lambda _c, _n: "/studies?PatientName=Wang*&limit=50",
    "PatientName=王*, first 50": lambda _c, _n: f"/studies?PatientName={quote('王')}*&limit=50",
    "PatientName=Li^X* (1 in 200), first 50": lambda _c, _n: "/studies?PatientName=Li^X*&limit=50",
    "PatientName=Wang^W*, a month, first 50": (
        lambda c, n: f"/studies?PatientName=Wang^W*&limit=50&{_month(c, n)}"
    ),
    "initials wxl, fuzzy, first 50": (
        lambda _c, _n: "/studies?PatientName=wxl&fuzzymatching=true&limit=50"
    ),
    "PatientName=*ang*, first 50": lambda _c, _n: "/studies?PatientName=*ang*&limit=50",
    "PatientName=Zzz*, none": lambda _c, _n: "/studies?PatientName=Zzz*&limit=50",
    "a month, first 50": lambda c, n: f"/studies?limit=50&{_month(c, n)}",
    "a month and ModalitiesInStudy=CT, first 50": (
        lambda c, n: f"/studies?limit=50&ModalitiesInStudy=CT&{_month(c, n)}"
    ),
    "list page of 50 within the first 500": (
        lambda c, _n: f"/studies?limit=50&offset={c.randrange(10) * 50}"
    ),
    "list page of 50 in the middle": lambda _c, n: f"/studies?limit=50&offset={n // 2}",
    "StudyDescription=*nothing*, none (looks through all)": (
        lambda _c, _n: "/studies?StudyDescription=*nothing*&limit=50"
    ),
    "series of a study": lambda c, n: f"/studies/{filled.study_uid(c.randrange(n))}/series",
    "metadata of a series": lambda c, n: _metadata(c.randrange(n)),
}
"""What is asked over HTTP; "none" says that nothing is to be found."""


def measure(report: Report, target: Pianku, sizes: Sequence[int]) -> None:
    """Fill to each size in turn, and measure there."""
    press, held = Press(1, 64), 0
    for size in sizes:
        running = target.running
        running.stop()
        subprocess.run(
            [sys.executable, "-m", "benchmarks.filling_studies", str(running.data), str(held),
             str(size - held)],
            env=running.environment, cwd=ROOT, check=True,
        )  # fmt: skip
        running.start()
        held = size
        settle(target, 120)
        for _ in range(report.rounds):
            _store(report, target, press, size)
            for name, question in QUESTIONS.items():
                _ask(report, target, f"QIDO-RS {name}", question, size)
            _find(report, target, size)


def _ask(report: Report, target: Pianku, name: str, question: Question, size: int) -> None:
    chance, address = random.Random(5), urlsplit(target.dicomweb)
    connection = http.client.HTTPConnection(address.netloc, timeout=120)
    headers, latencies = {"Accept": _JSON, **target.headers}, list[float]()
    settle(target)
    before, held = cpu_seconds(target.pids()), 0
    deadline = time.monotonic() + 10
    while len(latencies) < _TIMES and time.monotonic() < deadline:
        path = f"{address.path}{question(chance, size)}"
        began = time.monotonic()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        said = answer.read()
        latencies.append(time.monotonic() - began)
        if answer.status not in {200, 204}:
            raise RuntimeError(f"{name}: {answer.status} {said[:300]!r}")
        held += said.strip() not in {b"", b"[]"}
    connection.close()
    # A rare name within a month is found in a large archive only.
    if (held > 0) == ("none" in name) and ("none" in name or size >= _LARGE):
        raise RuntimeError(f"{name}: {held} of {len(latencies)} answers hold something")
    settle(target)
    cpu = (cpu_seconds(target.pids()) - before) * 1000 / len(latencies)
    _tell(report, target, f"{name}, of {size:,}", latencies, cpu)


def _tell(
    report: Report, target: Pianku, name: str, latencies: list[float], cpu: float | None
) -> None:
    latencies.sort()
    row = report.row(name, "ms, median", better="lower")
    row.note = "CPU s per 1,000"
    row.add(target.name, latencies[len(latencies) // 2] * 1000, cpu)
    late = report.row(f"{name}: p95", "ms", better="lower")
    late.add(target.name, latencies[int(len(latencies) * 0.95)] * 1000, None)


def _store(report: Report, target: Pianku, press: Press, size: int) -> None:
    """Store studies of one image by STOW-RS, one after the other, and find each."""
    address = urlsplit(target.dicomweb)
    connection = http.client.HTTPConnection(address.netloc, timeout=120)
    sent, found = list[float](), list[float]()
    content = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    for _ in range(_STORED):
        (image,) = press.series()
        body, began = stow_body([image]), time.monotonic()
        _exchange(connection, "POST", f"{address.path}/studies", body, {
            "Content-Type": content, "Accept": _JSON, **target.writing_headers})  # fmt: skip
        sent.append(time.monotonic() - began)
        path = f"{address.path}/studies?StudyInstanceUID={image.study_uid}"
        said = _exchange(connection, "GET", path, None, {"Accept": _JSON, **target.headers})
        found.append(time.monotonic() - began)
        if len(json.loads(said)) != 1:
            raise RuntimeError("a study was acknowledged and is not found")
    connection.close()
    _tell(report, target, f"STOW-RS of a study of one image, of {size:,}", sent, None)
    _tell(report, target, f"STOW-RS of a study until it is found, of {size:,}", found, None)


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None,
    headers: Mapping[str, str],
) -> bytes:  # fmt: skip
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {said[:300]!r}")
    return said


def _find(report: Report, target: Pianku, size: int) -> None:
    """C-FIND on one association, by pynetdicom: until the last answer is there."""
    asked: dict[str, Callable[[random.Random], dict[str, str]]] = {
        "PatientID": lambda c: {"PatientID": filled.patient_id(c.randrange(size))},
        "AccessionNumber": lambda c: {"AccessionNumber": filled.accession(c.randrange(size))},
        "a name and a day": lambda c: {
            "PatientName": "Wang*", "StudyDate": filled.study_date(c.randrange(size)),
        },
    }  # fmt: skip
    caller = AE("WORKSTATION")
    caller.add_requested_context(_STUDY_ROOT)
    node = target.node
    association = caller.associate(node.host, node.port, ae_title=node.ae_title)
    if not association.is_established:
        raise RuntimeError("no association for C-FIND")
    for name, keys in asked.items():
        chance, latencies = random.Random(5), list[float]()
        settle(target)
        for _ in range(_TIMES):
            began = time.monotonic()
            _matches(association, keys(chance))
            latencies.append(time.monotonic() - began)
        _tell(report, target, f"C-FIND {name}, of {size:,}", latencies, None)
    association.release()


def _matches(association: Any, keys: Mapping[str, str]) -> int:
    wanted = Dataset()
    wanted.QueryRetrieveLevel = "STUDY"
    asked = dict.fromkeys(("StudyInstanceUID", "PatientID", "PatientName", "StudyDate"), "")
    for keyword, value in {**asked, **keys}.items():
        setattr(wanted, keyword, value)
    count = 0
    for status, _ in association.send_c_find(wanted, _STUDY_ROOT):
        if not status or status.Status not in {0x0000, 0xFF00, 0xFF01}:
            raise RuntimeError(f"C-FIND: {status}")
        count += status.Status != 0
    return count


def views_size(target: Pianku) -> int:
    """Return the octets of the views on SQLite."""
    return sum(p.stat().st_size for p in Path(target.running.data, "views").glob("views.sqlite*"))
