"""Lent connections: as many as there are threads that read at once, kept for the next reader.

Design A3 (reads on connections of their own, beside the one that commits).
Called by both engines; knows no database.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What is lent."""

    def close(self) -> None:
        """End the connection."""
        ...


C = TypeVar("C", bound=Closable)


class Readers(Generic[C]):
    """Lends connections; one that saw an error, or that `lost` says is gone, is not lent again."""

    def __init__(
        self, connect: Callable[[], C], most: int, lost: Callable[[C], bool] = lambda _: False
    ) -> None:
        self._connect = connect
        self._lost = lost
        self._idle: queue.LifoQueue[C] = queue.LifoQueue()
        self._slots = threading.BoundedSemaphore(most)

    @contextlib.contextmanager
    def lend(self) -> Generator[C]:
        """Lend a connection for the block; waits when too many are lent."""
        with self._slots:
            connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.put(connection)

    def close(self) -> None:
        """Close the connections that are not lent."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _take(self) -> C:
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return self._connect()
            if not self._lost(connection):
                return connection
            connection.close()
