"""With which header an instance is given out: as corrected, or as it was stored if asked for.

Requirements R-6.3.4, decision 0024; `original=true` is a query parameter of ours for the resources
of PS3.18 9 and 10.4.1.1. Called by the resources, after the caller's right was checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.dicomweb import decode
from adapters.dicomweb.archive import Archive
from adapters.http.exchange import Exchange
from projections.storage_map.view import Location
from repository.instances.correcting import Changes, fingerprint
from workflows.retrieve_object import OpenedFile, open_file

ORIGINAL: Final = "original"
"""What the record of an access says of one to original headers."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The version of each instance of one answer."""

    original: bool = False
    changes: Mapping[str, Changes] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """Return what the record of the access tells of it."""
        return ORIGINAL if self.original else ""

    def tag(self, location: Location) -> str:
        """Return what tells this version of an instance from others: for an ETag."""
        changes = self.changes.get(location.sop_uid)
        return f"{location.key}-{fingerprint(changes)}" if changes else location.key

    def open(self, archive: Archive, location: Location) -> OpenedFile:
        """Open the file of an instance (waits for the disk where its header is corrected)."""
        changes = self.changes.get(location.sop_uid)
        return open_file(archive.blobs, location.key, location.size, changes)


async def versions(exchange: Exchange, archive: Archive, locations: Sequence[Location]) -> Versions:
    """Return with which header the client is to get the instances."""
    return await look_up(exchange, archive, locations)


def look_up(
    exchange: Exchange, archive: Archive, locations: Sequence[Location]
) -> asyncio.Future[Versions]:
    """Begin to look with which header the client is to get the instances."""
    loop = asyncio.get_running_loop()
    if decode.wants_original(exchange.query):
        known: asyncio.Future[Versions] = loop.create_future()
        known.set_result(Versions(original=True))
        return known
    uids = [one.sop_uid for one in locations]
    return loop.run_in_executor(
        archive.threads, lambda: Versions(changes=archive.index.corrections(uids))
    )
