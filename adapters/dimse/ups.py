"""N-CREATE, N-SET and N-GET of workitems: UPS Push, UPS Pull and UPS Watch.

PS3.4 CC.2.5, CC.2.6, CC.2.7; which service goes with which SOP class is CC.2 tables 1 to 4. Called
by `association.py`; what is answered with success is durable.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping
from typing import Final, Protocol

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import UPS_PULL, UPS_PUSH, UPS_WATCH, Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.normalised import read_dataset, refuse, respond
from adapters.dimse.performed_step import answer, read
from kernel.context import Envelope
from kernel.identifiers import dicom_uid, new_uid
from kernel.refusals import Refusal
from registry.workitems.values import Attributes, Note
from workflows.perform_workitems import Told

log = logging.getLogger("pianku.dimse")
_TAG: Final = struct.Struct("<HH")
_NOTES: Final[Mapping[Note, int]] = {
    Note.NONE: faults.SUCCESS,
    Note.MODIFIED: faults.UPS_CREATED_WITH_MODIFICATIONS,
    Note.ALREADY_CANCELED: faults.UPS_ALREADY_CANCELED,
    Note.ALREADY_COMPLETED: faults.UPS_ALREADY_COMPLETED,
}


class Workitems(Protocol):
    """What takes workitems; `workflows.perform_workitems` is one."""

    def create(self, sop_uid: str, attributes: Attributes, envelope: Envelope) -> Note:
        """Take a new workitem; durable on return."""
        ...

    def read(self, sop_uid: str) -> Told:
        """Return a workitem as it stands."""
        ...

    def change(
        self, sop_uid: str, attributes: Attributes, envelope: Envelope, *, transaction_uid: str = ""
    ) -> Note:
        """Take changes of a workitem; durable on return."""
        ...

    def change_state(self, sop_uid: str, asked: Attributes, envelope: Envelope) -> Note:
        """Take a state that is asked for; durable on return."""
        ...

    def request_cancel(
        self, sop_uid: str, asked: Attributes, envelope: Envelope, *, requester: str
    ) -> Note:
        """Take a request to cancel; durable on return."""
        ...

    def subscribe(
        self,
        sop_uid: str,
        ae_title: str,
        envelope: Envelope,
        *,
        deletion_lock: bool = False,
        filters: Mapping[str, str] | None = None,
    ) -> None:
        """Have an AE told of a workitem, or of all; durable on return."""
        ...

    def unsubscribe(self, sop_uid: str, ae_title: str, envelope: Envelope) -> None:
        """Have an AE told no more; durable on return."""
        ...

    def suspend(self, sop_uid: str, ae_title: str, envelope: Envelope) -> None:
        """Have an AE told of nothing new; durable on return."""
        ...


class UpsCreateScp:
    """Serves N-CREATE of workitems for all associations of a receiver."""

    def __init__(self, workitems: Workitems) -> None:
        self._workitems = workitems

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-CREATE-RQ."""
        octets = read_dataset(association, context, command)
        if word := unfit(context, command, {UPS_PUSH}):
            respond(association, context, command, word)
            return
        try:
            association.may("store", "UPS N-CREATE")
            told = decode.text(command, 0x1000)
            # Who names no instance gets one (PS3.7 10.1.5.1.4).
            sop_uid = dicom_uid(told) if told else new_uid()
            attributes, _ = read(octets, context)
            note = self._workitems.create(sop_uid, attributes, association.envelope)
        except Refusal as refusal:
            log.info("workitem refused", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        respond(association, context, command, word_of(note), instance=sop_uid)


class UpsSetScp:
    """Serves N-SET of workitems for all associations of a receiver."""

    def __init__(self, workitems: Workitems) -> None:
        self._workitems = workitems

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-SET-RQ."""
        octets = read_dataset(association, context, command)
        if word := unfit(context, command, {UPS_PULL}):
            respond(association, context, command, word)
            return
        try:
            association.may("store", "UPS N-SET")
            attributes, _ = read(octets, context)
            sop_uid = decode.text(command, 0x1001)
            note = self._workitems.change(sop_uid, attributes, association.envelope)
        except Refusal as refusal:
            log.info("change of a workitem refused", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        respond(association, context, command, word_of(note))


class UpsGetScp:
    """Serves N-GET of workitems for all associations of a receiver."""

    def __init__(self, workitems: Workitems) -> None:
        self._workitems = workitems

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-GET-RQ; recorded as an access before it is answered."""
        read_dataset(association, context, command)
        if word := unfit(context, command, {UPS_PUSH, UPS_PULL, UPS_WATCH}):
            respond(association, context, command, word)
            return
        try:
            association.may("find", "UPS N-GET")
            told = self._workitems.read(decode.text(command, 0x1001))
            association.guard.record(
                association.subject,
                "find",
                "success",
                "UPS N-GET",
                patient_keys=(told.patient_key,),
                study_uids=(told.study_uid,) if told.study_uid else (),
                count=1,
            )
        except Refusal as refusal:
            log.info("workitem not told", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        listed = command.get(0x1005, b"")
        wanted = [
            group << 16 | element
            for group, element in _TAG.iter_unpack(listed[: len(listed) // 4 * 4])
        ]
        dataset = answer(told.attributes, wanted, "", context.transfer_syntax)
        respond(association, context, command, faults.SUCCESS, dataset=dataset)


def unfit(context: Context, command: Command, served_in: set[str]) -> int:
    """Return the status for a request that does not go with its presentation context, else 0.

    A workitem is an instance of UPS Push, whichever service speaks of it (PS3.4 CC.3.1).
    """
    named = decode.text(command, 0x0003) or decode.text(command, 0x0002)
    is_ups = context.service is Operation.UPS and named in {"", UPS_PUSH, context.abstract_syntax}
    if not is_ups:
        return faults.NO_SUCH_SOP_CLASS_N
    return 0 if context.abstract_syntax in served_in else faults.UNRECOGNISED_OPERATION


def word_of(note: Note) -> int:
    """Return the status that says what a note says."""
    return _NOTES[note]
