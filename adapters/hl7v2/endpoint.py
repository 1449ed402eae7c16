"""The MLLP door: connections, frames, the guard, the feed, the acknowledgment.

Implements ITI TF-2 3.8 over MLLP (HL7 v2 appendix C). AA goes out only after the event is
durable. Started by `server.processes` as `MllpServer(...).run()`, stopped from any thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol
from uuid import UUID

from adapters.guard.guard import Guard
from adapters.hl7v2.decode import Segment, decode, decode_header
from adapters.hl7v2.encode import encode_ack
from adapters.hl7v2.faults import ACCEPTED, BUG, Acknowledgment, acknowledgment
from adapters.hl7v2.framing import Deframer, Oversize, framed
from adapters.hl7v2.iti8_patient_identity_feed import FeedPolicy, check_header, decode_feed
from adapters.hl7v2.refusals import MessageTooLarge, UnreadableMessage
from kernel.context import acting_as
from kernel.identifiers import PatientId, secret_token
from kernel.refusals import Refusal
from kernel.times import Clock, now
from registry.access.values import Resource, Subject
from registry.patients.values import Told

log = logging.getLogger("pianku.hl7v2")
_TRANSACTION: Final = "ITI-8"
_CHUNK: Final = 65536
_MAX_GARBAGE: Final = 65536
_DRAIN_SECONDS: Final = 5.0


class Feed(Protocol):
    """Takes what an identity feed tells (workflows.receive_identity_feed.IdentityFeed)."""

    def receive(self, patient_ids: Sequence[PatientId], told: Told) -> UUID:
        """Record what is new, durably, and return the patient's key."""
        ...


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """What one peer may use up."""

    message_octets: int = 1 << 20
    connections: int = 64
    idle_seconds: float = 3600.0
    frame_seconds: float = 30.0
    """How long a frame may take to arrive once it has begun."""


class MllpServer:
    """Receives identity feeds on a listening socket (or host and port)."""

    def __init__(
        self,
        listener: socket.socket | tuple[str, int],
        *,
        feed: Feed,
        guard: Guard,
        policy: FeedPolicy,
        limits: MllpLimits = MllpLimits(),
        tls: ssl.SSLContext | None = None,
        clock: Clock = now,
    ) -> None:
        self._listener = _listening(listener)
        self.host, self.port = self._listener.getsockname()[:2]
        self._messages = _Messages(feed, guard, policy, clock)
        self._limits = limits
        self._tls = tls
        self._open: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._stopped_early = threading.Event()
        self.ready = threading.Event()
        """Set when connections are accepted."""

    def run(self) -> None:
        """Serve until `stop`; blocks."""
        asyncio.run(self._serve())

    def stop(self) -> None:
        """End `run` soon: messages in hand are still answered. May be called from any thread."""
        self._stopped_early.set()
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(min(self._limits.connections, 32), "mllp") as workers:
            self._loop.set_default_executor(workers)
            server = await asyncio.start_server(self._accept, sock=self._listener, ssl=self._tls)
            self.ready.set()
            if self._stopped_early.is_set():
                self._stopping.set()
            await self._stopping.wait()
            server.close()
            if self._open:
                await asyncio.wait(self._open, timeout=_DRAIN_SECONDS)
            for task in self._open:
                task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= self._limits.connections:
            log.warning("too many connections", extra={"limit": self._limits.connections})
            writer.close()
            return
        self._open.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError, ssl.SSLError, asyncio.CancelledError):
            log.info("connection ended")
        finally:
            self._open.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer)
        deframer = Deframer(self._limits.message_octets)
        while (data := await self._more(reader, deframer)) is not None:
            for message in deframer.feed(data):
                answer = await asyncio.to_thread(self._messages.answer, message, peer)
                writer.write(framed(answer))
                await writer.drain()
                if isinstance(message, Oversize):
                    return
            if deframer.garbage > _MAX_GARBAGE:
                log.warning("not MLLP: connection closed")
                return
        if deframer.half:
            log.warning("a frame was cut off: nothing of it was taken")

    async def _more(self, reader: asyncio.StreamReader, deframer: Deframer) -> bytes | None:
        """Return the next octets; None at the end, when the time is over or on `stop`."""
        assert self._stopping is not None
        wait = self._limits.frame_seconds if deframer.half else self._limits.idle_seconds
        reading = asyncio.ensure_future(reader.read(_CHUNK))
        stopping = asyncio.ensure_future(self._stopping.wait())
        done, pending = await asyncio.wait(
            {reading, stopping}, timeout=wait, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        return (reading.result() or None) if reading in done else None


@dataclass(frozen=True, slots=True)
class _Peer:
    address: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Messages:
    """Answers one message; runs in a worker thread."""

    feed: Feed
    guard: Guard
    policy: FeedPolicy
    clock: Clock

    def answer(self, data: bytes, peer: _Peer) -> bytes:
        header: Segment | None = None
        try:
            header = decode_header(data)
            sender = header.value(3).text()
            subject = self.guard.mllp_subject(sender, peer.address, peer.fingerprint)
            self.guard.check(subject, "feed", Resource("patient"), transaction=_TRANSACTION)
            result = self._receive(data, subject, header)
        except UnreadableMessage as refusal:
            result = acknowledgment(refusal)
        except Refusal as refusal:
            log.info("message refused", extra={"code": refusal.code})
            result = acknowledgment(refusal)
        except Exception as problem:
            # The text of an exception may quote the message: only its kind is told.
            log.error("message failed", extra={"problem": type(problem).__name__})  # noqa: TRY400
            log.debug("message failed by", exc_info=problem)
            result = BUG
        control_id = secret_token()[:20]
        return encode_ack(header, result, self.clock(), control_id)

    def _receive(self, data: bytes, subject: Subject, header: Segment) -> Acknowledgment:
        source = header.value(3).text()[:64]
        with acting_as(self.guard.envelope(subject, "mllp", source=source)):
            try:
                if isinstance(data, Oversize):
                    raise MessageTooLarge
                message = decode(data, self.policy.default_charset)
                check_header(message, self.policy)
                patient_id, told = decode_feed(message, self.policy)
                key = self.feed.receive((patient_id,), told)
            except Refusal as refusal:
                self._record(subject, "failed", detail=refusal.code)
                raise
            self._record(subject, "success", key, header.value(9).text(2))
            return ACCEPTED

    def _record(
        self, subject: Subject, outcome: str, key: UUID | None = None, detail: str = ""
    ) -> None:
        keys = () if key is None else (key,)
        self.guard.record(
            subject,
            "feed",
            outcome,
            _TRANSACTION,
            patient_keys=keys,
            count=len(keys),
            detail=detail,
        )


def _listening(listener: socket.socket | tuple[str, int]) -> socket.socket:
    if isinstance(listener, socket.socket):
        return listener
    host, port = listener
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=64)


def _peer(writer: asyncio.StreamWriter) -> _Peer:
    name = writer.get_extra_info("peername") or ("",)
    tls = writer.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert(binary_form=True)
    return _Peer(str(name[0]), sha256(certificate).hexdigest() if certificate else "")
