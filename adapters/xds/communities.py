"""Our community and the ones we know: their addresses, and asking many of them at once.

Implements what ITI TF-1 18 (XCA) asks of both gateways about homeCommunityId. Used by the gateway
transactions ITI-38, ITI-39 and RAD-75; made by `server.web_door` from the settings.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from adapters.soap.client import Peer, Reply, SoapClient
from adapters.soap.refusals import PeerUnavailable
from adapters.xds.encode import RegistryError
from kernel.identifiers import PatientId
from kernel.refusals import Refusal

HOME: Final = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")
_AT_ONCE: Final = 16
_ROOM_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 0.5

Correlate = Callable[[PatientId, str], PatientId | None]
"""Patient id, assigning authority -> the id of the same patient there, when it is known."""


@dataclass(frozen=True, slots=True)
class Community:
    """Another community: its responding gateway."""

    home: str
    """homeCommunityId as on the wire: `urn:oid:1.2.3`."""
    query: Peer | None = None
    retrieve: Peer | None = None
    imaging: Peer | None = None
    assigning_authority: str = ""
    """OID of the patient ids it knows; empty when it takes the ids as we are given them."""


def _unknown(_patient: PatientId, _authority: str, /) -> PatientId | None:
    return None


class Communities:
    """Our home, the others by theirs, and the threads that ask them. Thread safe.

    Each address is asked so many questions at once, that one community that does not answer
    does not take the threads that others need.
    """

    def __init__(
        self,
        home: str,
        others: Sequence[Community] = (),
        client: SoapClient | None = None,
        *,
        correlate: Correlate = _unknown,
    ) -> None:
        self.home = home
        self.others: Mapping[str, Community] = {one.home: one for one in others}
        self.correlate = correlate
        self._client = client
        urls = {
            peer.url
            for one in others
            for peer in (one.query, one.retrieve, one.imaging)
            if peer is not None
        }
        self._room = {url: threading.BoundedSemaphore(_AT_ONCE) for url in urls}
        self._threads = ThreadPoolExecutor(max(1, _AT_ONCE * len(urls)), "gateway")

    def ask(self, peer: Peer, action: str, body: str, *, mtom: bool = False) -> Asking:
        """Begin to ask a community; the answer comes by `Asking.reply`."""
        assert self._client is not None, "communities are asked through a client"
        room = self._room[peer.url]
        if not room.acquire(timeout=_ROOM_SECONDS):
            busy: Future[Reply] = Future()
            busy.set_exception(PeerUnavailable("too many questions wait for its answer"))
            return Asking(busy, peer)
        try:
            future = self._threads.submit(self._client.call, peer, action, body, mtom=mtom)
        except RuntimeError:  # we are closing
            room.release()
            raise
        future.add_done_callback(lambda _future: room.release())
        return Asking(future, peer)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(cancel_futures=True)


class Asking:
    """A question on its way to a community."""

    def __init__(self, future: Future[Reply], peer: Peer) -> None:
        self._future = future
        self._end = time.monotonic() + peer.total_seconds

    def reply(self) -> Reply:
        """Wait for the answer, as long as the peer may take; raises PeerUnavailable."""
        try:
            return self._future.result(max(0.0, self._end - time.monotonic()) + _GRACE_SECONDS)
        except TimeoutError:  # a name that is not resolved knows no clock
            raise PeerUnavailable("the other system took too long") from None

    def forget(self) -> None:
        """Let go of the answer, whenever it comes."""
        self._future.cancel()
        self._future.add_done_callback(_let_go)


def _let_go(future: Future[Reply]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().discard()


def unavailable(home: str, problem: Refusal) -> RegistryError:
    """Return the error for a community that could not be asked."""
    return RegistryError("XDSUnavailableCommunity", f"{home}: {problem.message}", home)


def missing_home(context: str, location: str = "") -> RegistryError:
    """Return the error for something that has to name its community and does not."""
    return RegistryError("XDSMissingHomeCommunityId", context, location)


def unknown_home(home: str, location: str = "") -> RegistryError:
    """Return the error for a community that is not known here."""
    return RegistryError(
        "XDSUnknownCommunity", f"the community {home[:80]} is not known here", location
    )
