"""Which representation of an instance or a frame a client gets.

Implements PS3.18 8.7.3 (DICOM media types), tables 8.7.3-2 to -5 (transfer syntaxes). Pure.
As stored whenever the client takes it: `transfer-syntax=*`, the stored one, or nothing said.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from adapters.http.media_types import ANYTHING, MediaType, accepted
from adapters.http.refusals import NotAcceptable
from repository.instances.compression import JPEG_BASELINE, LOSSLESS
from repository.instances.part10 import (
    EXPLICIT_VR_BIG,
    EXPLICIT_VR_LITTLE,
    IMPLICIT_VR_LITTLE,
    is_encapsulated,
)
from repository.instances.transcoding import LOSSY_MAKEABLE, MAKEABLE

OCTETS: Final = "application/octet-stream"
DICOM: Final = "application/dicom"
_JPEG: Final = "1.2.840.10008.1.2.4."
_MEDIA: Final[dict[str, str]] = {
    **{_JPEG + n: "image/jpeg" for n in ("50", "51", "57", "70")},
    **{_JPEG + n: "image/jls" for n in ("80", "81")},
    **{_JPEG + n: "image/jp2" for n in ("90", "91")},
    **{_JPEG + n: "image/jpx" for n in ("92", "93")},
    **{_JPEG + n: "video/mpeg" for n in ("100", "100.1", "101", "101.1")},
    **{
        _JPEG + n: "video/mp4"
        for n in (
            "102",
            "102.1",
            "103",
            "103.1",
            "104",
            "104.1",
            "105",
            "105.1",
            "106",
            "106.1",
            "107",
            "108",
        )
    },
    **{_JPEG + n: "image/jxl" for n in ("110", "111", "112")},
    **{_JPEG + n: "image/jphc" for n in ("201", "202", "203")},
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}


@dataclass(frozen=True, slots=True)
class Representation:
    """What is sent."""

    media_type: str
    transfer_syntax: str
    as_stored: bool
    multipart: bool

    @property
    def content_type(self) -> str:
        """Return the Content-Type of a part or of the whole."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax}"


def media_of(transfer_syntax: str) -> str:
    """Return the media type of a compressed bit stream, octet-stream where none is named."""
    return _MEDIA.get(transfer_syntax, OCTETS)


@lru_cache(maxsize=1024)
def for_frames(
    header: str | None, query: tuple[str, ...], stored: str, *, single: bool
) -> Representation:
    """Choose how frames are sent; raises NotAcceptable."""
    told = accepted(header, query)
    for media in told:
        found = _frame(media, stored, single=single)
        if found is not None:
            return found
    # What is not to be had as it is, or plain: made without loss, then with it for who names it.
    for make in (_compressed_frame, _lossy_frame):
        for media in told:
            found = make(media, single=single)
            if found is not None:
                return found
    raise NotAcceptable("frames are not available in an accepted form", stored=stored)


def _frame(  # noqa: PLR0911 - one return a row of the table
    media: MediaType, stored: str, *, single: bool
) -> Representation | None:
    if media.essence == "multipart/related" or media == ANYTHING or media.essence == "*/*":
        wanted, multipart = media.get("type").lower() or "*/*", True
    elif single:
        wanted, multipart = media.essence, False
    else:
        return None
    syntax = media.get("transfer-syntax")
    own = media_of(stored)
    main, _, sub = wanted.partition("/")
    takes_own = MediaType(main, sub).covers(own)
    takes_octets = MediaType(main, sub).covers(OCTETS)
    if is_encapsulated(stored):
        if takes_own and syntax in {"", "*", stored}:
            return Representation(own, stored, as_stored=True, multipart=multipart)
        if takes_octets and syntax in {"*", stored}:
            return Representation(OCTETS, stored, as_stored=True, multipart=multipart)
        if takes_octets and syntax in {"", EXPLICIT_VR_LITTLE}:
            return Representation(OCTETS, EXPLICIT_VR_LITTLE, as_stored=False, multipart=multipart)
        return None
    if not takes_octets:
        return None
    if stored == EXPLICIT_VR_BIG:
        as_stored = syntax in {"*", stored}
        return Representation(
            OCTETS,
            stored if as_stored else EXPLICIT_VR_LITTLE,
            as_stored=as_stored,
            multipart=multipart,
        )
    # The octets of native pixel data are the same in all little endian transfer syntaxes.
    if syntax in {"", "*", stored, EXPLICIT_VR_LITTLE, IMPLICIT_VR_LITTLE}:
        return Representation(OCTETS, EXPLICIT_VR_LITTLE, as_stored=True, multipart=multipart)
    return None


def _compressed_frame(media: MediaType, *, single: bool) -> Representation | None:
    """Choose a lossless stream that the client names by media type or transfer syntax."""
    wanted, multipart = _wanted(media, single=single)
    syntax = media.get("transfer-syntax")
    for makeable in LOSSLESS:
        # A wildcard is no wish to have pixels compressed.
        if wanted == media_of(makeable) and syntax in {"", "*", makeable}:
            return Representation(wanted, makeable, as_stored=False, multipart=multipart)
        if wanted == OCTETS and syntax == makeable:
            return Representation(OCTETS, makeable, as_stored=False, multipart=multipart)
    return None


def _lossy_frame(media: MediaType, *, single: bool) -> Representation | None:
    """Choose JPEG baseline for a client that names it and takes nothing else."""
    wanted, multipart = _wanted(media, single=single)
    if wanted != media_of(JPEG_BASELINE) or media.get("transfer-syntax") != JPEG_BASELINE:
        return None
    return Representation(wanted, JPEG_BASELINE, as_stored=False, multipart=multipart)


def _wanted(media: MediaType, *, single: bool) -> tuple[str, bool]:
    """Return the media type of a part, and whether it is a part; empty when it cannot be."""
    if media.essence == "multipart/related":
        return media.get("type").lower(), True
    return (media.essence, False) if single else ("", False)


def wants_zip(header: str | None, query: tuple[str, ...]) -> bool:
    """Tell whether the client wants a ZIP file most."""
    return any(media.essence == "application/zip" for media in accepted(header, query)[:1])


@lru_cache(maxsize=1024)
def for_instances(
    header: str | None, query: tuple[str, ...], stored: str, *, single: bool
) -> Representation:
    """Choose how whole instances are sent; raises NotAcceptable."""
    told = accepted(header, query)
    for makeable in (MAKEABLE, LOSSY_MAKEABLE):
        for media in told:
            found = _instance(media, stored, makeable, single=single)
            if found is not None:
                return found
    raise NotAcceptable("instances are not available in an accepted form", stored=stored)


def _instance(
    media: MediaType, stored: str, makeable: frozenset[str], *, single: bool
) -> Representation | None:
    if media.essence == "multipart/related":
        multipart, wanted = True, media.get("type", DICOM).lower()
    elif media.essence == DICOM and single:
        multipart, wanted = False, DICOM
    elif media.covers(DICOM) and media.main == "*":
        multipart, wanted = True, DICOM
    else:
        return None
    syntax = media.get("transfer-syntax")
    if wanted not in {DICOM, "*/*", "application/*"}:
        return None
    if syntax in {"", "*", stored}:
        return Representation(DICOM, stored, as_stored=True, multipart=multipart)
    if syntax in makeable:
        return Representation(DICOM, syntax, as_stored=False, multipart=multipart)
    return None
