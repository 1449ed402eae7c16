"""The walk of a client certificate: real TLS socket -> scope -> guard -> Subject or 401."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kernel.refusals import Unauthenticated
from server.tls import EXTENSION, PeerCertificateProtocol
from tests.support.certificates import Authority, Identity, authority
from tests.support.installation import Installation, installation


class TlsServer:
    """uvicorn with our protocol and an application that tells who the guard sees."""

    def __init__(self, place: Installation, pki: Authority, loop: str) -> None:
        def who(request: Request) -> JSONResponse:
            try:
                subject = place.guard.http_subject(request)
            except Unauthenticated as refusal:
                return JSONResponse({"code": refusal.code}, status_code=401)
            told = request.scope.get("extensions", {}).get(EXTENSION, {})
            return JSONResponse(
                {"kind": subject.kind, "name": subject.name, "subject": told.get("subject")}
            )

        config = uvicorn.Config(
            Starlette(routes=[Route("/who", who)]), http=PeerCertificateProtocol, loop=loop,
            lifespan="off", log_config=None,
        )  # fmt: skip
        config.load()
        config.ssl = pki.issue("localhost").server_context(pki.certificate)
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.fixture(params=["asyncio", "uvloop"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, pki: Authority
) -> Generator[tuple[Installation, TlsServer]]:
    with installation(tmp_path) as place:
        server = TlsServer(place, pki, request.param)
        try:
            yield place, server
        finally:
            server.stop()


def ask(
    port: int, pki: Authority, who: Identity | None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    context = ssl.create_default_context(cafile=str(pki.certificate))
    if who is not None:
        context.load_cert_chain(who.certificate, who.key)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    answers = []
    for _ in range(2):  # the second request uses the same connection
        connection.request("GET", "/who", headers=headers or {})
        response = connection.getresponse()
        answers.append((response.status, json.loads(response.read())))
    connection.close()
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.tender("R-6.2.14.1")
def test_a_trusted_certificate_is_a_subject(
    served: tuple[Installation, TlsServer], pki: Authority
) -> None:
    place, server = served
    client, stranger = pki.issue("xds-source"), pki.issue("stranger")
    place.administration.trust_certificate(client.fingerprint, "xds-source", ["system"])
    place.guard.directory.refresh()
    status, body = ask(server.port, pki, client)
    assert status == 200
    assert body == {"kind": "certificate", "name": "xds-source", "subject": "commonName=xds-source"}
    # Good for the handshake, but standing for nobody.
    assert ask(server.port, pki, stranger) == (401, {"code": "unauthenticated"})
    assert ask(server.port, pki, None) == (401, {"code": "signed_out"})


def test_no_header_claims_a_certificate(
    served: tuple[Installation, TlsServer], pki: Authority
) -> None:
    place, server = served
    client = pki.issue("xds-source")
    place.administration.trust_certificate(client.fingerprint, "xds-source", ["system"])
    place.guard.directory.refresh()
    for name in ("pianku.tls", "X-SSL-Client-Fingerprint", "X-Client-Cert", "extensions"):
        status, _ = ask(server.port, pki, None, {name: client.fingerprint})
        assert status == 401


def test_a_certificate_of_another_authority_does_not_pass_the_handshake(
    served: tuple[Installation, TlsServer], pki: Authority, tmp_path: Path
) -> None:
    _, server = served
    foreign = authority(tmp_path, "other").issue("xds-source")
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(server.port, pki, foreign)


@pytest.mark.peer("curl")
def test_curl_with_and_without(served: tuple[Installation, TlsServer], pki: Authority) -> None:
    place, server = served
    client = pki.issue("curl")
    place.administration.trust_certificate(client.fingerprint, "curl", ["system"])
    place.guard.directory.refresh()

    def curl(*options: str) -> str:
        return subprocess.run(
            ["curl", "-sS", "--cacert", str(pki.certificate), "-w", " %{http_code}", *options,
             f"https://localhost:{server.port}/who"],
            check=True, capture_output=True, text=True, timeout=30,
        ).stdout  # fmt: skip

    assert curl("--cert", str(client.certificate), "--key", str(client.key)).endswith(" 200")
    assert curl().endswith(" 401")
