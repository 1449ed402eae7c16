"""Dates, times and moments by their meaning: what a key asks for, and whether a value is in it.

Implements PS3.4 C.2.2.2.1.3 and C.2.2.2.5 (single values and ranges of DA, TM, DT) by the forms of
PS3.5 6.2. Pure; called by `matching.py` for columns and by `kept.py` for values of headers.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, UTC, datetime, timedelta, timezone
from typing import Final

from kernel.refusals import Invalid

_DATE: Final = re.compile(r"[0-9]{8}|[0-9]{6}|[0-9]{4}")
_TIME: Final = re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?")
_FORMS: Final = {"DA": (_DATE, "."), "TM": (_TIME, ":")}
_WHAT: Final = {"DA": "date", "TM": "time", "DT": "moment"}
_MOMENT: Final = re.compile(
    r"([0-9]{4})([0-9]{2})?([0-9]{2})?([0-9]{2})?([0-9]{2})?([0-9]{2})?(?:\.([0-9]{1,6}))?"
    r"([+-][0-9]{4})?"
)
_ONE: Final = r"[0-9]{4,14}(?:\.[0-9]{1,6})?"
# A hyphen begins the other end of a range (C.2.2.2.1.3 note 3), or the offset before it.
_MOMENTS: Final = re.compile(
    rf"({_ONE}(?:[+-][0-9]{{4}}(?=\s*(?:-|$)))?)?\s*-\s*({_ONE}(?:[+-][0-9]{{4}})?)?"
)
_LAST: Final = "\U0010ffff"


class BadQuery(Invalid):
    """A matching key does not have the form its attribute demands."""

    code = "bad_query"


def ends(value: str, vr: str) -> tuple[str, str]:
    """Return both ends of a range of dates or times, empty where it is open; raises BadQuery."""
    form, separator = _FORMS[vr]
    low, dash, high = value.replace(separator, "").partition("-")
    told = (low.strip(), high.strip() if dash else low.strip())
    if not any(told) or any(end and form.fullmatch(end) is None for end in told):
        raise BadQuery(f"a {_WHAT[vr]} or a range of {_WHAT[vr]}s is expected")
    return told


def earliest(time: str) -> str:
    """Return the shortest form of a time: as text it is not behind any form that means the same.

    `2230` is `223000` (C.2.2.2.1.3 note 1), and stands before it in an index.
    """
    whole, dot, fraction = time.partition(".")
    kept = fraction.rstrip("0")
    if dot and kept:
        return f"{whole}.{kept}"
    while len(whole) > 2 and whole.endswith("00"):
        whole = whole[:-2]
    return whole


def is_in(wanted: str, vr: str, value: str) -> bool:
    """Tell whether a value of DA, TM or DT is what is wanted; raises BadQuery."""
    if vr == "DT":
        return _moment_in(wanted, value)
    low, high = ends(wanted, vr)
    text = value.replace(_FORMS[vr][1], "").strip()
    if vr == "TM":
        low, text = earliest(low), earliest(text)
    return bool(text) and low <= text and (not high or text < high + _LAST)


def _moment_in(wanted: str, value: str) -> bool:
    ranged = _MOMENTS.fullmatch(wanted.strip()) if "-" in wanted else None
    low, high = ranged.groups() if ranged else (wanted.strip(), wanted.strip())
    if not (low or high):
        raise BadQuery("a moment or a range of moments is expected")
    first, last = _span(low or ""), _span(high or "")
    if (low and first is None) or (high and last is None):
        raise BadQuery("a moment or a range of moments is expected")
    held = _span(value)
    if held is None:
        return False
    return not (
        (first is not None and _is_before(held[1], first[0]))
        or (last is not None and _is_before(last[1], held[0]))
    )


def _is_before(one: datetime, other: datetime) -> bool:
    if (one.tzinfo is None) != (other.tzinfo is None):
        # Where only one tells its zone, both are taken to be of the same.
        return one.replace(tzinfo=None) < other.replace(tzinfo=None)
    return one < other


def _span(text: str) -> tuple[datetime, datetime] | None:
    """Return the first and last moment that a value of DT means."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    *parts, fraction, offset = found.groups()
    numbers = [int(part) for part in parts if part is not None]
    micros = int((fraction or "").ljust(6, "0")) if fraction else 0
    try:
        zone = _zone(offset)
        filled = [*numbers, *(1, 1, 0, 0, 0)[len(numbers) - 1 :]]
        first = datetime(*filled[:6], micros, tzinfo=zone)  # type: ignore[misc,arg-type]
        return first, _end(first, len(numbers), len(fraction or ""))
    except (ValueError, OverflowError):
        return None


def _end(first: datetime, told: int, digits: int) -> datetime:
    if digits:
        return first + timedelta(microseconds=10 ** (6 - digits) - 1)
    if first.year == MAXYEAR:
        return first.replace(month=12, day=31, hour=23, minute=59, second=59)
    if told == 1:
        after = first.replace(year=first.year + 1)
    elif told == 2:
        after = (first + timedelta(days=31)).replace(day=1)
    else:
        step = {3: timedelta(days=1), 4: timedelta(hours=1), 5: timedelta(minutes=1)}
        after = first + step.get(told, timedelta(seconds=1))
    return after - timedelta(microseconds=1)


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    return (
        timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes)) if minutes else UTC
    )
