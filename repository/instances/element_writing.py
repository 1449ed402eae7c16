"""An attribute in DICOM JSON as a data element: how corrected values come into a header.

Implements PS3.5 6.2 (value representations), 7.1 (elements), 7.5 (sequences), of PS3.18 F. Pure;
called by `correcting.py`. Nothing is read here; what cannot be written raises MalformedInstance.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from repository.instances import charsets
from repository.instances.dicom_json import swapped
from repository.instances.elements import UNDEFINED, Encoding
from repository.instances.refusals import MalformedInstance

BY_CHARSET: Final = frozenset((b"LO", b"SH", b"UC", b"ST", b"LT", b"UT", b"PN"))
"""Value representations whose text is in the Specific Character Set (PS3.5 6.1.2.3)."""
LONG_FORM: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_BINARY: Final = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"))
_SINGLE: Final = frozenset((b"ST", b"LT", b"UT", b"UR"))
_NUMBERS: Final = {
    b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"UV": "Q", b"SV": "q", b"FL": "f", b"FD": "d",
}  # fmt: skip
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_MOST_SHORT: Final = 0xFFFE
_DECIMAL_LENGTH: Final = 16
_KNOWN: Final = (
    BY_CHARSET
    | _BINARY
    | _SINGLE
    | _NUMBERS.keys()
    | {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"IS", b"SQ", b"TM", b"UI"}
)
_ITEM: Final = 0xFFFEE000
_SEQUENCE_END: Final = 0xFFFEE0DD


def written(tag: int, member: Mapping[str, Any], encoding: Encoding, codec: str) -> bytes:
    """Return a member (`{"vr": .., "Value": [..]}`) as an element, its text in `codec`."""
    vr = str(member.get("vr", "")).encode("ascii", "replace")
    if vr not in _KNOWN:
        raise MalformedInstance("an attribute has no value representation", tag=f"{tag:08X}")
    if vr == b"SQ":
        inner = b"".join(item(one, encoding, codec) for one in member.get("Value", ()))
        return element(tag, vr, inner, encoding)
    try:
        value = _value(vr, member, encoding, codec)
    except (ValueError, TypeError, AttributeError, struct.error):
        # Which value it is stays untold: it may name a person.
        raise MalformedInstance(
            "a value does not fit its representation", tag=f"{tag:08X}", vr=vr.decode()
        ) from None
    if len(value) & 1:
        value += b"\x00" if vr in _BINARY or vr == b"UI" else b" "
    return element(tag, vr, value, encoding)


def element(tag: int, vr: bytes, value: bytes, encoding: Encoding) -> bytes:
    """Return an element of a value that is ready (even length)."""
    order = "<" if encoding.little else ">"
    group, number = tag >> 16, tag & 0xFFFF
    if not encoding.explicit:
        return struct.pack(order + "HHI", group, number, len(value)) + value
    if vr not in LONG_FORM and len(value) > _MOST_SHORT:
        # PS3.5 6.2.2: what is too long for the short form is sent as UN.
        vr = b"UN"
    if vr in LONG_FORM:
        return struct.pack(order + "HH2sHI", group, number, vr, 0, len(value)) + value
    return struct.pack(order + "HH2sH", group, number, vr, len(value)) + value


def item(dataset: Mapping[str, Mapping[str, Any]], encoding: Encoding, codec: str) -> bytes:
    """Return a data set in DICOM JSON as one item of a sequence, of defined length."""
    try:
        members = sorted((int(tag, 16), member) for tag, member in dataset.items())
    except ValueError:
        raise MalformedInstance("a tag is not eight hexadecimal digits") from None
    inner = b"".join(written(tag, member, encoding, codec) for tag, member in members)
    return item_of(inner, encoding)


def item_of(inner: bytes, encoding: Encoding) -> bytes:
    """Return elements as one item of defined length."""
    return delimiter(_ITEM, len(inner), little=encoding.little) + inner


def delimiter(tag: int, length: int, *, little: bool) -> bytes:
    """Return the head of an item, or a delimiter (PS3.5 7.5.1)."""
    return struct.pack("<HHI" if little else ">HHI", tag >> 16, tag & 0xFFFF, length)


def open_sequence(head: bytes, items: bytes, *, little: bool) -> bytes:
    """Return a sequence of undefined length; `head` is its tag and VR, without the length."""
    return b"".join(
        (head, UNDEFINED.to_bytes(4), items, delimiter(_SEQUENCE_END, 0, little=little))
    )


def texts(member: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text of a member that its Specific Character Set must hold."""
    vr = str(member.get("vr", "")).encode("ascii", "replace")
    values = member.get("Value", ())
    if vr == b"SQ":
        for one in values:
            for inner in one.values():
                yield from texts(inner)
    elif vr in BY_CHARSET:
        for value in values:
            if isinstance(value, Mapping):
                yield from (str(group) for group in value.values())
            elif value is not None:
                yield str(value)


def codec_for(members: Sequence[Mapping[str, Any]], codecs: tuple[str, ...]) -> str | None:
    """Return a codec that writes the members' text as the declared sets read it; else None."""
    told = [text for member in members for text in texts(member)]
    # JIS X 0201 has other signs where ASCII has the backslash and the tilde.
    if all(text.isascii() and "\x1b" not in text for text in told) and (
        codecs[0] != "shift_jis" or not any("~" in text for text in told)
    ):
        return "ascii"
    codec = codecs[0]
    if len(codecs) > 1 or codec in {"shift_jis", "iso2022_jp", "iso2022_jp_2", "euc_kr", "gb2312"}:
        return None
    try:
        fits = all(
            charsets.decode(text.encode(codec), codecs, delimiters=b"\\^=") == text for text in told
        )
    except UnicodeEncodeError:
        return None
    return codec if fits else None


def _value(vr: bytes, member: Mapping[str, Any], encoding: Encoding, codec: str) -> bytes:
    if "BulkDataURI" in member:
        raise ValueError
    if vr in _BINARY:
        raw = b64decode(member.get("InlineBinary", ""), validate=True)
        raw += b"\x00" * (len(raw) & 1)
        return raw if encoding.little else swapped(raw, vr)
    values = member.get("Value", ())
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise TypeError
    order = "<" if encoding.little else ">"
    if vr in _NUMBERS:
        return struct.pack(f"{order}{len(values)}{_NUMBERS[vr]}", *map(_number, values))
    if vr == b"AT":
        tags = [int(value, 16) for value in values]
        halves = [half for tag in tags for half in (tag >> 16, tag & 0xFFFF)]
        return struct.pack(f"{order}{len(halves)}H", *halves)
    if vr in _SINGLE and len(values) > 1:
        raise ValueError
    parts = [_text(vr, value) for value in values]
    if vr not in _SINGLE and any("\\" in part for part in parts):
        raise ValueError
    return "\\".join(parts).encode(codec if vr in BY_CHARSET else "ascii")


def _number(value: Any) -> Any:
    # PS3.18 F.2.3: 64 bits and what JSON has no number for may come as text.
    if isinstance(value, str):
        return float(value) if not value.lstrip("+-").isdecimal() else int(value)
    return value


def _text(vr: bytes, value: Any) -> str:
    if value is None:
        return ""
    if vr == b"PN":
        groups = (
            [str(value.get(name) or "") for name in _GROUPS]
            if isinstance(value, Mapping)
            else [str(value)]
        )
        return "=".join(groups).rstrip("=")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    if vr == b"DS" and isinstance(value, float):
        told = repr(value)
        return told if len(told) <= _DECIMAL_LENGTH else f"{value:.9g}"
    if vr == b"IS" and not isinstance(value, str) and value != int(value):
        raise ValueError
    return str(int(value)) if vr == b"IS" and not isinstance(value, str) else str(value)
