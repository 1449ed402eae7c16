"""HTTP peers that drip, stop or never read are cut off, and nobody else is."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import uvicorn

from server.slow_peers import PatientProtocol

LARGE = b"x" * (64 << 20)


class Hasty(PatientProtocol):
    head_seconds, stall_seconds, grace_seconds = 0.8, 0.8, 0.8
    rate = 10_000
    look_seconds = 0.1


@pytest.fixture(scope="module")
def server():
    gone = []

    async def app(scope, receive, send):
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                gone.append(scope["path"])
                return
            if scope["path"] == "/slow-application":
                await asyncio.sleep(0.05)
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        body = LARGE if scope["path"] == "/large" else b"%d" % size
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", b"%d" % len(body))]})  # fmt: skip
        await send({"type": "http.response.body", "body": body})

    with running(app) as port:
        yield port, gone


@contextmanager
def running(app):
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=Hasty, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def line(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def cut_off(sock):
    """Tell whether the line ends without an answer."""
    with suppress(ConnectionResetError):
        return sock.recv(100) == b""
    return True


POST = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n"


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: a\r\nx: y", POST, POST + b"some"]
)
def test_who_stops_is_cut_off(server, said):
    with line(server[0]) as sock:
        sock.sendall(said)
        assert cut_off(sock)


@pytest.mark.parametrize("before", [b"", POST])
def test_who_drips_is_cut_off(server, before):
    with line(server[0]) as sock:
        sock.sendall(before)
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 15:
                sock.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - began < 10


def test_a_lost_body_is_a_lost_client(server):
    with line(server[0]) as sock:
        sock.sendall(POST.replace(b"/x", b"/lost"))
        assert cut_off(sock)
    deadline = time.monotonic() + 5
    while "/lost" not in server[1]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_head_without_end_is_cut_off(server):
    with line(server[0]) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(OSError):  # noqa: PT012 - somewhere in the loop
            for _ in range(100):
                sock.sendall(b"x: " + b"y" * 60_000 + b"\r\n")
            while sock.recv(1000):
                pass
            raise ConnectionResetError


def test_who_never_reads_is_cut_off(server):
    with line(server[0]) as sock:
        sock.sendall(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
        time.sleep(3)
        got = 0
        with suppress(ConnectionResetError):
            while more := sock.recv(1 << 20):
                got += len(more)
        assert got < len(LARGE)


def test_who_reads_slowly_but_reads_gets_it_all(server):
    with line(server[0]) as sock:
        sock.sendall(b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        got = 0
        while more := sock.recv(4 << 20):
            got += len(more)
            time.sleep(0.05)
        assert got > len(LARGE)


def test_a_slow_application_is_not_the_peers_fault(server):
    with line(server[0]) as sock:
        body = b"x" * 3_000_000
        sock.sendall(
            b"POST /slow-application HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n"
        )
        sock.sendall(body)
        assert b"200" in sock.recv(100)


def test_requests_on_one_line_with_pauses(server):
    with line(server[0]) as sock:
        for _ in range(3):
            sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert b"200" in sock.recv(1000)
            time.sleep(1.2)


def test_many_at_once_harm_nobody(server):
    held = [line(server[0]) for _ in range(60)]
    for sock in held:
        sock.sendall(b"POST / HTTP/1.1\r\nhost")
    with line(server[0]) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"200" in sock.recv(1000)
    assert all(cut_off(sock) for sock in held)
    for sock in held:
        sock.close()
