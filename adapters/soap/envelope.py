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


def read(data: bytes, *, charset: str = "", http_action: str = "") -> Message:
    """Return the message in an envelope; raises SoapFault.

    `charset` and `http_action` are the parameters of the content type, empty when absent.
    """
    root = parse(data, charset=charset)
    _check_envelope(root)
    headers = root.findall(f"{{{SOAP}}}Header")
    bodies = root.findall(f"{{{SOAP}}}Body")
    if len(headers) != 1 or len(bodies) != 1 or len(root) != 2:
        raise SoapFault("the envelope needs exactly one Header and one Body")
    message_id, action = _addressing(headers[0], http_action)
    children = [c for c in bodies[0] if isinstance(c.tag, str)]
    if len(children) != 1:
        raise SoapFault("the Body needs exactly one element")
    return Message(action, message_id, children[0])


def parse(data: bytes, *, charset: str = "") -> etree._Element:
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
    if data.count(b"<") > _MAX_TAGS:
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


def write(action: str, body: str, relates_to: str) -> bytes:
    """Return the envelope of a response; `body` is ready-made XML without a declaration."""
    related = f"<a:RelatesTo>{escaped(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}">'
        f'<s:Header><a:Action s:mustUnderstand="1">{escaped(action)}</a:Action>'
        f"<a:MessageID>urn:uuid:{uuid4()}</a:MessageID>{related}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _check_envelope(root: etree._Element) -> None:
    if root.tag == f"{{{SOAP_1_1}}}Envelope":
        raise SoapFault("SOAP 1.2 is spoken here, not SOAP 1.1", code=VERSION_MISMATCH)
    if root.tag != f"{{{SOAP}}}Envelope":
        raise SoapFault("the root element is no SOAP 1.2 Envelope", code=VERSION_MISMATCH)


def _addressing(header: etree._Element, http_action: str) -> tuple[str, str]:
    """Return MessageID and Action; raises SoapFault for what breaks WS-Addressing."""
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
    for target in ("ReplyTo", "FaultTo"):
        address = found[target].findtext(f"{{{WSA}}}Address") if target in found else ANONYMOUS
        if (address or "").strip() not in {ANONYMOUS, _NONE}:
            raise SoapFault(
                f"wsa:{target} must be anonymous: answers go back on the same connection",
                subcode="OnlyAnonymousAddressSupported",
            )
    message_id = _text(found["MessageID"]).strip() if "MessageID" in found else ""
    if len(message_id) > _MAX_URI:
        raise SoapFault("wsa:MessageID is too long", subcode="InvalidAddressingHeader")
    return message_id, action


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
