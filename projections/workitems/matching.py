"""Does a workitem match: keys by path against DICOM JSON.

Implements PS3.4 C.2.2.2 (single value, list of UIDs, wildcard, range, universal and sequence
matching). Pure; used by `projection.py` for filtered subscriptions and by `view.py` for searches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from kernel.refusals import TooMuch
from projections.person_names import search_key

Tree: TypeAlias = "dict[str, str | Tree]"
"""Keys by 8-digit tag; those inside a sequence in a tree of their own."""

_MAX_LENGTH: Final = 1024
_MAX_WILDCARDS: Final = 16
_MAX_DEPTH: Final = 8
_UNIVERSAL: Final = frozenset(("", "*", '""'))
_MOMENTS: Final = frozenset(("DA", "TM", "DT"))
_LAST: Final = "\U0010ffff"


class KeyTooComplex(TooMuch):
    """A matching key is longer, deeper or has more wildcards than we look for."""

    code = "workitem_key_too_complex"


def tree_of(keys: Mapping[str, str]) -> Tree:
    """Return the keys of paths of tags, joined by dots; universal matches are left out."""
    tree: Tree = {}
    for path, value in keys.items():
        told = value.strip()
        tags = path.split(".")
        is_long = len(told) > _MAX_LENGTH or told.count("*") > _MAX_WILDCARDS
        if is_long or len(tags) > _MAX_DEPTH:
            raise KeyTooComplex("a matching key is too long or too deep")
        if told in _UNIVERSAL:
            continue
        place = tree
        for tag in tags[:-1]:
            inner = place.get(tag)
            if not isinstance(inner, dict):
                inner = {}
                place[tag] = inner
            place = inner
        place[tags[-1]] = told
    return tree


def matches(tree: Tree, attributes: Mapping[str, Any]) -> bool:
    """Tell whether attributes match every key; keys of a sequence within one of its items."""
    return all(
        tag in attributes and _attribute(wanted, attributes[tag]) for tag, wanted in tree.items()
    )


def _attribute(wanted: str | Tree, attribute: Mapping[str, Any]) -> bool:
    values = attribute.get("Value", ())
    if isinstance(wanted, dict):
        return any(isinstance(item, dict) and matches(wanted, item) for item in values)
    return any(_value(wanted, str(attribute.get("vr", "")), value) for value in values)


def _value(wanted: str, vr: str, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, Mapping):
        pattern = _pattern(wanted, names=True)
        return any(pattern.fullmatch(search_key(str(group))) for group in value.values())
    told = str(value)
    if vr == "UI":
        return told in re.split(r"[\\,]", wanted)
    if vr in _MOMENTS:
        low, dash, high = wanted.replace(":", "").partition("-")
        low, high = low.strip(), (high if dash else low).strip()
        return low <= told and (not high or told < high + _LAST)
    if isinstance(value, int | float):
        return any(_same_number(one, value) for one in wanted.split("\\"))
    return any(_pattern(one, names=False).fullmatch(told) for one in wanted.split("\\"))


def _same_number(told: str, value: float) -> bool:
    try:
        return float(told) == value
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
            pieces.append(re.escape(search_key(piece) if names else piece))
    return re.compile("".join(pieces), re.DOTALL)
