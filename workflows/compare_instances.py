"""Are two Part 10 files the same instance: same data set, whatever their wrapper says.

PS3.10 7.1: preamble and File Meta Information belong to the file, not to the instance.
Called by `store_instances` when a SOP Instance UID that is held is offered with another hash.
"""

from __future__ import annotations

from typing import Final

from repository.instances.part10 import read_meta
from repository.tiers.ports import BlobStore, Incoming, ObjectMissing

_META: Final = 64 << 10
_AT_ONCE: Final = 1 << 20


def same_dataset(blobs: BlobStore, held: str, offered: Incoming) -> bool:
    """Tell whether the object `held` and the octets offered hold equal data sets.

    The transfer syntax must be equal too. A held object that cannot be found equals nothing.
    """
    try:
        ours = read_meta(blobs.read(held, 0, _META))
        theirs = read_meta(offered.read(0, _META))
        length = offered.size - theirs.dataset_offset
        if (
            ours.transfer_syntax != theirs.transfer_syntax
            or blobs.size(held) - ours.dataset_offset != length
        ):
            return False
        return all(
            blobs.read(held, ours.dataset_offset + at, _AT_ONCE)
            == offered.read(theirs.dataset_offset + at, _AT_ONCE)
            for at in range(0, length, _AT_ONCE)
        )
    except ObjectMissing:
        return False
