"""The Part 10 wrapper: preamble, File Meta Information, transfer syntaxes.

Implements PS3.10 7.1 (File Meta Information) and the transfer syntaxes of PS3.5 A, PS3.6 A-1.
Called by `header.py` to read, and by the intake workflows to write the wrapper of C-STORE data.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from repository.instances.elements import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    Octets,
    Short,
    Walker,
)
from repository.instances.refusals import (
    HeaderTooLarge,
    MalformedInstance,
    MissingAttribute,
    NotPart10,
    TruncatedInstance,
)

IMPLICIT_VR_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE: Final = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG: Final = "1.2.840.10008.1.2.2"
IMPLEMENTATION_CLASS_UID: Final = "2.25.149285046722160371849174635038421913057"
IMPLEMENTATION_VERSION: Final = "PIANKU_1"
MAX_INFLATED: Final = 64 << 20
"""The most octets we inflate to read a header."""

_UNCOMPRESSED: Final = frozenset(
    (IMPLICIT_VR_LITTLE, EXPLICIT_VR_LITTLE, DEFLATED_EXPLICIT, EXPLICIT_VR_BIG)
)


def encoding_of(transfer_syntax: str) -> Encoding:
    """Return how the elements of a data set in `transfer_syntax` are written."""
    if transfer_syntax == IMPLICIT_VR_LITTLE:
        return IMPLICIT_LITTLE
    if transfer_syntax == EXPLICIT_VR_BIG:
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE


def is_encapsulated(transfer_syntax: str) -> bool:
    """Tell whether pixel data in `transfer_syntax` are fragments (PS3.5 A.4)."""
    return transfer_syntax not in _UNCOMPRESSED


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the File Meta Information tells."""

    transfer_syntax: str
    sop_class_uid: str
    sop_uid: str
    dataset_offset: int


def read_meta(octets: Octets) -> FileMeta:
    """Read preamble and group 0002; raises NotPart10, TruncatedInstance, MissingAttribute."""
    if len(octets) < 132 or bytes(octets[128:132]) != b"DICM":
        raise NotPart10("the octets are not a DICOM Part 10 file")
    end = _meta_end(octets)
    walker = Walker(octets[:end])
    try:
        group = walker.top_level(132, EXPLICIT_LITTLE)
    except Short:
        raise TruncatedInstance("the File Meta Information is truncated") from None
    transfer_syntax = group.ascii(0x00020010)
    if not transfer_syntax:
        raise MissingAttribute("the File Meta Information names no transfer syntax")
    return FileMeta(transfer_syntax, group.ascii(0x00020002), group.ascii(0x00020003), end)


def _meta_end(octets: Octets) -> int:
    """Return where the data set begins: group length if sound, else the first other group."""
    if bytes(octets[132:140]) == b"\x02\x00\x00\x00UL\x04\x00" and len(octets) >= 144:
        end = 144 + int.from_bytes(octets[140:144], "little")
        if end <= len(octets):
            follows = bytes(octets[end : end + 2])
            if follows != b"\x02\x00":
                return end
    position = 132
    while position + 8 <= len(octets) and bytes(octets[position : position + 2]) == b"\x02\x00":
        vr = bytes(octets[position + 4 : position + 6])
        if vr in {b"OB", b"UN", b"UT", b"OW", b"UR"}:
            if position + 12 > len(octets):
                break
            length = int.from_bytes(octets[position + 8 : position + 12], "little")
            position += 12 + length
        elif vr.isalpha():
            position += 8 + int.from_bytes(octets[position + 6 : position + 8], "little")
        else:
            raise MalformedInstance("the File Meta Information is not in Explicit VR Little Endian")
    if position > len(octets) or position == 132:
        raise TruncatedInstance("the File Meta Information is truncated or absent")
    return position


def inflate(octets: Octets, most: int = MAX_INFLATED) -> tuple[bytes, bool]:
    """Inflate up to `most` octets of a deflated data set (PS3.5 A.5); tells whether more follow.

    What `octets` themselves leave out is not told.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(octets, most)
    except zlib.error:
        raise MalformedInstance("the deflated data set cannot be inflated") from None
    return plain, bool(inflater.unconsumed_tail) and not inflater.eof


def too_large(size: int) -> HeaderTooLarge:
    """Return the refusal of a header of `size` octets."""
    return HeaderTooLarge("the header is larger than we read", size_bytes=size)


def file_meta(
    sop_class_uid: str, sop_uid: str, transfer_syntax: str, *, source_ae: str = ""
) -> bytes:
    """Return preamble and File Meta Information for a data set received without them."""
    body = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
            _uid(0x02, sop_class_uid),
            _uid(0x03, sop_uid),
            _uid(0x10, transfer_syntax),
            _uid(0x12, IMPLEMENTATION_CLASS_UID),
            _text(0x13, b"SH", IMPLEMENTATION_VERSION),
            _text(0x16, b"AE", source_ae) if source_ae else b"",
        )
    )
    length = len(body).to_bytes(4, "little")
    return b"".join((bytes(128), b"DICM", b"\x02\x00\x00\x00UL\x04\x00", length, body))


def with_preamble(octets: bytes) -> bytes:
    """Return the beginning of a file with its preamble and group length, if these were left out.

    pydicom writes data sets made in memory so, and clients send them; PS3.10 7.1 wants both.
    """
    if octets[:2] != b"\x02\x00" or octets[4:6] not in {b"UL", b"OB", b"UI"}:
        return octets
    wrapped = bytes(128) + b"DICM" + octets
    if octets[2:4] == b"\x00\x00":
        return wrapped
    try:
        length = _meta_end(wrapped) - 132
    except (TruncatedInstance, MalformedInstance):
        return wrapped
    return b"".join(
        (wrapped[:132], b"\x02\x00\x00\x00UL\x04\x00", length.to_bytes(4, "little"), octets)
    )


def _uid(number: int, uid: str) -> bytes:
    value = uid.encode("ascii")
    value += b"\x00" * (len(value) & 1)
    return b"\x02\x00%c\x00UI" % number + len(value).to_bytes(2, "little") + value


def _text(number: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")[:16]
    value += b" " * (len(value) & 1)
    return b"\x02\x00%c\x00" % number + vr + len(value).to_bytes(2, "little") + value
