"""C-FIND on the Modality Worklist: what is to be done on this device today, and with whom.

PS3.4 K.4 and K.6.1 (information model and its attributes). Called by `association.py`; asks the
worklist view.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import sqlalchemy as sa
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from adapters.dimse import decode, encode, faults
from adapters.dimse.association import Association, response_elements
from adapters.dimse.contexts import Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.normalised import walk, write
from kernel.refusals import Refusal
from projections.permissions.policy import clause
from projections.study_index import kept
from projections.worklist.view import Step
from repository.instances import charsets, elements

log = logging.getLogger("pianku.dimse")
_CHARACTER_SET: Final = 0x00080005
_STEPS: Final = 0x00400100
_START_DATE: Final = 0x00400002
_NO_KEYS: Final = frozenset({_CHARACTER_SET, 0x00080201})
_CHINESE: Final = frozenset({"GB18030", "GBK"})
_STEP_STATUS: Final = 0x00400020
_OPEN: Final = ("scheduled", "started")
_STATUS: Final = {
    "scheduled": "SCHEDULED",
    "started": "STARTED",
    "done": "COMPLETED",
    "discontinued": "DISCONTINUED",
    "cancelled": "CANCELED",
}
"""The first two as PS3.3 C.4.10 defines them; the others are told only to who asks for them."""


class Worklist(Protocol):
    """The worklist view."""

    def open(
        self,
        *,
        first: str = "",
        last: str = "",
        policy: sa.ColumnElement[bool] | None = None,
        states: Sequence[str] = _OPEN,
    ) -> Sequence[Step]:
        """Return what is in these states from a day to a day."""
        ...


class WorklistScp:
    """Serves worklist queries for all associations of a receiver."""

    def __init__(self, worklist: Worklist) -> None:
        self._worklist = worklist

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer a C-FIND-RQ."""
        octets = b""
        if decode.has_dataset(command):
            octets = association.messages.read_dataset(context.id)
        try:
            status = self._answer(association, context, command, octets)
        except Refusal as refusal:
            word = faults.status(refusal, Operation.WORKLIST)
            log.info("worklist query refused", extra={"code": refusal.code})
            association.respond(context, command, word, comment=faults.comment(refusal))
            return
        association.respond(context, command, status)

    def _answer(
        self, association: Association, context: Context, command: Command, octets: bytes
    ) -> int:
        association.may("find", "MWL C-FIND")
        asked = walk(octets, context.transfer_syntax)
        character_set = asked.ascii(_CHARACTER_SET)
        found = self._found(association, asked, charsets.codecs_of(character_set))
        limit = association.limits.max_results
        # Before the first answer leaves: what is not recorded is not told.
        association.guard.record(
            association.subject,
            "find",
            "success",
            "MWL C-FIND",
            count=len(found),
            study_uids=tuple(step.study_uid for step, _ in found[:limit]),
            patient_keys=tuple(dict.fromkeys(step.patient_key for step, _ in found[:limit])),
        )
        pending = encode.command({**response_elements(command, faults.PENDING), 0x0800: 0})
        for _, full in found[:limit]:
            if association.is_cancelled(command):
                return faults.CANCELLED
            answer = _chosen(asked, full)
            first = character_set.split("\\")[0].strip().upper()
            answer.SpecificCharacterSet = first if first in _CHINESE else "ISO_IR 192"
            association.messages.send(context.id, pending, write(answer, context.transfer_syntax))
        return faults.OUT_OF_RESOURCES if len(found) > limit else faults.SUCCESS

    def _found(
        self, association: Association, asked: elements.Dataset, codecs: tuple[str, ...]
    ) -> list[tuple[Step, Dataset]]:
        tree = kept.tree_of(_paths(asked, codecs))
        first, last = _days(tree)
        policy = clause(association.subject, "find", "study")
        found = []
        for step in self._worklist.open(
            first=first, last=last, policy=policy, states=_states(tree)
        ):
            full = described(step)
            if not tree or kept.matches(tree, _members(full)):
                found.append((step, full))
        return found


def described(step: Step) -> Dataset:
    """Return everything we can tell of a step (PS3.4 table K.6-1)."""
    order = step.order
    scheduled = Dataset()
    scheduled.Modality = order.modality
    scheduled.ScheduledStationAETitle = order.station_ae
    scheduled.ScheduledProcedureStepStartDate = order.starts[:8]
    scheduled.ScheduledProcedureStepStartTime = order.starts[8:]
    scheduled.ScheduledPerformingPhysicianName = order.performing
    scheduled.ScheduledProcedureStepDescription = order.step or order.procedure
    scheduled.ScheduledProcedureStepID = order.step_id
    scheduled.ScheduledStationName = order.station_name
    scheduled.ScheduledProcedureStepStatus = _STATUS.get(step.state, "")
    told = Dataset()
    told.AccessionNumber = order.accession
    told.ReferringPhysicianName = order.referring
    told.PatientName = order.name
    told.PatientID = order.local_id
    told.IssuerOfPatientID = order.authority
    told.PatientBirthDate = order.birth_date
    told.PatientSex = order.sex
    told.StudyInstanceUID = step.study_uid
    told.RequestedProcedureDescription = order.procedure or order.step
    told.ScheduledProcedureStepSequence = [scheduled]
    told.RequestedProcedureID = order.procedure_id
    return told


def _chosen(asked: elements.Dataset, full: Dataset) -> Dataset:
    """Return what was asked for, empty where we have nothing; an empty item asks for all."""
    answer = Dataset()
    for tag in asked.elements:
        if tag in _NO_KEYS or not tag & 0xFFFF:
            continue
        held = full.get(tag)
        items = asked.items(tag)
        if held is None:
            vr = "SQ" if asked.elements[tag][0] == b"SQ" else _vr(tag)
            answer.add(DataElement(tag, vr, [] if vr == "SQ" else None))
        elif held.VR == "SQ" and items and items[0].elements:
            answer.add(DataElement(tag, "SQ", Items(_chosen(items[0], one) for one in held.value)))
        else:
            answer.add(held)
    return answer


def _paths(
    asked: elements.Dataset, codecs: tuple[str, ...], above: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], str]]:
    for tag, element in asked.elements.items():
        if tag in _NO_KEYS or not tag & 0xFFFF:
            continue
        if element[3] is not None:
            for item in element[3][:1]:
                yield from _paths(item, codecs, (*above, tag))
        else:
            text = charsets.decode(asked.raw(tag), codecs, delimiters=b"\\^=").strip("\x00 ")
            yield (*above, tag), text


def _days(tree: kept.Tree) -> tuple[str, str]:
    """Return the first and last day that are asked for, to look through no others."""
    wanted = _of_step(tree, _START_DATE)
    first, dash, last = wanted.partition("-")
    return first.strip(), (last if dash else first).strip()


def _states(tree: kept.Tree) -> Sequence[str]:
    """Return the states that are asked for by name; what is open when none is."""
    wanted = _of_step(tree, _STEP_STATUS).split("\\")
    return [state for state, word in _STATUS.items() if word in wanted] or _OPEN


def _of_step(tree: kept.Tree, tag: int) -> str:
    steps = tree.get(_STEPS)
    wanted = steps.get(tag, "") if isinstance(steps, dict) else ""
    return wanted if isinstance(wanted, str) else ""


def _members(full: Dataset) -> Mapping[int, bytes]:
    told: dict[str, Any] = full.to_json_dict()
    return {int(tag, 16): json.dumps({tag: value}).encode()[1:-1] for tag, value in told.items()}


def _vr(tag: int) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"
