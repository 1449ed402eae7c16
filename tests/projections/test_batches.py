"""However the ledger is cut into batches, a view has the same rows: live and rebuilt alike.

Design A4. One eventful past is recorded once; hypothesis then chooses where the batches end.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.events import Recorded
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append
from projections.contract import ViewSpec
from projections.delivery_queue.projection import SPEC as DELIVERY_QUEUE
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.document_index.view import DocumentIndex
from projections.patient_index.projection import SPEC as PATIENT_INDEX
from registry.documents.commands import Rules
from registry.documents.values import AssociationType, DocumentEntry, Status
from registry.patients.values import Told
from registry.subscriptions import commands as subscriptions
from registry.subscriptions.commands import Terms
from registry.subscriptions.values import Asked, Criteria, Kind, Subscriber, Topic
from repository.objects import commands as objects
from tests.support.installation import Installation, installation
from tests.support.submissions import (
    AUTHORITY,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from tests.support.updates import metadata_update, new_version
from workflows.receive_identity_feed import IdentityFeed
from workflows.register_documents import RegisterDocuments
from workflows.remove_metadata import RemoveMetadata
from workflows.update_documents import UpdateDocuments

A, B = PatientId.parse(PATIENT), PatientId("B", AUTHORITY)
OCTETS: Final = "ab" * 32
VIEWS: Final = (DOCUMENT_INDEX, PATIENT_INDEX, DELIVERY_QUEUE)


class Past:
    """What happened, told through the workflows."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.index = DocumentIndex(place.views)
        self.feed = IdentityFeed(place.facts, place.keys, AUTHORITY)
        self.register = RegisterDocuments(place.facts, place.keys, rules=Rules())
        self.update = UpdateDocuments(place.facts, self.index, self.register)
        self.remove = RemoveMetadata(place.facts, self.index)

    def provide(self, document: DocumentEntry, *more: Any) -> DocumentEntry:
        """Register a document whose octets lie here."""
        asked = submission(document, *more)
        self.register.with_objects(asked, {document.entry_uuid: OCTETS}, lambda: ())
        return document

    def revise(self, first: Any, number: int, **changes: Any) -> None:
        """Give an object its version `number`."""
        asked = metadata_update(new_version(first, **changes), previous=str(number - 1))
        self.update(asked)

    def subscribe(self, patient: PatientId) -> None:
        """Let somebody ask for a patient's documents."""
        key, subscription = self.place.keys.key(patient), uuid4()
        asked = Asked(
            topic=Topic.FULL_DOCUMENT_ENTRY,
            consumer="http://consumer.example.org/",
            criteria=Criteria(kind=Kind.DOCUMENT, patient_id=str(patient)),
        )
        self.place.facts.append(
            subscriptions.subscribe(
                asked, Subscriber(name="reader", kind="token"), self.place.clock(), Terms(),
                subscription=subscription, address=f"http://broker.example.org/dsub/{subscription}",
                patient_key=key,
            )
        )  # fmt: skip

    def remove_octets(self, document: DocumentEntry) -> None:
        """Remove a document and leave its metadata."""
        gone = objects.remove(
            OCTETS, unique_id=document.unique_id,
            repository_unique_id=document.repository_unique_id,
            patient_key=self.place.keys.key(PatientId.parse(document.patient_id)),
        )  # fmt: skip
        self.place.facts.append(Append((gone,)))

    def take_back(self, first: DocumentEntry) -> None:
        """Give a document a second version and remove it again, with all it hangs on."""
        asked = metadata_update(new_version(first, title="second"), previous="1")
        self.update(asked)
        (made,) = asked.submission.entries
        with self.index.reading() as look:
            edges = look.associations(sources=[made.entry_uuid], targets=[made.entry_uuid])
        self.remove(
            (
                made.entry_uuid,
                asked.submission.submission_set.entry_uuid,
                *(edge.entry_uuid for edge in edges),
            )
        )

    def happen(self) -> None:
        """Let everything happen that a later event may undo."""
        for patient in (A, B):
            self.feed.receive((patient,), Told(name=f"Li^{patient.id}"))
            self.subscribe(patient)
        first, other, box = entry(str(A)), entry(str(A)), folder(str(A))
        inside = member(box.entry_uuid, first.entry_uuid)
        self.provide(first, box, inside)
        self.revise(first, 2, title="second")
        self.revise(first, 3, title="third")
        self.revise(box, 2, title="second")
        self.revise(box, 3, title="third")
        self.provide(other)
        self.update(metadata_update((other.entry_uuid, Status.APPROVED, Status.DEPRECATED)))
        self.update(metadata_update((other.entry_uuid, Status.DEPRECATED, Status.APPROVED)))
        self.remove_octets(other)
        self.revise(other, 2, title="without octets")
        again = msgspec.structs.replace(entry(str(A)), unique_id=other.unique_id)
        self.provide(again)
        self.feed.merge(A, B, Told())
        heir = entry(str(B))
        replaces = association(AssociationType.RPLC, heir.entry_uuid, again.entry_uuid)
        self.provide(heir, replaces)
        self.take_back(heir)
        approved = (heir.entry_uuid, Status.DEPRECATED, Status.APPROVED)
        self.update(metadata_update(approved, whole=submission_set(str(B))))
        self.revise(heir, 2, title="second again")
        lonely = submission(entry(str(B)))
        self.register(lonely)
        self.remove(
            (
                lonely.submission_set.entry_uuid,
                lonely.entries[0].entry_uuid,
                lonely.associations[0].entry_uuid,
            )
        )


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sequence[Recorded]]:
    """Everything that happened."""
    folder_of_it: Path = tmp_path_factory.mktemp("past")
    with installation(folder_of_it, list(VIEWS)) as place:
        Past(place).happen()
        yield place.facts.read(0, 10_000)


def rows(spec: ViewSpec, past: Sequence[Recorded], ends: set[int]) -> dict[str, list[str]]:
    """Return all rows of a view that took the past in batches with these ends."""
    engine = sa.create_engine("sqlite://")
    tables: Any = spec.make_tables("")
    tables.metadata.create_all(engine)
    projection = spec.make_projection(tables)
    batch: list[Recorded] = []
    with engine.begin() as connection:
        for number, recorded in enumerate(past):
            if recorded.fact.TOPIC in spec.topics:
                batch.append(recorded)
            if batch and (number in ends or number == len(past) - 1):
                projection.apply(connection, batch)
                batch = []
        return {
            name: sorted(map(repr, connection.execute(sa.select(table))))
            for name, table in tables.metadata.tables.items()
        }


@pytest.mark.parametrize("spec", VIEWS, ids=lambda spec: spec.name)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_batches_do_not_matter(
    spec: ViewSpec, past: Sequence[Recorded], data: st.DataObject
) -> None:
    at_once = rows(spec, past, set())
    assert any(at_once.values())
    ends = data.draw(st.sets(st.integers(0, len(past) - 1)))
    assert rows(spec, past, ends) == at_once


@pytest.mark.parametrize("spec", VIEWS, ids=lambda spec: spec.name)
def test_a_rebuild_is_what_lived(spec: ViewSpec, past: Sequence[Recorded]) -> None:
    assert rows(spec, past, set(range(len(past)))) == rows(spec, past, set())
