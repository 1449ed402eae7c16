"""A stored instance with a corrected header: only the header is written anew, pixel data follow.

Implements PS3.3 C.12.1.1.9 (Original Attributes Sequence), PS3.5 7 (elements) and 6.1 (character
sets). Called by everything that hands out instances; stored octets never change (decision 0024).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeAlias

import msgspec

from repository.instances import charsets, recoding
from repository.instances.dicom_json import members_of
from repository.instances.element_writing import codec_for, element, item_of, open_sequence, written
from repository.instances.elements import (
    EXPLICIT_LITTLE,
    PIXEL_TAGS,
    Dataset,
    Encoding,
    Octets,
    Short,
    Walker,
    items_of,
)
from repository.instances.header import (
    SOP_INSTANCE_UID,
    SPECIFIC_CHARACTER_SET,
    InstanceHeader,
    read_header,
    read_header_of,
)
from repository.instances.part10 import DEFLATED_EXPLICIT, EXPLICIT_VR_LITTLE, read_meta, too_large
from repository.instances.refusals import MalformedInstance

Changes: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""DICOM JSON members (PS3.18 F) by tag in eight hexadecimal digits, top level only.

`{"00100020": {"vr": "LO", "Value": ["P2"]}}`; without `Value` the attribute is emptied.
`04000561` (SQ) holds one item that tells of the corrections: when (04000562, DT), by what system
(04000563, LO), why (04000565, CS: CORRECT or COERCE), source of the previous values (04000564,
LO); it is completed with the previous values (04000550) of this instance. Specific Character Set,
File Meta Information and pixel data are never changed.
"""

Reader: TypeAlias = Callable[[int, int], bytes]
"""`read(offset, length)` of the stored file."""

ORIGINAL_ATTRIBUTES: Final = 0x04000561
MODIFIED_ATTRIBUTES: Final = 0x04000550
LENGTH_TO_END: Final = 0x00080001
MAX_INFLATED: Final = 1 << 30
"""The largest deflated data set that is corrected: it is written anew as a whole."""
_FIRST_PIXELS: Final = min(PIXEL_TAGS)
_MODIFIED_AT: Final = "04000562"
_SYSTEM: Final = "04000563"
_SOURCE: Final = "04000564"
_REASON: Final = "04000565"
_META_AT: Final = 132
_META_LENGTH: Final = 0x00020000
_META_SOP_UID: Final = 0x00020003
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class CorrectedInstance:
    """A Part 10 file: a head of its own, and the octets of the stored file from `rest` on."""

    transfer_syntax: str
    head: bytes
    dataset_offset: int
    """Where the data set begins, in `head`."""
    rest: int
    size: int
    """Of the whole file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What of some changes makes a difference to an instance, and how its text is written."""

    members: dict[int, Mapping[str, Any]]
    """The attributes that differ, with their new values."""
    modification: Mapping[str, Mapping[str, Any]]
    """The item that tells of it, without the previous values."""
    codec: str
    recoded: bool
    """The header goes to ISO_IR 192, because a value does not fit its declared set."""


def plan(
    told: Mapping[str, Mapping[str, Any]], changes: Changes, character_set: str
) -> Plan | None:
    """Return what to do for an instance that tells `told`; None when it is as it should be.

    `told` are the stored members of (at least) the tags of `changes`.
    """
    differing: dict[int, Mapping[str, Any]] = {}
    for name, member in changes.items():
        tag = int(name, 16)
        if tag in {ORIGINAL_ATTRIBUTES, SPECIFIC_CHARACTER_SET}:
            continue
        if tag >> 16 <= 0x0002 or tag >= _FIRST_PIXELS or not tag & 0xFFFF:
            continue
        if not _same(told.get(name), member):
            differing[tag] = member
    if not differing:
        return None
    modification = _modification(changes)
    codec = codec_for(
        [*differing.values(), *modification.values()], charsets.codecs_of(character_set)
    )
    return Plan(differing, modification, codec or "utf-8", recoded=codec is None)


def correct(
    read: Reader, size: int, changes: Changes, *, header: InstanceHeader | None = None
) -> CorrectedInstance | None:
    """Return the corrected file of a stored one; None when it is right as it is.

    Raises what reading a header raises, and MalformedInstance for what cannot be written.
    """
    if header is None or header.deflated:
        header = read_header_of(read, size)
    tags = tuple(int(name, 16) for name in changes)
    found = members_of(header, tags)
    told: dict[str, Any] = _decode(b"{" + b",".join(found.values()) + b"}")
    todo = plan(told, changes, header.specific_character_set)
    if todo is None:
        return None
    if header.deflated:
        return _deflated(read(0, size), todo, told)
    meta = _meta(header.dataset.buffer, todo)
    body, rest = _rewritten(header, todo, told)
    size = len(meta) + len(body) + max(size - rest, 0)
    return CorrectedInstance(header.transfer_syntax, meta + body, len(meta), rest, size)


def fingerprint(changes: Changes) -> str:
    """Return what tells versions of an instance apart in an ETag."""
    return sha256(_encode(changes)).hexdigest()[:16]


def check(changes: Changes) -> None:
    """Raise MalformedInstance unless the changes can be written into any header."""
    for name, member in changes.items():
        if len(name) != 8:
            raise MalformedInstance("a tag is eight hexadecimal digits")
        tag = int(name, 16)
        if tag >> 16 <= 0x0002 or tag >= _FIRST_PIXELS or not tag & 0xFFFF:
            raise MalformedInstance("this attribute cannot be corrected", tag=name)
        written(tag, member, EXPLICIT_LITTLE, "utf-8")


def _same(told: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Tell whether an attribute is as wanted; absent and empty are the same."""
    return bool(_plain(told or {}) == _plain(wanted))


def _plain(member: Mapping[str, Any]) -> Any:
    if "InlineBinary" in member or "BulkDataURI" in member:
        return member.get("InlineBinary", member.get("BulkDataURI"))
    return [_bare(value) for value in member.get("Value", ()) if value not in (None, "", {})]


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _bare(inner) for name, inner in value.items() if inner}
    if isinstance(value, str):
        return value.strip().rstrip("^") or None
    return value


def _modification(changes: Changes) -> Mapping[str, Mapping[str, Any]]:
    """Return the item of the Original Attributes Sequence that the changes bring along."""
    items: Sequence[Mapping[str, Any]] = changes.get("04000561", {}).get("Value", ())
    told = items[0] if items else {}
    return {
        _MODIFIED_AT: told.get(_MODIFIED_AT, {"vr": "DT"}),
        _SYSTEM: told.get(_SYSTEM, {"vr": "LO", "Value": ["PIANKU"]}),
        _SOURCE: told.get(_SOURCE, {"vr": "LO"}),
        _REASON: told.get(_REASON, {"vr": "CS", "Value": ["CORRECT"]}),
    }


def _rewritten(
    header: InstanceHeader, todo: Plan, told: Mapping[str, Mapping[str, Any]]
) -> tuple[bytes, int]:
    """Return the elements up to the pixel data, and where the stored file goes on."""
    dataset, encoding = header.dataset, header.dataset.encoding
    places = sorted((recoding.start_of(dataset, tag), tag) for tag in dataset.elements)
    at = places[0][0]
    elements: dict[int, bytes] = {}
    for start, tag in places:
        if start != at:
            raise MalformedInstance("the data set holds an element twice")
        at = recoding.end_of(dataset, tag)
        if not tag & 0xFFFF or tag == LENGTH_TO_END:
            continue  # lengths that are no longer right (PS3.5 7.2: retired)
        elements[tag] = (
            recoding.in_unicode(dataset, tag, header.codecs)
            if todo.recoded
            else recoding.as_stored(dataset, tag)
        )
    history = _History(dataset, header.codecs, todo, told)
    elements[ORIGINAL_ATTRIBUTES] = history.continued(elements)
    for tag, member in todo.members.items():
        elements[tag] = written(tag, member, encoding, todo.codec)
    if todo.recoded:
        elements[SPECIFIC_CHARACTER_SET] = element(
            SPECIFIC_CHARACTER_SET, b"CS", recoding.UNICODE.encode(), encoding
        )
    return b"".join(elements[tag] for tag in sorted(elements)), at


class _History:
    """Writes the Original Attributes Sequence: the items there are, and one more."""

    def __init__(
        self,
        dataset: Dataset,
        codecs: tuple[str, ...],
        todo: Plan,
        told: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._dataset = dataset
        self._codecs = codecs
        self._todo = todo
        self._told = told

    def continued(self, elements: Mapping[int, bytes]) -> bytes:
        """Return the sequence; `elements` are those of the header before it was corrected."""
        dataset = self._dataset
        stored = elements.get(ORIGINAL_ATTRIBUTES, b"")
        held = _items(dataset, ORIGINAL_ATTRIBUTES) if stored else ()
        encoding = recoding.items_encoding(dataset, held)
        if encoding == dataset.encoding:
            item = self._item(encoding, elements)
        else:
            item = self._item(encoding, None)
        if not held:
            return element(ORIGINAL_ATTRIBUTES, b"SQ", item, dataset.encoding)
        head, is_open = recoding.head_of(dataset, ORIGINAL_ATTRIBUTES)
        start = len(head) + 4
        if is_open:
            inner = stored[start : len(stored) - 8] + item
            return open_sequence(head, inner, little=encoding.little)
        vr = b"SQ" if encoding == dataset.encoding else b"UN"
        return element(ORIGINAL_ATTRIBUTES, vr, stored[start:] + item, dataset.encoding)

    def _item(self, encoding: Encoding, elements: Mapping[int, bytes] | None) -> bytes:
        """Return what was, and who changed it when and why; what was not there is told empty."""
        values = b"".join(
            (elements.get(tag) if elements is not None else self._anew(tag, encoding))
            or element(tag, str(member["vr"]).encode(), b"", encoding)
            for tag, member in sorted(self._todo.members.items())
        )
        modified = element(MODIFIED_ATTRIBUTES, b"SQ", item_of(values, encoding), encoding)
        told = b"".join(
            written(int(name, 16), member, encoding, self._todo.codec)
            for name, member in sorted(self._todo.modification.items())
        )
        return item_of(modified + told, encoding)

    def _anew(self, tag: int, encoding: Encoding) -> bytes:
        """Return a previous value for a sequence that is written in another way (UN)."""
        member = self._told.get(f"{tag:08X}")
        if member is None:
            return b""
        codec = "utf-8" if self._todo.recoded else codec_for([member], self._codecs)
        if codec is None:
            raise MalformedInstance("the Original Attributes Sequence is of unknown encoding")
        return written(tag, member, encoding, codec)


def _items(dataset: Dataset, tag: int) -> tuple[Dataset, ...]:
    if not dataset.elements[tag][2]:
        return ()
    try:
        return dataset.items(tag) or items_of(dataset, tag)
    except Short:
        raise MalformedInstance("a sequence or item has no end") from None


def _meta(octets: Octets, todo: Plan) -> bytes:
    """Return preamble and File Meta Information; its SOP Instance UID is that of the data set."""
    end = read_meta(octets).dataset_offset
    member = todo.members.get(SOP_INSTANCE_UID)
    if member is None:
        return bytes(octets[:end])
    group = Walker(octets[:end]).top_level(_META_AT, EXPLICIT_LITTLE)
    elements = {tag: recoding.as_stored(group, tag) for tag in group.elements}
    elements.pop(_META_LENGTH, None)
    elements[_META_SOP_UID] = written(_META_SOP_UID, member, EXPLICIT_LITTLE, "ascii")
    body = b"".join(elements[tag] for tag in sorted(elements))
    length = element(_META_LENGTH, b"UL", len(body).to_bytes(4, "little"), EXPLICIT_LITTLE)
    return bytes(octets[:_META_AT]) + length + body


def _deflated(
    octets: bytes, todo: Plan, told: Mapping[str, Mapping[str, Any]]
) -> CorrectedInstance:
    """Return a deflated data set with its corrected header, deflated again (PS3.5 A.5)."""
    meta = _meta(octets, todo)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(octets[read_meta(octets).dataset_offset :], MAX_INFLATED)
    except zlib.error:
        raise MalformedInstance("the deflated data set cannot be inflated") from None
    if inflater.unconsumed_tail:
        raise too_large(len(plain))
    body, rest = _rewritten(read_header(plain, EXPLICIT_VR_LITTLE), todo, told)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflater.compress(body + plain[rest:]) + deflater.flush()
    head = meta + packed + b"\x00" * (len(packed) & 1)
    return CorrectedInstance(DEFLATED_EXPLICIT, head, len(meta), len(octets), len(head))
