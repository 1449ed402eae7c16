"""Instance availability: another archive tells us what it has, and we tell others what we have.

PS3.4 R.3.2 (N-CREATE), PS3.3 C.4.23. `AvailabilityScp` is called by `association.py`,
`AvailabilityNotice` beside the projector with an association of our own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import groupby
from typing import Final, Protocol

from pydicom.dataset import Dataset

from adapters.dimse import decode, encode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    INSTANCE_AVAILABILITY,
    MPPS,
    Context,
    Operation,
)
from adapters.dimse.decode import Command, ProposedContext
from adapters.dimse.limits import Limits
from adapters.dimse.messages import Interrupted
from adapters.dimse.normalised import CREATE, is_for, read_dataset, refuse, respond, walk, write
from adapters.dimse.requestor import DestinationUnavailable, Requestor
from adapters.dimse.wire import PeerClosed, PeerStalled
from kernel.context import Envelope
from kernel.identifiers import dicom_uid, new_uid
from kernel.refusals import Refusal
from registry.availability.values import Available, Notice
from repository.instances import elements
from workflows.notify_availability import NoticeNotTaken

log = logging.getLogger("pianku.dimse")
_RESPONSE: Final = 0x8140
_STUDY_UID: Final = 0x0020000D
_SERIES_UID: Final = 0x0020000E
_PERFORMED_STEPS: Final = 0x00081111
_SERIES: Final = 0x00081115
_INSTANCES: Final = 0x00081199
_CLASS: Final = 0x00081150
_INSTANCE: Final = 0x00081155
_AVAILABILITY: Final = 0x00080056
_RETRIEVE_AE: Final = 0x00080054


class Notes(Protocol):
    """What takes notifications; `workflows.notify_availability` has one."""

    def __call__(self, notice: Notice, source: str, envelope: Envelope) -> None:
        """Take one; durable on return."""
        ...


class AvailabilityScp:
    """Serves notifications of other archives for all associations of a receiver."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-CREATE-RQ."""
        octets = read_dataset(association, context, command)
        if not is_for(context, command, Operation.AVAILABILITY):
            respond(association, context, command, faults.NO_SUCH_SOP_CLASS_N)
            return
        try:
            association.may("store", "IAN N-CREATE")
            told = decode.text(command, 0x1000)
            sop_uid = dicom_uid(told) if told else new_uid()
            notice = _read(octets, context, sop_uid)
            self._notes(notice, association.calling_ae, association.envelope)
        except Refusal as refusal:
            log.info("notification of availability refused", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        respond(association, context, command, faults.SUCCESS, instance=sop_uid)


class AvailabilityNotice:
    """Sends notifications on associations of our own."""

    def __init__(self, ae_title: str, limits: Limits) -> None:
        self._ae_title = ae_title
        self._limits = limits

    def __call__(self, address: tuple[str, int], ae_title: str, notice: Notice) -> None:
        """Send one notification; raises NoticeNotTaken."""
        # A context for each syntax: his choice is then no loss.
        proposed = [
            ProposedContext(1, INSTANCE_AVAILABILITY, (EXPLICIT_LITTLE,)),
            ProposedContext(3, INSTANCE_AVAILABILITY, (IMPLICIT_LITTLE,)),
        ]
        try:
            with Requestor(
                address,
                called_ae=ae_title,
                calling_ae=self._ae_title,
                proposed=proposed,
                limits=self._limits,
            ) as requestor:
                _send(requestor, notice)
        except DestinationUnavailable as refusal:
            raise NoticeNotTaken(why=refusal.code) from refusal


def _send(requestor: Requestor, notice: Notice) -> None:
    context = next(iter(requestor.contexts), None)
    if context is None:
        raise NoticeNotTaken(why="context_not_accepted")
    command: dict[int, int | str | bytes] = {
        0x0002: INSTANCE_AVAILABILITY,
        0x0100: CREATE,
        0x0110: 1,
        0x0800: 0,
        0x1000: notice.sop_uid,
    }
    octets = write(_dataset(notice), context.transfer_syntax)
    try:
        requestor.messages.send(context.id, encode.command(command), octets)
        requestor.messages.wire.begin_message()
        _, answer = requestor.messages.read_command()
        if decode.has_dataset(answer):
            requestor.messages.drop_dataset(context.id)
    except (PeerClosed, PeerStalled, Interrupted) as problem:
        raise NoticeNotTaken(why="association_lost") from problem
    status = decode.number(answer, 0x0900, faults.PROCESSING_FAILURE)
    # A duplicate: it was taken before, and the answer was lost.
    is_taken = faults.is_success(status) or status == faults.DUPLICATE_INSTANCE
    if decode.number(answer, 0x0100) != _RESPONSE or not is_taken:
        raise NoticeNotTaken(why=f"status_{status:04X}")


def _dataset(notice: Notice) -> Dataset:
    told = Dataset()
    told.ReferencedPerformedProcedureStepSequence = []
    if notice.step_uid:
        step = _reference(MPPS, notice.step_uid)
        step.PerformedWorkitemCodeSequence = []
        told.ReferencedPerformedProcedureStepSequence = [step]
    told.StudyInstanceUID = notice.study_uid
    told.ReferencedSeriesSequence = []
    for series_uid, parts in groupby(notice.instances, key=lambda part: part.series_uid):
        series = Dataset()
        series.SeriesInstanceUID = series_uid
        series.ReferencedSOPSequence = [item for part in parts for item in _items(part)]
        told.ReferencedSeriesSequence.append(series)
    return told


def _items(part: Available) -> Iterator[Dataset]:
    for uid in part.sop_uids:
        item = _reference(part.sop_class, uid)
        item.InstanceAvailability = part.availability
        item.RetrieveAETitle = part.retrieve_ae
        yield item


def _reference(sop_class: str, sop_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
    return item


def _read(octets: bytes, context: Context, sop_uid: str) -> Notice:
    dataset = walk(octets, context.transfer_syntax)
    steps = [item.ascii(_INSTANCE) for item in dataset.items(_PERFORMED_STEPS)]
    study_uid = dataset.ascii(_STUDY_UID)
    return Notice(
        sop_uid=sop_uid,
        study_uid=study_uid and dicom_uid(study_uid),
        step_uid=dicom_uid(steps[0]) if steps and steps[0] else "",
        instances=tuple(_available(dataset)),
    )


def _available(dataset: elements.Dataset) -> Iterator[Available]:
    for series in dataset.items(_SERIES):
        series_uid = dicom_uid(series.ascii(_SERIES_UID))

        def kind(item: elements.Dataset) -> tuple[str, str, str]:
            return item.ascii(_CLASS), item.ascii(_AVAILABILITY), item.ascii(_RETRIEVE_AE)

        for (sop_class, word, title), part in groupby(series.items(_INSTANCES), key=kind):
            uids = tuple(dicom_uid(item.ascii(_INSTANCE)) for item in part)
            yield Available(series_uid, dicom_uid(sop_class), word, title[:16], uids)
