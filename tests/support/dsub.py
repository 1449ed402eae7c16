"""A subscriber to documents: asks by SOAP for notifications, and takes them on a port of its own.

ITI TF-2 3.52 (subscribe), 3.53 (notify), 3.54 (publish); WS-BaseNotification 1.3 written by hand.
Called by walks and by the tests of adapters/xds; imports nothing of the product.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from lxml import etree

from tests.support import xds
from tests.support.soap import ADDRESSING, ENVELOPE, Answer, SoapClient

WSNT: Final = "http://docs.oasis-open.org/wsn/b-2"
ACTIONS: Final = "http://docs.oasis-open.org/wsn/bw-2"
SUBSCRIBE: Final = f"{ACTIONS}/NotificationProducer/SubscribeRequest"
UNSUBSCRIBE: Final = f"{ACTIONS}/SubscriptionManager/UnsubscribeRequest"
RENEW: Final = f"{ACTIONS}/SubscriptionManager/RenewRequest"
NOTIFY: Final = f"{ACTIONS}/NotificationConsumer/Notify"
SIMPLE: Final = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple"
FULL: Final = "ihe:FullDocumentEntry"
MINIMAL: Final = "ihe:MinimalDocumentEntry"
SETS: Final = "ihe:SubmissionSetMetadata"
FOLDERS: Final = "ihe:FolderMetadata"
DOCUMENTS: Final = "urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66"
ANYBODYS_DOCUMENTS: Final = "urn:uuid:742790e0-aba6-43d6-9f1f-e43ed9790b79"
SUBMISSION_SETS: Final = "urn:uuid:fbede94e-dbdc-4f6b-bc1f-d730e677cece"
ANYBODYS_SUBMISSION_SETS: Final = "urn:uuid:868cad3d-ec09-4565-b66c-1be10d034399"
FOLDER: Final = "urn:uuid:9376254e-da05-41f5-9af3-ac56d63d8ebd"
NAMES: Final = {
    "n": WSNT, "a": ADDRESSING, "s": ENVELOPE, "rim": xds.RIM, "lcm": xds.LCM,
    "bf": "http://docs.oasis-open.org/wsrf/bf-2",
}  # fmt: skip


class Recipient:
    """A Document Metadata Notification Recipient on a port of this machine; a context manager."""

    def __init__(self, port: int = 0) -> None:
        self.taken: list[etree._Element] = []
        """The envelopes it accepted, in order."""
        self.offered = 0
        self.status = 202
        """What it answers; anything but 2xx means that it did not take the notification."""
        recipient = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                recipient.offered += 1
                if recipient.status < 300:
                    recipient.taken.append(etree.fromstring(octets))
                self.send_response(recipient.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/notifications"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def wait(self, count: int, seconds: float = 30) -> list[etree._Element]:
        """Return what was taken once it is that many."""
        deadline = time.monotonic() + seconds
        while len(self.taken) < count:
            assert time.monotonic() < deadline, f"{len(self.taken)} of {count} taken"
            time.sleep(0.05)
        return list(self.taken)

    def unique_ids(self) -> list[str]:
        """Return the uniqueIds of what was taken, in order."""
        return [xds.unique_id(told(envelope)) for envelope in self.taken]


def told(envelope: etree._Element) -> etree._Element:
    """Return the one object that a notification tells of."""
    (found,) = envelope.findall(
        "s:Body/n:Notify/n:NotificationMessage/n:Message/lcm:SubmitObjectsRequest"
        "/rim:RegistryObjectList/*", NAMES,
    )  # fmt: skip
    return found


def subscribe_body(
    consumer: str, parameters: Mapping[str, str], *, topic: str = FULL, query: str = DOCUMENTS,
    termination: str = "", more: str = "",
) -> str:  # fmt: skip
    """Return a wsnt:Subscribe."""
    ends = f"<w:InitialTerminationTime>{termination}</w:InitialTerminationTime>"
    return (
        f'<w:Subscribe xmlns:w="{WSNT}" xmlns:rim="{xds.RIM}" xmlns:adr="{ADDRESSING}">'
        f"<w:ConsumerReference><adr:Address>{consumer}</adr:Address></w:ConsumerReference>"
        f'<w:Filter>\n <w:TopicExpression Dialect="{SIMPLE}">{topic}</w:TopicExpression>'
        f'<rim:AdhocQuery id="{query}">{xds.slots(parameters)}</rim:AdhocQuery>\n</w:Filter>'
        f"{ends if termination else ''}{more}</w:Subscribe>"
    )


def of_patient(patient_id: str, **more: str) -> dict[str, str]:
    """Return the parameters of a filter on a patient's documents."""
    return {
        "$XDSDocumentEntryPatientId": f"'{patient_id}'",
        **{f"$XDSDocumentEntry{name}": value for name, value in more.items()},
    }


def subscribe(client: SoapClient, body: str, path: str = "/dsub") -> Answer:
    """Send ITI-52 Subscribe."""
    return client.call(path, SUBSCRIBE, body)


def reference(answer: Answer) -> str:
    """Return the address at which a subscription that was made is managed."""
    found = answer.body.findtext("n:SubscriptionReference/a:Address", "", NAMES)
    assert found, answer.text()
    return str(found)


def unsubscribe(client: SoapClient, address: str) -> Answer:
    """Send ITI-52 Unsubscribe to a subscription's address."""
    return client.call(urlsplit(address).path, UNSUBSCRIBE, f'<w:Unsubscribe xmlns:w="{WSNT}"/>')


def renew(client: SoapClient, address: str, termination: str) -> Answer:
    """Send wsnt:Renew to a subscription's address."""
    body = (
        f'<w:Renew xmlns:w="{WSNT}"><w:TerminationTime>{termination}</w:TerminationTime></w:Renew>'
    )
    return client.call(urlsplit(address).path, RENEW, body)


def publish(base: str, body: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """Send ITI-54, which is one-way."""
    envelope = (
        f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{NOTIFY}</a:Action><a:MessageID>urn:uuid:{uuid4()}'
        f"</a:MessageID><a:To>{base}/dsub</a:To></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
    return httpx.post(
        f"{base}/dsub", content=envelope.encode(),
        headers={"Content-Type": "application/soap+xml; charset=UTF-8", **(headers or {})},
    )  # fmt: skip


def fault(answer: Answer) -> str:
    """Return the name of the WS-Notification fault of an answer."""
    assert answer.is_fault, answer.text()
    assert answer.action == "http://docs.oasis-open.org/wsn/fault", answer.action
    detail = answer.body.find("s:Detail", NAMES)
    assert detail is not None, answer.text()
    return str(etree.QName(detail[0]).localname)
