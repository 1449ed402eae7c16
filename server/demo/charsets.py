"""Bytes of character sets that pydicom does not write, or must not write right.

Implements the code extension of ISO 2022 IR 58 (PS3.5 6.1.2.5.3: a line and a name component
start with the escape sequence anew) and the wrong declarations old devices make.
Called by `studies`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_ESCAPE_GB2312: Final = "\x1b$)A"
_LAST_LATIN: Final = 255


def escape_chinese(ds: Dataset) -> Dataset:
    """Put the escape sequences into the texts of a data set in ISO 2022 IR 58.

    pydicom 3.0 writes GB 2312 bytes without them. The texts become Latin-1 strings of the
    very bytes, which the first character set of the data set then writes as they are.
    """
    if "ISO 2022 IR 58" in (ds.get("SpecificCharacterSet") or ()):
        _rewrite(ds, _with_escapes)
    return ds


def mislabel(ds: Dataset) -> Dataset:
    """Declare Latin-1 over GB18030 bytes: the text reads as gibberish unless guessed."""
    _rewrite(ds, lambda text: text.encode("gb18030").decode("latin-1"))
    ds.SpecificCharacterSet = "ISO_IR 100"
    return ds


def _with_escapes(text: str) -> str:
    parts = re.split(r"([\r\n\t\f^=])", text)
    return "".join(
        part if part.isascii() else _ESCAPE_GB2312 + part.encode("gb2312").decode("latin-1")
        for part in parts
    )


def _rewrite(ds: Dataset, change: Callable[[str], str]) -> None:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                _rewrite(item, change)
        elif element.VR in _TEXT and element.value:
            text = str(element.value)
            # Elements may be shared between instances: what is changed already stays.
            if any(ord(char) > _LAST_LATIN for char in text):
                changed = change(text)
                element.value = PersonName(changed) if element.VR == "PN" else changed
