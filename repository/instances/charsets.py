"""Text of an attribute by its Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1).

Single-byte sets, UTF-8, GB 18030, GBK, and ISO 2022 code extensions (Japanese, Korean, GB 2312).
Called by `header.py` and `dicom_json.py`; undecodable octets become U+FFFD, never an exception.
Text that is plainly not in its declared set is read in the set it is in; stored octets stay.
"""

from __future__ import annotations

import re
from typing import Final

DEFAULT: Final = ("ascii",)

_TERMS: Final[dict[str, str]] = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 166": "tis-620",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO 2022 IR 6": "ascii",
    "ISO 2022 IR 13": "shift_jis",
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 159": "iso2022_jp_2",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 58": "gb2312",
}
SUPPORTED: Final = tuple(term for term in _TERMS if term)
"""The defined terms that are understood."""
# PS3.3 C.12.1.1.2: these stand alone; code extensions do not apply to them.
_ALONE: Final = frozenset(("utf-8", "gb18030", "gbk"))
_ESCAPES: Final[dict[bytes, str]] = {
    b"\x1b(B": "ascii",
    b"\x1b-A": "latin-1",
    b"\x1b-B": "iso8859-2",
    b"\x1b-C": "iso8859-3",
    b"\x1b-D": "iso8859-4",
    b"\x1b-F": "iso8859-7",
    b"\x1b-G": "iso8859-6",
    b"\x1b-H": "iso8859-8",
    b"\x1b-L": "iso8859-5",
    b"\x1b-M": "iso8859-9",
    b"\x1b-T": "tis-620",
    b"\x1b-b": "iso8859-15",
    b"\x1b)I": "shift_jis",
    b"\x1b(J": "shift_jis",
    b"\x1b$B": "iso2022_jp",
    b"\x1b$(D": "iso2022_jp_2",
    b"\x1b$)C": "euc_kr",
    b"\x1b$)A": "gb2312",
}
_ESCAPE: Final = re.compile(rb"\x1b(?:\$[()][A-D]|\$B|[()\-][A-Za-z])")
# These designate G0 and need their escape sequence kept for the codec.
_STATEFUL: Final = frozenset(("iso2022_jp", "iso2022_jp_2"))


def codecs_of(terms: str) -> tuple[str, ...]:
    """Return the codecs of a Specific Character Set value, multi-valued by backslash."""
    found = []
    for term in terms.split("\\"):
        name = term.strip("\x00 ").upper().replace("ISO-IR", "ISO_IR").replace("ISO IR", "ISO_IR")
        codec = _TERMS.get(name)
        if codec is None:
            codec = _TERMS.get(name.replace("ISO 2022 IR", "ISO_IR").replace("_", " ", 0), "")
        found.append(codec or "utf-8")
    if len(found) > 1 and found[0] in _ALONE:
        return (found[0],)
    return tuple(found)


def decode(octets: bytes, codecs: tuple[str, ...], *, delimiters: bytes = b"\r\n\t\f") -> str:
    """Return the text of `octets`; after a delimiter the first codec is active again."""
    if octets.isascii() and b"\x1b" not in octets and codecs[0] != "shift_jis":
        return octets.decode("ascii")
    if len(codecs) == 1 and b"\x1b" not in octets:
        return _by(octets, codecs[0])
    if codecs[0] in _ALONE:
        return _by(octets, codecs[0])
    return _extended(octets, codecs, delimiters)


def _extended(octets: bytes, codecs: tuple[str, ...], delimiters: bytes) -> str:
    first = codecs[0]
    # Korean and Chinese writers leave the escape out after a delimiter: G1 of the second set.
    high = next((c for c in codecs if c in {"euc_kr", "gb2312"}), first)
    parts: list[str] = []
    active, escape, position = first, b"", 0
    for match in _ESCAPE.finditer(octets):
        parts.append(
            _piece(octets[position : match.start()], escape, (active, first, high), delimiters)
        )
        active = _ESCAPES.get(match.group(), active)
        escape = match.group()
        position = match.end()
    parts.append(_piece(octets[position:], escape, (active, first, high), delimiters))
    return "".join(parts)


def _piece(octets: bytes, escape: bytes, sets: tuple[str, str, str], delimiters: bytes) -> str:
    """Decode octets between two escapes; `sets` are the active, the first and the G1 codec."""
    active, first, high = sets
    if active in _STATEFUL:
        # Two octets a character in G0: what looks like a delimiter is half a character.
        return _by(escape + octets, active)
    # PS3.5 6.1.2.5.3: a delimiter or control character makes the first set active again.
    ends = [at for at in (octets.find(bytes((d,))) for d in delimiters) if at >= 0]
    if not ends:
        return _run(octets, active, high)
    return _run(octets[: min(ends)], active, high) + _run(octets[min(ends) :], first, high)


def _run(octets: bytes, active: str, high: str) -> str:
    if not octets:
        return ""
    if active == "ascii" and not octets.isascii():
        return _by(octets, high if high != "ascii" else "utf-8")
    return _by(octets, active)


def _by(octets: bytes, codec: str) -> str:
    return octets.decode(_actual(octets, codec), "replace")


# Hanzi of GB 2312 level 1 and 2, and of any row: what old devices write under ISO_IR 100.
_HANZI: Final = re.compile(rb"(?:[\xb0-\xf7][\xa1-\xfe])+")
_PAIRS: Final = re.compile(rb"(?:[\xa1-\xf7][\xa1-\xfe])+")
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_LETTER: Final = re.compile(rb"[A-Za-z]")


def _actual(octets: bytes, declared: str) -> str:
    """Return the codec that octets are in: the declared one unless they plainly are not.

    Decision 0019. UTF-8 and GB 18030 under another name are what devices send; both have a
    form that text of the declared set does not take by chance.
    """
    if octets.isascii():
        return declared
    if declared in {"ascii", "latin-1"}:
        if _is_utf8(octets):
            return "utf-8"
        return "gb18030" if _is_chinese(octets) else "latin-1"
    if declared == "utf-8" and not _is_utf8(octets):
        return "gb18030" if _decodes(octets, "gb18030") else declared
    if declared in {"gb18030", "gbk", "gb2312"} and not _all_pairs(octets) and _is_utf8(octets):
        return "utf-8"
    return "gbk" if declared == "gb2312" else declared


def _is_utf8(octets: bytes) -> bool:
    return _decodes(octets, "utf-8")


def _decodes(octets: bytes, codec: str) -> bool:
    try:
        octets.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _all_pairs(octets: bytes) -> bool:
    return all(_PAIRS.fullmatch(run) for run in _HIGH.findall(octets))


def _is_chinese(octets: bytes) -> bool:
    """Tell whether octets under a Latin name are Chinese.

    Latin text has four accented letters in a row as good as never, and no words of nothing else.
    """
    if not _all_pairs(octets):
        return False
    runs = [match for match in _HIGH.finditer(octets) if _HANZI.fullmatch(match.group())]
    if any(len(match.group()) >= 4 for match in runs):
        return True
    return len(runs) >= 2 and not any(
        _LETTER.match(octets[at : at + 1])
        for match in runs
        for at in (max(match.start() - 1, 0), match.end())
    )
