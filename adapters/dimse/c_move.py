"""C-MOVE: instances to a third AE that we know, over an association of our own.

PS3.7 9.1.4, PS3.4 C.4.2. Called by `association.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import Context, Operation, proposals
from adapters.dimse.decode import Command
from adapters.dimse.query import read_identifier
from adapters.dimse.requestor import DestinationUnavailable, Requestor
from adapters.dimse.retrieval import Sources, Transfer, allow, resolve
from kernel.refusals import Refusal
from projections.storage_map.view import Location

log = logging.getLogger("pianku.dimse")


class MoveScp:
    """Serves C-MOVE for all associations of a receiver."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer a C-MOVE-RQ."""
        octets = b""
        if decode.has_dataset(command):
            octets = association.messages.read_dataset(context.id)
        title = decode.text(command, 0x0600)
        try:
            association.may("move", "C-MOVE")
            address = association.guard.destination(title)
            if address is None:
                word = faults.MOVE_DESTINATION_UNKNOWN
                association.respond(context, command, word, comment="destination unknown")
                return
            found = resolve(association, read_identifier(octets, context), self._sources)
            allow(association, found, "move", title)
        except Refusal as refusal:
            word = faults.status(refusal, Operation.MOVE)
            log.info("retrieval refused", extra={"code": refusal.code, "status": f"{word:04X}"})
            association.respond(context, command, word, comment=faults.comment(refusal))
            return
        transfer = Transfer(association, context, command, sources=self._sources, found=found)
        status = faults.SUCCESS
        if found:
            status = _transfer(association, command, transfer, found, (title, address))
        transfer.finish(status)


def _transfer(
    association: Association,
    command: Command,
    transfer: Transfer,
    found: Sequence[Location],
    destination: tuple[str, tuple[str, int]],
) -> int:
    title, address = destination
    originator: dict[int, int | str] = {
        0x1030: association.calling_ae,
        0x1031: decode.number(command, 0x0110, 0),
    }
    wanted = dict.fromkeys((one.sop_class, one.transfer_syntax) for one in found)
    try:
        with Requestor(
            address,
            called_ae=title,
            calling_ae=association.ae_title,
            proposed=proposals(wanted),
            limits=association.limits,
        ) as requestor:
            return transfer.run(
                requestor.messages,
                requestor.contexts,
                lambda: association.is_cancelled(command),
                originator,
            )
    except DestinationUnavailable as refusal:
        log.info("destination unavailable", extra={"ae": title, "code": refusal.code})
    transfer.fail_rest()
    progress = transfer.progress
    nothing = not progress.completed and not progress.warning
    return faults.CANNOT_PERFORM_SUBOPERATIONS if nothing else faults.SUBOPERATIONS_FAILED
