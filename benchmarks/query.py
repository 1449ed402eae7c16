"""How fast studies are found: QIDO-RS over 1,000 studies, or as many as are asked for.

PS3.18 10.6. Four questions a worklist asks: an id, a name wildcard, a date range, a list page.
Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.images import write_many_studies
from benchmarks.load import load
from benchmarks.measuring import Report, Target, interleaved
from benchmarks.retrieve import JSON, ask
from tests.support import modality

STUDIES: Final = 1000
_SECONDS: Final = 2
QUESTIONS: Final = {
    "PatientID": [f"/studies?PatientID=Q{n:06d}" for n in range(0, STUDIES, 7)],
    "AccessionNumber": [f"/studies?AccessionNumber=ACC{n:07d}" for n in range(0, STUDIES, 7)],
    "PatientName=Wang*, 50": ["/studies?PatientName=Wang*&limit=50"],
    "StudyDate range, 50": [f"/studies?StudyDate=2026{m:02d}01-2026{m:02d}28&limit=50"
                            for m in range(1, 13)],
    "list page of 50": [f"/studies?limit=50&offset={n}" for n in range(0, 500, 50)],
}  # fmt: skip


def fill(targets: Sequence[Target], folder: Path, count: int) -> None:
    """Give every target the same studies."""
    write_many_studies(folder / "studies", count)
    for target in targets:
        modality.store(target.node, [folder / "studies"], calling="BENCH", timeout=3600)


def qido(report: Report, targets: Sequence[Target], count: int) -> None:
    """Ask every question by 1, 16 and 64 connections."""
    for target in targets:
        for name, paths in QUESTIONS.items():
            if not json.loads(ask(target, paths[0], JSON)):
                raise RuntimeError(f"{target.name} found nothing for {name}")
    for number in range(report.rounds):
        for name, paths in QUESTIONS.items():
            for clients in (1, 16, 64):
                row = report.row(
                    f"QIDO-RS {name}, of {count:,}, {clients} connection(s)", "requests/s",
                    cpu_of="1000",
                )  # fmt: skip
                row.note = "CPU s per 1,000"
                for target in interleaved(targets, number):
                    told = load(target, paths, connections=clients, seconds=_SECONDS, headers=JSON)
                    row.add(target.name, told.per_second, told.cpu_per_1000)
