"""Envelopes of strangers: what SOAP 1.2 and WS-Addressing ask, and XML made to hurt."""

from __future__ import annotations

import time

import pytest
from lxml import etree

from adapters.soap import envelope, faults
from adapters.soap.envelope import read
from adapters.soap.faults import SoapFault
from adapters.soap.names import SOAP, WSA, escaped

ACTION = "<a:Action>urn:x</a:Action>"


def made(header: str = ACTION, body: str = "<b/>", *, soap: str = SOAP, more: str = "") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{soap}" xmlns:a="{WSA}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body>{more}</s:Envelope>"
    ).encode()


def test_a_message_is_read() -> None:
    header = f'<a:To>x</a:To><a:Action s:mustUnderstand="1">urn:x</a:Action><a:MessageID>urn:m</a:MessageID><a:ReplyTo><a:Address>{WSA}/anonymous</a:Address></a:ReplyTo>'
    message = read(made(header), charset="UTF-8", http_action="urn:x")
    assert (message.action, message.message_id, message.body.tag) == ("urn:x", "urn:m", "b")


def test_default_namespaces_comments_and_white_space_do_no_harm() -> None:
    text = f'<?xml version="1.0" encoding="utf-8"?><!-- c --><Envelope xmlns="{SOAP}">\n<Header> <Action xmlns="{WSA}">urn:x</Action>\n</Header>\n<Body><!-- c -->\n<b xmlns=""/>\n</Body></Envelope>'
    assert read(text.encode()).action == "urn:x"


@pytest.mark.parametrize(
    ("data", "code", "subcode"),
    [
        (made(soap="http://schemas.xmlsoap.org/soap/envelope/"), "VersionMismatch", ""),
        (b"<html/>", "VersionMismatch", ""),
        (made(more="<s:Body><b/></s:Body>"), "Sender", ""),
        (made(body=""), "Sender", ""),
        (made(body="<b/><b/>"), "Sender", ""),
        (f'<s:Envelope xmlns:s="{SOAP}"><s:Body><b/></s:Body></s:Envelope>'.encode(), "Sender", ""),
        (made(""), "Sender", "MessageAddressingHeaderRequired"),
        (made(ACTION + ACTION), "Sender", "InvalidAddressingHeader"),
        (made(f"{ACTION}<a:To>x</a:To><a:To>x</a:To>"), "Sender", "InvalidAddressingHeader"),
        (made("<a:Action> urn:x</a:Action>"), "Sender", "InvalidAddressingHeader"),
        (made("<a:Action>urn:x\n</a:Action>"), "Sender", "InvalidAddressingHeader"),
        (made("<a:Action/>"), "Sender", "InvalidAddressingHeader"),
        (
            made(f"{ACTION}<a:MessageID>{'x' * 2000}</a:MessageID>"),
            "Sender",
            "InvalidAddressingHeader",
        ),
        (made(f"{ACTION}<a:ReplyTo/>"), "Sender", "InvalidAddressingHeader"),
        (made(f'{ACTION}<x:y xmlns:x="urn:x" s:mustUnderstand="true"/>'), "MustUnderstand", ""),
    ],
)
def test_what_breaks_soap_or_addressing_is_a_fault(data: bytes, code: str, subcode: str) -> None:
    with pytest.raises(SoapFault) as fault:
        read(data)
    assert (fault.value.code, fault.value.subcode) == (code, subcode)


def test_s8_an_address_to_reply_to_is_read() -> None:
    elsewhere = "<a:ReplyTo><a:Address> http://elsewhere.example/ </a:Address></a:ReplyTo>"
    assert read(made(ACTION + elsewhere)).reply_to == "http://elsewhere.example/"
    nowhere = f"<a:ReplyTo><a:Address>{WSA}/none</a:Address></a:ReplyTo>"
    assert read(made(ACTION + nowhere)).reply_to == ""


def test_a_header_that_need_not_be_understood_is_passed_over() -> None:
    assert read(made(f'{ACTION}<x:y xmlns:x="urn:x" s:mustUnderstand="0"/>')).action == "urn:x"


def test_the_actions_of_http_and_soap_agree() -> None:
    with pytest.raises(SoapFault, match="differ"):
        read(made(), http_action="urn:y")


LOLS = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
BOMBS = {
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + made(body="<b>&e;</b>"),
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:9/"> %e;]>' + made(),
    "billion laughs": f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{LOLS}]>'.encode() + made(body="<b>&l9;</b>"),
    "doctype after comment": b"<!-- -->\n<?p i?><!DOCTYPE x>" + made(),
    "doctype after mark": b"\xef\xbb\xbf<!DOCTYPE x>" + made(),
    "deep": made(body="<b>" * 100_000 + "</b>" * 100_000),
    "many elements": made(body="<b>" + "<c/>" * 600_000 + "</b>"),
    "attributes": made(body="<b " + " ".join(f'a{i}="x"' for i in range(1000)) + " a1='y'/>"),
    "long text": made(body="<b>" + "x" * 11_000_000 + "</b>"),
    "cut off": made()[:-30],
    "no xml": b"\x00\x01\x02",
    "empty": b"",
    "utf-16": made().decode().encode("utf-16"),
    "declared latin-1": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + made(),
    "no utf-8": made(body="<b>").replace(b"<b>", b"<b>\xff\xfe</b>"),
    "control character": made(body="<b>&#1;</b>"),
    "xinclude-like entity": made(body="<b>&unknown;</b>"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_xml_made_to_hurt_is_refused_quickly(name: str) -> None:
    started = time.monotonic()
    with pytest.raises(SoapFault):
        read(BOMBS[name])
    assert time.monotonic() - started < 5


def test_another_charset_is_refused() -> None:
    with pytest.raises(SoapFault, match="UTF-8"):
        read(made(), charset="gb18030")


def test_faults_and_responses_are_well_formed_whatever_is_in_them() -> None:
    fault = SoapFault('a "reason" <b> & \x00 more', subcode="ActionNotSupported")
    root = etree.fromstring(faults.render(fault, "<m&>"))
    assert root.findtext(f".//{{{SOAP}}}Text") == 'a "reason" <b> &  more'
    assert root.findtext(f".//{{{WSA}}}RelatesTo") == "<m&>"
    assert envelope.read(envelope.write("urn:r", "<b/>", "m")).action == "urn:r"


def test_text_survives_attribute_and_element() -> None:
    text = "a\tb\nc\r\"<&>'\u4e2d\U0001f600"
    element = etree.fromstring(f'<x y="{escaped(text)}">{escaped(text)}</x>')
    assert element.get("y") == element.text == text
