"""Times between the DTM of XDS, the DA and TM of DICOM, and FHIR's date, dateTime and instant.

Implements HL7 FHIR R4 2.24.0.1 (primitive types) and ITI TF-3 4.2.3.1.7 (DTM, always UTC).
Used by `decode*.py`, `encode*.py` and `search.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from kernel.refusals import Invalid
from kernel.times import check_dtm, dtm, pad_dtm

_FHIR: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_TO_THE_DAY: Final = 8


@dataclass(frozen=True, slots=True)
class Span:
    """From (inclusive) to (exclusive)."""

    low: datetime
    high: datetime


FOREVER: Final = Span(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


def date_time(told: str) -> str:
    """Return the dateTime of a DTM with the precision it has; empty when it is none."""
    try:
        check_dtm(told)
    except Invalid:
        return ""
    if len(told) <= _TO_THE_DAY:
        return "-".join(part for part in (told[:4], told[4:6], told[6:8]) if part)
    # FHIR knows no time without minutes and seconds.
    whole = pad_dtm(told)
    return f"{whole[:4]}-{whole[4:6]}-{whole[6:8]}T{whole[8:10]}:{whole[10:12]}:{whole[12:14]}Z"


def instant(moment: datetime) -> str:
    """Return the instant of a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dtm_of(told: str) -> str:
    """Return the DTM of a FHIR dateTime; raises ValueError."""
    match = _FHIR.fullmatch(told.strip())
    if match is None:
        raise ValueError("no dateTime")
    if match[4] is None:
        return _checked("".join(part for part in match.groups()[:3] if part))
    moment = datetime(*(int(part or 0) for part in match.groups()[:6]), tzinfo=_zone(match[7]))  # type: ignore[misc,arg-type]
    return dtm(moment) if match[6] is not None else dtm(moment)[:12]


def span_of_fhir(told: str) -> Span:
    """Return what a FHIR date or dateTime covers; raises ValueError."""
    match = _FHIR.fullmatch(told.strip())
    if match is None:
        raise ValueError("no date")
    if match[7] is None or match[7] == "Z":
        return span_of_dtm("".join(part for part in match.groups()[:6] if part))
    low = datetime(*(int(part or 0) for part in match.groups()[:6]), tzinfo=_zone(match[7]))  # type: ignore[misc,arg-type]
    step = timedelta(seconds=1) if match[6] is not None else timedelta(minutes=1)
    return Span(low, low + step)


def span_of_dtm(told: str) -> Span:
    """Return what a DTM covers by its precision; raises ValueError."""
    low = datetime.strptime(pad_dtm(_checked(told)), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    try:
        return Span(low, _after(low, len(told)))
    except (ValueError, OverflowError):
        return Span(low, FOREVER.high)  # the calendar ends here


def _after(low: datetime, precision: int) -> datetime:
    match precision:
        case 4:
            return low.replace(year=low.year + 1)
        case 6:
            return (low + timedelta(days=32)).replace(day=1)
        case 8:
            return low + timedelta(days=1)
        case 10:
            return low + timedelta(hours=1)
        case 12:
            return low + timedelta(minutes=1)
        case _:
            return low + timedelta(seconds=1)


def dicom_date(told: str) -> str:
    """Return the date of a DICOM DA, empty when it is none."""
    return date_time(told[:8]) if len(told) >= _TO_THE_DAY else ""


def dicom_started(date: str, time: str, zone: tzinfo) -> str:
    """Return the dateTime of a DICOM DA and TM in the hospital's zone, empty without a date."""
    day = dicom_date(date)
    digits = time.partition(".")[0].replace(":", "")
    if not day or len(digits) < 4 or not digits.isdecimal():
        return day
    try:
        text = f"{date[:8]}{digits[:6].ljust(6, '0')}"
        moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        return day
    return moment.isoformat(timespec="seconds")


def _checked(told: str) -> str:
    try:
        return check_dtm(told)
    except Invalid:
        raise ValueError("no DTM") from None


def _zone(told: str | None) -> tzinfo:
    if told is None or told == "Z":
        return UTC
    moved = timedelta(hours=int(told[1:3]), minutes=int(told[4:6]))
    return (datetime.fromisoformat(f"2000-01-01T00:00:00{told}").tzinfo or UTC) if moved else UTC
