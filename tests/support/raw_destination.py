"""A C-MOVE destination that does as it is told, octet by octet: dies, lies, refuses, never reads.

PS3.8 9.3 and PS3.7 9.3.1, from the side of a storage SCP. Called by tests/adapters/dimse.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from adapters.dimse import decode, encode
from adapters.dimse.decode import ContextResult, UserInformation
from tests.support.dimse import pdata

ACCEPT = 0
REFUSE = 3


class Line:
    """One association that Pianku opened to us."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.ended_by = ""
        """What came at last: release, abort, or the end of the connection."""

    def accept(self, *, result: Callable[[str], int] = lambda _: ACCEPT) -> None:
        """Answer the A-ASSOCIATE-RQ; `result` says what becomes of an abstract syntax."""
        request = decode.associate_request(self.pdu()[6:])
        results = [
            ContextResult(one.id, result(one.abstract_syntax), one.transfer_syntaxes[0])
            for one in request.contexts
        ]
        user = UserInformation(16384, "1.2.3", "RAW")
        self.sock.sendall(encode.associate_accept(request, results, user))

    def take(self) -> tuple[int, decode.Command] | None:
        """Read a C-STORE whole; None when the association ended instead."""
        command, context = b"", 0
        parts = bytearray()
        while pdu := self.pdu():
            if pdu[0] != 4:
                self.ended_by = {5: "release", 7: "abort"}.get(pdu[0], "junk")
                if pdu[0] == 5:
                    self.sock.sendall(encode.RELEASE_RP)
                return None
            at = 6
            while at < len(pdu):
                length, context, control = struct.unpack_from(">LBB", pdu, at)
                parts += pdu[at + 6 : at + 4 + length]
                at += 4 + length
                if control & 1 and control & 2:
                    command, parts = bytes(parts), bytearray()
                elif control & 2:
                    return context, decode.command(command)
        self.ended_by = self.ended_by or "close"
        return None

    def answer(self, context: int, request: decode.Command, status: int = 0) -> None:
        """Send the C-STORE-RSP."""
        self.sock.sendall(pdata(context, 3, encode.command({
            0x0002: decode.text(request, 0x0002), 0x0100: 0x8001, 0x0120: decode.number(request, 0x0110),
            0x0800: 0x0101, 0x0900: status, 0x1000: decode.text(request, 0x1000),
        })))  # fmt: skip

    def pdu(self) -> bytes:
        """Return the next PDU, or nothing."""
        head = self._exactly(6)
        return head + self._exactly(struct.unpack(">L", head[2:])[0]) if len(head) == 6 else b""

    def _exactly(self, count: int) -> bytes:
        octets = bytearray()
        with suppress(OSError):
            while len(octets) < count and (more := self.sock.recv(count - len(octets))):
                octets += more
        return bytes(octets)


Behaviour = Callable[[Line], None]


class RawDestination:
    """Listens, and treats each association as `behaviour` says."""

    def __init__(self, behaviour: Behaviour, *, window: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        if window:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.port = self._listener.getsockname()[1]
        self.lines: list[Line] = []
        self._behaviour = behaviour
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(20)
            line = Line(sock)
            self.lines.append(line)
            with sock, suppress(OSError):
                self._behaviour(line)


# -- behaviours -------------------------------------------------------------------------------


def stores(line: Line, *, status: Callable[[int], int] = lambda _: 0, pause: float = 0.0) -> None:
    """Take everything; `status` is that of the nth."""
    line.accept()
    number = 0
    while (taken := line.take()) is not None:
        time.sleep(pause)
        line.answer(*taken, status(number))
        number += 1


def silent(line: Line) -> None:
    """Never say a word."""
    line.sock.recv(1 << 16)
    until_closed(line)


def rejects(line: Line) -> None:
    line.pdu()
    line.sock.sendall(encode.associate_reject(1, 1, 7))


def refuses_contexts(line: Line) -> None:
    line.accept(result=lambda _: REFUSE)
    line.take()


def closes_at_once(line: Line) -> None:
    line.sock.close()


def says_nonsense(line: Line) -> None:
    line.pdu()
    line.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    until_closed(line)


def aborts_after_one(line: Line) -> None:
    line.accept()
    taken = line.take()
    assert taken is not None
    line.answer(*taken)
    line.pdu()
    line.sock.sendall(encode.abort(0, 0))


def closes_inside_the_second(line: Line) -> None:
    line.accept()
    taken = line.take()
    assert taken is not None
    line.answer(*taken)
    line.sock.recv(2000)


def never_reads(line: Line) -> None:
    line.accept()
    time.sleep(4)


def never_answers(line: Line) -> None:
    line.accept()
    line.take()
    until_closed(line)


def answers_nonsense(line: Line) -> None:
    line.accept()
    line.take()
    line.sock.sendall(pdata(1, 3, b"\xff" * 30))
    until_closed(line)


def until_closed(line: Line) -> None:
    """Wait for the other side to close."""
    with suppress(OSError):
        while line.sock.recv(1 << 16):
            pass
