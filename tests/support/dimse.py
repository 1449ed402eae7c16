"""A DIMSE receiver in this process, and raw octets to send to it.

Called by tests/adapters/dimse; the peers are dcmtk and pynetdicom.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import contextmanager
from typing import Any

from adapters.dimse import decode, encode
from adapters.dimse.decode import ProposedContext, UserInformation
from adapters.dimse.endpoint import DimseServer
from adapters.dimse.limits import Limits

CT = "1.2.840.10008.5.1.4.1.1.2"
ECHO = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"


class Receiver:
    """A running `DimseServer` on a free port of the loopback, with `tls` on a second one."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, **parts: Any) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = listener.getsockname()[1]
        if tls is not None:
            secured = socket.create_server(("127.0.0.1", 0), backlog=64)
            self.tls_port = secured.getsockname()[1]
            parts["secured"] = (secured, tls)
        self.server = DimseServer(ae_title="PIANKU", listener=listener, **parts)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()


class RawPeer:
    """Speaks octets; for what no decent client would send."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def associate(self, *abstract: str, calling: str = "RAW", called: str = "PIANKU") -> bytes:
        """Associate with Explicit VR Little Endian for each abstract syntax (ids 1, 3, ...)."""
        self.send(request(*abstract, calling=calling, called=called))
        return self.pdu()

    def pdu(self) -> bytes:
        """Return the next PDU, or nothing when the connection was closed."""
        head = self._exactly(6)
        if len(head) < 6:
            return b""
        return head + self._exactly(struct.unpack(">L", head[2:])[0])

    def is_closed(self) -> bool:
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.sock.close()

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            try:
                more = self.sock.recv(count - len(octets))
            except ConnectionResetError:
                break
            if not more:
                break
            octets += more
        return octets


def request(*abstract: str, calling: str = "RAW", called: str = "PIANKU") -> bytes:
    """Return an A-ASSOCIATE-RQ."""
    contexts = [
        ProposedContext(2 * n + 1, uid, (EXPLICIT,)) for n, uid in enumerate(abstract or (CT,))
    ]
    return encode.associate_request(
        called, calling, contexts, UserInformation(16384, "1.2.3", "RAW")
    )


def pdata(context_id: int, control: int, octets: bytes) -> bytes:
    """Return a P-DATA-TF PDU of one fragment."""
    return encode.data_header(context_id, control, len(octets)) + octets


def store_request(sop_uid: str, *, sop_class: str = CT, message_id: int = 1, **more: int) -> bytes:
    """Return the command set of a C-STORE-RQ."""
    return encode.command(
        {
            0x0002: sop_class,
            0x0100: 0x0001,
            0x0110: message_id,
            0x0700: 0,
            0x0800: 0x0000,
            0x1000: sop_uid,
        }
    )


def status_of(pdu: bytes) -> int:
    """Return the status of a response PDU."""
    assert pdu[:1] == b"\x04", pdu[:10]
    return decode.number(decode.command(pdu[12:]), 0x0900)


@contextmanager
def raw_peer(port: int):
    """Open a raw peer for a block."""
    peer = RawPeer(port)
    try:
        yield peer
    finally:
        peer.close()


def quick(**bounds: Any) -> Limits:
    """Return limits that make a test short."""
    return Limits(**{"artim_seconds": 1.0, "stall_seconds": 1.0, "idle_seconds": 2.0, **bounds})
