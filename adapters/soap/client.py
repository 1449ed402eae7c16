"""Ask another system by SOAP: simple or MTOM, both ways streamed, over TLS, in bounded time.

Implements ITI TF-2 Appendix V.3 from the side of the one who asks; redirects are not followed
and no proxy is used. Called by the gateways of adapters/xds, by notifiers, by `door.py`.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

from lxml import etree

from adapters.soap import envelope
from adapters.soap.exchange import Exchange, MtomAnswer, Part
from adapters.soap.faults import SoapFault
from adapters.soap.multipart import Limits
from adapters.soap.names import SOAP, SOAP_TYPE
from adapters.soap.refusals import PeerAnswerMalformed, PeerFault, PeerUnavailable
from repository.tiers.ports import BlobStore, Incoming

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ANSWER_LIMITS: Final = Limits(root_bytes=64 << 20)
_CHUNK: Final = 256 << 10
_FAULT: Final = f"{{{SOAP}}}Fault"
_FAULT_CODE: Final = f"{{{SOAP}}}Code/{{{SOAP}}}Value"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another system: its address, the trust and certificate for it, and our patience."""

    url: str
    tls: ssl.SSLContext | None = None
    silence_seconds: float = 30.0
    """How long it may say nothing: while we connect, send, or wait for the next octets."""
    total_seconds: float = 3600.0
    """How long the whole exchange may take."""
    token: str = ""
    """Bearer token it knows us by, where no certificate says who we are."""


def tls_context(*, ca: str = "", certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Return what we trust (`ca`, else the system's authorities) and who we are to a peer.

    Raises OSError or ssl.SSLError for files that cannot be used.
    """
    context = ssl.create_default_context(cafile=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


class Reply:
    """A peer's answer; a context manager that lets go of the parts nobody took."""

    def __init__(self, message: envelope.Message, exchange: Exchange) -> None:
        self.action = message.action
        self.relates_to = message.relates_to
        self.body = message.body
        self._exchange = exchange

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _problem: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.discard()

    def content(self, element: etree._Element) -> Incoming | None:
        """Return the octets an element holds or includes; the taker lets go of them.

        Raises PeerAnswerMalformed.
        """
        try:
            return self._exchange.content(element)
        except SoapFault as fault:
            raise PeerAnswerMalformed(fault.reason) from None

    def discard(self) -> None:
        """Let go of all parts that nobody took."""
        self._exchange.discard()


class SoapClient:
    """Sends requests and reads answers. Thread safe: a connection lives as long as its call."""

    def __init__(self, store: BlobStore, limits: Limits = ANSWER_LIMITS) -> None:
        self._store = store
        self._limits = limits

    def call(
        self, peer: Peer, action: str, body: str, *, parts: Sequence[Part] = (), mtom: bool = False
    ) -> Reply:
        """Send a body (with `parts` or `mtom` as MTOM) and return the answer.

        Raises PeerUnavailable, PeerFault, PeerAnswerMalformed.
        """
        message_id = f"urn:uuid:{uuid4()}"
        root = envelope.write_request(action, body, to=peer.url, message_id=message_id)
        if parts or mtom:
            package = MtomAnswer(root, parts, self._store)
            content_type = f'{package.content_type}; action="{action}"'
            sending = _Sending(content_type, package.length, package)
        else:
            content_type = f'{SOAP_TYPE}; charset=UTF-8; action="{action}"'
            sending = _Sending(content_type, len(root), (root,))
        with _exchanged(peer, sending) as answer:
            return self._read(answer, message_id)

    def deliver(self, peer: Peer, content_type: str, length: int, octets: Iterable[bytes]) -> None:
        """Send a message that has no answer (an asynchronous response); raises PeerUnavailable."""
        with _exchanged(peer, _Sending(content_type, length, octets)) as answer:
            if not 200 <= answer.status < 300:
                raise PeerUnavailable(f"the other system answered with HTTP {answer.status}")

    def _read(self, answer: _Answer, message_id: str) -> Reply:
        exchange: Exchange | None = None
        try:
            exchange = Exchange(answer.content_type, self._store, self._limits)
            for chunk in answer.chunks():
                exchange.take(chunk)
            message = exchange.answer()
        except SoapFault as fault:
            if exchange is not None:
                exchange.discard()
            raise PeerAnswerMalformed(
                f"HTTP {answer.status} without a SOAP answer: {fault.reason}"
            ) from None
        except BaseException:
            if exchange is not None:
                exchange.discard()
            raise
        if message.body.tag == _FAULT:
            exchange.discard()
            code = (message.body.findtext(_FAULT_CODE) or "").rpartition(":")[2]
            raise PeerFault(f"the other system answered with a fault: {code[:40]}")
        if message.relates_to not in {"", message_id}:
            exchange.discard()
            raise PeerAnswerMalformed("the answer relates to another message")
        return Reply(message, exchange)


@dataclass(frozen=True, slots=True)
class _Sending:
    content_type: str
    length: int
    octets: Iterable[bytes]


class _Answer:
    """An HTTP response whose body is still to be read, against the clock."""

    def __init__(self, response: http.client.HTTPResponse, clock: _Clock) -> None:
        self.status = response.status
        self.content_type = response.getheader("Content-Type") or ""
        self._response = response
        self._clock = clock

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        expected = self._response.length
        taken = 0
        while taken != expected:
            self._clock.allow()
            chunk = self._response.read1(_CHUNK)
            if not chunk:
                break
            taken += len(chunk)
            yield chunk
        if expected is not None and taken != expected:
            raise PeerUnavailable("the other system's answer was cut short")


class _Clock:
    """How long a connection may still take."""

    def __init__(self, peer: Peer) -> None:
        self._silence = peer.silence_seconds
        self._end = time.monotonic() + peer.total_seconds
        self._socket: socket.socket | None = None

    def left(self) -> float:
        """Return the seconds the next step may take; raises PeerUnavailable."""
        left = min(self._silence, self._end - time.monotonic())
        if left <= 0:
            raise PeerUnavailable("the other system took too long")
        return left

    def watch(self, connected: socket.socket | None) -> None:
        """Bound the steps of this socket from now on."""
        self._socket = connected

    def allow(self) -> None:
        """Give the next step its time; raises PeerUnavailable."""
        left = self.left()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed already: the next step will say so
                self._socket.settimeout(left)

    def paced(self, octets: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what is to be sent, each piece with its time."""
        for piece in octets:
            self.allow()
            yield piece


class _Timed(io.RawIOBase):
    """What a socket receives, each piece with its time: a head that drips counts too."""

    def __init__(self, received: io.RawIOBase, clock: _Clock) -> None:
        self._received = received
        self._clock = clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._clock.allow()
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()


def _timed(clock: _Clock) -> type[http.client.HTTPResponse]:
    """Return the class of responses that are read against a clock."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
            super().__init__(sock, *arguments, **named)
            self.fp.close()
            self.fp = io.BufferedReader(_Timed(sock.makefile("rb", buffering=0), clock))

    return Response


@contextlib.contextmanager
def _exchanged(peer: Peer, sending: _Sending) -> Iterator[_Answer]:
    """Send a request and yield its response; whatever breaks becomes PeerUnavailable."""
    clock = _Clock(peer)
    try:
        with contextlib.closing(_connection(peer, clock.left())) as connection:
            connection.response_class = _timed(clock)
            connection.connect()
            clock.watch(connection.sock)
            headers = {
                "Content-Type": sending.content_type,
                "Content-Length": str(sending.length),
                "Accept": f"{SOAP_TYPE}, multipart/related",
                "Connection": "close",
            }
            if peer.token:
                headers["Authorization"] = f"Bearer {peer.token}"
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                # Who refuses a long request may answer before it was sent.
                connection.request(
                    "POST", _target(peer.url), body=clock.paced(sending.octets), headers=headers
                )
            clock.allow()
            with connection.getresponse() as response:
                yield _Answer(response, clock)
    except (OSError, http.client.HTTPException) as problem:
        # Its text may name addresses; the kind is enough.
        raise PeerUnavailable(
            f"the other system cannot be reached ({type(problem).__name__})"
        ) from problem


def _connection(peer: Peer, seconds: float) -> http.client.HTTPConnection:
    address = urlsplit(peer.url)
    host = address.hostname or ""
    if address.scheme == "https":
        context = peer.tls if peer.tls is not None else tls_context()
        return http.client.HTTPSConnection(host, address.port, timeout=seconds, context=context)
    if address.scheme != "http":
        raise PeerUnavailable("the other system's address is neither http nor https")
    return http.client.HTTPConnection(host, address.port, timeout=seconds)


def _target(url: str) -> str:
    address = urlsplit(url)
    return (address.path or "/") + (f"?{address.query}" if address.query else "")
