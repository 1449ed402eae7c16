"""A notification broker inside the test process: an installation with registry and subscriptions.

ITI TF-2 3.52 to 3.54. Called by the tests of the delivery queue, its workflow and its doors.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.delivery_queue.projection import SPEC as DELIVERY_QUEUE
from projections.delivery_queue.view import DeliveryQueue
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.document_index.view import DocumentIndex
from registry.documents.commands import Rules
from registry.documents.values import DocumentEntry, Folder, Submission
from registry.patients.events import PatientIdentified
from registry.subscriptions.commands import Terms
from registry.subscriptions.consumers import AllowedConsumers
from registry.subscriptions.values import Asked, Criteria, Kind, Subscriber, Topic
from tests.support.installation import Installation, installation
from tests.support.submissions import OTHER_PATIENT, PATIENT, submission
from workflows.register_documents import RegisterDocuments
from workflows.subscribe_to_documents import DocumentSubscriptions, InForce

LOOPBACK = Subscriber(name="loopback", kind="system")
CONSUMER = "http://127.0.0.1:9/notifications"
TOPICS = {
    Kind.DOCUMENT: Topic.FULL_DOCUMENT_ENTRY,
    Kind.SUBMISSION_SET: Topic.SUBMISSION_SET_METADATA,
    Kind.FOLDER: Topic.FOLDER_METADATA,
}


@dataclass
class BrokerNode:
    """The parts of a broker, and what its tests do with them."""

    place: Installation
    queue: DeliveryQueue
    index: DocumentIndex
    register: RegisterDocuments
    subscriptions: DocumentSubscriptions

    def key(self, patient_id: str = PATIENT) -> UUID:
        """Return a patient's key."""
        return self.place.keys.key(PatientId.parse(patient_id))

    def subscribe(
        self, criteria: Criteria | None = None, *, consumer: str = CONSUMER,
        subscriber: Subscriber = LOOPBACK, termination: str = "",
    ) -> InForce:  # fmt: skip
        """Subscribe, to the documents of PATIENT unless told otherwise."""
        criteria = criteria or Criteria(kind=Kind.DOCUMENT, patient_id=PATIENT)
        asked = Asked(
            topic=TOPICS[criteria.kind], consumer=consumer, criteria=criteria,
            termination=termination,
        )  # fmt: skip
        return self.subscriptions.subscribe(
            asked, subscriber, lambda made: f"http://broker.example/dsub/{made}"
        )

    def registered(self, *things: DocumentEntry | Folder) -> Submission:
        """Register a submission of these things."""
        made = submission(*things)
        self.register(made)
        return made

    def told(self, made: InForce, state: str = "waiting") -> list[UUID]:
        """Return the objects of a subscription's notifications in one state, in order."""
        return [
            one.entry_uuid
            for one in self.queue.notifications(made.subscription)
            if one.state == state
        ]


@contextmanager
def broker_node(
    folder: Path, *, dsn: str | None = None, schema: str = "", consumers: tuple[str, ...] = (),
    most: int = 20,
) -> Generator[BrokerNode]:  # fmt: skip
    """Give a running broker that knows PATIENT and OTHER_PATIENT; its clock is set by hand."""
    specs = [DOCUMENT_INDEX, DELIVERY_QUEUE, AUDIT_TRAIL]
    with installation(folder, specs, dsn=dsn, schema=schema, loopback_system=True) as place:
        queue = DeliveryQueue(place.views)
        made = BrokerNode(
            place,
            queue,
            DocumentIndex(place.views),
            RegisterDocuments(place.facts, place.keys, rules=Rules()),
            DocumentSubscriptions(
                place.facts, place.keys, queue,
                consumers=AllowedConsumers(consumers or ("http://127.0.0.1:*",)),
                terms=Terms(timedelta(days=30)), most=most, clock=place.clock,
            ),
        )  # fmt: skip
        for patient_id in (PATIENT, OTHER_PATIENT):
            key = made.key(patient_id)
            fact = PatientIdentified(patient_key=key, origin="feed", patient_id=patient_id)
            place.facts.append(Append((StreamAppend(key, (fact,), None, key),)))
        yield made
