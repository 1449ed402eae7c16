"""Matching of attributes that have no column: by the JSON that the index keeps of them.

Implements PS3.4 C.2.2.2 (matching; C.2.2.2.6: all keys of a sequence in one of its items) for the
keys of PS3.18 8.3.4.1 that name optional attributes or paths into sequences. Called by `search.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from kernel.refusals import TooMuch
from projections.person_names import search_key

Tree: TypeAlias = "dict[int, str | Tree]"
"""Keys by tag; those inside a sequence in a tree of their own."""

_decode: Final = msgspec.json.Decoder().decode
_MAX_LENGTH: Final = 1024
_MAX_WILDCARDS: Final = 16
_MOMENTS: Final = frozenset(("DA", "TM", "DT"))
_LAST: Final = "\U0010ffff"
_UNPRINTABLE: Final = re.compile(rb"[\x00-\x1f]")


class KeyTooLong(TooMuch):
    """A matching key is longer, or has more wildcards, than we look for."""

    code = "key_too_long"


def tree_of(paths: Iterable[tuple[tuple[int, ...], str]]) -> Tree:
    """Return the keys of paths; universal matches are left out. Raises KeyTooLong."""
    tree: Tree = {}
    for path, value in paths:
        text = value.strip()
        if len(text) > _MAX_LENGTH or text.count("*") > _MAX_WILDCARDS:
            raise KeyTooLong("a matching key is too long")
        if text in {"", "*", '""'}:
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


def matches(tree: Tree, members: Mapping[int, bytes]) -> bool:
    """Tell whether a row's members ("TAG":{...}) match every key."""
    for tag, wanted in tree.items():
        member = members.get(tag)
        if member is None:
            return False
        # The mark that stands for the base URL is no JSON.
        told = _decode(b"{" + _UNPRINTABLE.sub(b"", member) + b"}")
        if not _attribute(wanted, told[f"{tag:08X}"]):
            return False
    return True


def _attribute(wanted: str | Tree, attribute: Mapping[str, Any]) -> bool:
    values = attribute.get("Value", ())
    if isinstance(wanted, dict):
        return attribute["vr"] == "SQ" and any(_item(wanted, item) for item in values)
    return any(_value(wanted, attribute["vr"], value) for value in values)


def _item(tree: Tree, item: Mapping[str, Any]) -> bool:
    return all(
        f"{tag:08X}" in item and _attribute(wanted, item[f"{tag:08X}"])
        for tag, wanted in tree.items()
    )


def _value(wanted: str, vr: str, value: Any) -> bool:
    if value is None:
        return False
    if vr == "PN":
        pattern = _pattern(wanted, names=True)
        return any(pattern.fullmatch(search_key(group)) for group in value.values())
    text = str(value)
    if vr == "UI":
        return text in re.split(r"[\\,]", wanted)
    if vr in _MOMENTS:
        low, dash, high = wanted.replace(":", "").partition("-")
        low, high = low.strip(), (high if dash else low).strip()
        return low <= text and (not high or text < high + _LAST)
    if isinstance(value, int | float):
        return any(_same_number(one, value) for one in wanted.split("\\"))
    return any(_pattern(one, names=False).fullmatch(text.lower()) for one in wanted.split("\\"))


def _same_number(text: str, value: float) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _pattern(wanted: str, *, names: bool) -> re.Pattern[str]:
    """Return `*` and `?` as a pattern; for names by the letters alone."""
    pieces = []
    for piece in re.split(r"([*?])", wanted):
        if piece in {"*", "?"}:
            pieces.append(".*" if piece == "*" else ".")
        else:
            pieces.append(re.escape(search_key(piece) if names else piece.lower()))
    return re.compile("".join(pieces), re.DOTALL)
