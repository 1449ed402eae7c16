"""The elements of a stored header as octets: as they lie, or with their text in ISO_IR 192.

Implements PS3.5 6.1 (character sets, code extensions), 7.5 (sequences and their lengths) and PS3.3
C.12.1.1.2. Called by `correcting.py` when a corrected value does not fit the declared set.
"""

from __future__ import annotations

import struct
from typing import Final

from repository.instances import charsets
from repository.instances.dicom_json import known_vr
from repository.instances.element_writing import BY_CHARSET, element, item_of, open_sequence
from repository.instances.elements import UNDEFINED, Dataset, Encoding
from repository.instances.header import SPECIFIC_CHARACTER_SET
from repository.instances.refusals import MalformedInstance

UNICODE: Final = "ISO_IR 192"
_LONG_TEXT: Final = frozenset((b"ST", b"LT", b"UT"))
_TEXT_ENDS: Final = b"\r\n\t\f"


def start_of(dataset: Dataset, tag: int) -> int:
    """Return where an element begins; raises MalformedInstance."""
    at = dataset.elements[tag][1]
    order = "<HH" if dataset.encoding.little else ">HH"
    head = struct.pack(order, tag >> 16, tag & 0xFFFF)
    for before in (8, 12):
        if at >= before and dataset.buffer[at - before : at - before + 4] == head:
            return at - before
    raise MalformedInstance("an element has no head")


def end_of(dataset: Dataset, tag: int) -> int:
    """Return the offset after an element, its delimiters included."""
    _vr, at, length, _items = dataset.elements[tag]
    return at + length


def as_stored(dataset: Dataset, tag: int) -> bytes:
    """Return the octets of an element with its head."""
    return bytes(dataset.buffer[start_of(dataset, tag) : end_of(dataset, tag)])


def in_unicode(dataset: Dataset, tag: int, codecs: tuple[str, ...]) -> bytes:
    """Return an element with its text, and all text inside of it, in UTF-8.

    `codecs` are those of the data set; what is no text is as it was, octet for octet.
    """
    vr, at, length, items = dataset.elements[tag]
    start = start_of(dataset, tag)
    if items is not None:
        return _sequence(dataset, tag, items, codecs)
    if tag == SPECIFIC_CHARACTER_SET:
        return element(tag, b"CS", UNICODE.encode(), dataset.encoding)
    if vr == b"UN" or (tag >> 16 & 1 and not dataset.encoding.explicit):
        vr = known_vr(dataset, tag)
    raw = bytes(dataset.buffer[at : at + length])
    if vr not in BY_CHARSET or (raw.isascii() and b"\x1b" not in raw):
        return bytes(dataset.buffer[start : at + length])
    ends = _TEXT_ENDS
    if vr not in _LONG_TEXT:
        ends = b"\\^=" + ends if vr == b"PN" else b"\\" + ends
    text = charsets.decode(raw, codecs, delimiters=ends).rstrip("\x00 ").encode()
    text += b" " * (len(text) & 1)
    return _relengthened(dataset, tag, start, text)


def contents_in_unicode(dataset: Dataset, codecs: tuple[str, ...]) -> bytes:
    """Return the elements of an item with their text in UTF-8; group lengths are left out."""
    own = dataset.ascii(SPECIFIC_CHARACTER_SET)
    if own:
        codecs = charsets.codecs_of(own)
    return b"".join(
        in_unicode(dataset, tag, codecs) for tag in sorted(dataset.elements) if tag & 0xFFFF
    )


def head_of(dataset: Dataset, tag: int) -> tuple[bytes, bool]:
    """Return tag and VR of an element as they are written, and whether its length is undefined."""
    start, at = start_of(dataset, tag), dataset.elements[tag][1]
    order = "little" if dataset.encoding.little else "big"
    length = int.from_bytes(dataset.buffer[at - 4 : at], order)  # type: ignore[arg-type]
    return bytes(dataset.buffer[start : at - 4]), length == UNDEFINED


def items_encoding(dataset: Dataset, items: tuple[Dataset, ...]) -> Encoding:
    """Return how the items of a sequence are written: those of an UN are implicit."""
    return items[0].encoding if items else dataset.encoding


def _sequence(
    dataset: Dataset, tag: int, items: tuple[Dataset, ...], codecs: tuple[str, ...]
) -> bytes:
    if not items:
        return as_stored(dataset, tag)
    encoding = items_encoding(dataset, items)
    inner = b"".join(item_of(contents_in_unicode(one, codecs), encoding) for one in items)
    head, is_open = head_of(dataset, tag)
    if is_open:
        return open_sequence(head, inner, little=encoding.little)
    return _with_length(dataset, head, inner)


def _relengthened(dataset: Dataset, tag: int, start: int, value: bytes) -> bytes:
    """Return an element with another value and the VR that it was written with."""
    at = dataset.elements[tag][1]
    if at - start == 8 and dataset.encoding.explicit:
        vr = bytes(dataset.buffer[start + 4 : start + 6])
        if vr in BY_CHARSET:
            return element(tag, vr, value, dataset.encoding)
        # A VR that is none, in the short form: what it holds is told apart by UN.
        return element(tag, b"UN", value, dataset.encoding)
    return _with_length(dataset, bytes(dataset.buffer[start : at - 4]), value)


def _with_length(dataset: Dataset, head: bytes, value: bytes) -> bytes:
    order = "<I" if dataset.encoding.little else ">I"
    return head + struct.pack(order, len(value)) + value
