"""Where the demo data go, and patience with doors that are still opening.

Design A10 (addresses, AE title). Called by the senders and `load`.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, TypeVar

from server.demo.refusals import DoorRefused

T = TypeVar("T")

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_BUSY: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class DemoTarget:
    """The front doors of a running server."""

    http: str = "127.0.0.1:8080"
    """HOST:PORT, or a URL when the door has TLS: https://HOST:PORT."""
    dimse: tuple[str, int, str] = ("127.0.0.1", 11112, "PIANKU")
    mllp: tuple[str, int] = ("127.0.0.1", 2575)
    assigning_authority: str
    token: str = ""
    """Bearer token; empty where loopback is trusted."""
    tls: ssl.SSLContext | None = None
    patience_seconds: float = 60.0
    """How long a door may take until it answers at all."""

    def connect(self) -> HTTPConnection:
        """Return a connection to the HTTP door."""
        scheme, _, address = self.http.rpartition("://")
        if scheme == "https":
            return HTTPSConnection(address, timeout=120, context=self.tls)
        return HTTPConnection(address, timeout=120)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a POST; waits while the door is closed or busy, then raises DoorRefused."""
        door = f"HTTP {path} at {self.http}"
        sent = {**headers, "Host": self.http.rpartition("://")[2]}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"

        def send() -> Reply:
            connection = self.connect()
            try:
                connection.request("POST", path, body, sent)
                answer = connection.getresponse()
                reply = Reply(answer.status, answer.getheader("Content-Type", ""), answer.read())
            finally:
                connection.close()
            if reply.status in _BUSY:
                raise StillOpening(str(reply.status))
            return reply

        return patiently(send, door=door, seconds=self.patience_seconds)


@dataclass(frozen=True)
class Reply:
    """An HTTP response, read to its end."""

    status: int
    content_type: str
    body: bytes


class StillOpening(Exception):  # noqa: N818 - a state of the door, caught by `patiently`
    """The door does not answer yet; it is worth asking again."""


def patiently(attempt: Callable[[], T], *, door: str, seconds: float) -> T:
    """Return what `attempt` returns, asking again while the door is still opening."""
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return attempt()
        except (OSError, HTTPException, StillOpening) as problem:
            if time.monotonic() + pause > deadline:
                status = str(problem) if isinstance(problem, StillOpening) else "nothing"
                detail = "" if isinstance(problem, StillOpening) else type(problem).__name__
                raise DoorRefused(door, status, detail) from problem
        time.sleep(pause)
        pause = min(pause * 1.6, _LONGEST_PAUSE_SECONDS)


def open_socket(address: tuple[str, int], *, door: str, seconds: float) -> socket.socket:
    """Return a connected socket, waiting while nobody listens."""
    return patiently(
        lambda: socket.create_connection(address, timeout=30), door=door, seconds=seconds
    )
