"""Send report documents by ITI-41: SOAP 1.2, WS-Addressing, MTOM/XOP.

Implements the Document Source of ITI TF-2 3.41 and Appendix V.3.6.
Called by `load`.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from kernel.identifiers import stream_id
from server.demo.documents import DemoSubmission
from server.demo.doors import DemoTarget, Reply
from server.demo.refusals import DoorRefused
from server.demo.xds_metadata import LCM, RIM, XDS, Metadata

PATH: Final = "/xds/repository"
ACTION: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"

_SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
_ADDRESSING: Final = "http://www.w3.org/2005/08/addressing"
_XOP: Final = "http://www.w3.org/2004/08/xop/include"
_SUCCESS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
_ALREADY: Final = frozenset({"XDSDuplicateUniqueIdInRegistry"})
_ROOT: Final = "root@demo.pianku"
_STATUS: Final = re.compile(rb"<(?:\w+:)?RegistryResponse\b[^>]*\bstatus=[\"']([^\"']+)")
_ERRORS: Final = re.compile(rb"\berrorCode=[\"']([^\"']+)")
_CONTEXTS: Final = re.compile(rb"\bcodeContext=[\"']([^\"']+)")
_FAULT: Final = re.compile(rb"<(?:\w+:)?Text\b[^>]*>([^<]+)")

for _prefix, _name in (
    ("soap", _SOAP), ("wsa", _ADDRESSING), ("xop", _XOP), ("xds", XDS), ("lcm", LCM), ("rim", RIM),
):  # fmt: skip
    ET.register_namespace(_prefix, _name)


def provide(target: DemoTarget, submission: DemoSubmission) -> bool:
    """Send a submission; False when the registry has had it before. Raises DoorRefused."""
    body, contents = Metadata(target.assigning_authority).request(submission)
    content_type, package = _package(target, body, contents, submission.unique_id)
    return _outcome(target, target.post(PATH, package, {"Content-Type": content_type}))


def _package(
    target: DemoTarget, body: Element, contents: dict[str, bytes], unique_id: str
) -> tuple[str, bytes]:
    """Return the Content-Type and the multipart body: the SOAP root, then the documents."""
    parts: list[tuple[str, str, bytes]] = []
    for index, (entry_id, content) in enumerate(contents.items(), start=1):
        cid = f"document{index}@demo.pianku"
        document = SubElement(body, f"{{{XDS}}}Document", {"id": entry_id})
        SubElement(document, f"{{{_XOP}}}Include", {"href": f"cid:{cid}"})
        parts.append((cid, "application/octet-stream", content))
    message = ET.tostring(_envelope(target, body, unique_id), encoding="utf-8")
    root_type = (
        f'application/xop+xml; charset=UTF-8; type="application/soap+xml; action=\\"{ACTION}\\""'
    )
    boundary = f"demo_{stream_id('boundary', unique_id).hex}"
    out = bytearray()
    for cid, kind, content in ((_ROOT, root_type, message), *parts):
        out += (
            f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: <{cid}>\r\n\r\n"
        ).encode() + content
        out += b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    content_type = (
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; '
        f'start="<{_ROOT}>"; start-info="application/soap+xml"; action="{ACTION}"'
    )
    return content_type, bytes(out)


def _envelope(target: DemoTarget, body: Element, unique_id: str) -> Element:
    envelope = Element(f"{{{_SOAP}}}Envelope")
    header = SubElement(envelope, f"{{{_SOAP}}}Header")
    scheme, _, address = target.http.rpartition("://")
    SubElement(
        header, f"{{{_ADDRESSING}}}Action", {f"{{{_SOAP}}}mustUnderstand": "true"}
    ).text = ACTION
    message_id = stream_id("demo message", unique_id)
    SubElement(header, f"{{{_ADDRESSING}}}MessageID").text = f"urn:uuid:{message_id}"
    SubElement(header, f"{{{_ADDRESSING}}}To").text = f"{scheme or 'http'}://{address}{PATH}"
    reply_to = SubElement(header, f"{{{_ADDRESSING}}}ReplyTo")
    SubElement(reply_to, f"{{{_ADDRESSING}}}Address").text = f"{_ADDRESSING}/anonymous"
    SubElement(envelope, f"{{{_SOAP}}}Body").append(body)
    return envelope


def _outcome(target: DemoTarget, reply: Reply) -> bool:
    door = f"ITI-41 at {target.http}{PATH}"
    status = _STATUS.search(reply.body)
    if status is None:
        fault = _FAULT.search(reply.body)
        detail = fault[1].decode("utf-8", "replace") if fault else ""
        raise DoorRefused(door, f"HTTP {reply.status}", detail[:400])
    if status[1].decode() == _SUCCESS:
        return True
    errors = [code.decode() for code in _ERRORS.findall(reply.body)]
    if errors and set(errors) <= _ALREADY:
        return False
    contexts = [context.decode("utf-8", "replace") for context in _CONTEXTS.findall(reply.body)]
    raise DoorRefused(door, ", ".join(errors) or status[1].decode(), "; ".join(contexts)[:400])
