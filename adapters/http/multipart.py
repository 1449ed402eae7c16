"""multipart/related: a parser that is fed octets and tells of parts, and the writer's pieces.

Implements RFC 2046 5.1 and RFC 2387. Called by STOW-RS and by the SOAP plumbing's MTOM.
No I/O: the caller feeds what came and handles the events, so parts of any size stream through.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from adapters.http.media_types import MediaType
from adapters.http.refusals import BadMultipart, BodyTooLarge

_MAX_BOUNDARY: Final = 200
"""RFC 2046 5.1.1 allows 70; Orthanc sends two UUIDs, which are 73."""
_MAX_LINE: Final = 256
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part begins; header names are lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Octets of the part."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class PartEnds:
    """The part is complete."""


PartEvent: TypeAlias = "PartBegins | PartData | PartEnds"


class _State(Enum):
    PREAMBLE = auto()
    BOUNDARY = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


class MultipartParser:
    """Feed it the body; it yields events. Raises BadMultipart and BodyTooLarge."""

    def __init__(
        self, boundary: str, *, max_parts: int = 10_000, max_headers: int = 16 << 10
    ) -> None:
        if len(boundary) > _MAX_BOUNDARY or _BOUNDARY.fullmatch(boundary) is None:
            raise BadMultipart("the boundary is absent or malformed")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._max_parts = max_parts
        self._max_headers = max_headers
        # The first delimiter may stand at the very beginning, without its line break.
        self._buffer = bytearray(b"\r\n")
        self._state = _State.PREAMBLE
        self._parts = 0
        self._skip = 0

    def feed(self, octets: bytes | bytearray | memoryview) -> Iterator[PartEvent]:
        """Take octets in and tell what they complete."""
        self._buffer += octets
        while (step := self._step()) is not None:
            yield from step

    def finish(self) -> None:
        """Say that nothing more comes; raises BadMultipart if the body is not complete."""
        if self._state is not _State.EPILOGUE:
            raise BadMultipart("the body ends before its last boundary")

    def _step(self) -> list[PartEvent] | None:
        """Do one piece of work; None when more octets are needed."""
        match self._state:
            case _State.PREAMBLE:
                return self._preamble()
            case _State.BOUNDARY:
                return self._boundary()
            case _State.HEADERS:
                return self._headers()
            case _State.BODY:
                return self._body()
            case _State.EPILOGUE:
                self._buffer.clear()
                return None

    def _preamble(self) -> list[PartEvent] | None:
        found = self._buffer.find(self._delimiter)
        if found < 0:
            if len(self._buffer) > self._max_headers:
                raise BadMultipart("the body does not begin with its boundary")
            return None
        del self._buffer[: found + len(self._delimiter)]
        self._state = _State.BOUNDARY
        return []

    def _boundary(self) -> list[PartEvent] | None:
        """Look at what follows a delimiter: a line break (next part) or `--` (the end)."""
        if len(self._buffer) < 2:
            return None
        if self._buffer[:2] == b"--":
            self._state = _State.EPILOGUE
            return []
        line = self._buffer.find(b"\r\n", 0, _MAX_LINE)
        too_long = line < 0 and len(self._buffer) >= _MAX_LINE
        if too_long or self._buffer[: max(line, 0)].strip(b" \t"):
            raise BadMultipart("a boundary line is malformed")
        if line < 0:
            return None
        self._parts += 1
        if self._parts > self._max_parts:
            raise BodyTooLarge("the body has too many parts")
        # Keep the line break: a part without headers begins with an empty line.
        del self._buffer[:line]
        self._state = _State.HEADERS
        return []

    def _headers(self) -> list[PartEvent] | None:
        end = self._buffer.find(b"\r\n\r\n", 0, self._max_headers)
        if end < 0:
            if len(self._buffer) >= self._max_headers:
                raise BodyTooLarge("the headers of a part are too long")
            return None
        headers = _parse_headers(bytes(self._buffer[:end]))
        # The line break before the body stays: an empty body may be followed by its delimiter.
        del self._buffer[: end + 2]
        self._state = _State.BODY
        self._skip = 2
        return [PartBegins(headers)]

    def _body(self) -> list[PartEvent] | None:
        found = self._buffer.find(self._delimiter)
        # What may be the beginning of a delimiter is kept until more is there.
        ready = found if found >= 0 else len(self._buffer) - len(self._delimiter) + 1
        events: list[PartEvent] = []
        if ready > self._skip:
            events.append(PartData(bytes(memoryview(self._buffer)[self._skip : ready])))
            del self._buffer[:ready]
            self._skip = 0
            ready = 0
        if found < 0:
            return events or None
        del self._buffer[: max(ready, 0) + len(self._delimiter)]
        self._state = _State.BOUNDARY
        return [*events, PartEnds()]


def _parse_headers(octets: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    # RFC 5322 2.2.3: a line that begins with a blank continues the one before.
    text = re.sub(rb"\r\n[ \t]+", b" ", octets).decode("latin-1")
    for line in text.split("\r\n"):
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise BadMultipart("a header of a part is malformed")
        headers[name.strip().lower()] = value.strip()
    return headers


def boundary_of(content_type: MediaType | None) -> str:
    """Return the boundary of a multipart content type; raises BadMultipart without one."""
    boundary = content_type.get("boundary") if content_type is not None else ""
    if not boundary:
        raise BadMultipart("the content type has no boundary")
    return boundary


class MultipartWriter:
    """The octets around the parts of an answer."""

    def __init__(self, boundary: str = "") -> None:
        self.boundary = boundary or secrets.token_hex(16)
        self._dash = b"--" + self.boundary.encode("ascii")
        self._parts = 0

    def head(self, content_type: str, location: str = "", length: int | None = None) -> bytes:
        """Return what stands before a part."""
        lines = [self._dash if not self._parts else b"\r\n" + self._dash]
        self._parts += 1
        lines.append(b"Content-Type: " + content_type.encode("latin-1"))
        if location:
            lines.append(b"Content-Location: " + location.encode("latin-1"))
        if length is not None:
            lines.append(b"Content-Length: %d" % length)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    @property
    def tail(self) -> bytes:
        """Return what stands after the last part."""
        return (b"\r\n" if self._parts else b"") + self._dash + b"--\r\n"

    def content_type(self, part_type: str) -> str:
        """Return the Content-Type of the whole."""
        return f'multipart/related; type="{part_type}"; boundary={self.boundary}'
