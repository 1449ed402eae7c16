"""Matching of attributes that have no column: by the JSON that the index keeps of them.

Implements PS3.4 C.2.2.2 (matching; C.2.2.2.6: all keys of a sequence in one of its items) for the
keys of PS3.18 8.3.4.1 that name optional attributes or paths into sequences. Called by `search.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from kernel.refusals import TooMuch
from projections.person_names import name_keys
from projections.study_index import moments, names
from projections.study_index.moments import BadQuery

Tree: TypeAlias = "dict[int, str | Tree]"
"""Keys by tag; those inside a sequence in a tree of their own."""

EMPTY: Final = '""'
"""Asks for what has no value (PS3.18 8.3.4.5), where that was agreed on."""

_decode: Final = msgspec.json.Decoder().decode
_MAX_LENGTH: Final = 1024
_MAX_WILDCARDS: Final = 16
_MOMENTS: Final = frozenset(("DA", "TM", "DT"))
_UNPRINTABLE: Final = re.compile(rb"[\x00-\x1f]")


class KeyTooLong(TooMuch):
    """A matching key is longer, or has more wildcards, than we look for."""

    code = "key_too_long"


def tree_of(paths: Iterable[tuple[tuple[int, ...], str]], *, empty: bool = False) -> Tree:
    """Return the keys of paths; universal matches are left out. Raises KeyTooLong."""
    tree: Tree = {}
    for path, value in paths:
        text = value.strip()
        if len(text) > _MAX_LENGTH or text.count("*") > _MAX_WILDCARDS:
            raise KeyTooLong("a matching key is too long")
        if text in {"", "*"} or (text == EMPTY and not empty):
            continue
        place = tree
        for tag in path[:-1]:
            inner = place.get(tag)
            if not isinstance(inner, dict):
                inner = {}
                place[tag] = inner
            place = inner
        place[path[-1]] = text
    return tree


def matches(tree: Tree, members: Mapping[int, bytes], *, fuzzy: bool = False) -> bool:
    """Tell whether a row's members ("TAG":{...}) match every key; raises BadQuery."""
    for tag, wanted in tree.items():
        member = members.get(tag)
        if member is None:
            if wanted == EMPTY:
                continue
            return False
        # The mark that stands for the base URL is no JSON.
        told = _decode(b"{" + _UNPRINTABLE.sub(b"", member) + b"}")
        with naming(tag):
            if not _attribute(wanted, told[f"{tag:08X}"], fuzzy=fuzzy):
                return False
    return True


@contextmanager
def naming(tag: int) -> Iterator[None]:
    """Let a BadQuery tell which key it is about."""
    try:
        yield
    except BadQuery as problem:
        raise BadQuery(problem.message, tag=f"{tag:08X}") from None


def item_matches(tree: Tree, item: Mapping[str, Any]) -> bool:
    """Tell whether an item of a sequence (DICOM JSON) is one of those that were asked for."""
    return _item(tree, item, fuzzy=False)


def _attribute(wanted: str | Tree, attribute: Mapping[str, Any], *, fuzzy: bool) -> bool:
    values = attribute.get("Value", ())
    if isinstance(wanted, dict):
        return attribute["vr"] == "SQ" and any(_item(wanted, item, fuzzy=fuzzy) for item in values)
    if wanted == EMPTY:
        return not any(value not in (None, "", {}) for value in values)
    return any(_value(wanted, attribute["vr"], value, fuzzy=fuzzy) for value in values)


def _item(tree: Tree, item: Mapping[str, Any], *, fuzzy: bool) -> bool:
    return all(
        _attribute(wanted, item.get(f"{tag:08X}", {"vr": "UN"}), fuzzy=fuzzy)
        for tag, wanted in tree.items()
    )


def _value(wanted: str, vr: str, value: Any, *, fuzzy: bool) -> bool:
    if value is None:
        return False
    if vr == "PN":
        held = list(value.values())
        person = "=".join(str(value.get(group, "")) for group in ("Alphabetic", "Ideographic"))
        return names.matches(wanted, name_keys(person), held, fuzzy=fuzzy)
    text = str(value)
    if vr == "UI":
        return text in re.split(r"[\\,]", wanted)
    if vr in _MOMENTS:
        return moments.is_in(wanted, vr, text)
    if isinstance(value, int | float):
        return any(_same_number(one, value) for one in wanted.split("\\"))
    return any(_pattern(one).fullmatch(text.lower()) for one in wanted.split("\\"))


def _same_number(text: str, value: float) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _pattern(wanted: str) -> re.Pattern[str]:
    """Return `*` and `?` as a pattern."""
    pieces = (
        {"*": ".*", "?": "."}.get(piece, re.escape(piece.lower()))
        for piece in re.split(r"([*?])", wanted)
    )
    return re.compile("".join(pieces), re.DOTALL)
