"""Namespaces of SOAP and its companions, and text made fit for XML.

Implements the names of SOAP 1.2, WS-Addressing 1.0 and XOP; XML 1.0, 2.2 (characters).
Used by this plumbing and by the encoders of the protocols above it.
"""

from __future__ import annotations

import re
from typing import Final

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
SOAP_1_1: Final = "http://schemas.xmlsoap.org/soap/envelope/"
WSA: Final = "http://www.w3.org/2005/08/addressing"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
ANONYMOUS: Final = f"{WSA}/anonymous"

SOAP_TYPE: Final = "application/soap+xml"
XOP_TYPE: Final = "application/xop+xml"

_NO_XML_CHARACTER: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL: Final = re.compile('[&<>"\t\n\r]')
_UNPLAIN: Final = re.compile("[^\u0020!#-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is either: a text without any stands as it is."""
_REFERENCES: Final = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;",
    "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",
}  # fmt: skip


def escaped(text: str) -> str:
    """Return `text` for element content or a double-quoted attribute, white space kept.

    What XML cannot carry at all (control characters) is left out.
    """
    if _UNPLAIN.search(text) is None:
        return text  # nearly every text: one look is enough
    text = _NO_XML_CHARACTER.sub("", text)
    return _SPECIAL.sub(lambda found: _REFERENCES[found[0]], text)
