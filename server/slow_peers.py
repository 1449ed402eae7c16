"""uvicorn's HTTP protocol for peers that drip, stop, or never read: their line is cut.

RFC 9112 9.5 (closing when a peer stalls). uvicorn itself waits for ever for a head, a body or a
reader. Used by `server.roles` as the `http=` class; what an application sees is a lost client.
"""

from __future__ import annotations

import asyncio
from typing import Final

from server.tls import PeerCertificateProtocol

_LOOK_SECONDS: Final = 2.0


class PatientProtocol(PeerCertificateProtocol):
    """Waits, but not for ever; the time in which we ourselves let the peer wait is not counted."""

    head_seconds: float = 30.0
    """From the first octet, or the connection, to the end of a request's head."""
    head_octets: int = 256 << 10
    stall_seconds: float = 60.0
    """Without an octet of a body, or without the peer taking ours."""
    grace_seconds: float = 60.0
    """After this a body must come faster than `rate`."""
    rate: int = 4096
    """Octets a second."""
    look_seconds: float = _LOOK_SECONDS

    _expects = False
    """A request is on its way in."""
    _head_done = False
    _began = 0.0
    _heard = 0.0
    _octets = 0
    _unread_since = 0.0
    _unread = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at the peer now and then."""
        super().connection_made(transport)
        self._begin()
        self._timer = self.loop.call_later(self.look_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes; a head without end is cut off."""
        if not self._expects:
            self._begin()
        self._octets += len(data)
        self._heard = self.loop.time()
        if not self._head_done and self._octets > self.head_octets:
            self.transport.abort()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin the clock of a request."""
        if not self._expects:
            self._begin()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Go over from the head to the body."""
        self._head_done = True
        self._began, self._octets = self.loop.time(), 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for nothing more of this request."""
        self._expects = False
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the WebSocket, which pings its peer."""
        if self._timer is not None:
            self._timer.cancel()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Note how much the peer has not taken."""
        self._unread_since = self.loop.time()
        self._unread = self.transport.get_write_buffer_size()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the peer takes what is sent."""
        self._unread_since = 0.0
        super().resume_writing()

    def _begin(self) -> None:
        self._expects, self._head_done = True, False
        self._began = self._heard = self.loop.time()
        self._octets = 0

    def _look(self) -> None:
        if self.transport.is_closing() and not self._unread_since:
            return
        if self._is_too_slow():
            self.transport.abort()
            return
        self._timer = self.loop.call_later(self.look_seconds, self._look)

    def _is_too_slow(self) -> bool:
        now = self.loop.time()
        if self._unread_since and now - self._unread_since > self.stall_seconds:
            left = self.transport.get_write_buffer_size()
            if self._unread - left < self.stall_seconds * self.rate:
                return True
            self._unread_since, self._unread = now, left
        if not self._expects:
            return False
        if self.flow.read_paused:
            # We are behind, not he.
            self._began = self._heard = now
            self._octets = 0
            return False
        if not self._head_done:
            return now - self._began > self.head_seconds
        if now - self._heard > self.stall_seconds:
            return True
        over = now - self._began - self.grace_seconds
        return over > 0 and self._octets < over * self.rate
