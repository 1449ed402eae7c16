"""Times: the HL7 DTM of metadata, the DICOM DA/TM pair, and the clock as a parameter.

Implements ITI TF-3 4.2.3.1.7 (DTM: YYYY[MM[DD[hh[mm[ss]]]]], UTC) and PS3.5 6.2 (DA, TM).
Called by every room; nobody else reads the system clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from kernel.refusals import Invalid

_DTM: Final = re.compile(r"[0-9]{4}(?:[0-9]{2}){0,5}")
_PADDING_LOW: Final = "00000101000000"


class BadTime(Invalid):
    """A time does not have the form YYYY[MM[DD[hh[mm[ss]]]]] or is no time of the calendar."""

    code = "bad_time"


class Clock(Protocol):
    """Tells the time; tests give their own."""

    def __call__(self) -> datetime:
        """Return now, aware, in UTC."""
        ...


def now() -> datetime:
    """Return the system's time, aware, in UTC."""
    return datetime.now(UTC)


def dtm(moment: datetime) -> str:
    """Return the DTM of a moment, to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def check_dtm(text: str) -> str:
    """Return `text` if it is a DTM; raises `BadTime`."""
    if _DTM.fullmatch(text) is None:
        raise BadTime("not a DTM value", value=text[:32])
    try:
        datetime.strptime(pad_dtm(text), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise BadTime("not a date of the calendar", value=text[:32]) from None
    return text


def pad_dtm(text: str) -> str:
    """Return the earliest second a DTM may mean, 14 digits, for comparison."""
    return text + _PADDING_LOW[len(text) :]


def parse_dtm(text: str) -> datetime:
    """Return the earliest moment a DTM may mean, in UTC; raises `BadTime`."""
    return datetime.strptime(pad_dtm(check_dtm(text)), "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Return microseconds since 1970 in UTC (how the ledger keeps time)."""
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Return the moment of a number of microseconds since 1970, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
