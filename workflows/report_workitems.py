"""Tell watchers what happens to workitems, again until they take it or in time give up.

PS3.4 CC.2.4 (N-EVENT-REPORT on an association of ours). What was sent but not yet recorded when
everything stopped is sent again. Run beside the projector by `server.background`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from kernel.context import Envelope, acting_as
from kernel.ledger.ports import Append, Ledger, StreamMoved
from kernel.refusals import Refusal, Unavailable
from kernel.times import Clock, now
from projections.workitems.view import Report
from registry.workitems import commands
from registry.workitems.values import Patience
from workflows.report_commitments import ReportNotTaken

log = logging.getLogger("pianku.workitems")
_LOOK_SECONDS: Final = 0.5
_CLEAR_SECONDS: Final = 60.0
_ATTEMPTS: Final = 5
_ENVELOPE: Final = Envelope(subject="workitems", protocol="workflow")


class Queue(Protocol):
    """The reports that are owed; `projections.workitems.view` is one."""

    def due_titles(self, moment: datetime) -> Sequence[str]:
        """Return the AE titles that are owed a report now."""
        ...

    def due(self, ae_title: str, *, after: int = 0, limit: int = 100) -> Sequence[Report]:
        """Return the reports an AE is owed after a number, in their order."""
        ...


class Sends(Protocol):
    """Sends reports on one association."""

    def __call__(
        self,
        address: tuple[str, int],
        ae_title: str,
        reports: Sequence[Report],
        taken: Callable[[Report], None],
    ) -> None:
        """Send them in their order, calling `taken` for each; raises ReportNotTaken."""
        ...


class Addresses(Protocol):
    """Knows where AEs are reached; the guard is one."""

    def destination(self, ae_title: str) -> tuple[str, int] | None:
        """Return host and port, None when they are not known."""
        ...


class WorkitemReports:
    """Remembers how far each watcher was told. Thread safe."""

    def __init__(
        self, facts: Ledger, queue: Queue, *, patience: Patience, clock: Clock = now
    ) -> None:
        self._facts = facts
        self._queue = queue
        self._patience = patience
        self._clock = clock

    def owed_titles(self) -> Sequence[str]:
        """Return the AE titles that are owed a report now."""
        return self._queue.due_titles(self._clock())

    def owed(self, ae_title: str, *, after: int = 0, limit: int = 100) -> Sequence[Report]:
        """Return the reports an AE is owed after a number, in their order."""
        return self._queue.due(ae_title, after=after, limit=limit)

    def is_over(self, report: Report) -> bool:
        """Tell whether a report has waited too long."""
        return self._clock() - report.at >= self._patience.give_up

    def taken(self, last: Report) -> None:
        """Remember that an AE took its reports up to this one."""
        self._record(
            last.ae_title,
            lambda state, version: commands.reports_taken(
                state, version, ae_title=last.ae_title, through=last.number, envelope=_ENVELOPE
            ),
        )

    def not_taken(self, report: Report, reason: str) -> None:
        """Remember that an AE did not take this report."""
        self._record(
            report.ae_title,
            lambda state, version: commands.reports_not_taken(
                state,
                version,
                ae_title=report.ae_title,
                number=report.number,
                since=report.at,
                now=self._clock(),
                reason=reason,
                patience=self._patience,
                envelope=_ENVELOPE,
            ),
        )

    def _record(
        self, ae_title: str, decide: Callable[[commands.Reporting, int], Append | None]
    ) -> None:
        stream = commands.reports_stream(ae_title)
        for attempt in range(_ATTEMPTS):
            state, version = self._facts.fold(stream, commands.TOLD_NOTHING, commands.fold_reports)
            batch = decide(state, version)
            if batch is None:
                return
            try:
                self._facts.append(batch)
            except StreamMoved:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return


class WorkitemReporter:
    """Sends what is owed to AEs with a known address."""

    def __init__(
        self,
        reports: WorkitemReports,
        addresses: Addresses,
        send: Sends,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._reports = reports
        self._addresses = addresses
        self._send = send
        self._look_seconds = look_seconds
        self._clear_at = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Report until `stopping` is set."""
        while not stopping.is_set():
            try:
                self.report_due(stopping)
            except (StreamMoved, Unavailable) as refusal:
                # A view or the disk is away, or somebody else told him: look again later.
                log.info("reports of workitems wait", extra={"code": refusal.code})
            stopping.wait(self._look_seconds)

    def report_due(self, stopping: threading.Event | None = None) -> int:
        """Send what is due now; returns how many reports were taken."""
        count = 0
        with acting_as(_ENVELOPE):
            # Who has no address is told on a channel, or never: what is too old is cleared.
            is_clearing = time.monotonic() >= self._clear_at
            if is_clearing:
                self._clear_at = time.monotonic() + _CLEAR_SECONDS
            for title in self._reports.owed_titles():
                if stopping is not None and stopping.is_set():
                    break
                address = self._addresses.destination(title)
                if address is not None:
                    count += self._tell(address, title)
                elif is_clearing:
                    self._clear(title)
        return count

    def _clear(self, title: str) -> None:
        over = [report for report in self._reports.owed(title) if self._reports.is_over(report)]
        if over:
            self._reports.not_taken(over[-1], "no_address")

    def _tell(self, address: tuple[str, int], title: str) -> int:
        owed = self._reports.owed(title)
        taken: list[Report] = []
        why = ""
        if not owed:
            return 0
        try:
            self._send(address, title, owed, taken.append)
        except ReportNotTaken as refusal:
            why = str(refusal.details.get("why") or refusal.code)
        except Refusal as refusal:
            why = refusal.code
        if taken:
            self._reports.taken(taken[-1])
        if why:
            log.info("report of a workitem not taken", extra={"ae": title, "why": why})
            left = owed[len(taken) :]
            over = [report for report in left if self._reports.is_over(report)]
            # Those that are too old go together: each would cost an attempt of its own.
            self._reports.not_taken(over[-1] if over else left[0], why)
        return len(taken)
