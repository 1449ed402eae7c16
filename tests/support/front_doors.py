"""Front doors of other makers for the demo's loaders: a socket, pynetdicom's SCP, http.server.

ITI-8 over MLLP, PS3.4 annex B, PS3.18 10.5 and ITI-41 as small peers that note what they hear.
Called by tests of `server.demo`.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from datetime import date, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, AllStoragePresentationContexts, evt

from server.demo.doors import DemoTarget

AUTHORITY = "2.25.4711"
TODAY = date(2026, 5, 4)
WHEN = datetime(2026, 5, 4)  # noqa: DTZ001


def target(**ports) -> DemoTarget:
    return DemoTarget(
        http=f"127.0.0.1:{ports.get('http', 9)}",
        dimse=("127.0.0.1", ports.get("dimse", 9), "PIANKU"),
        mllp=("127.0.0.1", ports.get("mllp", 9)),
        assigning_authority=AUTHORITY,
        token="secret",
        patience_seconds=ports.get("patience", 10),
    )


@contextmanager
def mllp_server(answer=lambda message: b"MSH|^~\\&\rMSA|AA|" + message.split(b"|")[9] + b"\r"):
    heard, listener = [], socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            data = b""
            with connection:
                while piece := connection.recv(4096):
                    data += piece
                    while b"\x1c\r" in data:
                        message, _, data = data.partition(b"\x1c\r")
                        heard.append(message.removeprefix(b"\x0b"))
                        reply = answer(heard[-1])
                        if reply is None:
                            break
                        connection.sendall(b"\x0b" + reply + b"\x1c\r")

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.close()


@contextmanager
def storage_scp(status=0x0000):
    received = []

    def handle(event):
        ds = event.dataset
        ds.file_meta = event.file_meta
        received.append((str(ds.SOPInstanceUID), event.assoc.requestor.ae_title))
        return status

    entity = AE(ae_title="PIANKU")

    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, AllTransferSyntaxes)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handle)]
    )
    try:
        yield server.socket.getsockname()[1], received
    finally:
        server.shutdown()


@contextmanager
def http_server(answer):
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, dict(self.headers), body))
            status, content_type, payload = answer(self.path, dict(self.headers), body)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, requests
    finally:
        server.shutdown()
        server.server_close()


def registry_response(status="Success", errors=()):
    listed = "".join(
        f'<rs:RegistryError errorCode="{code}" codeContext="{context}" severity="urn:x:Error"/>'
        for code, context in errors
    )
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        '<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" '
        f'status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:{status}">'
        f"<rs:RegistryErrorList>{listed}</rs:RegistryErrorList></rs:RegistryResponse>"
        "</s:Body></s:Envelope>"
    ).encode()


def happy(path, _headers, _body):
    if path == "/dicom-web/studies":
        return 200, "application/dicom+json", b"{}"
    return 200, "application/soap+xml", registry_response()


def parts(headers, body):
    message = BytesParser().parsebytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body
    )
    return message.get_payload()
