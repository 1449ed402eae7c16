"""Part 10 files damaged by a seed: what broken senders, bad cables and bad people send.

PS3.5 7 and A (elements, sequences, fragments), PS3.10 7.1 (File Meta Information). Equal seeds give
equal octets. Called by `bad_input.py`, tests/adapters and tests/soak.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from tests.support import dicom_corpus
from tests.support.dicom_corpus import DEFLATED, Sample, slice_of
from tests.support.dicom_studies import generate, part10
from tests.support.injuries import CRUDE, INJURIES, LONG, TRICKS, UNDEFINED, Base, Place, Work

_LARGEST: Final = 150_000
_QUICK: Final = ("ECG", "SR", "PDF", "RT", "FILES")
"""Kinds that are made in a moment; the wheel's files stand for the others."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file after its accident."""

    name: str
    octets: bytes
    data: bytes
    """The data set as C-STORE carries it."""
    sop_class: str
    sop_uid: str
    syntax: str


@lru_cache
def bases() -> tuple[Base, ...]:
    """Return small files: one of every SOP class in every transfer syntax we have."""
    return tuple(_base(one) for one in slice_of(s for s in _small() if len(s.sop_uid) >= 18))


def damaged(base: Base, seed: int) -> Damaged:
    """Return `base` with one to four injuries, under a SOP Instance UID that belongs to `seed`."""
    chance = random.Random(seed)
    base = base.numbered(seed)
    work = Work(chance, base, bytearray(base.data), base.places)
    names = []
    injury = chance.choice(INJURIES)
    injury(work)
    names.append(injury.__name__.strip("_"))
    for _ in range(chance.choice((0, 0, 0, 1, 2, 3))):
        other = chance.choice(CRUDE)
        other(work)
        names.append(other.__name__.strip("_"))
    data = bytes(work.data)
    if base.syntax == DEFLATED:
        data = _deflated(chance, data)
    meta = base.meta
    if chance.random() < 0.2:
        trick = chance.choice(TRICKS)
        meta = trick(chance, meta)
        names.append(trick.__name__.strip("_"))
    return Damaged(
        f"{base.name}/{seed}: {', '.join(names)}",
        meta + data,
        data,
        base.sop_class,
        base.sop_uid,
        base.syntax,
    )


# -- the sound files --------------------------------------------------------------------------


def _small() -> Iterator[Sample]:
    made = (
        dicom_corpus.sample(kind, part10(ds)) for kind in _QUICK for ds in generate(kind, seed=11)
    )
    for sample in (*dicom_corpus.bundled(), *made):
        if len(sample.octets) <= _LARGEST:
            yield sample


def _base(sample: Sample) -> Base:
    octets = sample.octets
    start = 144 + int.from_bytes(octets[140:144], "little")
    data = octets[start:]
    if sample.transfer_syntax == DEFLATED:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    bare = Base(sample.name, octets[:start], data, sample.sop_class, sample.sop_uid,
                sample.transfer_syntax, ())  # fmt: skip
    return replace(bare, places=tuple(_places(bare, 0, len(data))))


def _places(base: Base, at: int, end: int) -> Iterator[Place]:
    """Find elements, items and fragments of a sound data set, all levels."""
    order = "little" if base.little else "big"
    data = base.data

    def number(start: int, size: int) -> int:
        return int.from_bytes(data[start : start + size], order)  # type: ignore[arg-type]

    while at + 8 <= end:
        tag = number(at, 2) << 16 | number(at + 2, 2)
        vr_at, length_at, size = -1, at + 4, 4
        if base.explicit and tag >> 16 != 0xFFFE:
            vr_at, length_at, size = at + 4, at + 6, 2
            if data[at + 4 : at + 6] in LONG:
                length_at, size = at + 8, 4
        value_at = length_at + size
        length = number(length_at, size)
        # What has no length of its own is entered: its parts follow as places.
        enters = (length == UNDEFINED and size == 4) or tag == 0xFFFEE000
        nested = data[vr_at : vr_at + 2] == b"SQ" if vr_at >= 0 else False
        stop = value_at if enters or nested else min(value_at + length, end)
        yield Place(tag, at, vr_at, length_at, size, value_at, stop)
        at = stop


def _deflated(chance: random.Random, data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(data)
    if chance.random() < 0.3:
        packed += packer.flush(zlib.Z_FULL_FLUSH)
        for _ in range(64):
            packed += packer.compress(bytes(1 << 20))
    packed += packer.flush()
    if chance.random() < 0.3:
        packed = packed[: chance.randrange(len(packed) + 1)]
    return packed + bytes(len(packed) & 1)
