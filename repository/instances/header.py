"""The header of an instance: who it is, and every element before the pixel data.

Implements PS3.10 7 and PS3.5 7 for reading; see `read_header` and `identify`.
Called by the intake workflows (C-STORE, STOW-RS) and by projections through `HeaderSource`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from kernel.identifiers import dicom_uid
from repository.instances import charsets
from repository.instances.elements import UNDEFINED, Dataset, Octets, Short, Walker
from repository.instances.part10 import (
    DEFLATED_EXPLICIT,
    MAX_INFLATED,
    encoding_of,
    inflate,
    read_meta,
    too_large,
)
from repository.instances.refusals import MissingAttribute, TruncatedInstance

SPECIFIC_CHARACTER_SET: Final = 0x00080005
SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
ISSUER_OF_PATIENT_ID: Final = 0x00100021
PATIENT_BIRTH_DATE: Final = 0x00100030
PATIENT_SEX: Final = 0x00100040
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
MAX_HEADER: Final = 256 << 20
"""The largest header we read of a stored object."""
_FIRST_READ: Final = 16 << 10
_FIRST_INFLATED: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PixelData:
    """Where the pixel data lie; `length` is None for fragments (PS3.5 A.4)."""

    tag: int
    vr: bytes
    offset: int
    """Of the value, in the octets that were read (the file, unless it is deflated)."""
    length: int | None


class InstanceHeader:
    """What the header of one instance tells; values are decoded when asked for.

    `complete` is False when only the identifying part was walked (`identify`).
    """

    __slots__ = (
        "codecs",
        "complete",
        "dataset",
        "deflated",
        "pixels",
        "series_uid",
        "sop_class_uid",
        "sop_uid",
        "study_uid",
        "transfer_syntax",
    )

    def __init__(
        self,
        dataset: Dataset,
        transfer_syntax: str,
        pixels: PixelData | None,
        *,
        complete: bool = True,
    ) -> None:
        self.dataset = dataset
        self.transfer_syntax = transfer_syntax
        self.pixels = pixels
        self.complete = complete
        self.deflated = transfer_syntax == DEFLATED_EXPLICIT
        self.codecs = charsets.codecs_of(dataset.ascii(SPECIFIC_CHARACTER_SET))
        self.sop_class_uid = self._uid(SOP_CLASS_UID, "SOPClassUID")
        self.sop_uid = self._uid(SOP_INSTANCE_UID, "SOPInstanceUID")
        self.study_uid = self._uid(STUDY_INSTANCE_UID, "StudyInstanceUID")
        self.series_uid = self._uid(SERIES_INSTANCE_UID, "SeriesInstanceUID")

    def _uid(self, tag: int, keyword: str) -> str:
        value = self.dataset.ascii(tag)
        if not value:
            raise MissingAttribute(f"{keyword} is absent or empty", keyword=keyword)
        return dicom_uid(value)

    def text(self, tag: int) -> str:
        """Return the first value of a text attribute, without padding; empty when absent."""
        raw = self.dataset.raw(tag)
        if not raw:
            return ""
        return charsets.decode(raw, self.codecs, delimiters=b"\\^=").split("\\")[0].strip("\x00 ")

    def texts(self, tag: int) -> tuple[str, ...]:
        """Return all values of a text attribute, without padding."""
        raw = self.dataset.raw(tag)
        if not raw:
            return ()
        decoded = charsets.decode(raw, self.codecs, delimiters=b"\\^=")
        return tuple(value.strip("\x00 ") for value in decoded.split("\\"))

    @property
    def patient_id(self) -> str:
        """Return Patient ID."""
        return self.text(PATIENT_ID)

    @property
    def patient_id_issuer(self) -> str:
        """Return Issuer of Patient ID, or the Universal Entity ID of its qualifiers."""
        qualifiers = self.dataset.items(0x00100024)
        universal = qualifiers[0].ascii(0x00400032) if qualifiers else ""
        return universal or self.text(ISSUER_OF_PATIENT_ID)

    @property
    def patient_name(self) -> str:
        """Return Patient's Name with its component groups (PS3.5 6.2.1)."""
        return self.text(PATIENT_NAME)

    @property
    def patient_birth_date(self) -> str:
        """Return Patient's Birth Date."""
        return self.text(PATIENT_BIRTH_DATE)

    @property
    def patient_sex(self) -> str:
        """Return Patient's Sex."""
        return self.text(PATIENT_SEX)

    @property
    def specific_character_set(self) -> str:
        """Return Specific Character Set as sent."""
        return self.dataset.ascii(SPECIFIC_CHARACTER_SET)

    @property
    def number_of_frames(self) -> int:
        """Return Number of Frames, 1 when absent and there are pixels, else 0."""
        if self.pixels is None:
            return 0
        return max(1, self.dataset.integer(0x00280008, 1) or 1)


class HeaderSource(Protocol):
    """Gives the header of a stored instance; what projections know of storage."""

    def header(self, sha256: str) -> InstanceHeader:
        """Return the header of the object under `sha256`; raises ObjectMissing, Refusal."""
        ...


def read_header(octets: Octets, transfer_syntax: str | None = None) -> InstanceHeader:
    """Read a whole header from a Part 10 file, or from a bare data set in `transfer_syntax`.

    `octets` may end after the header. Raises the refusals of this room and BadIdentifier.
    """
    try:
        return _read(octets, transfer_syntax)
    except Short:
        raise TruncatedInstance("the data set ends in the middle of an element") from None


def identify(octets: Octets, transfer_syntax: str | None = None) -> InstanceHeader:
    """Read only as far as the Series Instance UID (fast); falls back to the whole header.

    `octets` need hold no more than the first groups of the data set.
    """
    try:
        return _read(octets, transfer_syntax, stop_after=SERIES_INSTANCE_UID)
    except MissingAttribute:
        # Elements out of order (seen in the field): look through all of them.
        return read_header(octets, transfer_syntax)
    except Short:
        raise TruncatedInstance("the data set ends in the middle of an element") from None


def read_header_of(
    read: Callable[[int, int], bytes],
    size: int,
    transfer_syntax: str | None = None,
    *,
    most: int = MAX_HEADER,
) -> InstanceHeader:
    """Read a header through `read(offset, length)`, taking more octets only when needed."""
    wanted = min(size, _FIRST_READ)
    octets = read(0, wanted)
    while True:
        try:
            header = _read(octets, transfer_syntax)
            if header.pixels is not None or len(octets) >= size:
                return header
            # What we read ends between two elements: others may follow.
            wanted = min(size, 2 * len(octets))
        except Short as short:
            if len(octets) >= size:
                raise TruncatedInstance("the data set ends in the middle of an element") from None
            wanted = min(size, max(short.needed + _FIRST_READ, 2 * len(octets)))
        except (TruncatedInstance, MissingAttribute):
            if len(octets) >= size:
                raise
            wanted = min(size, 4 * len(octets))
        if wanted > most:
            raise too_large(wanted)
        more = read(len(octets), wanted - len(octets))
        if not more:
            raise TruncatedInstance("the stored octets end early")
        octets += more


def _read(
    octets: Octets, transfer_syntax: str | None, stop_after: int = UNDEFINED
) -> InstanceHeader:
    start = 0
    if transfer_syntax is None:
        meta = read_meta(octets)
        transfer_syntax, start = meta.transfer_syntax, meta.dataset_offset
    if transfer_syntax == DEFLATED_EXPLICIT:
        return _read_deflated(octets[start:], stop_after)
    return _walked(octets, start, transfer_syntax, stop_after)


def _read_deflated(octets: Octets, stop_after: int) -> InstanceHeader:
    """Inflate no more than the header takes: what follows may be a thousand times its size."""
    for most in (_FIRST_INFLATED, MAX_INFLATED):
        plain, more_follows = inflate(octets, most)
        try:
            header = _walked(plain, 0, DEFLATED_EXPLICIT, stop_after)
            if header.pixels is not None or not (more_follows and header.complete):
                return header
        except (Short, MissingAttribute):
            if not more_follows:
                # In octets of the file, of which there may be more.
                raise
    raise too_large(MAX_INFLATED)


def _walked(octets: Octets, start: int, transfer_syntax: str, stop_after: int) -> InstanceHeader:
    walker = Walker(octets)
    dataset = walker.top_level(start, encoding_of(transfer_syntax), stop_after)
    pixels = None
    if walker.pixels is not None:
        tag, vr, offset, length = walker.pixels
        pixels = PixelData(tag, vr, offset, None if length == UNDEFINED else length)
    return InstanceHeader(dataset, transfer_syntax, pixels, complete=stop_after == UNDEFINED)
