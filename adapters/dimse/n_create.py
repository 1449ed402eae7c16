"""N-CREATE: a modality begins to perform a procedure step (MPPS).

PS3.4 F.7.2.1, PS3.7 10.1.5, IHE RAD TF-2 4.6. Called by `association.py`; durable before it is
answered.
"""

from __future__ import annotations

import logging
from typing import Protocol

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import MPPS, Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.normalised import is_for, read_dataset, refuse, respond
from adapters.dimse.performed_step import read
from kernel.context import Envelope
from kernel.identifiers import dicom_uid, new_uid
from kernel.refusals import Refusal
from registry.procedure_steps.values import Attributes
from workflows.perform_procedure_steps import Told

log = logging.getLogger("pianku.dimse")


class Steps(Protocol):
    """What takes procedure steps; `workflows.perform_procedure_steps` is one."""

    def start(
        self, sop_uid: str, attributes: Attributes, character_set: str, envelope: Envelope
    ) -> None:
        """Take an N-CREATE; durable on return."""
        ...

    def change(self, sop_uid: str, attributes: Attributes, envelope: Envelope) -> None:
        """Take an N-SET; durable on return."""
        ...

    def read(self, sop_uid: str) -> Told:
        """Return a step as it stands."""
        ...


class StepCreateScp:
    """Serves N-CREATE of performed procedure steps for all associations of a receiver."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-CREATE-RQ."""
        octets = read_dataset(association, context, command)
        if context.abstract_syntax != MPPS or not is_for(context, command, Operation.MPPS):
            respond(association, context, command, faults.NO_SUCH_SOP_CLASS_N)
            return
        try:
            association.may("store", "MPPS N-CREATE")
            told = decode.text(command, 0x1000)
            # Who names no instance gets one (PS3.7 10.1.5.1.4).
            sop_uid = dicom_uid(told) if told else new_uid()
            attributes, character_set = read(octets, context)
            self._steps.start(sop_uid, attributes, character_set, association.envelope)
        except Refusal as refusal:
            log.info("procedure step refused", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        respond(association, context, command, faults.SUCCESS, instance=sop_uid)
