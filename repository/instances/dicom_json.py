"""A header as DICOM JSON, straight to octets (PS3.18 F, DICOM JSON Model).

Called once per instance by projections/study_index; big and binary values become BulkDataURI.
Numbers of DS and IS are kept as written where JSON allows it (F.2.3: no loss on the way).
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Callable
from struct import Struct, unpack
from typing import Final

import msgspec

from repository.instances import charsets
from repository.instances.dictionary import private_vr, settle, vr_of
from repository.instances.elements import Dataset, Short, items_of
from repository.instances.header import InstanceHeader
from repository.instances.refusals import MalformedInstance, NestedTooDeep

INLINE_LIMIT: Final = 1024
"""Binary values up to this many octets are sent inline (PS3.18 F.2.7)."""

_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CHARACTER_SET: Final = 0x00080005
_IDENTIFIERS: Final = frozenset((0x00080016, 0x00080018, 0x0020000D, 0x0020000E))
_TEXT: Final = frozenset((b"AE", b"AS", b"CS", b"DA", b"DT", b"LO", b"SH", b"TM", b"UC", b"UI"))
_BY_CHARSET: Final = frozenset((b"LO", b"SH", b"UC", b"ST", b"LT", b"UT", b"PN"))
_INTEGERS: Final = {
    b"US": ("H", 2),
    b"SS": ("h", 2),
    b"UL": ("I", 4),
    b"SL": ("i", 4),
    b"UV": ("Q", 8),
    b"SV": ("q", 8),
}
_FLOATS: Final = {b"FL": ("f", 4), b"FD": ("d", 8)}
_WORD_SIZE: Final = {b"OW": 2, b"OF": 4, b"OL": 4, b"OD": 8, b"OV": 8}
_PN_GROUPS: Final = (b'"Alphabetic":', b'"Ideographic":', b'"Phonetic":')
_quote: Final[Callable[[object], bytes]] = msgspec.json.Encoder().encode
_heads: dict[tuple[int, bytes], bytes] = {}


def to_json(header: InstanceHeader, bulk_uri: bytes, *, inline_limit: int = INLINE_LIMIT) -> bytes:
    """Return the JSON object of a header; `bulk_uri` + "/" + attribute path names bulk data."""
    writer = _Writer(bulk_uri, inline_limit)
    members = writer.members(header.dataset, header.codecs, b"")
    if header.pixels is not None:
        tag, vr = header.pixels.tag, header.pixels.vr
        vr = settle(vr, tag, signed=False, lut_entries=lambda: 0)
        members.append(b'%s,"BulkDataURI":"%s/%08X"}' % (_head(tag, vr), bulk_uri, tag))
    return b"{" + b",".join(members) + b"}"


def members_of(header: InstanceHeader, tags: tuple[int, ...]) -> dict[int, bytes]:
    """Return the JSON members ("TAG":{...}) of some top-level attributes, where present."""
    writer = _Writer(b"", INLINE_LIMIT)
    dataset, found = header.dataset, {}
    for tag in tags:
        if tag in dataset:
            found[tag] = writer.member(dataset, tag, header.codecs, b"")
    return found


def dataset_json(dataset: Dataset, codecs: tuple[str, ...]) -> bytes:
    """Return the JSON object of a data set that is no instance (an attribute list)."""
    # Inline whatever is binary: there is nothing that a URI could name.
    members = _Writer(b"", len(dataset.buffer)).members(dataset, codecs, b"")
    return b"{" + b",".join(members) + b"}"


def member(tag: int, vr: str, *values: str | int) -> bytes:
    """Return a JSON member made of values we know (counts, URLs, aggregated lists)."""
    if not values:
        return _head(tag, vr.encode()) + b"}"
    return b'%s,"Value":[%s]}' % (
        _head(tag, vr.encode()),
        b",".join(_quote(value) for value in values),
    )


def known_vr(dataset: Dataset, tag: int) -> bytes:
    """Return the VR that PS3.6, or the creator of a private block, gives an attribute."""
    if not tag >> 16 & 1:
        return vr_of(tag)
    block = tag >> 8 & 0xFF
    if not block:
        return b"LO" if tag & 0xFF >= 0x10 else b"UN"
    creator = dataset.ascii(tag & 0xFFFF0000 | block)
    return private_vr(tag, creator) if creator else b"UN"


class _Writer:
    def __init__(self, bulk_uri: bytes, inline_limit: int) -> None:
        self._bulk_uri = bulk_uri
        self._inline_limit = inline_limit

    def members(self, dataset: Dataset, codecs: tuple[str, ...], path: bytes) -> list[bytes]:
        """Return the members of a data set or item in ascending order of tag (F.2.2)."""
        own = dataset.ascii(0x00080005) if 0x00080005 in dataset else ""
        if own:
            codecs = charsets.codecs_of(own)
        return [
            self.member(dataset, tag, codecs, path)
            for tag in sorted(dataset.elements)
            if tag & 0xFFFF
        ]

    def member(self, dataset: Dataset, tag: int, codecs: tuple[str, ...], path: bytes) -> bytes:
        """Return the member of one attribute."""
        vr, start, length, items = dataset.elements[tag]
        if tag in _IDENTIFIERS and items is None:
            vr = b"UI"  # what it was stored by, whatever the writer called it
        if items is None and vr not in _TEXT and vr not in _INTEGERS:
            vr, items = _resolved(dataset, tag, vr)
        head = _head(tag, vr)
        if items is not None:
            return self._sequence(head, items, codecs, path + b"/%08X" % tag)
        if not length:
            return head + b"}"
        if vr in _TEXT:
            raw = bytes(dataset.buffer[start : start + length])
            return _texts(head, _meant(tag, raw), codecs if vr in _BY_CHARSET else charsets.DEFAULT)
        values = None
        if vr in _INTEGERS or vr in _FLOATS or vr in _OTHER:
            raw = bytes(dataset.buffer[start : start + length])
            values = _values(vr, raw, codecs, little=dataset.encoding.little)
        if values is not None:
            return b'%s,"Value":[%s]}' % (head, values) if values else head + b"}"
        if length > self._inline_limit:
            return b'%s,"BulkDataURI":"%s%s/%08X"}' % (head, self._bulk_uri, path, tag)
        raw = bytes(dataset.buffer[start : start + length])
        if not dataset.encoding.little:
            raw = swapped(raw, vr)
        return b'%s,"InlineBinary":"%s"}' % (head, b64encode(raw))

    def _sequence(
        self, head: bytes, items: tuple[Dataset, ...], codecs: tuple[str, ...], path: bytes
    ) -> bytes:
        if not items:
            return head + b"}"
        written = b",".join(
            b"{" + b",".join(self.members(item, codecs, path + b"/%d" % index)) + b"}"
            for index, item in enumerate(items)
        )
        return b'%s,"Value":[%s]}' % (head, written)


def _meant(tag: int, raw: bytes) -> bytes:
    """Name what no first value means (PS3.3 C.12.1.1.2); dcmjs, in OHIF, dies of a null."""
    if tag == _CHARACTER_SET and raw.startswith(b"\\"):
        return b"ISO 2022 IR 6" + raw
    return raw


def swapped(raw: bytes, vr: bytes) -> bytes:
    """Return big endian words as little endian ones (PS3.18 F.2.7: InlineBinary)."""
    size = _WORD_SIZE.get(vr, 1)
    if size == 1 or len(raw) % size:
        return raw
    out = bytearray(len(raw))
    for at in range(size):
        out[at::size] = raw[size - 1 - at :: size]
    return bytes(out)


def _head(tag: int, vr: bytes) -> bytes:
    head = _heads.get((tag, vr))
    if head is None:
        head = b'"%08X":{"vr":"%s"' % (tag, vr)
        if len(_heads) < 20_000:
            _heads[tag, vr] = head
    return head


def _resolved(dataset: Dataset, tag: int, vr: bytes) -> tuple[bytes, tuple[Dataset, ...] | None]:
    """Settle ambiguous VRs, and give UN the VR that the dictionary knows (PS3.5 6.2.2)."""
    if vr == b"UN" or (tag >> 16 & 1 and not dataset.encoding.explicit):
        known = known_vr(dataset, tag)
        if known == b"SQ":
            try:
                return b"SQ", items_of(dataset, tag)
            except (Short, MalformedInstance, NestedTooDeep):
                return b"UN", None
        vr = known if known != b"UN" else vr
    if b" " in vr:
        vr = settle(vr, tag, signed=_signed(dataset), lut_entries=lambda: _lut_entries(dataset))
    return vr, None


def _signed(dataset: Dataset | None) -> bool:
    while dataset is not None:
        if 0x00280103 in dataset:
            return dataset.integer(0x00280103) == 1
        dataset = dataset.parent
    return False


def _lut_entries(dataset: Dataset) -> int:
    raw = dataset.raw(0x00283002)[:2]
    return int.from_bytes(raw, "little" if dataset.encoding.little else "big")


def _texts(head: bytes, raw: bytes, codecs: tuple[str, ...]) -> bytes:
    text = charsets.decode(raw, codecs, delimiters=b"\\\r\n\t\f").rstrip("\x00 ")
    if not text:
        return head + b"}"
    if "\\" not in text:
        return b'%s,"Value":[%s]}' % (head, _quote(text.strip("\x00 ")))
    values = (value.strip("\x00 ") for value in text.split("\\"))
    return b'%s,"Value":[%s]}' % (
        head,
        b",".join(_quote(value) if value else b"null" for value in values),
    )


def _values(vr: bytes, raw: bytes, codecs: tuple[str, ...], *, little: bool) -> bytes | None:
    """Return the values, comma separated; None when they must go as binary."""
    order = "<" if little else ">"
    if vr in _INTEGERS:
        code, size = _INTEGERS[vr]
        if len(raw) % size:
            return None
        numbers = unpack(f"{order}{len(raw) // size}{code}", raw)
        return ",".join(map(str, numbers)).encode()
    if vr in _FLOATS:
        code, size = _FLOATS[vr]
        if len(raw) % size:
            return None
        return b",".join(map(_float, unpack(f"{order}{len(raw) // size}{code}", raw)))
    return _OTHER[vr](raw, codecs, little)


def _float(value: float) -> bytes:
    # F.2.3: what JSON has no number for is sent as a string.
    if math.isfinite(value):
        return repr(value).encode()
    return b'"NaN"' if math.isnan(value) else b'"inf"' if value > 0 else b'"-inf"'


def _decimal(raw: bytes, _codecs: tuple[str, ...], _little: bool) -> bytes:
    text = raw.decode("latin-1").strip("\x00 ")
    if not text:
        return b""
    return b",".join(map(_number, text.split("\\")))


def _number(text: str) -> bytes:
    text = text.strip("\x00 ")
    if _JSON_NUMBER.fullmatch(text):
        # 1e999 is a number by its grammar, which hardly any reader has room for.
        return text.encode() if math.isfinite(float(text)) else _quote(text)
    if not text:
        return b"null"
    try:
        value = float(text)
    except ValueError:
        return _quote(text)
    if not math.isfinite(value):
        return _quote(text)
    return repr(int(text) if text.lstrip("+-").isdecimal() else value).encode()


def _long_text(raw: bytes, codecs: tuple[str, ...], _little: bool) -> bytes:
    text = charsets.decode(raw, codecs).rstrip("\x00 ")
    return _quote(text) if text else b""


def _person_names(raw: bytes, codecs: tuple[str, ...], _little: bool) -> bytes:
    text = charsets.decode(raw, codecs, delimiters=b"\\^=\r\n\t\f").rstrip("\x00 ")
    if not text:
        return b""
    return b",".join(map(_person_name, text.split("\\")))


def _person_name(text: str) -> bytes:
    groups = [group.rstrip("\x00 ") for group in text.split("=")[:3]]
    written = [
        label + _quote(group) for label, group in zip(_PN_GROUPS, groups, strict=False) if group
    ]
    return b"{" + b",".join(written) + b"}" if written else b"null"


_TAG_LITTLE: Final = Struct("<HH").iter_unpack
_TAG_BIG: Final = Struct(">HH").iter_unpack


def _tags(raw: bytes, _codecs: tuple[str, ...], little: bool) -> bytes:
    whole = raw[: len(raw) // 4 * 4]
    pairs = (_TAG_LITTLE if little else _TAG_BIG)(whole)
    return b",".join(b'"%04X%04X"' % pair for pair in pairs)


_OTHER: Final[dict[bytes, Callable[[bytes, tuple[str, ...], bool], bytes]]] = {
    b"DS": _decimal,
    b"IS": _decimal,
    b"PN": _person_names,
    b"AT": _tags,
    b"ST": _long_text,
    b"LT": _long_text,
    b"UT": _long_text,
    b"UR": _long_text,
}
