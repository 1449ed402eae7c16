"""How a person's name is looked for: its written form, Latin letters, pinyin and initials.

Reads DICOM PN (PS3.5 6.2.1: alphabetic=ideographic=phonetic, components by ^). Called by the
projections of views that are searched by name, and by their queries for the words asked.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from pypinyin import lazy_pinyin

UPPER_BOUND: Final = "\U0010ffff"
"""Sorts after every character: prefix p is the range p <= key < p + UPPER_BOUND."""

_SURNAMES: Final = {
    "万俟": ["mo", "qi"], "尉迟": ["yu", "chi"], "长孙": ["zhang", "sun"], "单于": ["chan", "yu"],
    "单": ["shan"], "曾": ["zeng"], "仇": ["qiu"], "解": ["xie"], "查": ["zha"], "朴": ["piao"],
    "区": ["ou"], "盖": ["ge"], "翟": ["zhai"], "乐": ["yue"], "任": ["ren"], "华": ["hua"],
    "覃": ["qin"], "缪": ["miao"], "种": ["chong"], "洗": ["xian"], "冼": ["xian"], "折": ["she"],
    "召": ["shao"], "褚": ["chu"], "繁": ["po"], "逄": ["pang"], "纪": ["ji"], "重": ["chong"],
}  # fmt: skip
"""Characters that are read in another way as a surname; the longest are tried first."""


@dataclass(frozen=True, slots=True)
class NameKeys:
    """What a name is found by; every member may be empty."""

    alphabetic: str
    """As shown: components separated by blanks."""
    ideographic: str
    latin: str
    """Letters and digits of the alphabetic group, lower case, without marks."""
    written: str
    """Letters of the ideographic group, without blanks."""
    pinyin: str
    initials: str


def name_keys(person_name: str) -> NameKeys:
    """Return the keys of a DICOM PN; a name in Chinese letters alone counts as ideographic."""
    groups = [_shown(group) for group in (*person_name.split("=", 2), "", "", "")[:3]]
    alphabetic, ideographic, _phonetic = groups
    if not ideographic and _has_han(alphabetic):
        alphabetic, ideographic = "", alphabetic
    written = "".join(ideographic.split()).casefold()
    syllables = _syllables(written)
    return NameKeys(
        alphabetic=alphabetic,
        ideographic=ideographic,
        latin=search_key(alphabetic),
        written=written,
        pinyin="".join(syllables),
        initials="".join(s[0] for s in syllables if s),
    )


def part_keys(text: str, *, surname: bool = False) -> tuple[str, ...]:
    """Return what a family or given name is found by: its letters, and the pinyin of Chinese."""
    key = search_key(text)
    if not _has_han(key):
        return (key,) if key else ()
    return tuple(dict.fromkeys((key, "".join(_syllables(key) if surname else _read(key)))))


def search_key(text: str) -> str:
    """Return the letters and digits of a text, lower case and without marks (é = e)."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if c.isalnum())


def _shown(group: str) -> str:
    return " ".join(part.strip() for part in group.split("^") if part.strip())


def _has_han(text: str) -> bool:
    return any("\u3400" <= c <= "\u9fff" or c >= "\U00020000" for c in text)


def _syllables(written: str) -> list[str]:
    if not _has_han(written):
        return []
    for length in (2, 1):
        surname = _SURNAMES.get(written[:length])
        if surname is not None:
            return [*surname, *_read(written[length:])]
    return _read(written)


def _read(text: str) -> list[str]:
    return [key for s in lazy_pinyin(text) if (key := search_key(s))]
