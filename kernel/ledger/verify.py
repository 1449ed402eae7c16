"""Verification: the first event that was altered, is missing or was inserted, if any.

Design A3 (tamper evidence), `pianku events verify`. Recomputes the whole chain from the rows and
holds it against the head row, the claims and the seals. Called by `server/cli/events.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from kernel.ledger.chain import SUITE, Head, Row, expected_hash, genesis
from kernel.ledger.recorder import LedgerRecorder
from kernel.ledger.seals import Seal

_PAGE: Final = 2000
_BEFORE_ALL: Final = -(2**63)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and the first position at which it shows."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification."""

    ledger: str
    events: int
    """How many events were found in order."""
    head: Head
    seals: int
    """How many seals were held against the chain."""
    finding: Finding | None

    @property
    def ok(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.finding is None


def verify(
    recorder: LedgerRecorder,
    seals: Iterable[Seal] = (),
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Check every event of a ledger up to its head; appends may go on meanwhile.

    `progress` is told the position reached, page by page.
    """
    walk = _Walk(recorder, seals)
    finding = walk.run(progress) or walk.after_the_walk()
    return Verdict(recorder.name, walk.position, walk.head, walk.seals_held, finding)


class _Walk:
    """One pass over the rows of a ledger."""

    def __init__(self, recorder: LedgerRecorder, seals: Iterable[Seal]) -> None:
        self._recorder = recorder
        self._seals: dict[int, list[Seal]] = {}
        for seal in seals:
            self._seals.setdefault(seal.position, []).append(seal)
        self._hash = genesis(recorder.name)
        self._at = 0
        self.head = recorder.head()
        self.position = 0
        self.seals_held = 0

    def run(self, progress: Callable[[int], None]) -> Finding | None:
        if self.head.suite != SUITE:
            return Finding(0, f"the head names the hash suite {self.head.suite!r}")
        after = _BEFORE_ALL
        while rows := self._recorder.rows(after, _PAGE, until=self.head.position):
            for row in rows:
                finding = self._check(row)
                if finding is not None:
                    return finding
            after = rows[-1].position
            progress(self.position)
        return None

    def after_the_walk(self) -> Finding | None:
        return (
            self._check_head()
            or self._check_seals_beyond()
            or self._check_streams()
            or self._check_claims()
        )

    def _check(self, row: Row) -> Finding | None:
        wanted = self.position + 1
        if row.position < wanted:
            return Finding(row.position, "inserted: an event lies before the first position")
        if row.position > wanted:
            return Finding(wanted, "missing: there is no event at this position")
        if expected_hash(self._hash, row) != row.hash:
            return Finding(wanted, "altered or inserted: the hash does not fit the event")
        if row.at < self._at:
            return Finding(wanted, "the time of the event lies before that of the one before")
        for seal in self._seals.get(wanted, ()):
            self.seals_held += 1
            if seal.hash != row.hash:
                return Finding(wanted, f"rewritten: the seal of {seal.signed_by} differs")
        self.position, self._hash, self._at = wanted, row.hash, row.at
        return None

    def _check_head(self) -> Finding | None:
        if self.position < self.head.position:
            return Finding(self.position + 1, "missing: the ledger ends before its head")
        if self._hash != self.head.hash:
            return Finding(self.position, "the head does not hold the hash of the last event")
        beyond = self._recorder.rows(self.head.position, 1)
        if beyond and self._recorder.head().position < beyond[0].position:
            return Finding(beyond[0].position, "inserted: an event lies beyond the head")
        return None

    def _check_seals_beyond(self) -> Finding | None:
        beyond = [position for position in self._seals if position > self.head.position]
        # A seal may be younger than this verification, but not than the head as it is now.
        if beyond and max(beyond) > self._recorder.head().position:
            return Finding(
                self.head.position + 1, f"truncated: a seal vouches for events up to {max(beyond)}"
            )
        return None

    def _check_streams(self) -> Finding | None:
        gap = self._recorder.stream_gap()
        return None if gap is None else Finding(gap, "the version before it is not in its stream")

    def _check_claims(self) -> Finding | None:
        low, high = self._recorder.claim_bounds()
        # The head is looked at after the claims: appends may go on meanwhile.
        if low >= 1 and high <= self._recorder.head().position:
            return None
        return Finding(low if low < 1 else high, "a claim was taken by no event")
