"""N-EVENT-REPORT of workitems: tell a watcher what happened.

PS3.4 CC.2.4 (UPS Event SOP Class: we are the SCP, on an association we ask for), PS3.7 10.1.1. Run
beside the projector by `workflows.report_workitems`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from adapters.dimse import decode, encode, faults
from adapters.dimse.contexts import EXPLICIT_LITTLE, IMPLICIT_LITTLE, UPS_EVENT, UPS_PUSH
from adapters.dimse.decode import ProposedContext
from adapters.dimse.limits import Limits
from adapters.dimse.messages import Interrupted
from adapters.dimse.n_event_report import RESPONSE
from adapters.dimse.normalised import EVENT_REPORT
from adapters.dimse.performed_step import answer
from adapters.dimse.requestor import DestinationUnavailable, Requestor
from adapters.dimse.wire import PeerClosed, PeerStalled
from projections.workitems.view import Report
from workflows.report_commitments import ReportNotTaken

log = logging.getLogger("pianku.dimse")
_MOST_IDS: Final = 1 << 15


class WorkitemReport:
    """Sends reports on associations of our own."""

    def __init__(self, ae_title: str, limits: Limits) -> None:
        self._ae_title = ae_title
        self._limits = limits

    def __call__(
        self,
        address: tuple[str, int],
        ae_title: str,
        reports: Sequence[Report],
        taken: Callable[[Report], None],
    ) -> None:
        """Send reports in their order; raises ReportNotTaken."""
        # A context for each syntax: his choice is then no loss.
        proposed = [
            ProposedContext(1, UPS_EVENT, (EXPLICIT_LITTLE,)),
            ProposedContext(3, UPS_EVENT, (IMPLICIT_LITTLE,)),
        ]
        try:
            with Requestor(
                address,
                called_ae=ae_title,
                calling_ae=self._ae_title,
                proposed=proposed,
                limits=self._limits,
                # We are the SCP, although we ask for the association (PS3.4 CC.2.4).
                roles=((UPS_EVENT, False, True),),
            ) as requestor:
                for number, report in enumerate(reports, 1):
                    self._send(requestor, number, report)
                    taken(report)
        except DestinationUnavailable as refusal:
            raise ReportNotTaken(why=refusal.code) from refusal

    def _send(self, requestor: Requestor, number: int, report: Report) -> None:
        context = next(iter(requestor.contexts), None)
        if context is None:
            raise ReportNotTaken(why="context_not_accepted")
        command: dict[int, int | str] = {
            0x0002: UPS_PUSH,
            0x0100: EVENT_REPORT,
            0x0110: number % _MOST_IDS,
            0x0800: 0,
            0x1000: report.sop_uid,
            0x1002: report.event_type,
        }
        dataset = answer(report.body, (), "", context.transfer_syntax)
        try:
            requestor.messages.send(context.id, encode.command(command), dataset)
            requestor.messages.wire.begin_message()
            _, told = requestor.messages.read_command()
        except (PeerClosed, PeerStalled, Interrupted) as problem:
            raise ReportNotTaken(why="association_lost") from problem
        if decode.number(told, 0x0100) != RESPONSE:
            raise ReportNotTaken(why="no_response")
        status = decode.number(told, 0x0900, faults.PROCESSING_FAILURE)
        if not faults.is_success(status):
            # He has it and does not want it: to send it again would hold up the ones after it.
            log.info("report of a workitem refused", extra={"status": f"{status:04X}"})
