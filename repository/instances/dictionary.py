"""Which value representation an attribute has when the data set does not say (PS3.6, PS3.5 A.1).

Built from pydicom's copy of the PS3.6 registry; ambiguous entries ("US or SS") are settled by
`settle` with the data set in hand. Called by the element walker and the DICOM JSON encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, private_dictionary_VR

_PLAIN: Final[dict[int, bytes]] = {
    tag: entry[0].encode("ascii") for tag, entry in DicomDictionary.items()
}
_KEYWORDS: Final[dict[str, int]] = {
    entry[4]: tag for tag, entry in DicomDictionary.items() if entry[4]
}
_REPEATED_GROUPS: Final = frozenset((*range(0x5000, 0x5100, 2), *range(0x6000, 0x6100, 2)))


def vr_of(tag: int) -> bytes:
    """Return the VR of a public attribute; `UN` when PS3.6 does not list it."""
    found = _PLAIN.get(tag)
    if found is not None:
        return found
    group = tag >> 16
    if tag & 0xFFFF == 0:
        return b"UL"
    if group & 1:
        return b"LO" if 0x10 <= tag & 0xFFFF <= 0xFF else b"UN"
    if group in _REPEATED_GROUPS or group in {0x20, 0x28, 0x1000, 0x1010, 0x7F00}:
        return _repeated(tag)
    return b"UN"


def private_vr(tag: int, creator: str) -> bytes:
    """Return the VR of a private attribute of a known creator, else `UN`."""
    try:
        return private_dictionary_VR(tag, creator).encode("ascii")
    except KeyError:
        return b"UN"


def tag_of(name: str) -> int | None:
    """Return the tag of a keyword or of eight hexadecimal digits, else None (PS3.18 8.3.4.1)."""
    found = _KEYWORDS.get(name)
    if found is None and len(name) == 8:
        try:
            found = int(name, 16)
        except ValueError:
            return None
    return found


def keyword_of(tag: int) -> str:
    """Return the keyword of a public attribute, else an empty text."""
    entry = DicomDictionary.get(tag)
    return entry[4] if entry else ""


def settle(vr: bytes, tag: int, *, signed: bool, lut_entries: Callable[[], int]) -> bytes:
    """Return one VR for an ambiguous one, as PS3.5 A.1 and PS3.3 C.7.6.3.1 tell."""
    if vr == b"US or SS":
        return b"SS" if signed else b"US"
    if vr == b"US or OW":
        return b"US" if tag == 0x00283006 and lut_entries() == 1 else b"OW"
    if vr == b"US or SS or OW":
        return b"OW"
    if vr == b"OB or OW":
        return b"OW"
    return vr


def _repeated(tag: int) -> bytes:
    try:
        return dictionary_VR(tag).encode("ascii")
    except KeyError:
        return b"UN"
