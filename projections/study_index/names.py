"""Person names as SQL: component groups, wildcards, pinyin, and what fuzzy matching adds.

Implements PS3.4 C.2.2.2.1.1 and C.2.2.2.4 (person names) over the keys of PS3.5 6.2.1 names that
`projections/person_names.py` makes. Pure; called by `matching.py`, `study_pages.py` and `kept.py`.
"""

from __future__ import annotations

import re
from typing import Final

import sqlalchemy as sa

from projections.person_names import UPPER_BOUND, NameKeys, part_keys, search_key

Clause = sa.ColumnElement[bool]

_ESCAPE: Final = "\x1b"
_WILD: Final = re.compile(r"[*?]")
_COLUMNS: Final = ("latin", "written", "pinyin")
_MOST_NAMES: Final = 16


def groups(value: str) -> list[str]:
    """Return the component groups that name something, each to be met (`Zhang^San=张^三`).

    A name has three (PS3.5 6.2.1.1); what follows is none.
    """
    return [part for part in value.split("=")[:3] if part.strip("^ ")]


def patient_name(table: sa.Table, value: str, *, fuzzy: bool) -> Clause:
    r"""Match Patient's Name by its Latin, written or pinyin form.

    Case, marks, blanks and carets do not count. Several names (`\`) are any of them. Fuzzy
    matching takes any beginning, the initials of the pinyin, a family and a given name that are
    the other way round, and finds a Chinese name in records that hold its pinyin alone.
    """
    return sa.or_(*(_one(table, name, fuzzy=fuzzy) for name in value.split("\\")[:_MOST_NAMES]))


def arms(table: sa.Table, value: str, *, fuzzy: bool) -> tuple[Clause, ...]:
    """Return ranges of indexes, any of which is the same as `patient_name`; none if there is none.

    For one component group: several are conditions of their own.
    """
    parts = groups(value)
    if len(parts) != 1 or "\\" in value:
        return ()
    if fuzzy:
        return tuple(_beginnings(table, parts[0]))
    if not search_key(_WILD.split(parts[0])[0]):
        return ()
    return tuple(wild(table.c[name], parts[0]) for name in _COLUMNS)


def person(column: sa.Column[str], value: str, *, fuzzy: bool) -> Clause:
    """Match the names of a column that holds what each is found by between backslashes."""
    end = "%" if fuzzy else "\\\\%"
    wanted = [
        sa.and_(
            *(
                sa.or_(
                    *(
                        column.like(f"%\\\\{_escaped(key)}{end}", escape="\\")
                        for key in (_forms(part) if fuzzy else (part,))
                    )
                )
                for part in groups(name)
            )
        )
        for name in value.split("\\")[:_MOST_NAMES]
        if groups(name)
    ]
    return sa.or_(*wanted) if wanted else sa.true()


def matches(wanted: str, held: NameKeys, groups_held: list[str], *, fuzzy: bool) -> bool:
    """Tell whether a name, by its keys and by its groups as they are written, is wanted."""
    keys = [held.latin, held.written, held.pinyin]
    if fuzzy:
        keys.append(held.initials)
        return any(
            all(_begins(part, keys, is_written=bool(held.written)) for part in groups(name))
            for name in wanted.split("\\")
            if groups(name)
        )
    told = [key for key in (*keys, *map(search_key, groups_held)) if key]
    return any(
        all(any(_regex(part).fullmatch(key) for key in told) for part in groups(name))
        for name in wanted.split("\\")
        if groups(name)
    )


def wild(column: sa.Column[str], value: str) -> Clause:
    """Match a name with `*` and `?`; a trailing star alone becomes a range."""
    if not _WILD.search(value):
        return column == search_key(value)
    if value.endswith("*") and not _WILD.search(value[:-1]):
        prefix = search_key(value[:-1])
        return begins(column, prefix) if prefix else sa.true()
    like = column.like(pattern(value), escape=_ESCAPE)
    # What stands before the first mark is a range of an index.
    prefix = search_key(_WILD.split(value)[0])
    return sa.and_(begins(column, prefix), like) if prefix else like


def begins(column: sa.Column[str], prefix: str) -> Clause:
    """Return "begins with", as a range that an index answers."""
    return sa.and_(column >= prefix, column < prefix + UPPER_BOUND)


def pattern(value: str) -> str:
    """Return a LIKE pattern over search keys, which hold no character that LIKE knows."""
    return "".join(
        piece.replace("*", "%").replace("?", "_") if piece[:1] in {"*", "?"} else search_key(piece)
        for piece in re.split(r"([*?]+)", value)
    )


def _one(table: sa.Table, name: str, *, fuzzy: bool) -> Clause:
    parts = groups(name)
    if not parts:
        return sa.false()
    if fuzzy:
        return sa.and_(*(sa.or_(sa.false(), *_beginnings(table, part)) for part in parts))
    return sa.and_(*(sa.or_(*(wild(table.c[one], part) for one in _COLUMNS)) for part in parts))


def _beginnings(table: sa.Table, part: str) -> list[Clause]:
    key, *others = _forms(part) or ("",)
    if not key:
        return []
    found = [begins(table.c[name], key) for name in (*_COLUMNS, "initials")]
    for other in others:
        if key.isascii():
            found += [begins(table.c[name], other) for name in ("latin", "pinyin")]
        else:
            # The pinyin of what was asked finds who is written in Latin letters alone: other
            # characters of the same sound are somebody else.
            found.append(sa.and_(begins(table.c.latin, other), table.c.written == ""))
    return found


def _begins(part: str, keys: list[str], *, is_written: bool) -> bool:
    key, *others = _forms(part) or ("",)
    if not key:
        return False
    if any(one.startswith(key) for one in keys if one):
        return True
    if not key.isascii() and is_written:
        return False
    return any(one.startswith(other) for other in others for one in keys if one)


def _forms(part: str) -> tuple[str, ...]:
    """Return what a component group may begin with: as told first, then in other forms."""
    plain = part.replace("*", "").replace("?", "")
    keys = part_keys(plain, surname=True)
    if not keys or len(keys) > 1 or not keys[0].isascii():
        return keys
    components = [c for c in re.split(r"[\^ ,]+", plain) if search_key(c)]
    turned = tuple(search_key(c) for c in reversed(components)) if len(components) == 2 else ()
    return tuple(dict.fromkeys((*keys, "".join(turned) or keys[0])))


def _escaped(part: str) -> str:
    """Return a LIKE pattern whose escape is the backslash; keys hold none of its characters."""
    return pattern(part)


def _regex(part: str) -> re.Pattern[str]:
    pieces = re.split(r"([*?])", part)
    return re.compile(
        "".join({"*": ".*", "?": "."}.get(piece, re.escape(search_key(piece))) for piece in pieces),
        re.DOTALL,
    )
