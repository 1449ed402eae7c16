"""On-demand documents by policy, and when several ask at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from kernel.ledger.ports import Append
from projections.document_index.filters import DocumentFilter
from projections.document_index.held import HeldDocuments
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from registry.documents.values import STABLE, DocumentEntry, Status
from repository.objects.refusals import DocumentNotGenerated
from tests.support.installation import installation
from tests.support.removing import on_demand
from tests.support.submissions import REPOSITORY, submission
from tests.support.xds_node import Node, make
from workflows.generate_on_demand import GenerateOnDemand, Made, OnDemandPolicy, Snapshots
from workflows.register_documents import RegisterDocuments
from workflows.remove_documents import RemoveDocuments
from workflows.remove_metadata import RemoveMetadata


class Told:
    """A generator that makes what it is told to make."""

    mime_types = frozenset({"text/plain"})

    def __init__(self) -> None:
        self.content = b"first"

    def __call__(self, entry: DocumentEntry, patient_key: UUID) -> bytes:
        return self.content


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Node]:
    dsn, schema = None, ""
    if request.param == "postgresql":
        dsn = request.getfixturevalue("postgres_dsn")
        schema = request.getfixturevalue("postgres_schema")
    with installation(tmp_path, [DOCUMENT_INDEX], dsn=dsn, schema=schema) as place:
        yield make(tmp_path, place)


@pytest.fixture
def document(node: Node) -> DocumentEntry:
    made = on_demand()
    node.register.on_demand(submission(made))
    return made


@pytest.fixture
def generator() -> Told:
    return Told()


def generate(node: Node, generator: Told, snapshots: Snapshots) -> Callable[[UUID], Made]:
    policy = OnDemandPolicy("1.2.250.99.3", snapshots)
    return GenerateOnDemand(node.index, node.register, node.store, generator, policy=policy)


def stable(node: Node, document: DocumentEntry, status: Status = Status.APPROVED) -> set[str]:
    located = node.index.locate(document.entry_uuid)
    assert located is not None
    with node.index.reading() as look:
        rows = look.find_documents(
            [located.patient_key], DocumentFilter(statuses=(status,), object_types=(STABLE,))
        )
    return {row.entry().unique_id for row in rows}


def test_snapshots_replace_each_other(node: Node, document: DocumentEntry, generator: Told) -> None:
    make_it = generate(node, generator, Snapshots.REPLACE)
    first = make_it(document.entry_uuid)
    generator.content = b"second"
    second = make_it(document.entry_uuid)
    assert stable(node, document) == {second.unique_id}
    assert stable(node, document, Status.DEPRECATED) == {first.unique_id}
    generator.content = b"first"
    third = make_it(document.entry_uuid)
    assert third.unique_id not in {first.unique_id, second.unique_id}
    assert stable(node, document) == {third.unique_id}


def test_snapshots_are_all_kept(node: Node, document: DocumentEntry, generator: Told) -> None:
    make_it = generate(node, generator, Snapshots.KEEP)
    first = make_it(document.entry_uuid)
    generator.content = b"second"
    second = make_it(document.entry_uuid)
    assert stable(node, document) == {first.unique_id, second.unique_id}
    assert (first.is_snapshot, node.store.read(first.key)) == (True, b"first")


def test_nothing_is_kept(node: Node, document: DocumentEntry, generator: Told) -> None:
    make_it = generate(node, generator, Snapshots.NONE)
    made, again = make_it(document.entry_uuid), make_it(document.entry_uuid)
    assert made.held is not None
    assert again.held is not None
    assert made.held.read(0, 100) == b"first"
    assert made.unique_id == again.unique_id, "the same octets have the same name"
    made.held.discard()
    again.held.discard()
    assert (stable(node, document), node.stored(), node.incoming()) == (set(), [], [])


def test_many_ask_at_once_and_get_the_same(
    node: Node, document: DocumentEntry, generator: Told
) -> None:
    make_it = generate(node, generator, Snapshots.REPLACE)
    for content in (b"first", b"second"):
        generator.content = content
        with ThreadPoolExecutor(6) as threads:
            made = list(threads.map(make_it, [document.entry_uuid] * 6))
        assert len({one.unique_id for one in made}) == 1
        assert {one.key for one in made} == {made[0].key}
        assert stable(node, document) == {made[0].unique_id}
    assert node.incoming() == []


class Overtaken:
    """A ledger in which somebody else is faster once."""

    def __init__(self, facts: Any, others: Callable[[], object]) -> None:
        self._facts = facts
        self._others: Callable[[], object] | None = others

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)

    def append(self, batch: Append) -> int:
        others, self._others = self._others, None
        if others is not None:
            others()
        position: int = self._facts.append(batch)
        return position


def test_who_is_overtaken_by_other_octets_is_given_his_all_the_same(
    node: Node, document: DocumentEntry, generator: Told
) -> None:
    make_it = generate(node, generator, Snapshots.REPLACE)
    make_it(document.entry_uuid)

    def others() -> None:
        generator.content = b"theirs"
        make_it(document.entry_uuid)

    facts: Any = Overtaken(node.place.facts, others)
    late = RegisterDocuments(facts, node.place.keys, rules=node.register.rules)
    policy = OnDemandPolicy("1.2.250.99.3", Snapshots.REPLACE)
    generator.content = b"mine"
    made = GenerateOnDemand(node.index, late, node.store, generator, policy=policy)(
        document.entry_uuid
    )
    assert node.store.read(made.key) == b"mine"
    assert stable(node, document) == {made.unique_id}


def test_a_snapshot_that_was_removed_is_made_again(
    node: Node, document: DocumentEntry, generator: Told
) -> None:
    make_it = generate(node, generator, Snapshots.REPLACE)
    first = make_it(document.entry_uuid)
    held = HeldDocuments(node.place.views)
    remove = RemoveDocuments(node.place.facts, held, node.index, repository_oid=REPOSITORY)
    remove(remove.find(first.unique_id, REPOSITORY))
    second = make_it(document.entry_uuid)
    assert second.unique_id != first.unique_id
    assert make_it(document.entry_uuid) == second
    with node.index.reading() as look:
        (row,) = look.documents(unique_ids=(second.unique_id,))
        edges = look.associations(sources=(row.entry_uuid,), targets=(row.entry_uuid,))
    whole = next(e.source for e in edges if e.target == row.entry_uuid)
    uuids = [row.entry_uuid, whole, *(e.entry_uuid for e in edges)]
    RemoveMetadata(node.place.facts, node.index)(uuids)
    third = make_it(document.entry_uuid)
    assert third.unique_id not in {first.unique_id, second.unique_id}
    assert third.is_snapshot


def test_what_nobody_can_make_is_not_there(node: Node, generator: Told) -> None:
    make_it = generate(node, generator, Snapshots.REPLACE)
    other = on_demand(mime_type="application/pdf")
    node.register.on_demand(submission(other))
    for uuid in (other.entry_uuid, uuid4()):
        with pytest.raises(DocumentNotGenerated):
            make_it(uuid)


def test_a_generator_that_fails_leaves_nothing(
    node: Node, document: DocumentEntry, generator: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Told, entry: DocumentEntry, patient_key: UUID) -> bytes:
        raise OSError("no")

    monkeypatch.setattr(Told, "__call__", fail)
    with pytest.raises(OSError, match="no"):
        generate(node, generator, Snapshots.REPLACE)(document.entry_uuid)
    assert node.incoming() == []
