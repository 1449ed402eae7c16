"""The MLLP door: connections, frames, and for each message its answer.

Implements MLLP release 1 (HL7 v2 appendix C) for ITI TF-2 3.8 and the queries of `routes.py`.
Started by `server.processes` as `MllpServer(...).run()`, stopped from any thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from adapters.guard.guard import Guard
from adapters.hl7v2.answering import Answering, Peer
from adapters.hl7v2.framing import Deframer, Oversize, framed
from adapters.hl7v2.iti8_patient_identity_feed import FeedPolicy
from adapters.hl7v2.routes import Routes
from kernel.times import Clock, now

log = logging.getLogger("pianku.hl7v2")
_CHUNK: Final = 65536
_MAX_GARBAGE: Final = 65536
_DRAIN_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """What one peer may use up."""

    message_octets: int = 1 << 20
    connections: int = 64
    idle_seconds: float = 3600.0
    frame_seconds: float = 30.0
    """How long a frame may take to arrive once it has begun."""


class MllpServer:
    """Receives messages on a listening socket (or host and port)."""

    def __init__(
        self,
        listener: socket.socket | tuple[str, int],
        *,
        routes: Routes,
        guard: Guard,
        policy: FeedPolicy,
        limits: MllpLimits = MllpLimits(),
        tls: ssl.SSLContext | None = None,
        clock: Clock = now,
    ) -> None:
        self._listener = _listening(listener)
        self.host, self.port = self._listener.getsockname()[:2]
        self._messages = Answering(routes, guard, policy, clock)
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


def _listening(listener: socket.socket | tuple[str, int]) -> socket.socket:
    if isinstance(listener, socket.socket):
        return listener
    host, port = listener
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=64)


def _peer(writer: asyncio.StreamWriter) -> Peer:
    name = writer.get_extra_info("peername") or ("",)
    tls = writer.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert(binary_form=True)
    return Peer(str(name[0]), sha256(certificate).hexdigest() if certificate else "")
