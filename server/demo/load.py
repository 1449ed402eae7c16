"""Load the demo: the identity feed first, then studies and documents through their doors.

Design A1 (real front doors only) and A9 (progress). Loading again on the same day changes
nothing: ids and bytes follow from the day. Called by `server.cli` for `pianku demo`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import partial
from typing import Final, Protocol

from server.demo.catalogue import catalogue
from server.demo.documents import DemoSubmission, submissions
from server.demo.doors import DemoTarget
from server.demo.feed import feed
from server.demo.identities import messages
from server.demo.provide import provide
from server.demo.store import c_store, stow
from server.demo.studies import DemoStudy

__all__ = ["DemoTarget", "LoadReport", "Progress", "load"]

_WORKERS: Final = 3
_HOSPITAL_TIME: Final = timezone(timedelta(hours=8), "Asia/Shanghai")


class Progress(Protocol):
    """Is told how far the load is; may be called from any thread, one call at a time."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take the count of steps done, of all steps, and what was just finished."""
        ...


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What went in, by door."""

    patients: int
    studies: int
    instances_c_store: int
    instances_stow: int
    documents: int
    submissions_already_there: int
    seconds: float


class _Tally:
    """Counts steps under a lock and passes them on."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._lock = threading.Lock()
        self._total = total
        self._progress = progress
        self._done = 0
        self.counts: dict[str, int] = {}
        self.stop = threading.Event()

    def add(self, key: str, count: int = 1) -> None:
        with self._lock:
            self.counts[key] = self.counts.get(key, 0) + count

    def step(self, what: str) -> None:
        with self._lock:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total, what)


def load(
    target: DemoTarget, progress: Progress | None = None, *, today: date | None = None
) -> LoadReport:
    """Load everything; raises DoorRefused naming the door that refused and its status."""
    started = time.monotonic()
    now = datetime.now(_HOSPITAL_TIME)
    day = today or now.date()
    studies, papers = catalogue(day), submissions(day)
    people = messages(target.assigning_authority, datetime(day.year, day.month, day.day))  # noqa: DTZ001 - HL7 times are local
    tally = _Tally(len(people) + len(studies) + len(papers), progress)
    feed(target, people, lambda _: tally.step("ADT"))
    jobs: list[Callable[[], None]] = [partial(_study, target, s, tally) for s in studies]
    jobs += [partial(_paper, target, p, tally) for p in papers]
    _run(jobs, tally)
    counts = tally.counts
    return LoadReport(
        patients=len({study.exam.patient.id for study in studies}),
        studies=len(studies),
        instances_c_store=counts.get("dimse", 0),
        instances_stow=counts.get("stow", 0),
        documents=counts.get("documents", 0),
        submissions_already_there=counts.get("already", 0),
        seconds=time.monotonic() - started,
    )


def _run(jobs: list[Callable[[], None]], tally: _Tally) -> None:
    def guarded(job: Callable[[], None]) -> None:
        if not tally.stop.is_set():
            job()

    with ThreadPoolExecutor(_WORKERS, "demo") as pool:
        futures: list[Future[None]] = [pool.submit(guarded, job) for job in jobs]
        try:
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
        finally:
            tally.stop.set()


def _study(target: DemoTarget, study: DemoStudy, tally: _Tally) -> None:
    instances = study.instances()
    if study.door == "stow":
        stow(target, instances)
    else:
        c_store(target, instances, lambda: None)
    tally.add(study.door, len(instances))
    tally.step(study.exam.accession)


def _paper(target: DemoTarget, draw: Callable[[], DemoSubmission], tally: _Tally) -> None:
    submission = draw()
    new = provide(target, submission)
    tally.add("documents" if new else "already", len(submission.documents) if new else 1)
    tally.step(submission.exam.accession)
