"""Answers that go to an address instead of back on the connection: asynchronous web services.

Implements ITI TF-2 Appendix V.3.2.2 (Asynchronous Web Services Exchange) and WS-Addressing's
ReplyTo. An address has to be allowed by a setting: nobody makes us call a machine of ours.
Called by `door.py`; made by `server.web_door`.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from adapters.soap.client import Peer, SoapClient
from adapters.soap.refusals import PeerUnavailable, TooManyReplies
from registry.subscriptions.consumers import AllowedConsumers
from registry.subscriptions.refusals import ConsumerNotAllowed

log = logging.getLogger("pianku.soap.replies")
AGAIN_SECONDS: Final = (2.0, 15.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to be sent, as often as needed; `let_go` is called at the end."""

    content_type: str
    length: int
    octets: Iterable[bytes]
    let_go: Callable[[], None]


class Replies:
    """Sends answers to allowed addresses, a few times; what waits does not survive a restart."""

    def __init__(
        self,
        client: SoapClient,
        allowed: AllowedConsumers,
        *,
        tls: ssl.SSLContext | None = None,
        again_seconds: Sequence[float] = AGAIN_SECONDS,
        most: int = 200,
    ) -> None:
        self._client = client
        self._allowed = allowed
        self._tls = tls
        self._again_seconds = tuple(again_seconds)
        self._stopping = threading.Event()
        # One that waits for a dead address to come back must not hold up the others.
        self._threads = ThreadPoolExecutor(most, "reply")
        self._room = threading.BoundedSemaphore(most)

    def allows(self, address: str) -> bool:
        """Tell whether answers may go to this address."""
        try:
            self._allowed.check(address)
        except ConsumerNotAllowed:
            return False
        return True

    def reserve(self) -> None:
        """Take a place for one answer; raises TooManyReplies. Give it back or `send`."""
        if not self._room.acquire(blocking=False):
            raise TooManyReplies

    def give_back(self) -> None:
        """Give back a place that was reserved and is not needed."""
        self._room.release()

    def send(self, address: str, message: Outgoing) -> None:
        """Begin to send an answer whose place was reserved."""
        try:
            self._threads.submit(self._deliver, address, message)
        except RuntimeError:  # we are closing
            self._done(message)

    def close(self) -> None:
        """Stop; what was not delivered is lost, and said so in the log."""
        self._stopping.set()
        self._threads.shutdown()

    def _deliver(self, address: str, message: Outgoing) -> None:
        peer = Peer(address, self._tls)
        try:
            for wait in (*self._again_seconds, None):
                try:
                    self._client.deliver(peer, message.content_type, message.length, message.octets)
                except PeerUnavailable as problem:
                    if wait is None or self._stopping.wait(wait):
                        log.warning(
                            "an asynchronous answer was not delivered",
                            extra={"host": urlsplit(address).hostname, "problem": problem.code},
                        )
                        return
                else:
                    return
        except Exception as problem:
            # Its text may quote the message: only its kind is told.
            log.error(  # noqa: TRY400
                "an asynchronous answer failed", extra={"problem": type(problem).__name__}
            )
            log.debug("an asynchronous answer failed by", exc_info=problem)
        finally:
            self._done(message)

    def _done(self, message: Outgoing) -> None:
        self._room.release()
        message.let_go()
