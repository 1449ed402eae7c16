"""Report commitments to who asked for them, again until he takes the report or in time gives up.

PS3.4 J.3.3 (N-EVENT-REPORT on an association of ours). What was sent but not yet recorded when
everything stopped is sent again. Run beside the projector by `server.background`.
"""

from __future__ import annotations

import logging
import threading
from typing import Final, Protocol

from kernel.context import Envelope, acting_as
from kernel.ledger.ports import StreamMoved
from kernel.refusals import Refusal, Unavailable
from projections.commitments.view import Commitment
from registry.commitments.values import Judged
from workflows.commit_to_storage import StorageCommitment

log = logging.getLogger("pianku.commitments")
_LOOK_SECONDS: Final = 0.5


class ReportNotTaken(Unavailable):
    """The AE cannot be reached, or did not take the report."""

    code = "report_not_taken"


class Reports(Protocol):
    """Sends one report."""

    def __call__(self, address: tuple[str, int], owed: Commitment, judged: Judged) -> None:
        """Send it; raises ReportNotTaken."""
        ...


class Addresses(Protocol):
    """Knows where AEs are reached; the guard is one."""

    def destination(self, ae_title: str) -> tuple[str, int] | None:
        """Return host and port, None when they are not known."""
        ...


class CommitmentReporter:
    """Sends what is owed to AEs with a known address; others get it when they associate."""

    def __init__(
        self,
        commitment: StorageCommitment,
        addresses: Addresses,
        report: Reports,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._commitment = commitment
        self._addresses = addresses
        self._report = report
        self._look_seconds = look_seconds

    def run(self, stopping: threading.Event) -> None:
        """Report until `stopping` is set."""
        while not stopping.is_set():
            try:
                self.report_due(stopping)
            except (StreamMoved, Unavailable) as refusal:
                # Another reporter was first, or a view or the disk is away: look again later.
                log.info("reports of commitment wait", extra={"code": refusal.code})
            stopping.wait(self._look_seconds)

    def report_due(self, stopping: threading.Event | None = None) -> int:
        """Send what is due now; returns how many reports were taken."""
        taken = 0
        with acting_as(Envelope(subject="commitments", protocol="workflow")):
            for title in self._commitment.owed_titles():
                address = self._addresses.destination(title)
                for owed in self._commitment.owed(title):
                    if stopping is not None and stopping.is_set():
                        return taken
                    if address is None:
                        if self._commitment.is_over(owed):
                            self._commitment.not_taken(owed, "no_address")
                        continue
                    if not self._one(address, owed):
                        break  # the others would fail alike
                    taken += 1
        return taken

    def _one(self, address: tuple[str, int], owed: Commitment) -> bool:
        judged = self._commitment.judge(owed.references)
        try:
            self._report(address, owed, judged)
        except ReportNotTaken as refusal:
            log.info("report of commitment not taken", extra={"ae": owed.ae_title})
            self._commitment.not_taken(owed, str(refusal.details.get("why") or refusal.code))
            return False
        except Refusal as refusal:
            self._commitment.not_taken(owed, refusal.code)
            return False
        self._commitment.reported(owed, judged)
        return True
