"""MLLP framing: <VT> message <FS><CR>, taken from a stream of octets in any pieces.

Implements HL7 MLLP release 1 (HL7 v2 appendix C.2.4). Called by `endpoint.py`; pure.
"""

from __future__ import annotations

from typing import Final

START: Final = b"\x0b"
END: Final = b"\x1c"
_AFTER_END: Final = b"\r"
HEADER_OCTETS: Final = 4096
"""How much of an oversize message is kept, to answer it by its header."""


class Oversize(bytes):
    """The beginning of a message that is larger than allowed."""


class Deframer:
    """Cuts a stream into messages; holds at most `limit` octets."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._inside = False
        self.garbage = 0
        """Octets outside frames so far, line ends apart."""

    @property
    def half(self) -> bool:
        """Tell whether a frame has begun and not ended."""
        return self._inside

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete now; an `Oversize` ends the stream's use."""
        found: list[bytes] = []
        while data:
            if not self._inside:
                before, start, data = data.partition(START)
                self.garbage += len(before.strip(b"\r\n "))
                self._inside = bool(start)
                continue
            content, end, rest = data.partition(END)
            # A start within a frame: the sender broke off and began again.
            _, restarted, again = content.rpartition(START)
            if restarted:
                self._buffer.clear()
                content = again
            self._buffer += content
            if len(self._buffer) > self._limit:
                found.append(Oversize(self._buffer[:HEADER_OCTETS]))
                self._buffer.clear()
                self._inside = False
                return found
            data = rest
            if end:
                found.append(bytes(self._buffer))
                self._buffer.clear()
                self._inside = False
                data = data.removeprefix(_AFTER_END)
        return found


def framed(message: bytes) -> bytes:
    """Return a message in its frame."""
    return START + message + END + _AFTER_END
