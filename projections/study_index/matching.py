"""Matching keys as SQL: wildcards, ranges and lists; names are in `names.py`.

Implements PS3.4 C.2.2.2 (attribute matching) as used by PS3.18 8.3.4 (QIDO-RS) and C-FIND.
Pure; called by `search.py` and `view.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from kernel.refusals import TooMuch
from projections.person_names import UPPER_BOUND
from projections.study_index import names
from projections.study_index.attributes import Kind
from projections.study_index.moments import BadQuery, earliest, ends
from projections.study_index.names import begins, patient_name

__all__ = ["BadQuery", "QueryTooLarge", "absent", "arms", "begins", "clause", "combined",
           "patient_name"]  # fmt: skip

Clause = sa.ColumnElement[bool]

_ESCAPE: Final = "\x1b"
_WITH_INDEX: Final = frozenset({"study_uid", "patient_id", "accession", "latin"})
_MAX_VALUE: Final = 4096
_MAX_LIST: Final = 2000
_MAX_ALTERNATIVES: Final = 200
_LISTS: Final = re.compile(r"[\\,]")


class QueryTooLarge(TooMuch):
    """A matching key is longer than we look for."""

    code = "query_too_large"


def clause(table: sa.Table, column: str, kind: Kind, value: str, *, fuzzy: bool) -> Clause | None:
    """Return the condition of one matching key; None stands for universal matching."""
    value = value.strip()
    if value in {"", "*", '""'}:
        return None
    if len(value) > _MAX_VALUE * 16 or (kind is not Kind.UID and len(value) > _MAX_VALUE):
        raise QueryTooLarge("a matching key is too long")
    if "\x00" in value:
        raise BadQuery("a matching key holds a NUL character")
    if kind is Kind.PATIENT:
        return patient_name(table, value, fuzzy=fuzzy)
    if kind is Kind.PERSON:
        return names.person(table.c[column], value, fuzzy=fuzzy)
    return _MATCHERS[kind](table.c[column], value)


def absent(column: sa.Column[Any], kind: Kind) -> Clause:
    """Match what has no value (PS3.18 8.3.4.1.1, empty value matching)."""
    if kind is Kind.NUMBER:
        return column.is_(None)
    return column.in_(("", "\\"))


def combined(date: sa.Column[Any], dates: str, time: sa.Column[Any], times: str) -> Clause:
    """Match a range of moments that is told as a range of dates and one of times.

    PS3.4 C.2.2.2.5: from the first time of the first day to the last time of the last day.
    """
    first, last = ends(dates, "DA")
    low, high = ends(times, "TM")
    low = earliest(low)
    found: list[Clause] = [date > ""]
    if first:
        found.append(sa.or_(date >= first + "~", sa.and_(date >= first, time >= low)))
    if last:
        found.append(
            sa.or_(date < last, sa.and_(date < last + UPPER_BOUND, time < high + UPPER_BOUND))
        )
    return sa.and_(*found)


def arms(
    table: sa.Table, column: str, kind: Kind, value: str, *, fuzzy: bool
) -> tuple[tuple[Clause, ...], bool]:
    """Return ranges of indexes, any of which is the same as `clause`; none if there are none.

    For the columns of a study that have an index by themselves: identifiers, and the
    forms of a name. The flag tells that they are equalities that few studies meet.
    """
    value = value.strip()
    if column not in _WITH_INDEX:
        return (), False
    if kind is not Kind.PATIENT:
        is_exact = not any(mark in value for mark in "*?")
        every = _LISTS.split(value) if kind is Kind.UID else value.split("\\")
        bounded = all(one.strip()[:1] not in {"", "*", "?"} for one in every)
        found = clause(table, column, kind, value, fuzzy=fuzzy) if bounded else None
        return () if found is None else (found,), is_exact
    return names.arms(table, value, fuzzy=fuzzy), False


class _Matches(FunctionElement[bool]):
    """A pattern whose case counts on every engine: SQLite's LIKE does not count it."""

    inherit_cache = True
    type = sa.Boolean()


@compiles(_Matches)
def _like(element: _Matches, compiler: Any, **options: Any) -> str:
    column, pattern, _ = element.clauses
    return str(compiler.process(column.like(pattern, escape=_ESCAPE), **options))


@compiles(_Matches, "sqlite")
def _glob(element: _Matches, compiler: Any, **options: Any) -> str:
    column, _, pattern = element.clauses
    return str(compiler.process(column.op("GLOB")(pattern), **options))


def _wild(column: sa.Column[Any], value: str, fold: Callable[[str], str]) -> Clause:
    """Match `*` and `?`; a trailing star alone becomes a range."""
    value = fold(value)
    if not any(mark in value for mark in "*?"):
        return column == value
    if value.endswith("*") and not any(mark in value[:-1] for mark in "*?"):
        return begins(column, value[:-1]) if value[:-1] else sa.true()
    # What stands before the first mark is a range of an index.
    prefix = re.split(r"[*?]", value)[0]
    glob = value.replace("[", "[[]")
    found = _Matches(column, sa.literal(_pattern(value, str)), sa.literal(glob))
    return sa.and_(begins(column, prefix), found) if prefix else found


def _pattern(value: str, fold: Callable[[str], str]) -> str:
    parts = []
    for piece in re.split(r"([*?]+)", value):
        if piece[:1] in {"*", "?"}:
            parts.append("".join("%" if mark == "*" else "_" for mark in piece))
        else:
            parts.append(re.sub(rf"([%_{_ESCAPE}])", rf"{_ESCAPE}\1", fold(piece)))
    return "".join(parts)


def _uid(column: sa.Column[Any], value: str) -> Clause:
    wanted = [uid.strip() for uid in _LISTS.split(value) if uid.strip()]
    if len(wanted) > _MAX_LIST:
        raise QueryTooLarge("a list of UIDs is too long")
    return column == wanted[0] if len(wanted) == 1 else column.in_(wanted)


def _any(column: sa.Column[Any], wanted: Sequence[str], fold: Callable[[str], str]) -> Clause:
    """Match one of several values: those without wildcards as one list."""
    if len(wanted) == 1:
        return _wild(column, wanted[0], fold)
    exact = [one for one in wanted if not any(mark in one for mark in "*?")]
    wild = _few([one for one in wanted if any(mark in one for mark in "*?")])
    found = [_wild(column, one, fold) for one in wild]
    if exact:
        found.append(column.in_(list(dict.fromkeys(map(fold, exact)))))
    return sa.or_(*found)


def _few(wanted: Sequence[str]) -> Sequence[str]:
    """Refuse more alternatives than an engine takes in one condition (SQLite: depth 1000)."""
    if len(wanted) > _MAX_ALTERNATIVES:
        raise QueryTooLarge("a matching key has too many alternatives")
    return wanted


def _key(column: sa.Column[Any], value: str) -> Clause:
    wanted = [one.strip() for one in value.split("\\") if one.strip()]
    return _any(column, wanted, str.strip) if wanted else sa.true()


def _text(column: sa.Column[Any], value: str) -> Clause:
    folded = sa.func.lower(column)
    found: list[Clause] = []
    for one in _few(value.split("\\")):
        if any(mark in one for mark in "*?"):
            found.append(folded.like(_pattern(one, _lower), escape=_ESCAPE))
        elif one.strip():
            found.append(folded == _lower(one.strip()))
    return sa.or_(*found) if found else sa.true()


def _lower(text: str) -> str:
    # SQLite folds ASCII only: do the same here, so that both engines and both sides agree.
    return "".join(c.lower() if c.isascii() else c for c in text)


def _code(column: sa.Column[Any], value: str) -> Clause:
    wanted = [one.strip() for one in _LISTS.split(value) if one.strip()]
    if not wanted:
        return sa.true()
    return _any(column, wanted, str.upper)


def _set(column: sa.Column[Any], value: str) -> Clause:
    wanted = [one.strip() for one in _LISTS.split(value) if one.strip()]
    return (
        sa.or_(
            *(
                column.like("%\\" + _pattern(one.upper(), str) + "\\%", escape=_ESCAPE)
                for one in _few(wanted)
            )
        )
        if wanted
        else sa.true()
    )


def _number(column: sa.Column[Any], value: str) -> Clause:
    try:
        numbers = [int(one) for one in value.split("\\")]
    except ValueError:
        raise BadQuery("a number is expected", value=value[:64]) from None
    if any(abs(number) >= 1 << 62 for number in numbers):
        return sa.false()
    return column.in_(numbers)


def _date(column: sa.Column[Any], value: str) -> Clause:
    # Dates of the old form YYYY.MM.DD (PS3.5 6.2 note) are looked for without their dots.
    low, high = ends(value, "DA")
    if low == high and len(low) == 8:
        return column == low
    return _between(column, low, high)


def _time(column: sa.Column[Any], value: str) -> Clause:
    low, high = ends(value, "TM")
    return _between(column, earliest(low), high)


def _between(column: sa.Column[Any], low: str, high: str) -> Clause:
    # An absent value is in no range (PS3.4 C.2.2.2.5); the upper end takes all it begins.
    found: Sequence[Clause] = [column >= low if low else column > ""]
    if high:
        found = [*found, column < high + UPPER_BOUND]
    return sa.and_(*found)


_MATCHERS: Final[dict[Kind, Callable[[sa.Column[Any], str], Clause]]] = {
    Kind.UID: _uid,
    Kind.KEY: _key,
    Kind.TEXT: _text,
    Kind.CODE: _code,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.NUMBER: _number,
    Kind.SET: _set,
}
