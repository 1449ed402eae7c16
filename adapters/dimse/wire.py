"""Octets from and to the peer: one buffer, few system calls, and a clock on every wait.

The transport of PS3.8 9.1, plain or TLS. Used by `upper_layer.py` only.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from adapters.dimse.limits import Limits

_BUFFER: Final = 256 << 10
_AHEAD: Final = 4 << 10
"""Read beyond what is asked for, at most: heads come through the buffer, pixels past it."""
_PARTS: Final = 512
"""Pieces that one system call gathers, at most (Linux takes 1024)."""
_QUICK: Final = getattr(socket, "TCP_QUICKACK", 0)
_AT_ONCE_SECONDS: Final = 0.01
_LINGER_SECONDS: Final = 2.0
_LINGER_OCTETS: Final = 4 << 20


class PeerClosed(ConnectionError):  # noqa: N818 - says what is so
    """The transport connection is gone."""


class PeerStalled(TimeoutError):  # noqa: N818 - says what is so
    """The peer sends nothing, or so slowly that it only holds the line."""


class Wire:
    """A connected socket; one thread reads and writes."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._sock = sock
        self._limits = limits
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._began = 0.0
        self._received = 0
        self._deadline = 0.0
        self._waited = 0.0
        self._taken = 0
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._whole = 0 if self._tls else socket.MSG_WAITALL
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._patience(limits.stall_seconds)

    def expect_within(self, seconds: float) -> None:
        """Let the next message be complete within `seconds`, whatever its pace."""
        self._deadline = time.monotonic() + seconds

    def begin_message(self) -> None:
        """Start the clock that a slow peer has to keep up with."""
        self._deadline = 0.0
        self._began = time.monotonic()
        self._received = 0

    def wait(self, seconds: float) -> bool:
        """Return whether octets are there, or come within `seconds`."""
        if self._end > self._start or (self._tls and self._pending()):
            return True
        until = time.monotonic() + seconds
        while self._comes_within(max(0.0, until - time.monotonic())):
            if not self._tls or self._deciphered():
                return True
        return False

    def take(self, count: int) -> memoryview:
        """Return the next `count` octets (at most the buffer); good until the next call."""
        while self._end - self._start < count:
            if self._start + count > _BUFFER or self._start == self._end:
                self._compact()
            self._fill(count - (self._end - self._start))
        taken = self._view[self._start : self._start + count]
        self._start += count
        return taken

    def copy_into(self, target: memoryview) -> None:
        """Fill `target` with the next octets."""
        filled = 0
        while filled < len(target):
            if self._start == self._end:
                if len(target) - filled >= _AHEAD:
                    # In one system call, however many segments it comes in.
                    filled += self._receive(target[filled:], self._whole)
                    continue
                self._compact()
                self._fill(len(target) - filled)
            count = min(self._end - self._start, len(target) - filled)
            target[filled : filled + count] = self._view[self._start : self._start + count]
            self._start += count
            filled += count

    def skip(self, count: int) -> None:
        """Pass over the next `count` octets."""
        while count:
            if self._start == self._end:
                self._compact()
                self._fill(_BUFFER)
            passed = min(self._end - self._start, count)
            self._start += passed
            count -= passed

    def send(self, octets: bytes | bytearray | memoryview) -> None:
        """Send all of `octets`; raises PeerClosed, PeerStalled."""
        left = memoryview(octets)
        while left:
            left = left[self._give(self._sock.send, left) :]

    def send_parts(self, parts: list[bytes | memoryview]) -> None:
        """Send all of `parts`, in order and in few system calls; raises PeerClosed, PeerStalled."""
        if self._tls:
            self.send(b"".join(parts))
            return
        at = 0
        while at < len(parts):
            sent = self._give(self._sock.sendmsg, parts[at : at + _PARTS])
            while at < len(parts) and sent >= len(parts[at]):
                sent -= len(parts[at])
                at += 1
            if sent:
                parts[at] = memoryview(parts[at])[sent:]

    def close(self, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """Close; what we sent last reaches the peer (he closes first, for a moment)."""
        with suppress(OSError, ValueError):
            self._sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + _LINGER_SECONDS
            self._patience(_LINGER_SECONDS)
            left = _LINGER_OCTETS
            while left > 0 and not is_stopping() and time.monotonic() < deadline:
                count = self._sock.recv_into(self._buffer)
                left -= count or left
        self.drop()

    def drop(self) -> None:
        """Close at once."""
        with suppress(OSError):
            self._sock.close()

    def _give(self, call: Callable[[Any], int], octets: Any) -> int:
        """Make one system call that sends; returns how many octets went."""
        began = time.monotonic()
        try:
            count = call(octets)
        except (TimeoutError, BlockingIOError, ssl.SSLWantWriteError):
            raise PeerStalled("the peer takes nothing") from None
        except OSError as problem:
            raise PeerClosed(str(problem)) from None
        waited = time.monotonic() - began
        if waited > _AT_ONCE_SECONDS:
            # Only the time in which he made us wait counts, of the whole association.
            self._waited += waited
            self._taken += count
            over = self._waited - self._limits.slow_grace_seconds
            if over > 0 and self._taken < over * self._limits.slow_rate:
                raise PeerStalled("the peer takes too slowly")
        return count

    def _compact(self) -> None:
        waiting = self._end - self._start
        if waiting:
            self._buffer[:waiting] = bytes(self._view[self._start : self._end])
        self._start, self._end = 0, waiting

    def _fill(self, wanted: int) -> None:
        limit = self._end + max(wanted, _AHEAD)
        self._end += self._receive(self._view[self._end : limit])
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Let the peer have his acknowledgement now: Nagle's algorithm may make him wait for it.

        A message of two small PDUs would take 40 ms from peers that do not set TCP_NODELAY (as
        dcmtk by default). Linux forgets the option, so it is set after each read.
        """
        if _QUICK:
            with suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)

    def _receive(self, into: memoryview, flags: int = 0) -> int:
        if self._deadline:
            self._within_deadline()
        try:
            count = self._sock.recv_into(into, 0, flags)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            raise PeerStalled("the peer sends nothing") from None
        except (OSError, ValueError) as problem:
            raise PeerClosed(str(problem)) from None
        if count == 0:
            raise PeerClosed("the peer closed the connection")
        self._received += count
        self._keeps_up()
        return count

    def _keeps_up(self) -> None:
        if self._began:
            over = time.monotonic() - self._began - self._limits.slow_grace_seconds
            if over > 0 and self._received < over * self._limits.slow_rate:
                raise PeerStalled("the peer sends too slowly")

    def _within_deadline(self) -> None:
        left = self._deadline - time.monotonic()
        is_held = self._tls and self._pending()
        if left <= 0 or not (is_held or self._comes_within(left)):
            raise PeerStalled("the peer did not finish in time")

    def _comes_within(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _deciphered(self) -> bool:
        """Tell whether what came holds octets of his: TLS says things of its own in between."""
        patience = self._sock.gettimeout()
        self._sock.settimeout(0)
        try:
            self._compact()
            count = self._sock.recv_into(self._view[:_AHEAD])
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except (OSError, ValueError):
            return True  # the connection is at its end, which the next reading finds
        finally:
            self._sock.settimeout(patience)
        self._end += count
        self._received += count
        return True

    def _pending(self) -> bool:
        assert isinstance(self._sock, ssl.SSLSocket)
        return self._sock.pending() > 0

    def _patience(self, seconds: float) -> None:
        if self._tls:
            self._sock.settimeout(seconds)
            return
        # The kernel keeps the time: one system call a read instead of two.
        self._sock.setblocking(True)
        value = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
