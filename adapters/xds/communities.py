"""Our community and the ones we know: their addresses, and asking many of them at once.

Implements what ITI TF-1 18 (XCA) asks of both gateways about homeCommunityId. Used by the gateway
transactions ITI-38, ITI-39 and RAD-75; made by `server.web_door` from the settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from adapters.soap.client import Peer, Reply, SoapClient
from adapters.xds.encode import RegistryError
from kernel.identifiers import PatientId
from kernel.refusals import Refusal

HOME: Final = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")
_ASKERS: Final = 32

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
    """Our home, the others by theirs, and the threads that ask them. Thread safe."""

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
        self._threads = ThreadPoolExecutor(_ASKERS, "gateway")

    def ask(self, peer: Peer, action: str, body: str, *, mtom: bool = False) -> Asking:
        """Begin to ask a community; the answer comes by `Asking.reply`."""
        assert self._client is not None, "communities are asked through a client"
        return Asking(self._threads.submit(self._client.call, peer, action, body, mtom=mtom))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(cancel_futures=True)


class Asking:
    """A question on its way to a community."""

    def __init__(self, future: Future[Reply]) -> None:
        self._future = future

    def reply(self) -> Reply:
        """Wait for the answer; raises PeerUnavailable. How long it may take is the peer's."""
        return self._future.result()

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
