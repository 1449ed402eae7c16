"""A study or series as one ZIP file of its instances, streamed.

Implements PS3.18 8.7.3 (application/zip) for the resources of 10.4.1.1.1. Called by `wado_rs.py`;
entries are stored, not deflated: pixels gain nothing, and what is sent needs no memory.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from projections.storage_map.view import Location
from workflows.retrieve_object import OpenedFile

MEDIA_TYPE: Final = "application/zip"
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""The same instances give the same file."""


class _Outlet:
    """Takes what the ZIP writer writes; has no `seek`, so that it streams."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, octets: bytes) -> int:
        self._held.append(bytes(octets))
        return len(octets)

    def flush(self) -> None:
        """Do nothing: `take` empties it."""

    def take(self) -> bytes:
        held, self._held = self._held, []
        return b"".join(held)


def zipped(
    locations: Sequence[Location], opened: Callable[[Location], OpenedFile]
) -> Iterator[bytes]:
    """Yield the pieces of the file; an entry is `{series}/{instance}.dcm`, named by UIDs."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for one in locations:
            entry = zipfile.ZipInfo(f"{one.series_uid}/{one.sop_uid}.dcm", _MOMENT)
            with archive.open(entry, "w", force_zip64=one.size >= 1 << 31) as target:
                for chunk in opened(one).chunks():
                    target.write(chunk)
                    yield outlet.take()
            yield outlet.take()
    yield outlet.take()
