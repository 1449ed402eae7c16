"""N-SET: a modality tells more of a procedure step, or that it ended (MPPS).

PS3.4 F.7.2.2, PS3.7 10.1.3, IHE RAD TF-2 4.7. Called by `association.py`; durable before it is
answered.
"""

from __future__ import annotations

import logging

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import MPPS, Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.n_create import Steps
from adapters.dimse.normalised import is_for, read_dataset, refuse, respond
from adapters.dimse.performed_step import read
from kernel.refusals import Refusal

log = logging.getLogger("pianku.dimse")


class StepSetScp:
    """Serves N-SET of performed procedure steps for all associations of a receiver."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-SET-RQ."""
        octets = read_dataset(association, context, command)
        if context.abstract_syntax != MPPS or not is_for(context, command, Operation.MPPS):
            respond(association, context, command, faults.NO_SUCH_SOP_CLASS_N)
            return
        try:
            association.may("store", "MPPS N-SET")
            attributes, _ = read(octets, context)
            self._steps.change(decode.text(command, 0x1001), attributes, association.envelope)
        except Refusal as refusal:
            log.info("change of a procedure step refused", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        respond(association, context, command, faults.SUCCESS)
