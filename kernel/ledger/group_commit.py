"""Group commit: appends that wait at the same time share one transaction and one fsync.

Design A3 ("group commit everywhere"; one fsync an event is 20 times slower). Threads hand in
prepared appends; one committer thread drains whatever waits. Called by `ledger.py` only.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from kernel.ledger.admission import Outcome, Prepared
from kernel.ledger.ports import LedgerUnavailable

MAX_EVENTS = 5000
MAX_BYTES = 8 * 1024 * 1024

_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    prepared: Prepared
    future: Future[int]


class Committer:
    """One thread that commits; futures are resolved only when their commit is durable."""

    def __init__(self, commit: Callable[[Sequence[Prepared]], list[Outcome]], name: str) -> None:
        self._commit = commit
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        """Held by the thread that commits."""
        self._outstanding = 0
        """Appends that were handed in and are not committed yet."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"ledger-{name}-commit", daemon=True)
        self._thread.start()

    def commit(self, prepared: Prepared) -> int:
        """Commit an append and return its last position.

        With nobody else at it the caller commits itself: two changes of thread cost as much as
        the fsync. Otherwise it waits for a group. Nothing overtakes what was handed in before.
        """
        (outcome,) = self.commit_all([prepared])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def commit_all(self, prepared: Sequence[Prepared]) -> list[int | Exception]:
        """Like `commit` for several appends, each for itself; returns what each would."""
        self._refuse_own_thread()
        with self._lock:
            self._refuse_when_closed()
            if alone := self._outstanding == 0:
                self._turn.acquire()
                self._outstanding = 1
        if not alone:
            return [_result(future) for future in [self.submit(one) for one in prepared]]
        try:
            return self._commit_group(prepared)
        finally:
            self._settled(1)
            self._turn.release()

    def submit(self, prepared: Prepared) -> Future[int]:
        """Queue an append; the future holds its last position, or raises its refusal."""
        self._refuse_own_thread()
        future: Future[int] = Future()
        with self._lock:
            self._refuse_when_closed()
            self._outstanding += 1
            self._queue.put(_Waiting(prepared, future))
        return future

    def close(self) -> None:
        """Commit what waits, then end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()
        # A caller that commits itself is let finish.
        with self._turn:
            pass

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("append from a callback of an append: the commit would wait on it")

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")

    def _settled(self, count: int) -> None:
        with self._lock:
            self._outstanding -= count

    def _run(self) -> None:
        ended = False
        while not ended:
            first = self._queue.get()
            with self._turn:
                group, ended = self._gather(first)
                # A caller may have cancelled while it waited; from here on nobody can.
                running = [one for one in group if one.future.set_running_or_notify_cancel()]
                results = self._commit_group([one.prepared for one in running])
                self._settled(len(group))
            for one, result in zip(running, results, strict=True):
                if isinstance(result, int):
                    one.future.set_result(result)
                else:
                    one.future.set_exception(result)

    def _gather(self, waiting: _Waiting | None) -> tuple[list[_Waiting], bool]:
        """Take all that stand behind an append, within bounds."""
        group: list[_Waiting] = []
        events = size = 0
        while waiting is not None:
            group.append(waiting)
            events += len(waiting.prepared.events)
            size += waiting.prepared.size_bytes
            if events >= MAX_EVENTS or size >= MAX_BYTES:
                return group, False
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit_group(self, group: Sequence[Prepared]) -> list[int | Exception]:
        if not group:
            return []
        try:
            return list(self._commit(group))
        except LedgerUnavailable as error:
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to its caller
            if len(group) == 1:
                return [error]
            # One append that the database cannot take must not fail its neighbours.
            _log.exception("group commit failed, committing one by one")
            return [result for one in group for result in self._commit_group([one])]


def _result(future: Future[int]) -> int | Exception:
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to its caller
        return error
