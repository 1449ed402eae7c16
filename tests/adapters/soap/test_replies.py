"""Answers on their way to an address: those that must wait hold up no others (Appendix V.3.2.2)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from adapters.soap.client import Peer
from adapters.soap.refusals import PeerUnavailable
from adapters.soap.replies import Outgoing, Replies
from registry.subscriptions.consumers import AllowedConsumers

AWAY, THERE = "http://away.example.org/", "http://there.example.org/"


class _Client:
    """Delivers to one of two addresses."""

    def __init__(self) -> None:
        self.arrived = threading.Event()

    def deliver(self, peer: Peer, _type: str, _length: int, _octets: Iterable[bytes]) -> None:
        if peer.url == AWAY:
            raise PeerUnavailable
        self.arrived.set()


def test_s8_addresses_that_are_away_hold_up_no_other_answer() -> None:
    client: Any = _Client()
    replies = Replies(client, AllowedConsumers([AWAY, THERE]), again_seconds=(60.0,))
    message = Outgoing("text/xml", 1, (b"x",), lambda: None)
    try:
        for address in [*[AWAY] * 10, THERE]:
            replies.reserve()
            replies.send(address, message)
        assert client.arrived.wait(5)
    finally:
        replies.close()
