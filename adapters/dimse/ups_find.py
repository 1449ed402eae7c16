"""C-FIND on workitems: UPS Pull, UPS Watch and UPS Query.

PS3.4 CC.2.8 and Table CC.2.5-3 (match and return keys). Called by `association.py`; asks the view
of the workitems.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import sqlalchemy as sa
from pydicom.datadict import dictionary_VR

from adapters.dimse import decode, encode, faults
from adapters.dimse.association import Association, response_elements
from adapters.dimse.contexts import UPS_PUSH, Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.normalised import walk
from adapters.dimse.performed_step import answer
from kernel.refusals import Refusal
from projections.permissions.policy import clause
from projections.workitems.view import Workitem
from registry.workitems.values import Attributes
from repository.instances import charsets, elements

log = logging.getLogger("pianku.dimse")
_CHARACTER_SET: Final = 0x00080005
_NO_KEYS: Final = frozenset({_CHARACTER_SET, 0x00080201})


class Index(Protocol):
    """The view of the workitems."""

    def find(
        self,
        keys: Mapping[str, str],
        *,
        policy: sa.ColumnElement[bool] | None = None,
        offset: int = 0,
        limit: int = 1000,
    ) -> tuple[Sequence[Workitem], bool]:
        """Return a page of what matches, and whether there is more."""
        ...


class UpsFindScp:
    """Serves queries for workitems for all associations of a receiver."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer a C-FIND-RQ."""
        octets = b""
        if decode.has_dataset(command):
            octets = association.messages.read_dataset(context.id)
        if context.abstract_syntax == UPS_PUSH:
            association.respond(context, command, faults.UNRECOGNISED_OPERATION)
            return
        try:
            status = self._answer(association, context, command, octets)
        except Refusal as refusal:
            word = faults.status(refusal, Operation.WORKLIST)
            log.info("query for workitems refused", extra={"code": refusal.code})
            association.respond(context, command, word, comment=faults.comment(refusal))
            return
        association.respond(context, command, status)

    def _answer(
        self, association: Association, context: Context, command: Command, octets: bytes
    ) -> int:
        association.may("find", "UPS C-FIND")
        asked = walk(octets, context.transfer_syntax)
        character_set = asked.ascii(_CHARACTER_SET)
        keys = dict(_keys(asked, charsets.codecs_of(character_set)))
        policy = clause(association.subject, "find", "study")
        limit = association.limits.max_results
        found, more = self._index.find(keys, policy=policy, limit=limit)
        # Before the first answer leaves: what is not recorded is not told.
        association.guard.record(
            association.subject,
            "find",
            "success",
            "UPS C-FIND",
            count=len(found),
            study_uids=tuple(dict.fromkeys(one.study_uid for one in found if one.study_uid)),
            patient_keys=tuple(dict.fromkeys(one.patient_key for one in found)),
        )
        pending = encode.command({**response_elements(command, faults.PENDING), 0x0800: 0})
        for workitem in found:
            if association.is_cancelled(command):
                return faults.CANCELLED
            told = _chosen(asked, workitem.attributes)
            dataset = answer(told, (), character_set, context.transfer_syntax)
            association.messages.send(context.id, pending, dataset)
        return faults.OUT_OF_RESOURCES if more else faults.SUCCESS


def _keys(
    asked: elements.Dataset, codecs: tuple[str, ...], above: str = ""
) -> Iterator[tuple[str, str]]:
    for tag, element in asked.elements.items():
        if tag in _NO_KEYS or not tag & 0xFFFF:
            continue
        path = f"{above}{tag:08X}"
        if element[3] is not None:
            for item in element[3][:1]:
                yield from _keys(item, codecs, f"{path}.")
        else:
            yield path, charsets.decode(asked.raw(tag), codecs, delimiters=b"\\^=").strip("\x00 ")


def _chosen(asked: elements.Dataset, held: Attributes) -> Attributes:
    """Return what was asked for, empty where we have nothing."""
    return {
        f"{tag:08X}": held.get(f"{tag:08X}") or {"vr": _vr(tag)}
        for tag in asked.elements
        if tag not in _NO_KEYS and tag & 0xFFFF
    }


def _vr(tag: int) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"
