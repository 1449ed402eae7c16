"""Rounds, medians and tables; what every measurement shares.

Server CPU seconds (from /proc, with children) stand beside wall time, because a shared machine
makes wall time noisy. Called by every module of this folder.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tests.support.modality import Node
from tests.support.running import cpu_seconds


class Target(Protocol):
    """A server under measurement."""

    name: str

    @property
    def node(self) -> Node:
        """Its DICOM door."""

    @property
    def dicomweb(self) -> str:
        """Its DICOMweb root."""

    @property
    def headers(self) -> dict[str, str]:
        """What a request must carry."""

    def pids(self) -> list[int]:
        """All its processes."""


def describe_machine() -> dict[str, str]:
    """Return what a reader needs to know of the machine."""
    cpuinfo = Path("/proc/cpuinfo")
    model = "unknown"
    if cpuinfo.exists():
        named = [x for x in cpuinfo.read_text("utf-8").splitlines() if x.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parent,
    ).stdout.strip()  # fmt: skip
    return {
        "cpu": f"{os.cpu_count()} x {model}",
        "memory": f"{pages / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": commit or "unknown",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


@dataclass
class Sample:
    """One timed run."""

    value: float
    cpu: float | None
    """Server CPU seconds: of the whole run, or per 1,000 requests where `value` is a rate."""


@dataclass
class Row:
    """One line of the table: the samples of every target."""

    name: str
    unit: str
    better: str = "higher"
    cpu_of: str = "run"
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    note: str = ""

    def add(self, target: str, value: float, cpu: float | None) -> None:
        """Add one round's result."""
        self.samples.setdefault(target, []).append(Sample(value, cpu))

    def median(self, target: str) -> float | None:
        """The median of a target's rounds."""
        rounds = self.samples.get(target)
        return statistics.median(s.value for s in rounds) if rounds else None

    def cpu(self, target: str) -> float | None:
        """The median CPU of a target's rounds."""
        known = [s.cpu for s in self.samples.get(target, ()) if s.cpu is not None]
        return statistics.median(known) if known else None

    def ratio(self, ours: str, theirs: str) -> float | None:
        """How many times better `ours` is."""
        a, b = self.median(ours), self.median(theirs)
        if not a or not b:
            return None
        return a / b if self.better == "higher" else b / a


@dataclass
class Report:
    """All rows of a run."""

    rounds: int
    rows: list[Row] = field(default_factory=list)
    machine: dict[str, str] = field(default_factory=describe_machine)

    def row(self, name: str, unit: str, *, better: str = "higher", cpu_of: str = "run") -> Row:
        """Return the row of that name, made when first asked for."""
        for row in self.rows:
            if row.name == name:
                return row
        self.rows.append(Row(name, unit, better, cpu_of))
        return self.rows[-1]

    def targets(self) -> list[str]:
        """Return the names of all targets, ours first."""
        names = {name for row in self.rows for name in row.samples}
        return sorted(names, key=lambda name: (not name.startswith("pianku"), name))

    def as_table(self) -> str:
        """Return the medians as a Markdown table."""
        targets = self.targets()
        peer = next((t for t in targets if not t.startswith("pianku")), None)
        ours = next((t for t in targets if t.startswith("pianku")), None)
        head = ["measurement", "unit"]
        for target in targets:
            head += [target, "min - max", "CPU s"]
        lines = ["| " + " | ".join([*head, "ratio"]) + " |", "|" + "---|" * (len(head) + 1)]
        for row in self.rows:
            cells = [row.name, row.unit + (f" ({row.note})" if row.note else "")]
            for target in targets:
                rounds = [s.value for s in row.samples.get(target, [])]
                cpu = row.cpu(target)
                cells += [_short(row.median(target)),
                          f"{_short(min(rounds))} - {_short(max(rounds))}" if rounds else "-",
                          "-" if cpu is None else f"{cpu:.2f}"]  # fmt: skip
            ratio = row.ratio(ours, peer) if ours and peer else None
            lines.append("| " + " | ".join([*cells, f"{ratio:.2f}x" if ratio else "-"]) + " |")
        return "\n".join(lines)


def as_json(*reports: Report) -> str:
    """Return everything, every sample, as JSON."""
    rows = [asdict(row) for report in reports for row in report.rows]
    told = {"machine": reports[0].machine, "rounds": reports[0].rounds, "rows": rows}
    return json.dumps(told, indent=1, ensure_ascii=False)


@contextmanager
def stopwatch(target: Target) -> Iterator[Callable[[], tuple[float, float]]]:
    """Give a function that tells wall and CPU seconds of the block, once it is over."""
    before, began = cpu_seconds(target.pids()), time.monotonic()
    ended: list[float] = []

    def told() -> tuple[float, float]:
        return ended[0] - began, ended[1] - before

    yield told
    ended.append(time.monotonic())
    settle(target)
    ended.append(cpu_seconds(target.pids()))


def settle(target: Target, seconds: float = 20) -> None:
    """Wait until the server is idle: a client that hung up leaves work that slows the next row."""
    deadline = time.monotonic() + seconds
    quiet = 0
    last = cpu_seconds(target.pids())
    while quiet < 2 and time.monotonic() < deadline:
        time.sleep(0.25)
        now = cpu_seconds(target.pids())
        quiet = quiet + 1 if now - last <= 0.02 else 0
        last = now


def interleaved(targets: Sequence[Target], number: int) -> list[Target]:
    """Return the targets of round `number`; who is first alternates."""
    turn = number % max(len(targets), 1)
    return [*targets[turn:], *targets[:turn]]


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
