"""N-EVENT-REPORT: tell who asked for a commitment which instances we keep.

PS3.4 J.3.3, PS3.7 10.1.1. `report` is called beside the projector with an association of our own,
the parts of it by `n_action.py` for an AE that is reached no other way.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from adapters.dimse import decode, encode, faults
from adapters.dimse.contexts import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
)
from adapters.dimse.decode import Command, ProposedContext
from adapters.dimse.limits import Limits
from adapters.dimse.messages import Interrupted
from adapters.dimse.normalised import EVENT_REPORT, write
from adapters.dimse.requestor import DestinationUnavailable, Requestor
from adapters.dimse.wire import PeerClosed, PeerStalled
from projections.commitments.view import Commitment
from registry.commitments.values import Judged, Reference
from workflows.report_commitments import ReportNotTaken

SUCCESSFUL: Final = 1
FAILURES_EXIST: Final = 2
RESPONSE: Final = 0x8100
_MESSAGE_ID: Final = 1


class CommitmentReport:
    """Sends reports on associations of our own."""

    def __init__(self, ae_title: str, limits: Limits) -> None:
        self._ae_title = ae_title
        self._limits = limits

    def __call__(self, address: tuple[str, int], owed: Commitment, judged: Judged) -> None:
        """Send one report; raises ReportNotTaken."""
        # A context for each syntax: his choice is then no loss.
        proposed = [
            ProposedContext(1, STORAGE_COMMITMENT, (EXPLICIT_LITTLE,)),
            ProposedContext(3, STORAGE_COMMITMENT, (IMPLICIT_LITTLE,)),
        ]
        try:
            with Requestor(
                address,
                called_ae=owed.ae_title,
                calling_ae=self._ae_title,
                proposed=proposed,
                limits=self._limits,
                # We are the SCP, although we ask for the association (PS3.4 J.3.3.2).
                roles=((STORAGE_COMMITMENT, False, True),),
            ) as requestor:
                self._send(requestor, owed, judged)
        except DestinationUnavailable as refusal:
            raise ReportNotTaken(why=refusal.code) from refusal

    def _send(self, requestor: Requestor, owed: Commitment, judged: Judged) -> None:
        context = next(iter(requestor.contexts), None)
        if context is None:
            raise ReportNotTaken(why="context_not_accepted")
        command, dataset = message(owed, judged, context.transfer_syntax, self._ae_title)
        try:
            requestor.messages.send(context.id, command, dataset)
            requestor.messages.wire.begin_message()
            _, answer = requestor.messages.read_command()
        except (PeerClosed, PeerStalled, Interrupted) as problem:
            raise ReportNotTaken(why="association_lost") from problem
        check(answer)


def message(
    owed: Commitment, judged: Judged, transfer_syntax: str, ae_title: str
) -> tuple[bytes, bytes]:
    """Return command set and data set of a report."""
    told = Dataset()
    told.TransactionUID = owed.transaction_uid
    told.RetrieveAETitle = ae_title
    if judged.committed:
        told.ReferencedSOPSequence = [_item(one) for one in judged.committed]
    if judged.failed:
        told.FailedSOPSequence = [_item(one, int(reason)) for one, reason in judged.failed]
    command: dict[int, int | str] = {
        0x0002: STORAGE_COMMITMENT,
        0x0100: EVENT_REPORT,
        0x0110: _MESSAGE_ID,
        0x0800: 0,
        0x1000: STORAGE_COMMITMENT_INSTANCE,
        0x1002: FAILURES_EXIST if judged.failed else SUCCESSFUL,
    }
    return encode.command(command), write(told, transfer_syntax)


def check(answer: Command) -> None:
    """Raise ReportNotTaken unless an answer says that the report was taken."""
    status = decode.number(answer, 0x0900, faults.PROCESSING_FAILURE)
    if decode.number(answer, 0x0100) != RESPONSE or not faults.is_success(status):
        raise ReportNotTaken(why=f"status_{status:04X}")


def _item(reference: Reference, reason: int = 0) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class
    item.ReferencedSOPInstanceUID = reference.sop_uid
    if reason:
        item.FailureReason = reason
    return item
