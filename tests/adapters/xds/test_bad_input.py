"""Requests made to hurt, over a real socket: each is refused, and nothing of it stays."""

from __future__ import annotations

import http.client
import socket
import time
from urllib.parse import urlsplit

import pytest
from lxml import etree

from adapters.soap.names import SOAP
from tests.support import xds
from tests.support.soap import SoapClient, envelope, package
from tests.support.submissions import PATIENT, entry, submission
from tests.support.xds_node import LIMITS, Node, provide_body, without_octets

XOP_INCLUDE = '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="{}"/>'


def post(node: Node, path: str, body: bytes, content_type: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(node.http).netloc, timeout=30)
    connection.request("POST", path, body, {"Content-Type": content_type})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    root = etree.fromstring(text)
    return answer.status, root.findtext(f".//{{{SOAP}}}Reason/{{{SOAP}}}Text", "")


def untouched(node: Node) -> tuple[int, list[str], int]:
    return node.place.facts.head(), node.stored(), len(node.incoming())


def one_document(inside: str) -> bytes:
    document = without_octets(entry())
    element = f'<xds:Document id="urn:uuid:{document.entry_uuid}">{inside}</xds:Document>'
    body = provide_body(submission(document), element)
    return envelope("urn:to", xds.ITI41, "urn:uuid:1", body)


def mtom(inside: str = XOP_INCLUDE.format("cid:a@b"), parts: dict[str, bytes] | None = None):
    return package(one_document(inside), {"a@b": b"x"} if parts is None else parts, xds.ITI41)


def test_the_good_one_is_good(node: Node) -> None:
    body, content_type = mtom()
    connection = http.client.HTTPConnection(urlsplit(node.http).netloc, timeout=30)
    connection.request("POST", "/xds/repository", body, {"Content-Type": content_type})
    assert b"ResponseStatusType:Success" in connection.getresponse().read()


@pytest.mark.parametrize(
    ("inside", "parts", "told"),
    [
        (XOP_INCLUDE.format("cid:nowhere"), None, "Content-ID"),
        (XOP_INCLUDE.format("cid:a@b"), {}, "Content-ID"),
        (XOP_INCLUDE.format("http://127.0.0.1/x"), None, "cid:"),
        (XOP_INCLUDE.format("file:///etc/passwd"), None, "cid:"),
        ("not base64!", None, "base64"),
        (XOP_INCLUDE.format("cid:a@b"), {"a@b": b"x" * (LIMITS.part_bytes + 1)}, "too large"),
        (XOP_INCLUDE.format("cid:a@b"), {f"{n}@b": b"x" for n in range(25)}, "parts"),
    ],
)
def test_a_broken_package_is_a_fault(node: Node, inside: str, parts, told: str) -> None:
    before = untouched(node)
    status, reason = post(node, "/xds/repository", *mtom(inside, parts))
    assert status in {400, 413}
    assert told in reason
    assert untouched(node) == before


def test_a_part_can_be_one_document_only(node: Node) -> None:
    one, two = without_octets(entry()), without_octets(entry())
    elements = "".join(
        f'<xds:Document id="urn:uuid:{d.entry_uuid}">{XOP_INCLUDE.format("cid:a@b")}</xds:Document>'
        for d in (one, two)
    )
    text = envelope("urn:to", xds.ITI41, "urn:uuid:1", provide_body(submission(one, two), elements))
    before = untouched(node)
    status, _ = post(node, "/xds/repository", *package(text, {"a@b": b"x"}, xds.ITI41))
    assert status == 400
    assert untouched(node) == before


def test_content_ids_are_unique_and_required(node: Node) -> None:
    body, content_type = mtom(parts={"a@b": b"x", "c@d": b"y"})
    before = untouched(node)
    status, reason = post(node, "/xds/repository", body.replace(b"<c@d>", b"<a@b>"), content_type)
    assert (status, "two parts" in reason) == (400, True)
    status, reason = post(
        node, "/xds/repository", body.replace(b"Content-ID: <c@d>", b"X-None: 1"), content_type
    )
    assert (status, "no Content-ID" in reason) == (400, True)
    assert untouched(node) == before


def test_content_ids_may_be_percent_encoded(node: Node) -> None:
    body, content_type = package(
        one_document(XOP_INCLUDE.format("cid:a%2Bb%40c")), {"a+b@c": b"x"}, xds.ITI41
    )
    connection = http.client.HTTPConnection(urlsplit(node.http).netloc, timeout=30)
    connection.request("POST", "/xds/repository", body, {"Content-Type": content_type})
    assert b"ResponseStatusType:Success" in connection.getresponse().read()


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_package_cut_short_is_a_fault(node: Node, keep: float) -> None:
    before = untouched(node)
    body, content_type = mtom(parts={"a@b": b"x" * 600_000})
    status, _ = post(node, "/xds/repository", body[: int(len(body) * keep)], content_type)
    assert status == 400
    assert untouched(node) == before


def test_a_sender_who_goes_away_leaves_nothing(node: Node) -> None:
    before = untouched(node)
    body, content_type = mtom(parts={"a@b": b"x" * 1_000_000})
    address = urlsplit(node.http)
    with socket.create_connection((address.hostname, address.port)) as raw:
        head = (
            f"POST /xds/repository HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        raw.sendall(head.encode() + body[:700_000])
        time.sleep(0.5)
    deadline = time.monotonic() + 5
    while untouched(node) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert untouched(node) == before


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/xml", 415),
        ("", 415),
        ("multipart/related; boundary=x", 415),
        ('multipart/related; boundary=x; type="text/xml"', 415),
        ('multipart/related; type="application/xop+xml"', 400),
        ("application/soap+xml; charset=gb18030", 400),
        ("application/soap+xml; charset=utf-16", 400),
        ('application/soap+xml; action="urn:other"', 400),
    ],
)
def test_the_content_type_is_checked(node: Node, content_type: str, status: int) -> None:
    got, reason = post(node, "/xds/repository", one_document("eA=="), content_type)
    assert got == status
    assert reason


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
        b"<a>" * 50_000,
        b"<a",
        b"",
        b"\xff\xfe<\x00a\x00",
    ],
)
@pytest.mark.parametrize("path", ["/xds/registry", "/xds/repository"])
def test_hostile_xml_is_a_fault(node: Node, document: bytes, path: str) -> None:
    status, reason = post(node, path, document, "application/soap+xml; charset=utf-8")
    assert status == 400
    assert "root:" not in reason


def test_an_oversize_envelope_is_refused(node: Node) -> None:
    status, reason = post(
        node, "/xds/registry", b" " * (LIMITS.root_bytes + 1), "application/soap+xml"
    )
    assert status == 413
    assert "MTOM" in reason
    body, content_type = package(b" " * (LIMITS.root_bytes + 1), {}, xds.ITI41)
    assert post(node, "/xds/repository", body, content_type)[0] == 413


def test_a_body_that_is_another_message_is_a_fault(node: Node, client: SoapClient) -> None:
    for path, action in (
        ("/xds/registry", xds.ITI18),
        ("/xds/registry", "urn:ihe:iti:2007:RegisterDocumentSet-b"),
        ("/xds/repository", xds.ITI43),
    ):
        assert client.call(path, action, "<other/>", mtom=path.endswith("repository")).is_fault


def test_an_action_of_the_other_actor_is_not_supported(node: Node, client: SoapClient) -> None:
    for path, action in (
        ("/xds/registry", xds.ITI43),
        ("/xds/repository", xds.ITI18),
        ("/xds/registry", "urn:ihe:iti:2007:CrossGatewayQuery"),
    ):
        answer = client.call(path, action, "<other/>")
        assert answer.is_fault
        assert "ActionNotSupported" in answer.text()
        assert answer.relates_to == answer.message_id


def test_path_like_identifiers_stay_values(node: Node, client: SoapClient) -> None:
    document = xds.Document(b"x", PATIENT, unique_id="../../etc/passwd")
    answer = xds.provide_and_register(client, document)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert xds.retrieve(client, "1.2.250.99.2", ["../../etc/passwd"]) == {"../../etc/passwd": b"x"}


def test_who_is_not_known_gets_a_fault_and_a_challenge(node: Node) -> None:
    connection = http.client.HTTPConnection(urlsplit(node.http).netloc, timeout=30)
    connection.request(
        "POST", "/xds/registry", b"x" * 100,
        {"Content-Type": "application/soap+xml", "Authorization": "Bearer nonsense"},
    )  # fmt: skip
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("WWW-Authenticate")) == (401, "Bearer")
    assert b"Fault" in answer.read()


def test_who_may_not_register_gets_a_fault_and_a_record(node: Node) -> None:
    secret = node.place.token("clinician", label="viewer")
    reader = SoapClient(node.http, {"Authorization": f"Bearer {secret}"})
    before = untouched(node)
    answer = xds.provide_and_register(reader, xds.Document(b"x", PATIENT))
    assert (answer.http_status, answer.is_fault) == (403, True)
    assert untouched(node) == before
    denied = [e.fact for e in node.place.access.read(0, 100_000) if e.fact.outcome == "denied"]
    assert any(f.transaction == "ITI-41" and f.action == "store" for f in denied)
    assert isinstance(xds.find_documents(reader, PATIENT), list)
