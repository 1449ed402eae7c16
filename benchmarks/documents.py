"""How many documents a second: ITI-41 of a 100 KB PDF with MTOM, and ITI-18 FindDocuments.

ITI TF-2 3.41 and 3.18, sent by threads with one kept-alive connection each. Orthanc has no such
door, so these rows have no peer. Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.measuring import Report, settle
from benchmarks.servers import Pianku
from tests.support import mllp, xds
from tests.support.running import cpu_seconds
from tests.support.soap import SoapClient

_SECONDS: Final = 4
_PATIENTS: Final = 50


def measure(report: Report, targets: Sequence[Pianku]) -> None:
    """Feed patients, submit, then query, by 1 and by 8 connections."""
    for target in targets:
        _feed(target)
    for _ in range(report.rounds):
        for target in targets:
            for clients in (1, 8):
                for name, one in (("ITI-41 of 100 KB", _submit), ("ITI-18 FindDocuments", _find)):
                    row = report.row(
                        f"{name}, {clients} connection(s)", "requests/s", cpu_of="1000"
                    )
                    row.note = "CPU s per 1,000"
                    row.add(target.name, *_rate(target, one, clients))


def _patient(target: Pianku, number: int) -> str:
    return f"DOC{number:04d}^^^&{target.running.demo['assigning_authority']}&ISO"


def _feed(target: Pianku) -> None:
    authority = target.running.demo["assigning_authority"]
    for number in range(_PATIENTS):
        said = mllp.send(
            target.running.mllp_port, mllp.admission(f"DOC{number:04d}", authority, "Bench^Feed")
        )
        if not mllp.accepted(said):
            raise RuntimeError(f"the feed was refused: {said}")


def _submit(target: Pianku, client: SoapClient, chance: random.Random) -> None:
    document = xds.Document(
        b"%PDF-1.4\n" + chance.randbytes(100_000), _patient(target, chance.randrange(_PATIENTS))
    )
    answer = xds.provide_and_register(client, document)
    if xds.status(answer) != xds.SUCCESS:
        raise RuntimeError(answer.text())


def _find(target: Pianku, client: SoapClient, chance: random.Random) -> None:
    # References only: what is measured is the registry, not this client's reading of XML.
    patient = _patient(target, chance.randrange(_PATIENTS))
    xds.find_documents(client, patient, return_type="ObjectRef")


def _rate(
    target: Pianku, one: Callable[[Pianku, SoapClient, random.Random], None], clients: int
) -> tuple[float, float]:
    settle(target)
    failures: list[BaseException] = []
    counts = [0] * clients
    before, began = cpu_seconds(target.pids()), time.monotonic()

    def work(number: int) -> None:
        client, chance = SoapClient(target.running.http), random.Random()
        try:
            while time.monotonic() < began + _SECONDS:
                one(target, client, chance)
                counts[number] += 1
        except Exception as problem:  # noqa: BLE001 - raised again below, in the main thread
            failures.append(problem)
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.monotonic() - began
    if failures:
        raise failures[0]
    settle(target)
    done = max(sum(counts), 1)
    return done / wall, (cpu_seconds(target.pids()) - before) * 1000 / done
