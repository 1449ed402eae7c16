"""A SOAP 1.2 client made of nothing but HTTP and bytes: what another vendor's stack would send.

SOAP 1.2 with WS-Addressing, MTOM/XOP packages (W3C XOP 1.0), ITI TF-2 appendix V.
Called by walks, soak tests and benchmarks.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from lxml import etree

ENVELOPE: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://www.w3.org/2005/08/addressing"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
_START: Final = "root@walk"


@dataclass(frozen=True)
class Answer:
    """A decoded response."""

    http_status: int
    action: str
    relates_to: str
    body: etree._Element
    """The child of soap:Body."""
    parts: Mapping[str, bytes] = field(default_factory=dict)
    """MTOM parts by content id, without the root."""
    message_id: str = ""
    """The wsa:MessageID we had sent."""
    packaged: bool = False
    """Whether it came as an MTOM package."""

    @property
    def is_fault(self) -> bool:
        """Whether the body is a SOAP fault."""
        return self.body.tag == f"{{{ENVELOPE}}}Fault"

    def text(self) -> str:
        """The body as text, for failure messages."""
        return etree.tostring(self.body, pretty_print=True, encoding="unicode")[:3000]


class SoapClient:
    """One kept-alive connection to one server."""

    def __init__(
        self, base: str, headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        address = urlsplit(base)
        self._base = base
        self._headers = dict(headers or {})
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(address.netloc, timeout=60, context=tls)
            if address.scheme == "https"
            else http.client.HTTPConnection(address.netloc, timeout=60)
        )

    def call(
        self, path: str, action: str, body: str, documents: Mapping[str, bytes] | None = None,
        *, mtom: bool = False,
    ) -> Answer:  # fmt: skip
        """Send a body and return the answer; with `documents` (content id to bytes) as MTOM."""
        message_id = f"urn:uuid:{uuid4()}"
        message = envelope(f"{self._base}{path}", action, message_id, body)
        if documents or mtom:
            payload, content_type = package(message, documents or {}, action)
        else:
            payload, content_type = message, "application/soap+xml; charset=UTF-8"
        self._connection.request(
            "POST", path, payload, {"Content-Type": content_type, **self._headers}
        )
        answer = self._connection.getresponse()
        said = answer.read()
        kind = answer.getheader("Content-Type", "")
        if "xml" not in kind:
            raise AssertionError(f"{answer.status} {kind}: {said[:500]!r}")
        return _decode(answer.status, kind, said, message_id)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def envelope(to: str, action: str, message_id: str, body: str) -> bytes:
    """Return a request's envelope with its addressing."""
    return (
        f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{action}</a:Action>'
        f"<a:MessageID>{message_id}</a:MessageID>"
        f"<a:ReplyTo><a:Address>{ADDRESSING}/anonymous</a:Address></a:ReplyTo>"
        f'<a:To s:mustUnderstand="1">{to}</a:To></s:Header><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def package_around(message: bytes, content_id: str, action: str) -> tuple[bytes, bytes, str]:
    """Return what comes before and after the octets of a package's one document."""
    whole, content_type = package(message, {content_id: b"@@"}, action)
    head, _, tail = whole.rpartition(b"@@")
    return head, tail, content_type


def package(envelope: bytes, documents: Mapping[str, bytes], action: str) -> tuple[bytes, str]:
    """Return an MTOM package and its Content-Type."""
    boundary = f"walk-{uuid4().hex}"
    pieces = [
        f"--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8; "
        f'type="application/soap+xml"\r\nContent-Transfer-Encoding: binary\r\n'
        f"Content-ID: <{_START}>\r\n\r\n".encode(),
        envelope,
    ]
    for content_id, document in documents.items():
        pieces.append(
            f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Transfer-Encoding: binary\r\nContent-ID: <{content_id}>\r\n\r\n".encode()
        )
        pieces.append(document)
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    content_type = (
        f'multipart/related; type="application/xop+xml"; start="<{_START}>"; '
        f'start-info="application/soap+xml"; boundary="{boundary}"; action="{action}"'
    )
    return b"".join(pieces), content_type


def included(element: etree._Element, parts: Mapping[str, bytes]) -> bytes:
    """Return the bytes an element stands for: its XOP part."""
    include = element.find(f"{{{XOP}}}Include")
    assert include is not None, "the document is not in a part of its own"
    return parts[include.get("href", "").removeprefix("cid:").replace("%40", "@")]


def _decode(status: int, content_type: str, said: bytes, message_id: str) -> Answer:
    parts: dict[str, bytes] = {}
    if content_type.lower().startswith("multipart/"):
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + said)
        for part in message.iter_parts():
            parts[str(part["Content-ID"]).strip("<>")] = part.get_payload(decode=True)
        start = str(message.get_param("start") or next(iter(parts))).strip("<>")
        said = parts.pop(start)
    envelope = etree.fromstring(said)
    body = envelope.find(f"{{{ENVELOPE}}}Body")
    assert body is not None, said[:500]
    assert len(body), said[:500]
    return Answer(
        status,
        envelope.findtext(f".//{{{ADDRESSING}}}Action", ""),
        envelope.findtext(f".//{{{ADDRESSING}}}RelatesTo", ""),
        body[0],
        parts,
        message_id,
        content_type.lower().startswith("multipart/"),
    )
