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
from kernel.refusals import Refusal

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
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"ledger-{name}-commit", daemon=True)
        self._thread.start()

    def submit(self, prepared: Prepared) -> Future[int]:
        """Queue an append; the future holds its last position, or raises its refusal."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("append from a callback of an append: the commit would wait on it")
        future: Future[int] = Future()
        with self._lock:
            if self._closed:
                raise LedgerUnavailable("the ledger is closed")
            self._queue.put(_Waiting(prepared, future))
        return future

    def close(self) -> None:
        """Commit what waits, then end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            group, ended = self._gather()
            # A caller may have cancelled while it waited; from here on nobody can.
            group = [one for one in group if one.future.set_running_or_notify_cancel()]
            if group:
                self._commit_group(group)

    def _gather(self) -> tuple[list[_Waiting], bool]:
        """Wait for an append and take all that stand behind it, within bounds."""
        group: list[_Waiting] = []
        events = size = 0
        waiting = self._queue.get()
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

    def _commit_group(self, group: list[_Waiting]) -> None:
        try:
            outcomes = self._commit([one.prepared for one in group])
        except LedgerUnavailable as error:
            for one in group:
                one.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to its caller
            if len(group) == 1:
                group[0].future.set_exception(error)
                return
            # One append that the database cannot take must not fail its neighbours.
            _log.exception("group commit failed; committing one by one")
            for one in group:
                self._commit_group([one])
        else:
            for one, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, Refusal):
                    one.future.set_exception(outcome)
                else:
                    one.future.set_result(outcome)
