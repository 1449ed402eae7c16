"""C-ECHO: are you there?

PS3.7 9.1.5, PS3.4 A (Verification Service Class). Called by `association.py`.
"""

from __future__ import annotations

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import Context, Operation
from adapters.dimse.decode import Command
from kernel.refusals import Refusal


def echo(association: Association, context: Context, command: Command) -> None:
    """Answer a C-ECHO-RQ."""
    if decode.has_dataset(command):
        association.messages.drop_dataset(context.id)
    try:
        association.may("echo", "C-ECHO")
    except Refusal as refusal:
        word = faults.status(refusal, Operation.ECHO)
        association.respond(context, command, word, comment=faults.comment(refusal))
        return
    association.counts.echoed += 1
    association.respond(context, command, faults.SUCCESS)
