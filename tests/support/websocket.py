"""A WebSocket client for tests, on a plain socket (RFC 6455); wsproto does the framing.

Called by tests of the notification channel.
"""

from __future__ import annotations

import json
import socket
from typing import Any, Self

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)


class WebSocket:
    """One connection; `status` is 101 once it is open, else why it is not."""

    def __init__(self, port: int, path: str, headers: dict[str, str], *, wait: float = 15) -> None:
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=wait)
        self._events: list[Event] = []
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        asked = Request(host=f"127.0.0.1:{port}", target=path, extra_headers=extra)
        self._sock.sendall(self._wire.send(asked))
        first = self._next()
        self.status = 101 if isinstance(first, AcceptConnection) else 0
        if isinstance(first, RejectConnection):
            self.status = first.status_code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def say(self, text: str) -> None:
        """Send a message."""
        self._sock.sendall(self._wire.send(TextMessage(text)))

    def hear(self) -> dict[str, Any]:
        """Return the next message, which is JSON."""
        parts = ""
        while True:
            event = self._next()
            if isinstance(event, TextMessage):
                parts += event.data
                if event.message_finished:
                    told: dict[str, Any] = json.loads(parts)
                    return told
            elif isinstance(event, CloseConnection):
                raise ConnectionError(f"closed: {event.code}")

    def close(self) -> None:
        """Say goodbye and wait for the answer."""
        self._sock.sendall(self._wire.send(CloseConnection(1000)))
        while not isinstance(self._next(), CloseConnection):
            pass

    def _next(self) -> Event:
        while not self._events:
            self._wire.receive_data(self._sock.recv(65536) or None)
            for event in self._wire.events():
                if isinstance(event, Ping):
                    self._sock.sendall(self._wire.send(event.response()))
                elif not isinstance(event, RejectData):
                    self._events.append(event)
        return self._events.pop(0)
