"""A registry that is already full: ITI-18, 42, 41 and 43 over 200 k or 1 M DocumentEntries.

ITI TF-2 3.18, 3.42, 3.41, 3.43; the bars of the part on XDS. Clients are threads that send
ready-made octets and look only for the status, so that the server is what is measured.
Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from adapters.xds import encode
from benchmarks.filling import PER_PATIENT, patient_id
from benchmarks.measuring import Report, settle
from benchmarks.servers import Pianku
from tests.support import soap, submissions, xds
from tests.support.ct import new_uid
from tests.support.running import ROOT, RunningPianku, cpu_seconds

_SECONDS: Final = 10
_CATCH_UP_SECONDS: Final = 3600
_GIB: Final = 1 << 30
_HUGE_BYTES: Final = 2 * _GIB
_LARGE_BYTES: Final = 200 << 20
_ITI42: Final = "urn:ihe:iti:2007:RegisterDocumentSet-b"
_SUCCESS: Final = b"ResponseStatusType:Success"

Send = Callable[["Wire", random.Random], None]


def filled(running: RunningPianku, count: int) -> None:
    """Stop the server, fill it, start it, and wait until its views have caught up."""
    running.stop()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.filling", str(running.data), str(count)],
        env=running.environment, cwd=ROOT, check=True,
    )  # fmt: skip
    began = time.monotonic()
    running.start()
    while time.monotonic() < began + _CATCH_UP_SECONDS:
        if _behind(running) == 0:
            print(f"views caught up in {time.monotonic() - began:.0f} s", flush=True)
            return
        time.sleep(1)
    raise RuntimeError("the views did not catch up")


def _behind(running: RunningPianku) -> int:
    """Return by how many events the slowest view is behind."""
    told = httpx.get(f"{running.http}/metrics", timeout=60).text
    lags = [line for line in told.splitlines() if line.startswith("pianku_view_lag_events{")]
    return max(int(line.rpartition(" ")[2]) for line in lags)


def measure(report: Report, target: Pianku, count: int) -> None:
    """Query and register on top of `count` documents."""
    authority = target.running.demo["assigning_authority"]
    patients = count // PER_PATIENT

    def find(wire: Wire, chance: random.Random) -> None:
        patient = patient_id(chance.randrange(patients), authority)
        wire.post("/xds/registry", xds.ITI18, _find(patient), least=PER_PATIENT * 1000)

    def references(wire: Wire, chance: random.Random) -> None:
        patient = patient_id(chance.randrange(patients), authority)
        wire.post("/xds/registry", xds.ITI18, _find(patient, "ObjectRef"))

    def register(documents: int) -> Send:
        def one(wire: Wire, chance: random.Random) -> None:
            patient = patient_id(chance.randrange(patients), authority)
            entries = [submissions.entry(patient) for _ in range(documents)]
            body = encode.submit_request(submissions.submission(*entries))
            wire.post("/xds/registry", _ITI42, body)

        return one

    for _ in range(report.rounds):
        for name, send, clients, times in (
            ("ITI-18 FindDocuments, 50 LeafClass objects, 4 clients", find, 4, 1),
            ("ITI-18 FindDocuments, 50 ObjectRefs, 4 clients", references, 4, 1),
            ("ITI-42 of 1 document, 1 client", register(1), 1, 1),
            ("ITI-42 of 1 document, 8 clients", register(1), 8, 1),
            ("ITI-42 of 20 documents, 4 clients", register(20), 4, 20),
        ):
            rate, p95, cpu = _load(target, send, clients)
            row = report.row(f"{name}, of {count:,}", "documents/s" if times > 1 else "requests/s")
            row.note = "CPU s per 1,000 requests"
            row.add(target.name, rate * times, cpu)
            late = report.row(f"{name}, of {count:,}: p95", "ms", better="lower")
            late.add(target.name, p95 * 1000, None)


def large_documents(report: Report, target: Pianku) -> None:
    """ITI-41 of 2 GiB with the web processes' memory watched; ITI-43 of 200 MiB, streamed."""
    authority = target.running.demo["assigning_authority"]
    patient = patient_id(0, authority)
    peak = _Peak(target)
    with peak:
        seconds, _ = _provide(target, patient, _HUGE_BYTES)
    report.row("ITI-41 of 2 GiB", "MB/s").add(target.name, _HUGE_BYTES / seconds / 1e6, None)
    row = report.row("ITI-41 of 2 GiB: most memory of one server process", "MB", better="lower")
    row.add(target.name, peak.megabytes, None)
    _, unique_id = _provide(target, patient, _LARGE_BYTES)
    for _ in range(report.rounds):
        rate = _retrieve(target, unique_id, _LARGE_BYTES)
        report.row("ITI-43 of 200 MiB", "MB/s").add(target.name, rate / 1e6, None)


class Wire:
    """One kept-alive connection that sends octets and times the answer."""

    def __init__(self, base: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=120)
        self._to = base
        self.latencies: list[float] = []

    def post(self, path: str, action: str, body: str, *, least: int = 0) -> None:
        """Send a SOAP body; raises when the answer is no Success or shorter than `least`."""
        octets = soap.envelope(f"{self._to}{path}", action, f"urn:uuid:{uuid4()}", body)
        began = time.monotonic()
        self._connection.request(
            "POST", path, octets, {"Content-Type": "application/soap+xml; charset=UTF-8"}
        )
        said = self._connection.getresponse().read()
        self.latencies.append(time.monotonic() - began)
        if _SUCCESS not in said or len(said) < least:
            raise RuntimeError(said[:2000].decode(errors="replace"))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class _Peak:
    """The most resident memory of any one server process while the block ran."""

    def __init__(self, target: Pianku) -> None:
        self._target = target
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.megabytes = 0.0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._stop.wait(0.1):
            for pid in self._target.pids():
                told = Path(f"/proc/{pid}/statm")
                if told.exists():
                    resident = int(told.read_text("ascii").split()[1]) * page
                    self.megabytes = max(self.megabytes, resident / 1e6)


def _find(patient: str, returned: str = "LeafClass") -> str:
    slots = xds.slots({
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
    })  # fmt: skip
    return (
        f'<query:AdhocQueryRequest xmlns:query="{xds.QUERY}" xmlns:rim="{xds.RIM}">'
        f'<query:ResponseOption returnType="{returned}" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{xds.FIND_DOCUMENTS}">{slots}</rim:AdhocQuery>'
        f"</query:AdhocQueryRequest>"
    )


def _load(target: Pianku, send: Send, clients: int) -> tuple[float, float, float]:
    """Return requests/s, the 95th percentile in seconds and CPU seconds per 1,000 requests."""
    settle(target)
    wires = [Wire(target.running.http) for _ in range(clients)]
    failures: list[BaseException] = []
    before, began = cpu_seconds(target.pids()), time.monotonic()

    def work(wire: Wire) -> None:
        chance = random.Random()
        try:
            while time.monotonic() < began + _SECONDS:
                send(wire, chance)
        except Exception as problem:  # noqa: BLE001 - raised again below, in the main thread
            failures.append(problem)
        wire.close()

    threads = [threading.Thread(target=work, args=(wire,)) for wire in wires]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.monotonic() - began
    if failures:
        raise failures[0]
    settle(target)
    cpu = cpu_seconds(target.pids()) - before
    latencies = sorted(x for wire in wires for x in wire.latencies)
    return len(latencies) / wall, latencies[int(len(latencies) * 0.95)], cpu * 1000 / len(latencies)


def _provide(target: Pianku, patient: str, size: int) -> tuple[float, str]:
    """Send ITI-41 with a document of `size` octets made on the way; return seconds, uniqueId."""
    document = xds.Document(b"", patient, unique_id=new_uid())
    body = xds.submission(document, f'<xop:Include xmlns:xop="{soap.XOP}" href="cid:huge@bench"/>')
    envelope = soap.envelope(
        f"{target.running.http}/xds/repository", xds.ITI41, f"urn:uuid:{uuid4()}", body
    )
    head, tail, content_type = soap.package_around(envelope, "huge@bench", xds.ITI41)
    block = hashlib.sha256(b"pianku").digest() * 32768

    def octets() -> Iterator[bytes]:
        yield head
        for _ in range(size // len(block)):
            yield block
        yield tail

    length = len(head) + size // len(block) * len(block) + len(tail)
    began = time.monotonic()
    answer = httpx.post(
        f"{target.running.http}/xds/repository", content=octets(), timeout=600,
        headers={"Content-Type": content_type, "Content-Length": str(length)},
    )  # fmt: skip
    if _SUCCESS not in answer.content:
        raise RuntimeError(answer.text[:2000])
    return time.monotonic() - began, document.unique_id


def _retrieve(target: Pianku, unique_id: str, size: int) -> float:
    """Fetch a document by ITI-43 and return octets/s."""
    body = xds.retrieve_body(target.running.demo["repository_oid"], [unique_id])
    envelope = soap.envelope(
        f"{target.running.http}/xds/repository", xds.ITI43, f"urn:uuid:{uuid4()}", body
    )
    payload, content_type = soap.package(envelope, {}, xds.ITI43)
    connection = http.client.HTTPConnection(urlsplit(target.running.http).netloc, timeout=120)
    began = time.monotonic()
    connection.request("POST", "/xds/repository", payload, {"Content-Type": content_type})
    answer = connection.getresponse()
    received, buffer = 0, bytearray(1 << 20)
    while got := answer.readinto(buffer):
        received += got
    seconds = time.monotonic() - began
    connection.close()
    if received < size:
        raise RuntimeError(f"only {received} octets came back")
    return size / seconds
