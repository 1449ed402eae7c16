"""The outgoing client against real sockets: answers, faults, silence, lies, TLS."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lxml import etree

from adapters.soap import envelope, faults
from adapters.soap.client import Peer, SoapClient, tls_context
from adapters.soap.exchange import Exchange, MtomAnswer, Part
from adapters.soap.faults import SoapFault
from adapters.soap.multipart import Limits
from adapters.soap.names import SOAP_TYPE, XOP
from adapters.soap.refusals import PeerAnswerMalformed, PeerFault, PeerUnavailable
from adapters.storage.local import LocalBlobStore
from tests.support import certificates

SIMPLE = f"{SOAP_TYPE}; charset=utf-8"
LIMITS = Limits(root_bytes=1 << 16, part_bytes=1 << 22)
Answering = Callable[[BaseHTTPRequestHandler, bytes], None]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers["Content-Type"], body))
        try:
            self.server.answering(self, body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def peer() -> Generator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.seen = []
    server.url = f"http://127.0.0.1:{server.server_port}/service?x=1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path / "store")


@pytest.fixture
def client(store: LocalBlobStore) -> SoapClient:
    return SoapClient(store, LIMITS)


def says(octets: bytes, content_type: str = SIMPLE, status: int = 200) -> Answering:
    def answer(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(octets)))
        handler.end_headers()
        handler.wfile.write(octets)

    return answer


def left_behind(store_folder: Path) -> list[Path]:
    return [p for p in (store_folder / "incoming").rglob("*") if p.is_file() and p.name != ".lock"]


def test_a_request_is_sent_and_its_answer_read(
    peer: ThreadingHTTPServer, client: SoapClient
) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        message = envelope.read(body, http_action="urn:ask")
        says(envelope.write("urn:told", "<b/>", message.message_id))(handler, body)

    peer.answering = answer
    with client.call(Peer(peer.url), "urn:ask", "<a>片库 &amp; co</a>") as reply:
        assert (reply.action, reply.body.tag) == ("urn:told", "b")
    ((path, content_type, body),) = peer.seen
    assert path == "/service?x=1"
    assert content_type.startswith(SOAP_TYPE)
    assert envelope.read(body).body.text == "片库 & co"


def test_parts_travel_both_ways_and_wait_in_the_store(
    peer: ThreadingHTTPServer, client: SoapClient, store: LocalBlobStore, tmp_path: Path
) -> None:
    document = bytes(range(256)) * 4096
    kept = store.incoming()
    kept.write(document)
    kept.seal()
    key = kept.keep()
    include = f'<xop:Include xmlns:xop="{XOP}" href="cid:d@x"/>'

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        exchange = Exchange(peer.seen[-1][1], store, LIMITS)
        exchange.take(body)
        message = exchange.message()
        sent = exchange.content(message.body)
        assert sent is not None
        assert sent.read(0, sent.size) == document
        sent.discard()
        root = envelope.write("urn:told", f"<b>{include}</b>", message.message_id)
        package = MtomAnswer(root, [Part("d@x", key, len(document))], store)
        says(b"".join(package), package.content_type)(handler, body)

    peer.answering = answer
    parts = [Part("d@x", key, len(document))]
    with client.call(Peer(peer.url), "urn:ask", f"<a>{include}</a>", parts=parts) as reply:
        got = reply.content(reply.body)
        assert got is not None
        assert got.read(0, got.size) == document
        got.discard()
    kept.discard()
    assert left_behind(tmp_path / "store") == []


def test_parts_that_nobody_takes_are_let_go(
    peer: ThreadingHTTPServer, client: SoapClient, store: LocalBlobStore, tmp_path: Path
) -> None:
    kept = store.incoming()
    kept.write(b"x")
    kept.seal()
    package = MtomAnswer(
        envelope.write("urn:told", "<b/>", ""), [Part("d@x", kept.keep(), 1)], store
    )
    kept.discard()
    peer.answering = says(b"".join(package), package.content_type)
    with client.call(Peer(peer.url), "urn:ask", "<a/>", mtom=True):
        assert left_behind(tmp_path / "store")
    assert left_behind(tmp_path / "store") == []


def test_a_fault_is_told_by_its_kind_and_nothing_of_its_text(
    peer: ThreadingHTTPServer, client: SoapClient
) -> None:
    peer.answering = says(faults.render(SoapFault("patient ZHANG")), status=500)
    with pytest.raises(PeerFault) as refused:
        client.call(Peer(peer.url), "urn:ask", "<a/>")
    assert "ZHANG" not in str(refused.value)
    assert "Sender" in str(refused.value)


def _hangs_up(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def _cut_short(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", SIMPLE)
    handler.send_header("Content-Length", "9000")
    handler.end_headers()
    handler.wfile.write(b"<s:Envelope")
    handler.close_connection = True


@pytest.mark.parametrize(
    ("answering", "kind"),
    [
        (says(b"<html/>", "text/html", 502), PeerAnswerMalformed),
        (says(b"<html/>"), PeerAnswerMalformed),
        (says(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), PeerAnswerMalformed),
        (says(b"x" * (1 << 17)), PeerAnswerMalformed),
        (says(b"--x\r\n", 'multipart/related; type="application/xop+xml"; boundary=x'), PeerAnswerMalformed),
        (says(envelope.write("urn:told", "<b/>", "urn:uuid:another")), PeerAnswerMalformed),
        (says(b"", status=302), PeerAnswerMalformed),
        (_hangs_up, PeerUnavailable),
        (_cut_short, PeerUnavailable),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(
    peer: ThreadingHTTPServer, client: SoapClient, answering: Answering, kind: type[Exception]
) -> None:
    peer.answering = answering
    with pytest.raises(kind):
        client.call(Peer(peer.url), "urn:ask", "<a/>")


def test_a_silent_peer_and_a_slow_one_are_given_up(
    peer: ThreadingHTTPServer, client: SoapClient
) -> None:
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", SIMPLE)
        handler.send_header("Content-Length", "9000")
        handler.end_headers()
        while not stop.wait(0.05):
            handler.wfile.write(b" ")

    began = time.monotonic()
    peer.answering = drip
    with pytest.raises(PeerUnavailable):
        client.call(Peer(peer.url, silence_seconds=5, total_seconds=0.5), "urn:ask", "<a/>")
    peer.answering = lambda _handler, _body: stop.wait(10) and None
    with pytest.raises(PeerUnavailable):
        client.call(Peer(peer.url, silence_seconds=0.3), "urn:ask", "<a/>")
    assert time.monotonic() - began < 4
    stop.set()


def test_a_head_that_drips_is_given_up(client: SoapClient, peer: ThreadingHTTPServer) -> None:
    def drips(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(60):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    peer.answering = drips
    slow = Peer(peer.url, silence_seconds=0.5, total_seconds=1.0)
    began = time.monotonic()
    with pytest.raises(PeerUnavailable):
        client.deliver(slow, SIMPLE, 1, (b"x",))
    assert time.monotonic() - began < 3


def test_nobody_there_and_no_web_address_are_unavailable(client: SoapClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "file:///etc/passwd", "http://no-such-host.invalid/"):
        with pytest.raises(PeerUnavailable):
            client.call(Peer(url), "urn:ask", "<a/>")


def test_tls_trusts_its_authority_alone_and_shows_our_certificate(
    client: SoapClient, peer: ThreadingHTTPServer, tmp_path: Path
) -> None:
    authority = certificates.authority(tmp_path)
    server, ours = authority.issue("localhost"), authority.issue("gateway")
    peer.socket = server.server_context(authority.certificate).wrap_socket(
        peer.socket, server_side=True
    )
    names: list[object] = []

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        names.append(handler.connection.getpeercert()["subject"])
        says(envelope.write("urn:told", "<b/>", ""))(handler, body)

    peer.answering = answer
    url = f"https://127.0.0.1:{peer.server_port}/"
    context = tls_context(
        ca=str(authority.certificate), certificate=str(ours.certificate), key=str(ours.key)
    )
    with client.call(Peer(url, context), "urn:ask", "<a/>") as reply:
        assert reply.body.tag == "b"
    assert "gateway" in str(names)
    with pytest.raises(PeerUnavailable):
        client.call(Peer(url), "urn:ask", "<a/>")


def test_a_message_without_an_answer_is_delivered(
    peer: ThreadingHTTPServer, client: SoapClient
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"ab"
        yield b"cd"

    peer.answering = says(b"", status=202)
    client.deliver(Peer(peer.url), SIMPLE, 4, pieces())
    assert peer.seen[-1][2] == b"abcd"
    peer.answering = says(b"", status=500)
    with pytest.raises(PeerUnavailable):
        client.deliver(Peer(peer.url), SIMPLE, 4, pieces())


def test_an_element_without_its_part_is_malformed(
    peer: ThreadingHTTPServer, client: SoapClient
) -> None:
    body = f'<b><xop:Include xmlns:xop="{XOP}" href="cid:gone"/></b>'
    peer.answering = says(envelope.write("urn:told", body, ""))
    with (
        client.call(Peer(peer.url), "urn:ask", "<a/>") as reply,
        pytest.raises(PeerAnswerMalformed),
    ):
        reply.content(reply.body)
    assert etree.QName(reply.body).localname == "b"
