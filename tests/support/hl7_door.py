"""A running HL7 v2 door with what stands behind it, for tests over real sockets.

ITI TF-2 3.8, 3.9, 3.21 over MLLP. Called by tests of `adapters/hl7v2`.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Final

from adapters.hl7v2.endpoint import MllpLimits, MllpServer
from adapters.hl7v2.framing import framed
from adapters.hl7v2.iti8_patient_identity_feed import FeedPolicy
from adapters.hl7v2.iti64_pid_link_change import PidLinkChange
from adapters.hl7v2.routes import Parts, routes
from kernel.identifiers import PatientId
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.document_index.view import DocumentIndex
from projections.patient_index.projection import SPEC as PATIENT_INDEX
from projections.patient_index.view import PatientIndex, PatientRow
from registry.documents.commands import Rules
from registry.patients.values import IdentityDomain, IdentityDomains
from tests.adapters.hl7v2.messages import AUTHORITY, LAB
from tests.support.installation import Installation
from workflows.change_pid_link import ChangePidLink
from workflows.receive_identity_feed import IdentityFeed
from workflows.register_documents import RegisterDocuments
from workflows.update_documents import UpdateDocuments

DOMAINS: Final = IdentityDomains(IdentityDomain(AUTHORITY, "HOSP"), (IdentityDomain(LAB, "LAB"),))
POLICY: Final = FeedPolicy(DOMAINS)
LIMITS: Final = MllpLimits(message_octets=20_000, connections=4, frame_seconds=1.0)
SPECS: Final = [AUDIT_TRAIL, PATIENT_INDEX, DOCUMENT_INDEX]


class Door:
    """A running MLLP server with what stands behind it."""

    def __init__(self, place: Installation, **options: Any) -> None:
        self.place = place
        self.feed = IdentityFeed(place.facts, place.keys, AUTHORITY)
        self.index = PatientIndex(place.views)
        self.register = RegisterDocuments(place.facts, place.keys, rules=Rules())
        self.documents = DocumentIndex(place.views)
        update = UpdateDocuments(place.facts, self.documents, self.register)
        change = ChangePidLink(self.documents, update, place.keys, source_oid="1.2.156.999.3")
        link = PidLinkChange(change, self.index, place.keys, DOMAINS)
        policy = options.get("policy", POLICY)
        self.server = MllpServer(
            ("127.0.0.1", 0),
            routes=routes(Parts(self.feed, self.index, policy, link)),
            guard=place.guard,
            **{"policy": POLICY, "limits": LIMITS, **options},
        )
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        assert self.server.ready.wait(10)

    def close(self) -> None:
        """Stop the server."""
        self.server.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)

    def send(self, text: str, charset: str = "utf-8") -> dict[str, list[str]]:
        """Send a message and return its answer's segments by name."""
        with self.connect() as connection:
            connection.sendall(framed(text.encode(charset)))
            return segments(receive(connection))

    def ask(self, text: str, charset: str = "utf-8", answered_in: str = "utf-8") -> list[list[str]]:
        """Send a message and return the segments of its answer, all of them, as fields."""
        with self.connect() as connection:
            connection.sendall(framed(text.encode(charset)))
            answer = receive(connection)[1:-2].decode(answered_in)
        return [line.split("|") for line in answer.split("\r") if line]

    def patient(self, local: str = "P100") -> PatientRow | None:
        """Return the patient of an identifier of the affinity domain."""
        return self.index.by_id(PatientId(local, AUTHORITY))


def receive(connection: socket.socket) -> bytes:
    """Read one frame."""
    data = b""
    while not data.endswith(b"\x1c\r"):
        more = connection.recv(4096)
        if not more:
            break
        data += more
    return data


def segments(frame: bytes) -> dict[str, list[str]]:
    """Return a frame's segments by name, as fields."""
    assert frame.startswith(b"\x0b")
    text = frame[1:-2].decode("utf-8", "replace")
    return {line[:3]: line.split("|") for line in text.split("\r") if line}
