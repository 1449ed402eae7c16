"""N-GET: what is known of a performed procedure step (MPPS Retrieve).

PS3.4 F.8, PS3.7 10.1.2. Called by `association.py`; recorded as an access before it is answered.
"""

from __future__ import annotations

import logging
import struct
from typing import Final

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import MPPS_RETRIEVE, Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.n_create import Steps
from adapters.dimse.normalised import is_for, read_dataset, refuse, respond
from adapters.dimse.performed_step import answer
from kernel.refusals import Refusal

log = logging.getLogger("pianku.dimse")
_TRANSACTION: Final = "MPPS N-GET"
_TAG: Final = struct.Struct("<HH")


class StepGetScp:
    """Serves N-GET of performed procedure steps for all associations of a receiver."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-GET-RQ."""
        read_dataset(association, context, command)
        named = is_for(context, command, Operation.MPPS)
        if context.abstract_syntax != MPPS_RETRIEVE or not named:
            respond(association, context, command, faults.NO_SUCH_SOP_CLASS_N)
            return
        try:
            association.may("find", _TRANSACTION)
            told = self._steps.read(decode.text(command, 0x1001))
            association.guard.record(
                association.subject,
                "find",
                "success",
                _TRANSACTION,
                patient_keys=(told.patient_key,),
                study_uids=told.study_uids,
                count=1,
            )
        except Refusal as refusal:
            log.info("procedure step not told", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        listed = command.get(0x1005, b"")
        wanted = [
            group << 16 | element
            for group, element in _TAG.iter_unpack(listed[: len(listed) // 4 * 4])
        ]
        dataset = answer(told.attributes, wanted, told.character_set, context.transfer_syntax)
        respond(association, context, command, faults.SUCCESS, dataset=dataset)
