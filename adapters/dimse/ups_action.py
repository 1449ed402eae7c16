"""N-ACTION on workitems: change the state, ask to cancel, watch and watch no more.

PS3.4 CC.2.1 (Change UPS State), CC.2.2 (Request UPS Cancel), CC.2.3 (Subscribe, Unsubscribe,
Suspend). Called by `association.py`; what is answered with success is durable.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Final

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import UPS_PULL, UPS_PUSH, UPS_WATCH, Context
from adapters.dimse.decode import Command
from adapters.dimse.normalised import read_dataset, refuse, respond
from adapters.dimse.performed_step import read
from adapters.dimse.ups import Workitems, unfit, word_of
from kernel.refusals import Refusal
from registry.workitems import attributes as rules
from registry.workitems.refusals import SubscriberNotKnown
from registry.workitems.values import FILTERED, Attributes, Note

log = logging.getLogger("pianku.dimse")
_CHANGE_STATE: Final = 1
_REQUEST_CANCEL: Final = 2
_SUBSCRIBE: Final = 3
_UNSUBSCRIBE: Final = 4
_SUSPEND: Final = 5
_SERVED_IN: Final[Mapping[int, frozenset[str]]] = {
    _CHANGE_STATE: frozenset({UPS_PULL}),
    _REQUEST_CANCEL: frozenset({UPS_PUSH, UPS_WATCH}),
    _SUBSCRIBE: frozenset({UPS_WATCH}),
    _UNSUBSCRIBE: frozenset({UPS_WATCH}),
    _SUSPEND: frozenset({UPS_WATCH}),
}
_RECEIVING_AE: Final = "00741234"
_DELETION_LOCK: Final = "00741230"
_NO_KEYS: Final = frozenset({_RECEIVING_AE, _DELETION_LOCK, rules.CHARACTER_SET})


class UpsActionScp:
    """Serves N-ACTION on workitems for all associations of a receiver."""

    def __init__(self, workitems: Workitems) -> None:
        self._workitems = workitems

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer an N-ACTION-RQ."""
        octets = read_dataset(association, context, command)
        action = decode.number(command, 0x1008)
        served_in = _SERVED_IN.get(action)
        word = unfit(context, command, set(served_in or (context.abstract_syntax,)))
        if word or served_in is None:
            respond(association, context, command, word or faults.NO_SUCH_ACTION)
            return
        try:
            association.may("store", "UPS N-ACTION")
            asked, _ = read(octets, context)
            note = self._act(association, action, decode.text(command, 0x1001), asked)
        except Refusal as refusal:
            log.info("action on a workitem refused", extra={"code": refusal.code})
            refuse(association, context, command, refusal)
            return
        respond(association, context, command, word_of(note))

    def _act(self, association: Association, action: int, sop_uid: str, asked: Attributes) -> Note:
        workitems, envelope = self._workitems, association.envelope
        if action == _CHANGE_STATE:
            return workitems.change_state(sop_uid, asked, envelope)
        if action == _REQUEST_CANCEL:
            return workitems.request_cancel(
                sop_uid, asked, envelope, requester=association.calling_ae
            )
        receiving = rules.text(asked, _RECEIVING_AE).strip()
        if action == _UNSUBSCRIBE:
            workitems.unsubscribe(sop_uid, receiving, envelope)
        elif action == _SUSPEND:
            workitems.suspend(sop_uid, receiving, envelope)
        else:
            if association.guard.destination(receiving) is None:
                raise SubscriberNotKnown("no address of the receiving AE is known")
            workitems.subscribe(
                sop_uid,
                receiving,
                envelope,
                deletion_lock=rules.text(asked, _DELETION_LOCK) == "TRUE",
                filters=dict(_keys(asked)) if sop_uid == FILTERED else None,
            )
        return Note.NONE


def _keys(asked: Attributes, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the matching keys of a filter: path of tags, value."""
    for tag, told in asked.items():
        if not above and tag in _NO_KEYS:
            continue
        nested = rules.items(asked, tag)
        if told.get("vr") == "SQ":
            for item in nested[:1]:
                yield from _keys(item, f"{above}{tag}.")
        else:
            values = (rules.text({tag: {"Value": [one]}}, tag) for one in rules.values(asked, tag))
            if joined := "\\".join(values):
                yield f"{above}{tag}", joined
