"""Sends a message over MLLP and waits for its acknowledgment.

Implements HL7 MLLP release 1 (HL7 v2 appendix C) and 2.9.2 from the sender's side. Called by
`iti10_pix_update_notification.py`.
"""

from __future__ import annotations

import socket
import time
from typing import Final

from adapters.hl7v2.decode import Message, decode
from adapters.hl7v2.framing import Deframer, Oversize, framed
from kernel.refusals import Unavailable

_MOST_OCTETS: Final = 1 << 20


class PeerAway(Unavailable):
    """The other side cannot be reached, or did not answer in time."""

    code = "hl7_peer_away"


def send(address: tuple[str, int], message: bytes, *, seconds: float = 30.0) -> Message:
    """Send a message and return the answer; raises PeerAway and refusals of its decoding."""
    deadline = time.monotonic() + seconds
    try:
        with socket.create_connection(address, timeout=seconds) as connection:
            connection.sendall(framed(message))
            return decode(_answer(connection, deadline))
    except OSError as problem:
        raise PeerAway from problem


def _answer(connection: socket.socket, deadline: float) -> bytes:
    deframer = Deframer(_MOST_OCTETS)
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        data = connection.recv(65536)
        if not data:
            break
        for found in deframer.feed(data):
            if isinstance(found, Oversize):
                raise PeerAway("the answer is too large")
            return found
    raise PeerAway("the connection ended without an answer")
