"""Asynchronous web services over sockets (ITI TF-2 Appendix V.3.2.2; checklist S8)."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from lxml import etree

import schemas
from adapters.soap.client import SoapClient
from adapters.soap.door import Answer, Call, SoapPort, build_soap_router
from adapters.soap.exchange import Part
from adapters.soap.multipart import Limits
from adapters.soap.names import SOAP, SOAP_TYPE, WSA, XOP
from adapters.soap.replies import Replies
from adapters.storage.local import LocalBlobStore
from kernel.refusals import Forbidden
from registry.access.values import Subject
from registry.subscriptions.consumers import AllowedConsumers


@dataclass
class Receiver:
    """Where asynchronous answers go to."""

    got: queue.Queue[tuple[str, str, bytes]] = field(default_factory=queue.Queue)
    refuse: int = 0
    go: threading.Event = field(default_factory=threading.Event)
    """Whether it answers; set unless a test clears it."""
    url: str = ""


@pytest.fixture
def receiver() -> Generator[Receiver]:
    made = Receiver()
    made.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.go.wait(10)
            refused, made.refuse = made.refuse > 0, made.refuse - 1
            if not refused:
                made.got.put((self.path, self.headers["Content-Type"], body))
            self.send_response(503 if refused else 202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


class _Gate:
    def http_subject(self, _request: object) -> Subject:
        return Subject("tester", "system", frozenset(), "127.0.0.1")


@pytest.fixture
def door(receiver: Receiver, tmp_path: Path) -> Generator[str]:
    store = LocalBlobStore(tmp_path / "store")

    def document(_call: Call) -> Answer:
        held = store.incoming()
        held.write(b"octets" * 400_000)
        include = f'<b><xop:Include xmlns:xop="{XOP}" href="cid:d@x"/></b>'
        return Answer(include, (Part("d@x", "", held.size, held),), mtom=True)

    def refuse(_call: Call) -> Answer:
        raise Forbidden

    service = SoapPort(
        "/door",
        schemas.path("xds/registry.wsdl"),
        {"urn:ask": lambda _call: Answer("<b/>"), "urn:document": document, "urn:refuse": refuse},
        {},
    )
    allowed = AllowedConsumers([f"{receiver.url}/replies"])
    replies = Replies(SoapClient(store), allowed, again_seconds=(0.05, 0.05), most=2)
    app = FastAPI(openapi_url=None)
    app.include_router(build_soap_router([service], _Gate(), store, Limits(), replies=replies))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/door"
    server.should_exit = True
    thread.join(10)
    replies.close()


def ask(door: str, reply_to: str, action: str = "urn:ask", more: str = "") -> httpx.Response:
    text = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}"><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>urn:m:1</a:MessageID><a:ReplyTo><a:Address>{reply_to}</a:Address>"
        f"</a:ReplyTo>{more}</s:Header><s:Body><x/></s:Body></s:Envelope>"
    )
    return httpx.post(door, content=text, headers={"content-type": SOAP_TYPE})


def header(octets: bytes, name: str) -> str:
    return etree.fromstring(octets).findtext(f"{{{SOAP}}}Header/{{{WSA}}}{name}", "")


def test_s8_the_answer_is_posted_to_the_address_after_202(door: str, receiver: Receiver) -> None:
    told = ask(door, f"{receiver.url}/replies/7")
    assert (told.status_code, told.content) == (202, b"")
    path, content_type, body = receiver.got.get(timeout=5)
    assert path == "/replies/7"
    assert content_type.startswith(SOAP_TYPE)
    assert header(body, "RelatesTo") == "urn:m:1"
    assert header(body, "Action") == "urn:askResponse"
    assert header(body, "To") == f"{receiver.url}/replies/7"


def test_s8_documents_travel_to_the_address_too(
    door: str, receiver: Receiver, tmp_path: Path
) -> None:
    assert ask(door, f"{receiver.url}/replies", "urn:document").status_code == 202
    _, content_type, body = receiver.got.get(timeout=5)
    assert content_type.startswith("multipart/related")
    assert body.count(b"octets" * 400_000) == 1
    _nothing_left(tmp_path)


def test_s8_a_fault_goes_to_fault_to_or_to_reply_to(door: str, receiver: Receiver) -> None:
    assert ask(door, f"{receiver.url}/replies", "urn:refuse").status_code == 202
    assert b"Fault>" in receiver.got.get(timeout=5)[2]
    fault_to = f"<a:FaultTo><a:Address>{receiver.url}/replies/faults</a:Address></a:FaultTo>"
    assert ask(door, f"{receiver.url}/replies", "urn:refuse", fault_to).status_code == 202
    assert receiver.got.get(timeout=5)[0] == "/replies/faults"


def test_s8_a_receiver_that_is_away_is_asked_again(door: str, receiver: Receiver) -> None:
    receiver.refuse = 2
    assert ask(door, f"{receiver.url}/replies").status_code == 202
    assert receiver.got.get(timeout=5)[0] == "/replies"


def test_s8_no_more_answers_wait_than_there_is_room_for(door: str, receiver: Receiver) -> None:
    for _ in range(5):  # every place is given back: when delivered, and when given up
        receiver.refuse = 3
        _accepted(door, f"{receiver.url}/replies")
        deadline = time.monotonic() + 5
        while receiver.refuse > 0 and time.monotonic() < deadline:
            time.sleep(0.01)
    receiver.go.clear()
    _accepted(door, f"{receiver.url}/replies")
    _accepted(door, f"{receiver.url}/replies")
    assert ask(door, f"{receiver.url}/replies").status_code == 503
    receiver.go.set()
    _accepted(door, f"{receiver.url}/replies")


@pytest.mark.parametrize(
    "address",
    [
        "{0}/elsewhere",
        "{0}/replies-too",
        "{0}/replies/../admin",
        "{0}/replies/%2e%2e/admin",
        "http://user@{1}/replies",
        "https://{1}/replies",
        "http://127.0.0.1:1/replies",
        "http://[::1/replies",
        "file:///etc/passwd",
        "mailto:somebody@example.org",
    ],
)
def test_s8_an_address_that_is_not_allowed_is_refused(
    door: str, receiver: Receiver, address: str
) -> None:
    told = ask(door, address.format(receiver.url, receiver.url.removeprefix("http://")))
    assert told.status_code == 400
    assert "OnlyAnonymousAddressSupported" in told.text
    assert receiver.got.empty()


def test_parts_without_a_key_are_let_go_after_the_answer(door: str, tmp_path: Path) -> None:
    told = ask(door, f"{WSA}/anonymous", "urn:document")
    assert told.status_code == 200
    assert told.content.count(b"octets" * 400_000) == 1
    _nothing_left(tmp_path)


def test_parts_without_a_key_are_let_go_when_the_consumer_hangs_up(
    door: str, tmp_path: Path
) -> None:
    text = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}"><s:Header><a:Action>urn:document</a:Action>'
        "</s:Header><s:Body><x/></s:Body></s:Envelope>"
    )
    with httpx.stream("POST", door, content=text, headers={"content-type": SOAP_TYPE}) as told:
        assert told.status_code == 200
    _nothing_left(tmp_path)


def _accepted(door: str, address: str) -> None:
    """Ask until there is room: a place is given back a little after its last attempt."""
    deadline = time.monotonic() + 5
    while (told := ask(door, address)).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert told.status_code == 202


def _nothing_left(tmp_path: Path) -> None:
    folder = tmp_path / "store" / "incoming"
    deadline = time.monotonic() + 5
    left = [Path()]
    while left and time.monotonic() < deadline:
        left = [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]
        time.sleep(0.01)
    assert left == []
