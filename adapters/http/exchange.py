"""One HTTP request and its answer on bare ASGI, without a framework in between.

Implements the ASGI HTTP message format; used by doors on hot paths (design A5: one lookup, one
read, one write). Header names are lower case octets throughout.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from adapters.http.refusals import BodyTooLarge, ClientGone

Headers = Sequence[tuple[bytes, bytes]]

_HOST: Final = re.compile(
    r"[A-Za-z0-9.\-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?"
)
_MAX_QUERY_FIELDS: Final = 500


class Exchange:
    """What came, and the means to answer; exactly one answer is sent."""

    __slots__ = ("__dict__", "_receive", "_send", "method", "path", "scope", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.started = False

    def header(self, name: bytes) -> str | None:
        """Return a header's value, several joined by commas (RFC 9110 5.3)."""
        found = [value for key, value in self.scope["headers"] if key == name]
        return b", ".join(found).decode("latin-1") if found else None

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The fields of the query string, in order."""
        raw = self.scope.get("query_string", b"").decode("latin-1")
        try:
            return parse_qsl(raw, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError:
            raise BodyTooLarge("the query has too many fields") from None

    def asked(self, name: str) -> list[str]:
        """Return the values of a query parameter."""
        return [value for key, value in self.query if key == name]

    @property
    def base(self) -> str:
        """The URL that the client reached us by, up to and without the path."""
        host = self.header(b"host") or ""
        server = self.scope.get("server") or ("localhost", None)
        # dicomweb-client leaves the port out of Host: when the address is our own socket's and
        # not a proxy's name, the port is ours too.
        own = host == server[0] or (host == "localhost" and server[0] in {"127.0.0.1", "::1"})
        if own or _HOST.fullmatch(host) is None:
            host = f"{host if own else server[0]}:{server[1]}" if server[1] else str(server[0])
        return f"{self.scope.get('scheme', 'http')}://{host}"

    @property
    def accepts_gzip(self) -> bool:
        """Tell whether the answer may be compressed (RFC 9110 12.5.3)."""
        told = self.header(b"accept-encoding") or ""
        for entry in told.split(","):
            coding, _, parameter = entry.partition(";")
            if coding.strip().lower() in {"gzip", "x-gzip"}:
                return parameter.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00"}
        return False

    async def body(self, limit: int) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raises BodyTooLarge, and ClientGone when it ends early."""
        told = self.header(b"content-length")
        if told is not None and told.isdigit() and int(told) > limit:
            raise BodyTooLarge("the body is larger than we take", limit_bytes=limit)
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge("the body is larger than we take", limit_bytes=limit)
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                return

    async def answer(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send a whole answer in one write."""
        self.started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"%d" % len(body))],
            }
        )
        await self._send(
            {"type": "http.response.body", "body": b"" if self.method == "HEAD" else body}
        )

    async def answer_pieces(self, status: int, headers: Headers, pieces: Sequence[bytes]) -> None:
        """Send a whole answer that lies in pieces, without joining them.

        Joining half a megabyte costs more than sending it: fresh memory is mapped for each
        answer and given back (measured: 620 us of CPU an answer against 200).
        """
        self.started = True
        size = sum(map(len, pieces))
        start = [*headers, (b"content-length", b"%d" % size)]
        send = self._send
        await send({"type": "http.response.start", "status": status, "headers": start})
        if self.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        for piece in pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": pieces[-1]})

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that is sent in pieces."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers]})

    async def piece(self, octets: bytes) -> None:
        """Send a piece."""
        if self.method != "HEAD":
            await self._send({"type": "http.response.body", "body": octets, "more_body": True})

    async def end(self) -> None:
        """End an answer that was sent in pieces."""
        await self._send({"type": "http.response.body", "body": b""})


def segments(path: str, prefix: str) -> list[str]:
    """Return the segments of a path below a prefix; a trailing slash does not count."""
    below = path[len(prefix) :].strip("/")
    return below.split("/") if below else []
