"""Read a multipart/related body piece by piece, each part straight into its sink.

Implements RFC 2046 5.1.1 and RFC 2387 as XOP 1.0 uses them; nothing is held but a tail.
Called by `exchange.py`; limits bound what a stranger can make us keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from adapters.soap.faults import SoapFault

_MAX_PADDING: Final = 64
_MAX_BOUNDARY: Final = 70  # RFC 2046 5.1.1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may make us take in."""

    root_bytes: int = 8 << 20
    """The SOAP envelope itself."""
    part_bytes: int = 4 << 30
    parts: int = 1000
    header_bytes: int = 16 << 10
    """Of one part."""
    total_bytes: int = 16 << 30


class Sink(Protocol):
    """Takes the octets of one part; meets `repository.tiers.ports.Incoming`."""

    def write(self, chunk: memoryview) -> None:
        """Add octets."""
        ...


class MultipartReader:
    """Feed it the body in pieces of any size, then call `finish`; raises SoapFault.

    `open_part` gets a part's headers (names in lower case) and returns its sink and the
    count of octets it may take.
    """

    def __init__(
        self,
        boundary: str,
        open_part: Callable[[Mapping[str, str]], tuple[Sink, int]],
        limits: Limits,
    ) -> None:
        if not 0 < len(boundary) <= _MAX_BOUNDARY or not boundary.isascii():
            raise SoapFault("the boundary of the multipart body is missing or malformed")
        self._line_end = b"\r\n"
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._tail = len(self._delimiter) + _MAX_PADDING + 2
        self._open_part = open_part
        self._limits = limits
        # As if a line had ended: the first boundary may stand at the very beginning.
        self._buffer = b"\r\n"
        self._step: Callable[[], bool] = self._beginning
        self._sink: Sink | None = None
        self._room = 0
        self._skip_line_end = False
        self._parts = 0
        self._total = 0
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take in the next octets of the body."""
        self._total += len(data)
        if self._total > self._limits.total_bytes:
            raise SoapFault("the request is too large", status=413)
        self._buffer = self._buffer + data if self._buffer else data
        while self._step():
            pass

    def finish(self) -> None:
        """Say that the body has ended; a body cut short is a fault."""
        if not self._ended:
            raise SoapFault("the multipart body ended before its closing boundary")

    def _beginning(self) -> bool:
        """Tell from the first boundary whether lines end as they must, or in bare line feeds."""
        head, line = self._buffer.lstrip(b"\r\n"), self._delimiter[2:]
        if len(head) <= len(line) and line.startswith(head):
            self._buffer = b"\r\n" + head
            return False
        if head.startswith(line + b"\n"):
            self._line_end, self._delimiter = b"\n", b"\n" + line
            self._buffer = b"\n" + head
        self._step = self._preamble
        return True

    def _preamble(self) -> bool:
        found = self._find_delimiter()
        if found is None:
            self._buffer = self._buffer[-self._tail :]
            return False
        return self._pass_delimiter(*found)

    def _headers(self) -> bool:
        # The blank line may follow at once: a part needs no headers.
        eol = self._line_end
        none = self._buffer.startswith(eol)
        blank = -len(eol) if none else self._buffer.find(eol + eol)
        if not none and blank < 0:
            if len(self._buffer) > self._limits.header_bytes:
                raise SoapFault("the headers of a part are too long", status=413)
            return False
        end = blank + len(eol)
        if end > self._limits.header_bytes:
            raise SoapFault("the headers of a part are too long", status=413)
        self._parts += 1
        if self._parts > self._limits.parts:
            raise SoapFault(f"more than {self._limits.parts} parts", status=413)
        headers = self._buffer[:end].replace(eol, b"\r\n")
        self._sink, self._room = self._open_part(_parse_headers(headers))
        # The line end before the body stays: an empty body's boundary begins with it.
        self._buffer = self._buffer[end:]
        self._skip_line_end = True
        self._step = self._body
        return True

    def _body(self) -> bool:
        if self._skip_line_end:
            if len(self._buffer) < len(self._delimiter) and self._delimiter.startswith(
                self._buffer
            ):
                return False
            if not self._buffer.startswith(self._delimiter):
                self._buffer = self._buffer[len(self._line_end) :]
            self._skip_line_end = False
        found = self._find_delimiter()
        if found is None:
            # A boundary line may have begun in the last octets.
            safe = max(0, len(self._buffer) - self._tail)
            self._emit(safe)
            self._buffer = self._buffer[safe:]
            return False
        self._emit(found[0])
        return self._pass_delimiter(*found)

    def _find_delimiter(self) -> tuple[int, int, bool] | None:
        """Return (start, end, closing) of the next whole boundary line in the buffer."""
        start = 0
        while (start := self._buffer.find(self._delimiter, start)) >= 0:
            after = start + len(self._delimiter)
            rest = self._buffer[after : after + _MAX_PADDING]
            if rest.startswith(b"--"):
                return start, after + 2, True
            stripped = rest.lstrip(b" \t")
            if stripped.startswith(self._line_end):
                end = after + len(rest) - len(stripped) + len(self._line_end)
                return start, end, False
            if stripped in {b"", b"\r", b"-"} and len(rest) < _MAX_PADDING:
                return None  # the line is not whole yet
            start += 1
        return None

    def _pass_delimiter(self, _start: int, end: int, closing: bool, /) -> bool:
        self._sink = None
        self._buffer = self._buffer[end:]
        if closing:
            self._ended = True
            self._step = self._epilogue
        else:
            self._step = self._headers
        return True

    def _epilogue(self) -> bool:
        self._buffer = b""
        return False

    def _emit(self, count: int) -> None:
        if count == 0 or self._sink is None:
            return
        self._room -= count
        if self._room < 0:
            raise SoapFault("a part of the message is too large", status=413)
        self._sink.write(memoryview(self._buffer)[:count])


def _parse_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    text = block.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ")
    for line in text.split("\r\n"):
        if not line:
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name or name in headers:
            raise SoapFault("the headers of a part are malformed")
        headers[name] = value.strip()
    return headers
