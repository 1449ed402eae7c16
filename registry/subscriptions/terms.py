"""When a subscription ends: xsd:dateTime or xsd:duration, within what the broker grants.

ITI TF-2 3.52; implements WS-BaseNotification 1.3, 4.2 (InitialTerminationTime) and 6.1.1 (Renew).
Called by `commands.py`; raises nothing: a text that is no time is None.
"""

from __future__ import annotations

import calendar
import re
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final

_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_DURATION: Final = re.compile(
    r"P(?=.)(?:([0-9]{1,6})Y)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})D)?"
    r"(?:T(?=.)(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:\.[0-9]+)?S)?)?"
)


def moment(text: str, now: datetime) -> datetime | None:
    """Return the moment that an absolute or relative time names; None when it names none."""
    if _DATE_TIME.fullmatch(text):
        try:
            told = datetime.fromisoformat(text)
            return told.replace(tzinfo=told.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    years, months, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        return _months_later(now, years * 12 + months) + timedelta(
            days=days, hours=hours, minutes=minutes, seconds=seconds
        )
    except (ValueError, OverflowError):
        return None


def _months_later(now: datetime, months: int) -> datetime:
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    if year > MAXYEAR:
        raise OverflowError
    day = min(now.day, calendar.monthrange(year, month + 1)[1])
    return now.replace(year=year, month=month + 1, day=day)
