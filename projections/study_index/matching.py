"""Matching keys as SQL: wildcards, ranges, lists and names.

Implements PS3.4 C.2.2.2 (attribute matching) as used by PS3.18 8.3.4 (QIDO-RS) and C-FIND.
Pure; called by `search.py` and `view.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from kernel.refusals import Invalid, TooMuch
from projections.person_names import UPPER_BOUND, search_key
from projections.study_index.attributes import Kind

Clause = sa.ColumnElement[bool]

_ESCAPE: Final = "\x1b"
_WITH_INDEX: Final = frozenset({"study_uid", "patient_id", "accession", "latin"})
_MAX_VALUE: Final = 4096
_MAX_LIST: Final = 2000
_DATE: Final = re.compile(r"[0-9]{8}|[0-9]{6}|[0-9]{4}")
_TIME: Final = re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?")
_LISTS: Final = re.compile(r"[\\,]")


class BadQuery(Invalid):
    """A matching key does not have the form its attribute demands."""

    code = "bad_query"


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
    first, last = _range(dates.replace(".", ""), _DATE, "date")
    low, high = _range(times.replace(":", ""), _TIME, "time")
    found: list[Clause] = [date > ""]
    if first:
        found.append(sa.or_(date >= first + "~", sa.and_(date >= first, time >= low)))
    if last:
        found.append(
            sa.or_(date < last, sa.and_(date < last + UPPER_BOUND, time < high + UPPER_BOUND))
        )
    return sa.and_(*found)


def begins(column: sa.Column[Any], prefix: str) -> Clause:
    """Return "begins with", as a range that an index answers."""
    return sa.and_(column >= prefix, column < prefix + UPPER_BOUND)


def patient_name(table: sa.Table, value: str, *, fuzzy: bool) -> Clause:
    """Match Patient's Name by its Latin, written or pinyin form (PS3.4 C.2.2.2.1, C.2.2.2.4).

    Case, blanks and component marks do not count. Fuzzy matching takes any beginning and
    the initials of the pinyin as well.
    """
    columns = [table.c.latin, table.c.written, table.c.pinyin]
    if fuzzy:
        columns.append(table.c.initials)
        key = search_key(value.replace("*", "").replace("?", ""))
        return sa.or_(*(begins(column, key) for column in columns)) if key else sa.false()
    group = value.rstrip("=^ ").split("=")
    wanted = [part for part in group if part.strip("^ ")]
    return (
        sa.and_(
            *(sa.or_(*(_wild(column, part, search_key) for column in columns)) for part in wanted)
        )
        if wanted
        else sa.false()
    )


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
    columns = [table.c.latin, table.c.written, table.c.pinyin]
    if fuzzy:
        key = search_key(value.replace("*", "").replace("?", ""))
        return tuple(begins(c, key) for c in (*columns, table.c.initials) if key), False
    parts = [part for part in value.rstrip("=^ ").split("=") if part.strip("^ ")]
    if len(parts) != 1 or not search_key(re.split(r"[*?]", parts[0])[0]):
        return (), False
    return tuple(_wild(one, parts[0], search_key) for one in columns), False


def _wild(column: sa.Column[Any], value: str, fold: Callable[[str], str]) -> Clause:
    """Match `*` and `?`; a trailing star alone becomes a range."""
    if not any(mark in value for mark in "*?"):
        return column == fold(value)
    if value.endswith("*") and not any(mark in value[:-1] for mark in "*?"):
        prefix = fold(value[:-1])
        return begins(column, prefix) if prefix else sa.true()
    like = column.like(_pattern(value, fold), escape=_ESCAPE)
    # What stands before the first mark is a range of an index, if it is folded by itself.
    prefix = fold(re.split(r"[*?]", value)[0])
    return sa.and_(begins(column, prefix), like) if prefix else like


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


def _key(column: sa.Column[Any], value: str) -> Clause:
    return sa.or_(*(_wild(column, one, str.strip) for one in value.split("\\")))


def _text(column: sa.Column[Any], value: str) -> Clause:
    folded = sa.func.lower(column)
    if any(mark in value for mark in "*?"):
        return folded.like(_pattern(value, _lower), escape=_ESCAPE)
    return folded == _lower(value)


def _lower(text: str) -> str:
    # SQLite folds ASCII only: do the same here, so that both engines and both sides agree.
    return "".join(c.lower() if c.isascii() else c for c in text)


def _code(column: sa.Column[Any], value: str) -> Clause:
    wanted = [one.strip() for one in _LISTS.split(value) if one.strip()]
    if not wanted:
        return sa.true()
    return sa.or_(*(_wild(column, one, str.upper) for one in wanted))


def _set(column: sa.Column[Any], value: str) -> Clause:
    wanted = [one.strip() for one in _LISTS.split(value) if one.strip()]
    return (
        sa.or_(*(column.like("%\\" + _pattern(one, str) + "\\%", escape=_ESCAPE) for one in wanted))
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


def _person(column: sa.Column[Any], value: str) -> Clause:
    parts = [part for part in value.split("=") if part.strip("^ ")]
    return (
        sa.and_(
            *(
                column.like("%\\" + _pattern(part, search_key) + "\\%", escape=_ESCAPE)
                for part in parts
            )
        )
        if parts
        else sa.true()
    )


def _range(value: str, form: re.Pattern[str], what: str) -> tuple[str, str]:
    low, dash, high = value.partition("-")
    ends = (low.strip(), high.strip() if dash else low.strip())
    if not any(ends) or any(end and form.fullmatch(end) is None for end in ends):
        raise BadQuery(f"a {what} or a range of {what}s is expected", value=value[:64])
    return ends


def _date(column: sa.Column[Any], value: str) -> Clause:
    # Dates of the old form YYYY.MM.DD (PS3.5 6.2 note) are looked for without their dots.
    low, high = _range(value.replace(".", ""), _DATE, "date")
    if low == high and len(low) == 8:
        return column == low
    return _between(column, low, high)


def _time(column: sa.Column[Any], value: str) -> Clause:
    low, high = _range(value.replace(":", ""), _TIME, "time")
    return _between(column, low, high)


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
    Kind.PERSON: _person,
}
