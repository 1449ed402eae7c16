"""The notification broker behind a real socket, and what sends its notifications on demand.

ITI TF-2 3.52 to 3.54. Called by the tests of adapters/xds.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI

from adapters.soap.client import SoapClient as OutgoingClient
from adapters.soap.door import build_soap_router
from adapters.soap.multipart import Limits
from adapters.storage.local import LocalBlobStore
from adapters.xds.iti53_notify import DocumentMetadataNotify
from adapters.xds.notification_broker import Broker, broker_services
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.delivery_queue.view import Notification
from registry.patients.events import PatientIdentified
from registry.subscriptions.commands import Retrying
from registry.subscriptions.consumers import AllowedConsumers
from tests.support.broker import BrokerNode, broker_node
from tests.support.soap import SoapClient
from tests.support.submissions import AUTHORITY
from workflows.deliver_notifications import NotificationDelivery

CONSUMERS = ("http://127.0.0.1:*/notifications",)
NOWHERE = "http://127.0.0.1:9/notifications"
"""Allowed, and nobody listens there."""


@dataclass
class Place:
    """A broker behind a socket, and what sends its notifications when the test says so."""

    node: BrokerNode
    http: str
    delivery: NotificationDelivery
    notify: DocumentMetadataNotify
    clients: list[SoapClient] = field(default_factory=list)

    def client(self, *roles: str) -> SoapClient:
        """Return a client with a token of these roles, or one from loopback."""
        headers = {"Authorization": f"Bearer {self.node.place.token(*roles)}"} if roles else {}
        self.clients.append(SoapClient(self.http, headers))
        return self.clients[-1]

    def patient(self) -> str:
        """Make a new patient known and return the identifier."""
        made = f"D{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
        key = self.node.place.keys.key(PatientId.parse(made))
        fact = PatientIdentified(patient_key=key, origin="feed", patient_id=made)
        self.node.place.facts.append(Append((StreamAppend(key, (fact,), None, key),)))
        return made

    def notifications(self, reference: str) -> list[Notification]:
        """Return the notifications of a subscription, named by its address."""
        return list(self.node.queue.notifications(UUID(reference.rpartition("/")[2])))

    def deliver(self) -> int:
        """Send what waits."""
        self.node.place.views.wait("delivery_queue")
        return self.delivery.deliver_due()


@contextmanager
def broker_door(folder: Path, *, dsn: str | None = None, schema: str = "") -> Generator[Place]:
    """Give a broker at `Place.http`."""
    with broker_node(folder, dsn=dsn, schema=schema, consumers=CONSUMERS, most=1000) as node:
        store, guard = LocalBlobStore(folder / "hot"), node.place.guard
        app = FastAPI(openapi_url=None)
        services = broker_services(Broker(node.subscriptions), guard)
        app.include_router(build_soap_router(services, guard, store, Limits()))
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        notify = DocumentMetadataNotify(
            node.place.facts, node.index, guard, OutgoingClient(store),
            AllowedConsumers(CONSUMERS), loopback_system=True,
        )  # fmt: skip
        delivery = NotificationDelivery(
            node.place.facts, node.queue, notify, retrying=Retrying(), clock=node.place.clock
        )
        made = Place(node, f"http://127.0.0.1:{listener.getsockname()[1]}", delivery, notify)
        yield made
        for client in made.clients:
            client.close()
        server.should_exit = True
        thread.join(10)
