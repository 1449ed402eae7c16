"""Followers: every event once, in order, as it is committed by whatever process.

Design A3: in-process wake-up; across processes the engine's watcher beats the pulse (SQLite polls
`PRAGMA data_version`, PostgreSQL listens). Called by `ledger.py` and by the recorders.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from eventsourcing.persistence import Notification, Subscription

from kernel.refusals import Unavailable

if TYPE_CHECKING:
    from kernel.ledger.recorder import LedgerRecorder

T = TypeVar("T")

SAFETY_POLL_SECONDS = 1.0
"""How long a follower trusts silence before it looks for itself."""

_RETRY_SECONDS = 0.2


class Pulse:
    """Counts commits that somebody noticed; lets threads wait for the next one."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._beats = 0
        self._waiting = 0

    @property
    def awaited(self) -> bool:
        """Tell whether anybody waits: else nobody needs to look for commits."""
        return self._waiting > 0

    @property
    def beats(self) -> int:
        """Return the count, to be given to `wait` later."""
        return self._beats

    def beat(self) -> None:
        """Wake everybody who waits."""
        with self._condition:
            self._beats += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_seconds: float) -> bool:
        """Wait until the count differs from `seen`; tells whether it does."""
        with self._condition:
            self._waiting += 1
            try:
                return self._condition.wait_for(lambda: self._beats != seen, timeout_seconds)
            finally:
                self._waiting -= 1


class Tail(Generic[T]):
    """Yields batches of what `fetch` returns after a position, for ever, until stopped.

    `fetch(after)` returns the items and the position up to which they are complete. A ledger
    or key ring that is unavailable is waited for; any other error ends the iteration.
    """

    def __init__(
        self, fetch: Callable[[int], tuple[Sequence[T], int]], pulse: Pulse, after: int
    ) -> None:
        self._fetch = fetch
        self._pulse = pulse
        self._after = after
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[list[T]]:
        """Iterate over batches; blocks at the head until more come or it is stopped."""
        while not self._stopped.is_set():
            seen = self._pulse.beats
            try:
                items, reached = self._fetch(self._after)
            except Unavailable:
                self._stopped.wait(_RETRY_SECONDS)
                continue
            moved = reached > self._after
            self._after = max(reached, self._after)
            if items:
                yield list(items)
            elif not moved:
                self._pulse.wait(seen, SAFETY_POLL_SECONDS)

    def stop(self) -> None:
        """End the iteration soon; may be called from any thread."""
        self._stopped.set()
        self._pulse.beat()

    @property
    def stopped(self) -> bool:
        """Tell whether `stop` was called."""
        return self._stopped.is_set()


def wait_beyond(
    head: Callable[[], int], pulse: Pulse, position: int, timeout_seconds: float
) -> int:
    """Return the head once it lies beyond `position`, or as it is when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        seen = pulse.beats
        now = head()
        left = deadline - time.monotonic()
        if now > position or left <= 0:
            return now
        pulse.wait(seen, min(left, SAFETY_POLL_SECONDS))


class TailSubscription(Subscription["LedgerRecorder"]):
    """The library's subscription interface on a `Tail`: one notification at a time."""

    def __init__(
        self, recorder: LedgerRecorder, gt: int | None, topics: Sequence[str], limit: int = 1000
    ) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._limit = limit
        self._tail: Tail[Notification] = Tail(self._page, recorder.pulse, gt or 0)
        self._items = self._flatten()

    def stop(self) -> None:
        """End the iteration soon."""
        super().stop()
        self._tail.stop()

    def __next__(self) -> Notification:
        """Return the next notification; blocks at the head."""
        if self._has_been_stopped:
            raise StopIteration
        return next(self._items)

    def _flatten(self) -> Iterator[Notification]:
        for batch in self._tail:
            for item in batch:
                if self._has_been_stopped:
                    return
                yield item

    def _page(self, after: int) -> tuple[Sequence[Notification], int]:
        head = self._recorder.head().position
        found = self._recorder.select_notifications(
            after, self._limit, head, self._topics, inclusive_of_start=False
        )
        return found, found[-1].id if len(found) == self._limit else head
