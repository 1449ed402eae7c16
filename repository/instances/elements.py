"""The walk over a data set: where each element lies, without copying or decoding values.

Implements PS3.5 7 (data elements, sequences, items; explicit and implicit VR, both byte orders).
Called by `header.py`; defensive: whatever the octets are, it ends in a `Dataset` or a refusal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final, TypeAlias

from repository.instances.dictionary import vr_of
from repository.instances.refusals import MalformedInstance, NestedTooDeep, WrongTransferSyntax

UNDEFINED: Final = 0xFFFFFFFF
PIXEL_TAGS: Final = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
MAX_DEPTH: Final = 32
MAX_ITEMS: Final = 400_000

_LONG: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_SHORT: Final = frozenset(
    (
        b"AE",
        b"AS",
        b"AT",
        b"CS",
        b"DA",
        b"DS",
        b"DT",
        b"FD",
        b"FL",
        b"IS",
        b"LO",
        b"LT",
        b"PN",
        b"SH",
        b"SL",
        b"SS",
        b"ST",
        b"TM",
        b"UI",
        b"UL",
        b"US",
    )
)
_FIRST_GROUPS: Final = frozenset((0x0004, 0x0008, 0x0010, 0x0018, 0x0020))
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD

Octets: TypeAlias = "bytes | bytearray | memoryview"
"""Anything that can be sliced and unpacked; a memory map passes as a memoryview."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the elements of a data set are written."""

    explicit: bool
    little: bool


IMPLICIT_LITTLE: Final = Encoding(explicit=False, little=True)
EXPLICIT_LITTLE: Final = Encoding(explicit=True, little=True)
EXPLICIT_BIG: Final = Encoding(explicit=True, little=False)

_HEADS: Final = {True: Struct("<HH2sH").unpack_from, False: Struct(">HH2sH").unpack_from}
_PLAIN_HEADS: Final = {True: Struct("<HHI").unpack_from, False: Struct(">HHI").unpack_from}
_LENGTHS: Final = {True: Struct("<I").unpack_from, False: Struct(">I").unpack_from}

Element: TypeAlias = "tuple[bytes, int, int, tuple[Dataset, ...] | None]"
"""VR, offset of the value, its length, and the items if it is a sequence."""


class Short(Exception):  # noqa: N818 - not an error: more octets are needed
    """The octets at hand end before octet `needed`."""

    def __init__(self, needed: int) -> None:
        super().__init__(needed)
        self.needed = needed


class Dataset:
    """The elements of one data set or item, by tag, as places in `buffer`."""

    __slots__ = ("buffer", "elements", "encoding", "parent")

    def __init__(self, buffer: Octets, encoding: Encoding, parent: Dataset | None) -> None:
        self.buffer = buffer
        self.encoding = encoding
        self.parent = parent
        self.elements: dict[int, Element] = {}

    def __contains__(self, tag: int) -> bool:
        return tag in self.elements

    def raw(self, tag: int) -> bytes:
        """Return the octets of a value; empty when absent or a sequence."""
        element = self.elements.get(tag)
        if element is None or element[3] is not None:
            return b""
        return bytes(self.buffer[element[1] : element[1] + element[2]])

    def items(self, tag: int) -> tuple[Dataset, ...]:
        """Return the items of a sequence; empty when absent."""
        element = self.elements.get(tag)
        return () if element is None else element[3] or ()

    def integer(self, tag: int, default: int | None = None) -> int | None:
        """Return the first value of an US, SS, UL, SL or IS attribute."""
        element = self.elements.get(tag)
        if element is None or not element[2] or element[3] is not None:
            return default
        raw = self.raw(tag)
        vr = element[0]
        order = "little" if self.encoding.little else "big"
        if vr in {b"IS", b"DS"}:
            try:
                return int(raw.split(b"\\")[0].strip(b" \x00"))
            except ValueError:
                return default
        if vr in {b"US", b"SS", b"US or SS"}:
            return int.from_bytes(raw[:2], order, signed=vr == b"SS")  # type: ignore[arg-type]
        if vr in {b"UL", b"SL"}:
            return int.from_bytes(raw[:4], order, signed=vr == b"SL")  # type: ignore[arg-type]
        return default

    def ascii(self, tag: int) -> str:
        """Return a value of the default repertoire, stripped of its padding."""
        return self.raw(tag).decode("latin-1").strip("\x00 ")


class Walker:
    """Walks the elements of one buffer; counts items so that no input makes it run away."""

    def __init__(self, buffer: Octets) -> None:
        self._buffer = buffer
        self._length = len(buffer)
        self._items = 0
        self.pixels: tuple[int, bytes, int, int] | None = None
        """Tag, VR, offset and length of the pixel data at which the walk stopped."""

    def top_level(self, start: int, encoding: Encoding, stop_after: int = UNDEFINED) -> Dataset:
        """Walk from `start` to the pixel data, to an element after `stop_after`, or to the end."""
        dataset = Dataset(self._buffer, encoding, None)
        self._check_encoding(start, encoding)
        self._walk(dataset, start, self._length, delimited=False, depth=0, stop_after=stop_after)
        return dataset

    def items(self, owner: Dataset, start: int, length: int) -> tuple[Dataset, ...]:
        """Walk the items of a sequence of `owner` that was sent as UN."""
        return self._sequence(owner, b"UN", start, length, 1)[0] or ()

    def _check_encoding(self, start: int, encoding: Encoding) -> None:
        if self._length - start < 8:
            return
        vr = bytes(self._buffer[start + 4 : start + 6])
        looks_explicit = vr in _LONG or vr in _SHORT
        if looks_explicit != encoding.explicit:
            raise WrongTransferSyntax("the data set is not in its declared transfer syntax")
        swapped = "big" if encoding.little else "little"
        first = self._buffer[start : start + 2]
        if int.from_bytes(first, swapped) in _FIRST_GROUPS:  # type: ignore[arg-type]
            raise WrongTransferSyntax("the data set is not in its declared byte order")

    def _walk(  # noqa: C901, PLR0912 - the one hot loop: a call an element costs half its time
        self,
        into: Dataset,
        position: int,
        end: int,
        *,
        delimited: bool,
        depth: int,
        stop_after: int = UNDEFINED,
    ) -> int:
        """Fill `into`; return the offset after the data set (after its delimiter if any)."""
        buffer = self._buffer
        elements = into.elements
        encoding = into.encoding
        explicit = encoding.explicit
        head = _HEADS[encoding.little]
        plain_head = _PLAIN_HEADS[encoding.little]
        long_length = _LENGTHS[encoding.little]
        while position < end:
            if end - position < 8:
                return self._tail(position, end, delimited=delimited)
            if explicit:
                group, number, vr, length = head(buffer, position)
                tag = group << 16 | number
                position += 8
                if vr in _LONG:
                    if end - position < 4:
                        self._short(position + 4)
                    (length,) = long_length(buffer, position)
                    position += 4
                elif vr not in _SHORT:
                    if tag == _ITEM_END and delimited:
                        return position
                    vr, length, position = self._odd(tag, position, encoding)
            else:
                group, number, length = plain_head(buffer, position)
                tag = group << 16 | number
                position += 8
                if tag == _ITEM_END and delimited:
                    return position
                vr = vr_of(tag)
            if tag > stop_after:
                return position
            if depth == 0 and tag in PIXEL_TAGS:
                self.pixels = (tag, vr, position, length)
                return position
            if length == UNDEFINED or vr == b"SQ":
                items, position, size = self._sequence(into, vr, position, length, depth)
                told = b"SQ" if items is not None else vr
                elements.setdefault(tag, (told, position - size, size, items))
                continue
            if length > end - position:
                self._beyond(position + length, end)
            # The first of two is the one that an early look at the identifiers has seen.
            elements.setdefault(tag, (vr, position, length, None))
            position += length
        if delimited:
            self._short(position + 8)
        return position

    def _odd(self, tag: int, position: int, encoding: Encoding) -> tuple[bytes, int, int]:
        """Settle an element whose VR is none of PS3.5 6.2: delimiters out of place, private VRs."""
        head = bytes(self._buffer[position - 4 : position])
        if tag >> 16 == 0xFFFE:
            raise MalformedInstance("an item delimiter stands outside a sequence")
        vr = head[:2]
        order = _LENGTHS[encoding.little]
        if vr in {b"\x00\x00", b"  ", b"--", b"??", b"OX"} or not vr.isalpha() or not vr.isupper():
            # What some writers put where they know no VR: read as UN in the short form.
            length = int.from_bytes(head[2:4], "little" if encoding.little else "big")
            if vr in {b"\x00\x00", b"  "} and length == 0 and self._length - position >= 4:
                (length,) = order(self._buffer, position)
                return b"UN", length, position + 4
            if not vr.isupper() and vr not in {b"--", b"??"}:
                raise MalformedInstance("an element has no value representation")
            return b"UN", length, position
        # PS3.5 6.2: a VR we do not know yet has the long form.
        if self._length - position < 4:
            self._short(position + 4)
        (length,) = order(self._buffer, position)
        return b"UN", length, position + 4

    def _sequence(  # noqa: C901 - each branch is one clause of PS3.5 7.5
        self, owner: Dataset, vr: bytes, position: int, length: int, depth: int
    ) -> tuple[tuple[Dataset, ...] | None, int, int]:
        """Read a sequence; return its items, the offset after it and its size.

        Items are None for encapsulated octets, which are passed over.
        """
        start = position
        encoding = owner.encoding
        if vr in {b"OB", b"OW"}:
            position = self._fragments(position, encoding)
            return None, position, position - start
        if vr == b"UN":
            # PS3.5 6.2.2 note 2: UN of undefined length holds implicit VR little endian items.
            encoding = IMPLICIT_LITTLE
        if depth >= MAX_DEPTH:
            raise NestedTooDeep("sequences are nested too deep")
        end = self._length if length == UNDEFINED else position + length
        if end > self._length:
            self._beyond(end, self._length)
        items: list[Dataset] = []
        head = _PLAIN_HEADS[encoding.little]
        while position < end:
            if end - position < 8:
                self._beyond(position + 8, end)
            group, number, size = head(self._buffer, position)
            tag = group << 16 | number
            position += 8
            if tag == _SEQUENCE_END:
                return tuple(items), position, position - start
            if tag != _ITEM:
                raise MalformedInstance("a sequence holds something that is not an item")
            self._items += 1
            if self._items > MAX_ITEMS:
                raise NestedTooDeep("the data set holds too many sequence items")
            item = Dataset(self._buffer, encoding, owner)
            limit = end if size == UNDEFINED else position + size
            if limit > end:
                self._beyond(limit, end)
            position = self._walk(
                item, position, limit, delimited=size == UNDEFINED, depth=depth + 1
            )
            items.append(item)
        if length == UNDEFINED:
            self._short(position + 8)
        return tuple(items), position, position - start

    def _fragments(self, position: int, encoding: Encoding) -> int:
        """Pass over encapsulated octets (PS3.5 A.4); return the offset after the delimiter."""
        for _start, _size, after in fragments(self._buffer, position, little=encoding.little):
            position = after
        return position + 8

    def _tail(self, position: int, end: int, *, delimited: bool) -> int:
        # Zero padding after the last element is seen in the field and harms nobody.
        if not delimited and end == self._length and not any(self._buffer[position:end]):
            return end
        self._beyond(position + 8, end)
        return end

    def _beyond(self, needed: int, end: int) -> None:
        if end < self._length:
            raise MalformedInstance("an element is longer than the item or sequence that holds it")
        self._short(needed)

    def _short(self, needed: int) -> None:
        if needed <= self._length:
            raise MalformedInstance("a sequence or item has no end")
        raise Short(needed)


def items_of(owner: Dataset, tag: int) -> tuple[Dataset, ...]:
    """Read the items of a sequence that was sent as UN (PS3.5 6.2.2 note 2: implicit VR)."""
    _vr, start, length, _items = owner.elements[tag]
    walker = Walker(owner.buffer[: start + length])
    return walker.items(owner, start, length)


def fragments(
    buffer: Octets, position: int, *, little: bool = True
) -> Iterator[tuple[int, int, int]]:
    """Yield (offset, length, offset after) of each fragment of encapsulated octets (PS3.5 A.4).

    The first is the Basic Offset Table. Raises `Short` at the end of the buffer and
    MalformedInstance when something else than a fragment stands there.
    """
    head = _PLAIN_HEADS[little]
    total = len(buffer)
    while True:
        if total - position < 8:
            raise Short(position + 8)
        group, number, size = head(buffer, position)
        position += 8
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM or size == UNDEFINED:
            raise MalformedInstance("encapsulated octets hold something that is not a fragment")
        if size > total - position:
            raise Short(position + size)
        yield position, size, position + size
        position += size
