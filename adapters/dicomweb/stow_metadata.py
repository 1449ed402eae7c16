"""STOW-RS of metadata and bulk data: instances are composed, then stored like any other.

Implements PS3.18 10.5.1 (application/dicom+json, application/dicom+xml and their bulk data parts).
Called by `stow_rs.py`; unlike Part 10 files, what comes apart is held in memory until all is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.dicomweb import encode, native_xml
from adapters.http.media_types import MediaType, parse
from adapters.http.refusals import BadMultipart, BodyTooLarge
from repository.instances.composing import Bulk
from repository.instances.refusals import MalformedInstance

HELD_OCTETS: Final = 512 << 20
"""The most that metadata and bulk data of one request may be together."""
METADATA: Final = frozenset((encode.JSON, encode.XML))
_OCTETS: Final = MediaType("application", "octet-stream")
_decode: Final = msgspec.json.Decoder().decode


class MetadataParts:
    """Gathers the parts of one request."""

    def __init__(self) -> None:
        self.datasets: list[dict[str, Any]] = []
        self._bulk: dict[str, tuple[MediaType, list[bytes]]] = {}
        self._held = 0
        self._headers: Mapping[str, str] = {}
        self._part = bytearray()

    def begin(self, headers: Mapping[str, str]) -> None:
        """Begin a part."""
        self._headers = headers
        self._part = bytearray()

    def data(self, octets: bytes) -> None:
        """Take octets of the part; raises BodyTooLarge."""
        self._held += len(octets)
        if self._held > HELD_OCTETS:
            raise BodyTooLarge("metadata and bulk data are larger than we hold")
        self._part += octets

    def end(self) -> None:
        """End the part; raises MalformedInstance when it should be metadata and is none."""
        media = parse(self._headers.get("content-type", "")) or _OCTETS
        octets, self._part = bytes(self._part), bytearray()
        if media.essence == encode.JSON:
            self.datasets += _json(octets)
        elif media.essence == encode.XML:
            self.datasets.append(native_xml.dataset_of(octets))
        else:
            location = self._headers.get("content-location", "").strip().strip("<>")
            if not location:
                raise BadMultipart("a part of bulk data has no Content-Location")
            # PS3.18 8.7.3.5: the frames of an image come as parts of their own.
            uri = location.rpartition("/frames/")[0] or location
            self._bulk.setdefault(uri, (media, []))[1].append(octets)

    def bulk(self) -> dict[str, Bulk]:
        """Return the bulk data by their URI."""
        return {
            uri: Bulk(media.essence, media.get("transfer-syntax"), tuple(values))
            for uri, (media, values) in self._bulk.items()
        }


def _json(octets: bytes) -> list[dict[str, Any]]:
    try:
        told = _decode(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedInstance("the metadata are not JSON") from None
    found = told if isinstance(told, list) else [told]
    if not all(_is_dataset(one) for one in found):
        raise MalformedInstance("the metadata are no DICOM JSON data sets")
    return found


def _is_dataset(told: Any) -> bool:
    return isinstance(told, dict) and all(
        isinstance(attribute, dict) and isinstance(attribute.get("vr"), str)
        for attribute in told.values()
    )
