"""Asking communities: each has its own places (ITI TF-1 18; adapters/xds/communities.py)."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from adapters.soap.client import Peer, Reply, SoapClient
from adapters.soap.refusals import PeerUnavailable
from adapters.storage.local import LocalBlobStore
from adapters.xds.communities import Communities, Community
from tests.support.gateways import AWAY, OURS, THEIRS


def test_a_silent_community_takes_its_own_places_only(tmp_path: Path) -> None:
    stop = threading.Event()

    class Client(SoapClient):
        def call(self, *_arguments: object, **_more: object) -> Reply:
            stop.wait(30)
            raise PeerUnavailable

    silent, other = Peer("http://silent/", total_seconds=0.2), Peer("http://other/")
    made = Communities(
        OURS, [Community(THEIRS, silent), Community(AWAY, other)], Client(LocalBlobStore(tmp_path))
    )
    asked = [made.ask(silent, "urn:ask", "<a/>") for _ in range(16)]
    began = time.monotonic()
    with pytest.raises(PeerUnavailable, match="too long"):
        asked[0].reply()
    with pytest.raises(PeerUnavailable, match="too many"):
        made.ask(silent, "urn:ask", "<a/>").reply()
    waiting = made.ask(other, "urn:ask", "<a/>")
    assert time.monotonic() - began < 5
    stop.set()
    with pytest.raises(PeerUnavailable):
        waiting.reply()
    made.close()
