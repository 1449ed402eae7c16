"""Seeds of damage, sent to an archive in batches, with what must hold after each.

Restartable: a seed always makes the same input, so a piece that failed is run again alone. Called
by tests/adapters (the kept seeds) and tests/soak (all of them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from tests.support.bad_input import Target
from tests.support.damaged_bodies import body
from tests.support.damaged_files import Damaged, bases, damaged
from tests.support.damaged_pdus import conversation

_BATCH: Final = 50
_AT_ONCE: Final = 8


def store_files(target: Target, seeds: Iterable[int], *, look: int = 1) -> int:
    """Send damaged files by C-STORE; all are answered, one in `look` of the stored is looked at.

    Returns how many were stored.
    """
    sound = bases()
    stored = 0
    for batch in _batches(seeds):
        files = [damaged(sound[seed % len(sound)], seed) for seed in batch]
        words = target.send(files)
        assert len(words) == len(files)
        refused = [one.sop_uid for one, word in zip(files, words, strict=True) if word]
        kept = [one for one, word in zip(files, words, strict=True) if not word]
        assert all(word & 0xF000 in {0xA000, 0xC000} or word in {0, 0x0110} for word in words)
        target.check(refused)
        _look(target, kept[::look])
        target.acknowledged.clear()  # looked at: what the test holds is no growth of the product
        stored += len(kept)
    return stored


def post_files(target: Target, seeds: Iterable[int], *, look: int = 1) -> int:
    """Send damaged files by STOW-RS, each in a request of its own; returns how many were stored."""
    sound = bases()
    stored = 0
    for batch in _batches(seeds):
        files = [damaged(sound[seed % len(sound)], seed) for seed in batch]
        kept = []
        for one in files:
            answer = target.post_file(one)
            assert answer.status_code in {200, 202, 400, 409, 413, 415}, (
                f"{one.name}: {answer.text}"
            )
            if answer.status_code == 200:
                uid = answer.json()["00081199"]["Value"][0]["00081155"]["Value"][0]
                target.acknowledged[uid] = one.octets[-len(one.data) :] if one.data else b""
                kept.append((uid, one))
        target.check()
        for uid, one in kept[::look]:
            with _naming(one):
                target.look_at(uid)
        target.acknowledged.clear()
        stored += len(kept)
    return stored


def hold_conversations(target: Target, seeds: Iterable[int]) -> None:
    """Hold damaged conversations, eight at once; each ends in time."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for batch in _batches(seeds):
            list(pool.map(target.converse, map(conversation, batch)))
            target.check()


def post_bodies(target: Target, seeds: Iterable[int]) -> int:
    """Send damaged STOW-RS requests; returns of how many something was stored."""
    stored = 0
    for batch in _batches(seeds):
        for seed in batch:
            sent = body(seed)
            answer = target.post(sent.octets, sent.content_type)
            told = f"{sent.name}: {answer.status_code} {answer.text[:300]}"
            assert answer.status_code in {200, 202, 400, 409, 413, 415}, told
            target.no_defects()
            if answer.status_code in {200, 202}:
                stored += 1
                for item in answer.json().get("00081199", {}).get("Value", []):
                    target.told.add(item["00081155"]["Value"][0])
        target.check()
    return stored


def _look(target: Target, files: Iterable[Damaged]) -> None:
    for one in files:
        with _naming(one):
            target.look_at(one.sop_uid)


@contextmanager
def _naming(one: Damaged) -> Iterator[None]:
    try:
        yield
    except AssertionError as failure:
        failure.add_note(one.name)
        raise


def _batches(seeds: Iterable[int]) -> Iterator[tuple[int, ...]]:
    found = tuple(seeds)
    for start in range(0, len(found), _BATCH):
        yield found[start : start + _BATCH]
