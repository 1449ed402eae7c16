"""After a merge the documents of both identifiers are the survivor's, live and rebuilt alike."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.document_index.filters import DocumentFilter, SubmissionSetFilter
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.document_index.view import DocumentIndex
from projections.patient_index.projection import SPEC as PATIENT_INDEX
from projections.patient_index.view import PatientIndex
from projections.runner import Runner
from registry.documents.commands import Rules
from registry.documents.refusals import PatientUnknown
from registry.documents.values import AssociationType
from registry.patients.events import PatientShredded
from registry.patients.values import Told
from tests.support.installation import Installation, installation, on_engine
from tests.support.submissions import (
    AUTHORITY,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from workflows.receive_identity_feed import IdentityFeed
from workflows.register_documents import RegisterDocuments

A, B, C = (PatientId(name, AUTHORITY) for name in "ABC")


class Place:
    """An installation with a feed and a registry."""

    def __init__(self, made: Installation) -> None:
        self.made = made
        self.feed = IdentityFeed(made.facts, made.keys, AUTHORITY)
        self.register = RegisterDocuments(made.facts, made.keys, rules=Rules())
        self.index = DocumentIndex(made.views)

    def file(self, patient: PatientId, *more: Any, **changes: Any) -> UUID:
        """Register a document in a folder; returns its entryUUID."""
        cx = str(patient)
        one, box, whole = entry(cx, **changes), folder(cx), submission_set(cx)
        inside = member(box.entry_uuid, one.entry_uuid)
        links = [association(kind, one.entry_uuid, target) for kind, target in more]
        listed = member(whole.entry_uuid, inside.entry_uuid)
        self.register(submission(one, box, inside, listed, *links, whole=whole))
        return one.entry_uuid

    def documents(self, patient: PatientId) -> set[UUID]:
        with self.index.reading() as look:
            rows = look.find_documents([self.made.keys.key(patient)], DocumentFilter())
        assert {row.entry().patient_id for row in rows} <= {str(patient)}
        return {row.entry_uuid for row in rows}

    def rows(self) -> dict[str, list[Any]]:
        """Return every row of the live document index."""
        with self.made.views.reading(DOCUMENT_INDEX.name) as (connection, tables):
            return {
                name.partition("__g")[0]: sorted(map(repr, connection.execute(sa.select(table))))
                for name, table in tables.metadata.tables.items()
            }

    def rebuild(self) -> None:
        """Rebuild both views and wait for the switch."""
        runner = Runner(self.made.views, {"facts": self.made.facts})
        for spec in (DOCUMENT_INDEX, PATIENT_INDEX):
            runner.rebuild(spec.name)
        runner.catch_up("facts")
        runner.drop_retired()
        self.made.views._live.clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Place]:
    specs = [DOCUMENT_INDEX, PATIENT_INDEX]
    engine: Any = on_engine(request)
    with installation(tmp_path, specs, **engine) as made:
        found = Place(made)
        for patient in (A, B, C):
            found.feed.receive((patient,), Told(name=f"Li^{patient.id}"))
        yield found


def test_a_merge_chain_moves_everything_and_a_rebuild_tells_the_same(place: Place) -> None:
    first = place.file(A, source_patient_id="L1^^^&1.2.9&ISO")
    second = place.file(B)
    place.feed.merge(A, B, Told())
    assert place.documents(A) == set()
    assert place.documents(B) == {first, second}
    place.feed.merge(B, C, Told())
    assert place.documents(B) == set()
    assert place.documents(C) == {first, second}
    with place.index.reading() as look:
        sets = look.find_submission_sets([place.made.keys.key(C)], SubmissionSetFilter())
        (row,) = look.documents(entry_uuids=[first])
    assert {s.submission_set().patient_id for s in sets} == {str(C)}
    assert row.entry().source_patient_id == "L1^^^&1.2.9&ISO"
    before = place.rows()
    place.rebuild()
    assert place.rows() == before
    assert place.documents(C) == {first, second}


def test_a_submission_for_the_subsumed_is_refused_even_if_no_feed_is_required(place: Place) -> None:
    place.feed.merge(A, B, Told())
    lenient = RegisterDocuments(
        place.made.facts, place.made.keys, rules=Rules(patient_feed_required=False)
    )
    for register in (place.register, lenient):
        place.register = register
        with pytest.raises(PatientUnknown):
            place.file(A)


@pytest.mark.parametrize("kind", [AssociationType.RPLC, AssociationType.APND])
def test_old_documents_of_both_are_one_patients(place: Place, kind: AssociationType) -> None:
    old = place.file(A)
    place.feed.merge(A, B, Told())
    place.feed.merge(B, C, Told())
    new = place.file(C, (kind, old))
    expected = {old, new}
    assert place.documents(C) == expected


def test_what_was_decided_before_the_merge_and_recorded_after_it_is_the_survivors(
    place: Place,
) -> None:
    other = Place(place.made)
    decide = other.register._decide

    def slow(*asked: Any, **more: Any) -> Any:
        decided = decide(*asked, **more)
        place.feed.merge(A, B, Told())
        return decided

    other.register._decide = slow  # type: ignore[method-assign]
    late = other.file(A)
    assert place.documents(A) == set()
    assert place.documents(B) == {late}


def test_a_local_identifier_makes_nobody_known_to_xds(place: Place) -> None:
    local = PatientId("L1", "1.2.9")
    place.feed.receive((local,), Told(name="Li^Si"))
    with pytest.raises(PatientUnknown):
        place.file(local)
    place.feed.receive((A, local), Told())
    with pytest.raises(PatientUnknown):
        place.file(local)


def test_the_subsumed_identifier_leaves_the_patient_index(place: Place) -> None:
    index = PatientIndex(place.made.views)
    place.feed.merge(A, B, Told())
    place.feed.merge(B, C, Told())
    assert index.by_id(A) is None
    assert index.person_of(B) is None
    assert [row.local_id for row in index.search(policy=sa.true()).items] == ["C"]
    row = index.by_key(place.made.keys.key(A))
    assert row is not None
    assert row.merged_into == place.made.keys.key(C)
    place.rebuild()
    assert index.by_key(place.made.keys.key(A)) == row


def test_a_survivor_who_is_shredded_takes_what_he_absorbed_along(place: Place) -> None:
    place.file(A)
    place.file(B)
    place.feed.merge(A, B, Told())
    key = place.made.keys.key(B)
    gone = PatientShredded(patient_key=key, reason="request")
    place.made.facts.append(Append((StreamAppend(key, (gone,)),)))
    place.made.ring.destroy(key)
    for _ in range(2):
        assert place.documents(B) == set()
        assert not any(place.rows().values())
        assert PatientIndex(place.made.views).by_key(place.made.keys.key(A)) is None
        place.rebuild()
