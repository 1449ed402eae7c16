"""One SOAP request over HTTP: simple or MTOM, its parts streamed into a sink, and its answer.

Implements ITI TF-2 Appendix V.3.2 and V.3.6 (MTOM/XOP), XOP 1.0 and RFC 2392 (cid URLs).
Called by the endpoints of the protocols that speak SOAP.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from uuid import uuid4

from lxml import etree
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapters.soap import envelope
from adapters.soap.faults import SoapFault
from adapters.soap.multipart import Limits, MultipartReader, Sink
from adapters.soap.names import SOAP_TYPE, XOP, XOP_TYPE
from repository.tiers.ports import BlobStore, Incoming

_PARAMETER: Final = re.compile(
    r'\s*([!#$%&\'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*(?:;|$)'
)
_MAX_CONTENT_TYPE: Final = 4096
_ESCAPED: Final = re.compile(r"\\(.)")
_HOP_BYTES: Final = 256 << 10
_HELD_CHUNK: Final = 1 << 20
_ENCODINGS: Final = frozenset({"", "binary", "8bit", "7bit"})
_INCLUDE: Final = f"{{{XOP}}}Include"


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type with its parameters."""

    media_type: str
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> ContentType:
        """Parse a Content-Type value (RFC 9110, 8.3); of equal parameters the first counts."""
        if len(text) > _MAX_CONTENT_TYPE:
            raise SoapFault("the content type is too long")
        media_type, _, rest = text.partition(";")
        parameters: dict[str, str] = {}
        at = 0
        while at < len(rest):
            found = _PARAMETER.match(rest, at)
            if found is None:
                at = (rest.find(";", at) + 1) or len(rest)
                continue
            name, quoted, token = found.groups()
            value = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            at = found.end()
        return cls(media_type.strip().lower(), parameters)


class Exchange:
    """A request in hand. Octets come in with `receive`; everything else is for a worker thread."""

    def __init__(self, content_type: str, store: BlobStore, limits: Limits) -> None:
        self._type = ContentType.parse(content_type)
        self._store = store
        self._limits = limits
        self._root = _Root()
        self._parts: dict[str, Incoming] = {}
        self._seen_root = False
        self._pending = bytearray()
        self.mtom = self._type.media_type == "multipart/related"
        self._reader = self._multipart_reader() if self.mtom else None
        if not self.mtom and self._type.media_type != SOAP_TYPE:
            raise SoapFault(
                "the content type must be application/soap+xml or multipart/related (MTOM)",
                status=415,
            )

    async def receive(self, request: Request) -> None:
        """Take in the body; large parts go to the store as they come. Raises SoapFault."""
        async for chunk in request.stream():
            self._pending += chunk
            if self._reader is None:
                if len(self._pending) > self._limits.root_bytes:
                    raise SoapFault(
                        "the message is too large; documents travel as MTOM parts", status=413
                    )
            elif len(self._pending) >= _HOP_BYTES:
                await run_in_threadpool(self._feed)

    def take(self, chunk: bytes) -> None:
        """Take in the next octets of the body, in a thread that may block; raises SoapFault."""
        self._pending += chunk
        if self._reader is not None:
            self._feed()
        elif len(self._pending) > self._limits.root_bytes:
            raise SoapFault("the message is too large", status=413)

    def message(self) -> envelope.Message:
        """Return the SOAP request once all octets are there; raises SoapFault."""
        octets, charset = self._envelope()
        action = self._type.parameters.get("action", "") or self._root.action
        return envelope.read(octets, charset=charset, http_action=action)

    def answer(self) -> envelope.Message:
        """Return the SOAP response to us once all octets are there; raises SoapFault."""
        octets, charset = self._envelope()
        return envelope.read_answer(octets, charset=charset)

    def _envelope(self) -> tuple[bytes, str]:
        """Return the octets of the envelope and its charset."""
        if self._reader is None:
            return bytes(self._pending), self._type.parameters.get("charset", "")
        self._feed()
        self._reader.finish()
        if not self._seen_root:
            raise SoapFault("the multipart body has no root part")
        return bytes(self._root.octets), self._root.charset

    def content(self, element: etree._Element) -> Incoming | None:
        """Return the octets that an element holds or includes; None when it is empty.

        A part can be taken once; the taker lets go of it. Raises SoapFault.
        """
        include = element.find(_INCLUDE)
        if include is None:
            text = (element.text or "").strip()
            return self._inline(text) if text else None
        href = include.get("href", "")
        if not href.startswith("cid:"):
            raise SoapFault("xop:Include needs a cid: URL in its href")
        # RFC 2392: the URL is the Content-ID, percent-encoded.
        for cid in (unquote(href[4:]), href[4:]):
            if cid in self._parts:
                return self._parts.pop(cid)
        raise SoapFault(f"no part of the message has the Content-ID <{href[4:200]}>")

    @property
    def parts_left(self) -> bool:
        """Whether there are parts that nobody took."""
        return bool(self._parts)

    def discard(self) -> None:
        """Let go of all parts that nobody took; safe at any time."""
        for part in self._parts.values():
            part.discard()
        self._parts.clear()

    def _feed(self) -> None:
        assert self._reader is not None
        data = bytes(self._pending)
        self._pending.clear()
        self._reader.feed(data)

    def _multipart_reader(self) -> MultipartReader:
        if self._type.parameters.get("type", "").lower() != XOP_TYPE:
            raise SoapFault(
                'a multipart message must be MTOM: multipart/related; type="application/xop+xml"',
                status=415,
            )
        boundary = self._type.parameters.get("boundary", "")
        return MultipartReader(boundary, self._open_part, self._limits)

    def _open_part(self, headers: Mapping[str, str]) -> tuple[Sink, int]:
        cid = headers.get("content-id", "").strip().removeprefix("<").removesuffix(">")
        start = self._type.parameters.get("start", "").removeprefix("<").removesuffix(">")
        is_root = cid == start if start else not self._seen_root
        if headers.get("content-transfer-encoding", "").lower() not in _ENCODINGS:
            raise SoapFault("the parts of an MTOM message must be binary")
        if is_root and not self._seen_root:
            self._seen_root = True
            self._root.describe(headers.get("content-type", ""))
            return self._root, self._limits.root_bytes
        if not cid:
            raise SoapFault("a part of the message has no Content-ID")
        if cid in self._parts or is_root:
            raise SoapFault(f"two parts have the Content-ID <{cid[:200]}>")
        part = self._store.incoming(with_sha1=True)
        self._parts[cid] = part
        return part, self._limits.part_bytes

    def _inline(self, text: str) -> Incoming:
        try:
            octets = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise SoapFault("the inline content is not base64") from None
        part = self._store.incoming(with_sha1=True)
        part.write(octets)
        return part


class _Root:
    """Holds the SOAP envelope of an MTOM message, in memory."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.charset = ""
        self.action = ""

    def describe(self, content_type: str) -> None:
        parsed = ContentType.parse(content_type)
        if parsed.media_type not in {XOP_TYPE, SOAP_TYPE}:
            raise SoapFault("the root part must be application/xop+xml")
        self.charset = parsed.parameters.get("charset", "")
        self.action = parsed.parameters.get("action", "")

    def write(self, chunk: memoryview) -> None:
        self.octets += chunk


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an MTOM message: its Content-ID, its octets by store key, and their count."""

    cid: str
    key: str
    size: int
    held: Incoming | None = None
    """The octets themselves where they lie under no key; let go of once all was sent."""
    offset: int = 0
    """Where in `held` they begin: parts that were made for one answer share a file."""
    head: bytes = b""
    """Octets that come before those under the key,"""
    rest: int = 0
    """which then begin here (the header of an instance may be another one than stored)."""

    def chunks(self, store: BlobStore) -> Iterator[bytes]:
        """Yield the octets in order."""
        if self.held is None and not self.head:
            yield from store.chunks(self.key)
            return
        if self.held is None:
            yield self.head
            last = self.rest + self.size - len(self.head)
            for offset in range(self.rest, last, _HELD_CHUNK):
                yield store.read(self.key, offset, min(_HELD_CHUNK, last - offset))
            return
        end = self.offset + self.size
        for offset in range(self.offset, end, _HELD_CHUNK):
            yield self.held.read(offset, min(_HELD_CHUNK, end - offset))


class MtomAnswer:
    """An MTOM response whose parts are read from the store while they are sent."""

    def __init__(self, root: bytes, parts: Sequence[Part], store: BlobStore) -> None:
        self._boundary = f"pianku-{uuid4().hex}"
        start = f"{uuid4().hex}@pianku"
        self._parts = parts
        self._store = store
        self._head = (
            self._part_head(start, f'{XOP_TYPE}; charset=UTF-8; type="{SOAP_TYPE}"', first=True)
            + root
        )
        self._heads = [self._part_head(part.cid, "application/octet-stream") for part in parts]
        self._tail = f"\r\n--{self._boundary}--\r\n".encode()
        self.content_type = (
            f'multipart/related; boundary="{self._boundary}"; type="{XOP_TYPE}"; '
            f'start="<{start}>"; start-info="{SOAP_TYPE}"'
        )
        self.length = (
            len(self._head)
            + sum(len(head) for head in self._heads)
            + sum(part.size for part in parts)
            + len(self._tail)
        )

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in order."""
        yield self._head
        for head, part in zip(self._heads, self._parts, strict=True):
            yield head
            yield from part.chunks(self._store)
        yield self._tail

    def discard(self) -> None:
        """Let go of the parts that lie under no key; safe at any time."""
        for part in self._parts:
            if part.held is not None:
                part.held.discard()

    def _part_head(self, cid: str, content_type: str, *, first: bool = False) -> bytes:
        opening = "--" if first else "\r\n--"
        return (
            f"{opening}{self._boundary}\r\nContent-Type: {content_type}\r\n"
            f"Content-Transfer-Encoding: binary\r\nContent-ID: <{cid}>\r\n\r\n"
        ).encode()
