"""The rules on the attributes of a performed procedure step.

Implements PS3.4 Table F.7.2-1: what must be there when a step is created, what may be set later
and what must be there when it ends (decision 0021). Pure; called by `commands.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from kernel.identifiers import dicom_uid
from registry.procedure_steps.refusals import AttributeEmpty, AttributeInvalid, AttributeMissing
from registry.procedure_steps.values import Attributes, Listed, PerformedSeries, Status

CHARACTER_SET: Final = "00080005"
MODALITY: Final = "00080060"
ACCESSION: Final = "00080050"
STUDY_UID: Final = "0020000D"
SERIES_UID: Final = "0020000E"
PROTOCOL: Final = "00181030"
SCHEDULED_STEPS: Final = "00400270"
PERFORMED_SERIES: Final = "00400340"
STATUS: Final = "00400252"
STEP_ID: Final = "00400253"
STATION_AE: Final = "00400241"
START_DATE: Final = "00400244"
START_TIME: Final = "00400245"
END_DATE: Final = "00400250"
END_TIME: Final = "00400251"
DISCONTINUATION_REASON: Final = "00400281"
IMAGES: Final = "00081140"
OTHERS: Final = "00400220"
SOP_CLASS: Final = "00081150"
SOP_UID: Final = "00081155"
CODE_VALUE: Final = "00080100"
CODE_SCHEME: Final = "00080102"

_AT_CREATION: Final = (
    SCHEDULED_STEPS, STEP_ID, STATION_AE, START_DATE, START_TIME, STATUS, MODALITY,
)  # fmt: skip
"""Type 1 for N-CREATE. Type 2 that are left out count as empty: their default (PS3.7 10.1.5)."""
_AT_END: Final = (END_DATE, END_TIME, PERFORMED_SERIES)
"""Type 1 for the final state."""
_FIXED: Final = frozenset(
    (
        SCHEDULED_STEPS, STEP_ID, STATION_AE, START_DATE, START_TIME, MODALITY,
        "00100010", "00100020", "00100021", "00100024", "00100030", "00100040", "00081120",
        "00400242", "00400243", "00200010", "00380010", "00380014", "00380060", "00380064",
        "00380062",
    )
)  # fmt: skip
"""What N-SET may not change."""
_DATES: Final = (START_DATE, END_DATE)
_TIMES: Final = (START_TIME, END_TIME)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9]|60)?(\.[0-9]{1,6})?)?")
_LONGEST: Final = {STEP_ID: 16, STATION_AE: 16, MODALITY: 16}


def text(attributes: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an attribute as text; a person's name as its groups."""
    values = _values(attributes, tag)
    first = values[0] if values else None
    if isinstance(first, Mapping):
        groups = (str(first.get(g, "")) for g in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return "" if first is None else str(first)


def items(attributes: Mapping[str, Any], tag: str) -> list[Attributes]:
    """Return the items of a sequence."""
    return [item for item in _values(attributes, tag) if isinstance(item, dict)]


def status_of(attributes: Mapping[str, Any]) -> Status | None:
    """Return the status that is told, None when none is; raises AttributeInvalid."""
    if STATUS not in attributes:
        return None
    try:
        return Status(text(attributes, STATUS))
    except ValueError:
        raise AttributeInvalid(f"{_name(STATUS)} has no defined value", tag=STATUS) from None


def check_new(attributes: Attributes) -> None:
    """Raise unless a step may begin with these attributes."""
    for tag in _AT_CREATION:
        _require(attributes, tag)
    if status_of(attributes) is not Status.IN_PROGRESS:
        raise AttributeInvalid(f"{_name(STATUS)} is not IN PROGRESS", tag=STATUS)
    for item in items(attributes, SCHEDULED_STEPS):
        _require(item, STUDY_UID)
        dicom_uid(text(item, STUDY_UID))
    _check_values(attributes)


def check_end(attributes: Attributes) -> None:
    """Raise unless a step may end with these attributes."""
    for tag in _AT_END:
        _require(attributes, tag)


def changes(attributes: Attributes, held: Attributes) -> Attributes:
    """Return what an N-SET changes; raises AttributeInvalid for what it may not change."""
    changed = {tag: told for tag, told in attributes.items() if held.get(tag) != told}
    for tag in sorted(changed.keys() & _FIXED):
        if text(changed, tag) or items(changed, tag):
            raise AttributeInvalid(f"{_name(tag)} may not be changed", tag=tag)
    changed = {tag: told for tag, told in changed.items() if tag not in _FIXED}
    _check_values(changed)
    return changed


def take_apart(attributes: Attributes) -> tuple[Attributes, tuple[PerformedSeries, ...] | None]:
    """Return the attributes without the instances they list, and these; None if none are told."""
    if PERFORMED_SERIES not in attributes:
        return attributes, None
    told = items(attributes, PERFORMED_SERIES)
    series = tuple(
        PerformedSeries(
            series_uid=dicom_uid(text(one, SERIES_UID)),
            images=_listed(items(one, IMAGES)),
            others=_listed(items(one, OTHERS)),
        )
        for one in told
    )
    kept = [{t: v for t, v in one.items() if t not in {IMAGES, OTHERS}} for one in told]
    return {**attributes, PERFORMED_SERIES: _sequence(kept)}, series


def put_together(attributes: Attributes, performed: Sequence[PerformedSeries]) -> Attributes:
    """Return the attributes with the instances they list."""
    if PERFORMED_SERIES not in attributes:
        return attributes
    whole = [
        {**item, IMAGES: _references(series.images), OTHERS: _references(series.others)}
        for item, series in zip(items(attributes, PERFORMED_SERIES), performed, strict=True)
    ]
    return {**attributes, PERFORMED_SERIES: _sequence(whole)}


def study_uids(attributes: Attributes) -> tuple[str, ...]:
    """Return the studies a step is for, each once."""
    told = (text(item, STUDY_UID) for item in items(attributes, SCHEDULED_STEPS))
    return tuple(dict.fromkeys(dicom_uid(uid) for uid in told))


def reason_of(attributes: Attributes) -> str:
    """Return the code of the discontinuation reason as `value^scheme`, empty when none is told."""
    for item in items(attributes, DISCONTINUATION_REASON):
        code = f"{text(item, CODE_VALUE)}^{text(item, CODE_SCHEME)}"
        return "".join(one for one in code if one.isprintable())[:80]
    return ""


def _check_values(attributes: Attributes) -> None:
    for tag, longest in _LONGEST.items():
        told = text(attributes, tag)
        if len(told) > longest or not told.isprintable():
            raise AttributeInvalid(f"{_name(tag)} is too long, or no text", tag=tag)
    for tag in _DATES:
        if (told := text(attributes, tag)) and not _is_date(told):
            raise AttributeInvalid(f"{_name(tag)} is no date", tag=tag)
    for tag in _TIMES:
        if (told := text(attributes, tag)) and not _TIME.fullmatch(told):
            raise AttributeInvalid(f"{_name(tag)} is no time", tag=tag)
    for item in items(attributes, PERFORMED_SERIES):
        for tag in (SERIES_UID, PROTOCOL):
            _require(item, tag)
        for one in (*items(item, IMAGES), *items(item, OTHERS)):
            _require(one, SOP_CLASS)
            _require(one, SOP_UID)


def _require(attributes: Attributes, tag: str) -> None:
    if tag not in attributes:
        raise AttributeMissing(f"{_name(tag)} is missing", tag=tag)
    if not text(attributes, tag) and not items(attributes, tag):
        raise AttributeEmpty(f"{_name(tag)} has no value", tag=tag)


def _listed(told: list[Attributes]) -> tuple[Listed, ...]:
    pairs = ((dicom_uid(text(o, SOP_CLASS)), dicom_uid(text(o, SOP_UID))) for o in told)
    return tuple(
        Listed(sop_class, tuple(uid for _, uid in group))
        for sop_class, group in groupby(pairs, key=lambda pair: pair[0])
    )


def _references(listed: Sequence[Listed]) -> dict[str, Any]:
    return _sequence(list(_items_of(listed)))


def _items_of(listed: Sequence[Listed]) -> Iterator[Attributes]:
    for part in listed:
        for uid in part.sop_uids:
            yield {
                SOP_CLASS: {"vr": "UI", "Value": [part.sop_class]},
                SOP_UID: {"vr": "UI", "Value": [uid]},
            }


def _sequence(told: list[Attributes]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": told} if told else {"vr": "SQ"}


def _values(attributes: Mapping[str, Any], tag: str) -> list[Any]:
    told = attributes.get(tag)
    values = told.get("Value") if isinstance(told, Mapping) else None
    return values if isinstance(values, list) else []


def _is_date(told: str) -> bool:
    if len(told) == 8 and told.isdigit():
        with suppress(ValueError):
            return bool(datetime.strptime(told, "%Y%m%d"))  # noqa: DTZ007 - local by definition
    return False


def _name(tag: str) -> str:
    return f"({tag[:4]},{tag[4:]})"
