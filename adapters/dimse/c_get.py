"""C-GET: instances back to the requestor on his own association.

PS3.7 9.1.3, PS3.4 C.4.3. Called by `association.py`.
"""

from __future__ import annotations

import logging

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.query import read_identifier
from adapters.dimse.retrieval import Sources, Transfer, allow, resolve
from kernel.refusals import Refusal

log = logging.getLogger("pianku.dimse")


class GetScp:
    """Serves C-GET for all associations of a receiver."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer a C-GET-RQ."""
        octets = b""
        if decode.has_dataset(command):
            octets = association.messages.read_dataset(context.id)
        try:
            association.may("get", "C-GET")
            found = resolve(association, read_identifier(octets, context), self._sources)
            allow(association, found, "get", "")
        except Refusal as refusal:
            word = faults.status(refusal, Operation.GET)
            log.info("retrieval refused", extra={"code": refusal.code, "status": f"{word:04X}"})
            association.respond(context, command, word, comment=faults.comment(refusal))
            return
        transfer = Transfer(association, context, command, sources=self._sources, found=found)
        status = transfer.run(
            association.messages,
            association.contexts.values(),
            lambda: association.is_cancelled(command),
        )
        transfer.finish(status)
