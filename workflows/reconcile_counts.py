"""Compare what is held with what a PACS reports: counts by day and modality, or study by study.

Requirements R-6.3.4 (audit against the PACS count report). Pure but for reading the report's lines;
called by `pianku studies reconcile`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kernel.identifiers import dicom_uid
from kernel.refusals import Invalid
from projections.study_index.view import StudyCount

_DATE: Final = re.compile(r"[0-9]{8}")
_MAX_LINES: Final = 1_000_000
Cell = tuple[str, str]
"""Day (YYYYMMDD) and modality."""


class BadReport(Invalid):
    """A count report is no CSV with the columns that are compared."""

    code = "bad_report"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the two sides count otherwise."""

    what: str
    """count | missing here | missing there | instances"""
    here: int
    there: int
    date: str = ""
    modality: str = ""
    study_uid: str = ""

    def told(self) -> dict[str, str | int]:
        """Return it as names and values."""
        return {
            "what": self.what,
            "date": self.date,
            "modality": self.modality,
            "study_uid": self.study_uid,
            "here": self.here,
            "there": self.there,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What the other archive says it holds."""

    first: str
    last: str
    """Days it is about, inclusive."""
    counts: Mapping[Cell, int] = field(default_factory=dict)
    studies: Mapping[str, int | None] = field(default_factory=dict)
    """Study Instance UID -> its instances, None where they are not told."""


def read_report(lines: Iterable[str]) -> Report:
    """Return a report in CSV with a line of column names; raises BadReport, BadIdentifier."""
    reader = csv.DictReader(lines)
    columns = set(reader.fieldnames or ())
    by_study = {"study_uid", "date"} <= columns
    if not by_study and not {"date", "modality", "studies"} <= columns:
        raise BadReport("the columns are date,modality,studies or study_uid,date[,instances]")
    counts: Counter[Cell] = Counter()
    studies: dict[str, int | None] = {}
    days: set[str] = set()
    for number, row in enumerate(reader, 2):
        if number > _MAX_LINES:
            raise BadReport("the report has too many lines")
        day = (row["date"] or "").replace("-", "").strip()
        if _DATE.fullmatch(day) is None:
            raise BadReport("a date has the form YYYYMMDD or YYYY-MM-DD", line=number)
        days.add(day)
        if by_study:
            told = (row.get("instances") or "").strip()
            studies[dicom_uid(row["study_uid"] or "")] = _number(told, number) if told else None
        else:
            cell = (day, (row["modality"] or "").strip().upper())
            counts[cell] += _number((row["studies"] or "").strip(), number)
    if not days:
        raise BadReport("the report has no lines")
    return Report(min(days), max(days), counts, studies)


def reconcile(report: Report, held: Sequence[StudyCount]) -> list[Difference]:
    """Return what differs, in the order of days or UIDs."""
    return _by_study(report, held) if report.studies else _by_day(report, held)


def _by_day(report: Report, held: Sequence[StudyCount]) -> list[Difference]:
    here = Counter((one.study_date, modality) for one in held for modality in one.modalities)
    return [
        Difference("count", here[cell], report.counts.get(cell, 0), *cell)
        for cell in sorted(here.keys() | report.counts.keys())
        if here[cell] != report.counts.get(cell, 0)
    ]


def _by_study(report: Report, held: Sequence[StudyCount]) -> list[Difference]:
    here = {one.study_uid: one for one in held}
    found = []
    for uid in sorted(here.keys() | report.studies.keys()):
        mine, told = here.get(uid), report.studies.get(uid)
        if mine is None:
            found.append(Difference("missing here", 0, told or 0, study_uid=uid))
        elif uid not in report.studies:
            count = mine.instance_count
            found.append(Difference("missing there", count, 0, mine.study_date, study_uid=uid))
        elif told is not None and told != mine.instance_count:
            count = mine.instance_count
            found.append(Difference("instances", count, told, mine.study_date, study_uid=uid))
    return found


def _number(text: str, line: int) -> int:
    if not text.isdigit() or len(text) > 9:
        raise BadReport("a count is a number", line=line)
    return int(text)
