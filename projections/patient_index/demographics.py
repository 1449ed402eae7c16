"""What a demographic query may ask of a patient, and the SQL it becomes.

Implements the query parameters of ITI TF-2 3.21.4.1.2.3 (ITI-21, and ITI-47 and 78 after it).
Used by `view.py` and those who search; `*` in a text stands for any letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from projections.patient_index.projection import FAMILY, GIVEN
from projections.patient_index.tables import Tables
from projections.person_names import UPPER_BOUND, search_key

_ESCAPE: Final = "\\"


@dataclass(frozen=True, slots=True)
class DemographicQuery:
    """Conditions that must all be met; an empty member asks nothing.

    Names are compared without marks, case, blanks and punctuation, by Latin letters, Chinese
    characters or pinyin alike.
    """

    local_id: str = ""
    """CX.1."""
    authority: str = ""
    """OID of the domain that assigned the identifier."""
    family: str = ""
    given: str = ""
    name: str = ""
    """Any part of the name, or the whole."""
    birth_date: str = ""
    """YYYY[MM[DD]]; a shorter one fits every day of it."""
    sex: str = ""
    address: str = ""
    """Words that all occur in the address."""
    telephone: str = ""
    """Digits, whatever stands between them."""

    @property
    def asks(self) -> bool:
        """Tell whether anything is asked at all."""
        return self != DemographicQuery()


def demographic_clauses(tables: Tables, query: DemographicQuery) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a query on the table of patients."""
    c = tables.patients.c
    where: list[sa.ColumnElement[bool]] = []
    if query.local_id:
        where.append(_like(c.local_id, query.local_id))
    if query.authority:
        where.append(c.authority == query.authority)
    for part, asked in ((FAMILY, query.family), (GIVEN, query.given)):
        if asked:
            where.append(_part(tables, part, asked))
    if query.name:
        whole = (_key_like(column, query.name) for column in (c.latin, c.written, c.pinyin))
        parts = (_part(tables, part, query.name) for part in (FAMILY, GIVEN))
        where.append(sa.or_(*whole, *parts))
    if query.birth_date:
        where.append(_like(c.birth_date, f"{query.birth_date.rstrip('*')}*"))
    if query.sex:
        where.append(c.sex == query.sex)
    where += [
        c.address.icontains(word, autoescape=True)
        for word in query.address.replace("*", " ").split()
    ]
    if digits := "".join(d for d in query.telephone if d.isdigit()):
        bare: sa.ColumnElement[str] = c.telephone
        for mark in " -()+./":
            bare = sa.func.replace(bare, mark, "")
        where.append(bare.contains(digits, autoescape=True))
    return where


def _part(tables: Tables, part: str, asked: str) -> sa.ColumnElement[bool]:
    side = tables.name_parts.c
    # IN, not EXISTS: SQLite then begins with the few names that fit.
    fitting = sa.select(side.patient_key).where(side.part == part, _key_like(side.key, asked))
    return tables.patients.c.patient_key.in_(fitting)


def _key_like(column: sa.ColumnElement[str], asked: str) -> sa.ColumnElement[bool]:
    pattern = "*".join(search_key(piece) for piece in asked.split("*"))
    # A text that has no letter at all is nobody's name; `*` alone is anybody's.
    return _like(column, pattern) if pattern else sa.false()


def _like(column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
    """Compare as the index can: a plain text, the beginning of one, or any pattern."""
    if "*" not in pattern:
        return column == pattern
    start, _, rest = pattern.partition("*")
    begins = sa.and_(column >= start, column < start + UPPER_BOUND)
    if not rest.strip("*"):
        return begins
    escaped = pattern
    for mark in (_ESCAPE, "%", "_"):
        escaped = escaped.replace(mark, _ESCAPE + mark)
    return sa.and_(begins, column.like(escaped.replace("*", "%"), escape=_ESCAPE))
