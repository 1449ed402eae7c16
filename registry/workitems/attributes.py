"""The rules on the attributes of a workitem.

Implements PS3.4 Table CC.2.5-3 and CC.2.5.1.1: what must be there when a workitem is created, what
may be set later and what must be there when it ends (decision 0026). Pure; called by `commands.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from registry.workitems.refusals import (
    StateUnknown,
    WorkitemAttributeEmpty,
    WorkitemAttributeInvalid,
    WorkitemAttributeMissing,
    WorkitemNotScheduled,
    WorkitemUnfinished,
)
from registry.workitems.values import UPS_PUSH, Attributes, State

CHARACTER_SET: Final = "00080005"
SOP_CLASS: Final = "00080016"
SOP_INSTANCE: Final = "00080018"
TRANSACTION_UID: Final = "00081195"
PATIENT_NAME: Final = "00100010"
PATIENT_ID: Final = "00100020"
STUDY_UID: Final = "0020000D"
START: Final = "00404005"
MODIFIED: Final = "00404010"
INPUT_READINESS: Final = "00404041"
CANCELLATION_MOMENT: Final = "00404052"
STATE: Final = "00741000"
PROGRESS: Final = "00741002"
DISCONTINUATION_REASON: Final = "0074100E"
PRIORITY: Final = "00741200"
WORKLIST_LABEL: Final = "00741202"
LABEL: Final = "00741204"
PERFORMED: Final = "00741216"
REASON_FOR_CANCELLATION: Final = "00741238"
CONTACT_URI: Final = "0074100A"
CONTACT_NAME: Final = "0074100C"
STATIONS: Final = ("00404025", "00404026", "00404027")
"""Codes of the scheduled station: its name, its class and its place."""
HUMAN_PERFORMERS: Final = "00404034"
ASSIGNED: Final = (*STATIONS, HUMAN_PERFORMERS)

_AT_CREATION: Final = (STATE, PRIORITY, LABEL, START, INPUT_READINESS)
"""Type 1 for the SCU. What is Type 2 and left out counts as empty (PS3.7 10.1.5)."""
_EMPTY_AT_CREATION: Final = (TRANSACTION_UID, PROGRESS, PERFORMED)
_ALWAYS: Final = (PRIORITY, LABEL, WORKLIST_LABEL, START, INPUT_READINESS)
_AT_COMPLETION: Final = ("00404028", "00404050", "00404019", "00404051", "00404033")
"""Of the UPS Performed Procedure: station name, start, workitem code, end; output may be empty."""
_OUTPUT: Final = "00404033"
_FIXED: Final = frozenset(
    (
        PATIENT_NAME, PATIENT_ID, "00100021", "00100024", "00100030", "00100032", "00100040",
        "00101002", STUDY_UID, "00380010", "00380014", "00380060", "00380064", "0040A370",
    )
)  # fmt: skip
"""What N-SET may not change: whose step it is, his admission, and what was requested."""
_OURS: Final = frozenset((SOP_CLASS, SOP_INSTANCE, TRANSACTION_UID, MODIFIED, CHARACTER_SET))
_ENUMERATED: Final = {
    PRIORITY: frozenset(("HIGH", "MEDIUM", "LOW")),
    INPUT_READINESS: frozenset(("INCOMPLETE", "UNAVAILABLE", "READY")),
}
_LONGEST: Final = {LABEL: 64, WORKLIST_LABEL: 64, PATIENT_ID: 64}
_MOMENTS: Final = (START, "00404011")
_MOMENT: Final = re.compile(
    r"[0-9]{4}((0[1-9]|1[0-2])((0[1-9]|[12][0-9]|3[01])"
    r"(([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9]|60)?)?)?)?)?(\.[0-9]{1,6})?([+-][0-9]{4})?"
)
_DEFAULT_LABEL: Final = "DEFAULT"
_UNSPECIFIED: Final[Attributes] = {
    "00080100": {"vr": "SH", "Value": ["110513"]},
    "00080102": {"vr": "SH", "Value": ["DCM"]},
    "00080104": {"vr": "LO", "Value": ["Discontinued for unspecified reason"]},
}


def text(attributes: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an attribute as text; a person's name as its groups."""
    found = values(attributes, tag)
    first = found[0] if found else None
    if isinstance(first, Mapping):
        groups = (str(first.get(g, "")) for g in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return "" if first is None else str(first)


def items(attributes: Mapping[str, Any], tag: str) -> list[Attributes]:
    """Return the items of a sequence."""
    return [item for item in values(attributes, tag) if isinstance(item, dict)]


def values(attributes: Mapping[str, Any], tag: str) -> list[Any]:
    """Return the values of an attribute."""
    told = attributes.get(tag)
    found = told.get("Value") if isinstance(told, Mapping) else None
    return found if isinstance(found, list) else []


def state_of(attributes: Mapping[str, Any]) -> State:
    """Return the state that is told; raises StateUnknown."""
    try:
        return State(text(attributes, STATE))
    except ValueError:
        raise StateUnknown(f"{_name(STATE)} has no defined value", tag=STATE) from None


def new(attributes: Attributes, sop_uid: str, moment: str) -> tuple[Attributes, bool]:
    """Return what is kept of a new workitem, and whether we added what its creator must be told.

    Raises what breaks Table CC.2.5-3.
    """
    for tag in _AT_CREATION:
        _require(attributes, tag)
    if text(attributes, STATE) != State.SCHEDULED:
        raise WorkitemNotScheduled(f"{_name(STATE)} is not SCHEDULED", tag=STATE)
    for tag in _EMPTY_AT_CREATION:
        if text(attributes, tag) or items(attributes, tag):
            raise WorkitemAttributeInvalid(f"{_name(tag)} is empty when created", tag=tag)
    _check_values(attributes)
    kept = {tag: told for tag, told in attributes.items() if not _is_ours(tag)}
    is_modified = not text(kept, WORKLIST_LABEL)
    if is_modified:
        kept[WORKLIST_LABEL] = {"vr": "LO", "Value": [_DEFAULT_LABEL]}
    kept[SOP_CLASS] = {"vr": "UI", "Value": [UPS_PUSH]}
    kept[SOP_INSTANCE] = {"vr": "UI", "Value": [sop_uid]}
    return dict(sorted({**kept, **moved(moment)}.items())), is_modified


def changes(attributes: Attributes, held: Attributes) -> Attributes:
    """Return what an update changes; raises WorkitemAttributeInvalid for what it may not change."""
    if text(attributes, STATE):
        raise WorkitemAttributeInvalid(f"{_name(STATE)} is changed by its own action", tag=STATE)
    told = {t: a for t, a in attributes.items() if not _is_ours(t) and t != STATE}
    changed = {tag: value for tag, value in told.items() if held.get(tag) != value}
    for tag in sorted(changed.keys() & _FIXED):
        if text(changed, tag) or items(changed, tag):
            raise WorkitemAttributeInvalid(f"{_name(tag)} may not be changed", tag=tag)
    changed = {tag: value for tag, value in changed.items() if tag not in _FIXED}
    for tag in sorted(changed.keys() & set(_ALWAYS)):
        _require(changed, tag)
    _check_values(changed)
    return changed


def moved(moment: str) -> Attributes:
    """Return Scheduled Procedure Step Modification DateTime."""
    return {MODIFIED: {"vr": "DT", "Value": [moment]}}


def in_state(attributes: Attributes, state: State) -> Attributes:
    """Return attributes with their state."""
    return {**attributes, STATE: {"vr": "CS", "Value": [str(state)]}}


def check_completed(held: Attributes) -> None:
    """Raise WorkitemUnfinished unless a workitem may be COMPLETED."""
    for tag in _ALWAYS:
        if not text(held, tag):
            raise WorkitemUnfinished(f"{_name(tag)} has no value", tag=tag)
    performed = items(held, PERFORMED)
    if not performed:
        raise WorkitemUnfinished(f"{_name(PERFORMED)} has no item", tag=PERFORMED)
    for item in performed:
        for tag in _AT_COMPLETION:
            is_told = tag in item if tag == _OUTPUT else bool(text(item, tag) or items(item, tag))
            if not is_told:
                raise WorkitemUnfinished(f"{_name(tag)} is not told", tag=tag)


def canceled(held: Attributes, moment: str, asked: Attributes) -> Attributes:
    """Return the progress of a workitem that is canceled: when and why, if nobody told it.

    `asked` may hold the reason that a request for cancellation proposed.
    """
    told = items(held, PROGRESS)
    item = dict(told[0]) if told else {}
    if not text(item, CANCELLATION_MOMENT):
        item[CANCELLATION_MOMENT] = {"vr": "DT", "Value": [moment]}
    if not items(item, DISCONTINUATION_REASON):
        proposed = items(asked, DISCONTINUATION_REASON) or [_UNSPECIFIED]
        item[DISCONTINUATION_REASON] = {"vr": "SQ", "Value": proposed}
    for tag in (REASON_FOR_CANCELLATION,):
        if text(asked, tag):
            item[tag] = asked[tag]
    return {PROGRESS: {"vr": "SQ", "Value": [dict(sorted(item.items())), *told[1:]]}}


def _is_ours(tag: str) -> bool:
    """Tell whether an attribute is set by us, or is none of a data set (groups 0000 and 0002)."""
    return tag in _OURS or tag.startswith(("0000", "0002"))


def _check_values(attributes: Attributes) -> None:
    for tag, known in _ENUMERATED.items():
        told = text(attributes, tag)
        if told and told not in known:
            raise WorkitemAttributeInvalid(f"{_name(tag)} has no defined value", tag=tag)
    for tag, longest in _LONGEST.items():
        told = text(attributes, tag)
        if len(told) > longest or not told.isprintable():
            raise WorkitemAttributeInvalid(f"{_name(tag)} is too long, or no text", tag=tag)
    for tag in _MOMENTS:
        told = text(attributes, tag)
        if told and not _MOMENT.fullmatch(told):
            raise WorkitemAttributeInvalid(f"{_name(tag)} is no date and time", tag=tag)


def _require(attributes: Attributes, tag: str) -> None:
    if tag not in attributes:
        raise WorkitemAttributeMissing(f"{_name(tag)} is missing", tag=tag)
    if not text(attributes, tag) and not items(attributes, tag):
        raise WorkitemAttributeEmpty(f"{_name(tag)} has no value", tag=tag)


def _name(tag: str) -> str:
    return f"({tag[:4]},{tag[4:]})"
