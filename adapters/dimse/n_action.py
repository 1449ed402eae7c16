"""N-ACTION: a modality asks us to take responsibility for instances it stored.

PS3.4 J.3.2 (Request Storage Commitment), PS3.7 10.1.4. Called by `association.py`; the report goes
over an association of ours (`n_event_report.py`) where we know the AE's address, else over his.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import STORAGE_COMMITMENT_INSTANCE, Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.n_event_report import RESPONSE, check, message
from adapters.dimse.normalised import is_for, read_dataset, refuse, respond, walk
from kernel.context import Envelope
from kernel.identifiers import dicom_uid
from kernel.refusals import Refusal
from projections.commitments.view import Commitment
from registry.commitments.refusals import CommitmentEmpty
from registry.commitments.values import Judged, Reference
from workflows.report_commitments import ReportNotTaken

log = logging.getLogger("pianku.dimse")
_REQUEST_COMMITMENT: Final = 1
_TRANSACTION_UID: Final = 0x00081195
_REFERENCED_SOP: Final = 0x00081199
_CLASS: Final = 0x00081150
_INSTANCE: Final = 0x00081155


class Commits(Protocol):
    """What takes responsibility; `workflows.commit_to_storage` is one."""

    def ask(
        self,
        ae_title: str,
        transaction_uid: str,
        references: Sequence[Reference],
        envelope: Envelope,
    ) -> None:
        """Take a request; durable on return."""
        ...

    def owed(self, ae_title: str) -> Sequence[Commitment]:
        """Return what an AE is owed now."""
        ...

    def judge(self, references: Iterable[Reference]) -> Judged:
        """Return which instances are kept."""
        ...

    def reported(self, owed: Commitment, judged: Judged) -> None:
        """Remember that the AE took the report."""
        ...


class CommitmentScp:
    """Serves N-ACTION for all associations of a receiver."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-ACTION-RQ."""
        octets = read_dataset(association, context, command)
        word = _unfit(context, command)
        if word:
            respond(association, context, command, word)
            return
        try:
            association.may("store", "N-ACTION")
            transaction_uid, references = _asked(octets, context)
            self._commits.ask(
                association.calling_ae, transaction_uid, references, association.envelope
            )
        except Refusal as refusal:
            log.info("commitment refused", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        respond(association, context, command, faults.SUCCESS)
        if association.guard.destination(association.calling_ae) is None:
            self._report(association, context)

    def _report(self, association: Association, context: Context) -> None:
        """Report on his association what is owed to an AE that is reached no other way."""
        if association.is_reporting:
            return  # asked meanwhile: the report above goes on with it
        association.is_reporting = True
        tried: set[str] = set()
        try:
            while owed := self._next(association, tried):
                tried.add(owed.transaction_uid)
                judged = self._commits.judge(owed.references)
                association.messages.send(
                    context.id,
                    *message(owed, judged, context.transfer_syntax, association.ae_title),
                )
                check(_answer(association))
                self._commits.reported(owed, judged)
        except (ReportNotTaken, Refusal) as refusal:
            # It is owed still, and told when he asks again.
            log.info("report of commitment not taken", extra={"code": refusal.code})
        finally:
            association.is_reporting = False

    def _next(self, association: Association, tried: set[str]) -> Commitment | None:
        for owed in self._commits.owed(association.calling_ae):
            if owed.transaction_uid not in tried:
                return owed
        return None


def _answer(association: Association) -> Command:
    """Return the answer to our report; what he asks for meanwhile is served."""
    while True:
        association.wire.begin_message()
        context_id, command = association.messages.read_command()
        if decode.number(command, 0x0100) == RESPONSE:
            return command
        association.serve(context_id, command)


def _unfit(context: Context, command: Command) -> int:
    """Return the status for a request that is not for storage commitment, 0 if it is."""
    if not is_for(context, command, Operation.COMMIT):
        return faults.NO_SUCH_SOP_CLASS_N
    if decode.text(command, 0x1001) != STORAGE_COMMITMENT_INSTANCE:
        return faults.NO_SUCH_INSTANCE
    if decode.number(command, 0x1008) != _REQUEST_COMMITMENT:
        return faults.NO_SUCH_ACTION
    return 0


def _asked(octets: bytes, context: Context) -> tuple[str, list[Reference]]:
    dataset = walk(octets, context.transfer_syntax)
    transaction = dataset.ascii(_TRANSACTION_UID)
    if not transaction:
        raise CommitmentEmpty
    references = [
        Reference(dicom_uid(item.ascii(_CLASS)), dicom_uid(item.ascii(_INSTANCE)))
        for item in dataset.items(_REFERENCED_SOP)
    ]
    return dicom_uid(transaction), references
