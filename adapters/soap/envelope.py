"""Read a stranger's SOAP envelope, hardened, and write ours.

Implements SOAP 1.2 Part 1 and WS-Addressing 1.0 as ITI TF-2 Appendix V.3 profiles them.
Called by `exchange.py` and the endpoints of the protocols.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from lxml import etree

from adapters.soap.faults import MUST_UNDERSTAND, VERSION_MISMATCH, SoapFault
from adapters.soap.names import ANONYMOUS, SOAP, SOAP_1_1, WSA, escaped

_MAX_TAGS: Final = 500_000
_MAX_TAGS_OF_ANSWER: Final = 4_000_000
_MAX_URI: Final = 1024
_ONCE: Final = ("To", "From", "ReplyTo", "FaultTo", "MessageID", "Action")
_TRUE: Final = frozenset({"1", "true"})
_NONE: Final = f"{WSA}/none"
# Byte order mark, XML declaration, comments, processing instructions: what may come before the
# first tag. Anything else that begins with `<!` there is a document type.
_PROLOG: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*", re.DOTALL)
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@dataclass(frozen=True, slots=True)
class Message:
    """A SOAP request: what it wants, how to answer it, and its one body element."""

    action: str
    message_id: str
    body: etree._Element
    reply_to: str = ""
    """Where the answer is to be sent; empty when it goes back on the same connection."""
    fault_to: str = ""
    """Where a fault is to be sent instead; empty as above."""
    relates_to: str = ""
    """The MessageID of the request that this message answers."""


def read(data: bytes, *, charset: str = "", http_action: str = "") -> Message:
    """Return the message in an envelope; raises SoapFault.

    `charset` and `http_action` are the parameters of the content type, empty when absent.
    """
    root = parse(data, charset=charset)
    check_version(root)
    headers = root.findall(f"{{{SOAP}}}Header")
    bodies = root.findall(f"{{{SOAP}}}Body")
    if len(headers) != 1 or len(bodies) != 1 or len(root) != 2:
        raise SoapFault("the envelope needs exactly one Header and one Body")
    children = [c for c in bodies[0] if isinstance(c.tag, str)]
    if len(children) != 1:
        raise SoapFault("the Body needs exactly one element")
    return _addressed(headers[0], http_action, children[0])


def read_answer(data: bytes, *, charset: str = "") -> Message:
    """Return the message in the envelope of a response to us; raises SoapFault.

    Lenient in what does not change its meaning: addressing may be missing, headers that are not
    ours to understand are passed over.
    """
    root = parse(data, charset=charset, max_tags=_MAX_TAGS_OF_ANSWER)
    check_version(root)
    body = root.find(f"{{{SOAP}}}Body")
    children = [] if body is None else [c for c in body if isinstance(c.tag, str)]
    if len(children) != 1:
        raise SoapFault("the Body needs exactly one element")
    told = {
        name: (root.findtext(f"{{{SOAP}}}Header/{{{WSA}}}{name}") or "").strip()
        for name in ("Action", "MessageID", "RelatesTo")
    }
    return Message(
        told["Action"], told["MessageID"], children[0], relates_to=told["RelatesTo"][:_MAX_URI]
    )


def parse(data: bytes, *, charset: str = "", max_tags: int = _MAX_TAGS) -> etree._Element:
    """Return the root of a stranger's XML: no DTD, no entities, no network, no depth bombs."""
    declared = _ENCODING.match(data)
    told = (charset or "utf-8").lower()
    if told not in _CHARSETS or (
        declared is not None and declared[1].decode("ascii").lower() not in _CHARSETS
    ):
        raise SoapFault("the message must be in UTF-8")
    prolog = _PROLOG.match(data)
    if prolog is not None and data[prolog.end() : prolog.end() + 2] == b"<!":
        raise SoapFault("a document type declaration has no place in a SOAP message")
    if data.count(b"<") > max_tags:
        raise SoapFault("the message has too many elements", status=413)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        where = getattr(problem, "lineno", None)
        at = f" (line {where})" if where else ""
        raise SoapFault(f"the message is not well-formed XML within our limits{at}") from None


def write_request(action: str, body: str, *, to: str, message_id: str) -> bytes:
    """Return the envelope of a request whose answer comes back on the same connection."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}">'
        f'<s:Header><a:Action s:mustUnderstand="1">{escaped(action)}</a:Action>'
        f"<a:MessageID>{escaped(message_id)}</a:MessageID>"
        f"<a:ReplyTo><a:Address>{ANONYMOUS}</a:Address></a:ReplyTo>"
        f'<a:To s:mustUnderstand="1">{escaped(to)}</a:To></s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def write(action: str, body: str, relates_to: str, *, to: str = "") -> bytes:
    """Return the envelope of a response; `body` is ready-made XML without a declaration.

    `to` is the address of an answer that goes over a connection of its own.
    """
    addressed = f"<a:To>{escaped(to)}</a:To>" if to else ""
    related = f"<a:RelatesTo>{escaped(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}">'
        f'<s:Header><a:Action s:mustUnderstand="1">{escaped(action)}</a:Action>'
        f"<a:MessageID>urn:uuid:{uuid4()}</a:MessageID>{related}{addressed}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def check_version(root: etree._Element) -> None:
    """Raise SoapFault unless the root is an Envelope of SOAP 1.2."""
    if root.tag == f"{{{SOAP_1_1}}}Envelope":
        raise SoapFault("SOAP 1.2 is spoken here, not SOAP 1.1", code=VERSION_MISMATCH)
    if root.tag != f"{{{SOAP}}}Envelope":
        raise SoapFault("the root element is no SOAP 1.2 Envelope", code=VERSION_MISMATCH)


def _addressed(header: etree._Element, http_action: str, body: etree._Element) -> Message:
    """Return the message that header and body make; raises SoapFault against WS-Addressing."""
    found = _blocks(header)
    if "Action" not in found:
        raise SoapFault("wsa:Action is missing", subcode="MessageAddressingHeaderRequired")
    action = _text(found["Action"])
    if not action or action != action.strip() or len(action) > _MAX_URI:
        raise SoapFault(
            "wsa:Action must be one URI with no white space around it",
            subcode="InvalidAddressingHeader",
        )
    if http_action and http_action != action:
        raise SoapFault(
            "wsa:Action and the action of the content type differ",
            subcode="InvalidAddressingHeader",
        )
    message_id = _text(found["MessageID"]).strip() if "MessageID" in found else ""
    if len(message_id) > _MAX_URI:
        raise SoapFault("wsa:MessageID is too long", subcode="InvalidAddressingHeader")
    reply_to, fault_to = (_address(found.get(name)) for name in ("ReplyTo", "FaultTo"))
    return Message(action, message_id, body, reply_to, fault_to)


def _address(reference: etree._Element | None) -> str:
    """Return the address of an endpoint reference; empty for anonymous and none."""
    if reference is None:
        return ""
    address = (reference.findtext(f"{{{WSA}}}Address") or "").strip()
    if not address or len(address) > _MAX_URI:
        raise SoapFault(
            "an endpoint reference needs one wsa:Address of at most 1024 characters",
            subcode="InvalidAddressingHeader",
        )
    return "" if address in {ANONYMOUS, _NONE} else address


def _blocks(header: etree._Element) -> dict[str, etree._Element]:
    """Return the addressing blocks by name; refuse what must be understood and is not."""
    found: dict[str, etree._Element] = {}
    for block in header:
        name = etree.QName(block)
        if name.namespace == WSA:
            if name.localname in _ONCE and name.localname in found:
                raise SoapFault(
                    f"wsa:{name.localname} occurs more than once", subcode="InvalidAddressingHeader"
                )
            found[name.localname] = block
        elif block.get(f"{{{SOAP}}}mustUnderstand", "").strip().lower() in _TRUE:
            raise SoapFault(f"the header {name.localname} is not understood", code=MUST_UNDERSTAND)
    return found


def _text(element: etree._Element) -> str:
    return element.text or ""
