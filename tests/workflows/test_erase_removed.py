"""Octets of removed documents go when nothing uses them, and never before their time."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.storage.local import LocalBlobStore
from kernel.identifiers import new_uid
from projections.document_index.held import HeldDocuments
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from projections.document_index.view import DocumentIndex
from registry.documents.values import DocumentEntry
from repository.tiers.ports import ObjectMissing
from tests.support.installation import installation
from tests.support.submissions import REPOSITORY, entry, submission
from tests.support.xds_node import Node, make, without_octets
from workflows.erase_removed import EraseRemoved
from workflows.remove_documents import RemoveDocuments

LATER = timedelta(hours=25)


@pytest.fixture
def node(tmp_path: Path) -> Generator[Node]:
    with installation(tmp_path, [DOCUMENT_INDEX]) as place:
        yield make(tmp_path, place)


def stored(node: Node, content: bytes, **more) -> DocumentEntry:
    document = without_octets(entry(**more))
    incoming = node.store.incoming(with_sha1=True)
    incoming.write(content)
    node.provide(submission(document), {document.entry_uuid: incoming})
    return document


def removed(node: Node, document: DocumentEntry) -> str:
    held, index = HeldDocuments(node.place.views), DocumentIndex(node.place.views)
    remove = RemoveDocuments(node.place.facts, held, index, repository_oid=REPOSITORY)
    found = remove.find(document.unique_id, REPOSITORY)
    remove(found)
    return found.object_sha256


def erased(node: Node, *, wait: timedelta = LATER, instances: frozenset[str] = frozenset()) -> int:
    erase = EraseRemoved(
        node.place.facts,
        node.store,
        HeldDocuments(node.place.views),
        instances.__contains__,
        after=timedelta(hours=24),
        clock=lambda: datetime.now(UTC) + wait,
    )
    return erase.erase_due()


def test_octets_that_nothing_uses_go(node: Node) -> None:
    key = removed(node, stored(node, b"goes"))
    assert node.store.read(key) == b"goes"
    assert erased(node) == 1
    with pytest.raises(ObjectMissing):
        node.store.read(key)
    assert erased(node) == 0


def test_they_go_in_their_time(node: Node) -> None:
    key = removed(node, stored(node, b"waits"))
    assert erased(node, wait=timedelta(hours=23)) == 0
    assert node.store.read(key) == b"waits"


def test_octets_of_another_document_stay(node: Node) -> None:
    one, two = stored(node, b"shared"), stored(node, b"shared")
    key = removed(node, one)
    assert erased(node) == 0
    assert node.store.read(key) == b"shared"
    assert removed(node, two) == key
    assert erased(node) == 1


def test_octets_of_an_instance_stay(node: Node) -> None:
    key = removed(node, stored(node, b"also an instance"))
    assert erased(node, instances=frozenset({key})) == 0
    assert node.store.read(key) == b"also an instance"


def test_octets_that_were_provided_again_stay(node: Node) -> None:
    key = removed(node, stored(node, b"again"))
    stored(node, b"again", unique_id=new_uid())
    assert erased(node) == 0
    assert node.store.read(key) == b"again"


def test_what_was_kept_a_moment_ago_is_not_erased(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path)
    incoming = store.incoming()
    incoming.write(b"young")
    incoming.seal()
    key = incoming.keep()
    incoming.discard()
    moment = datetime.now(UTC)
    assert not store.erase(key, untouched_since=(moment - timedelta(hours=1)).timestamp())
    assert store.read(key) == b"young"
    assert store.erase(key, untouched_since=(moment + timedelta(hours=1)).timestamp())
    assert store.erase(key, untouched_since=0.0), "what is not there is gone"
    assert [
        p for p in (tmp_path / "incoming").rglob("*") if p.name != ".lock" and p.is_file()
    ] == []


def test_what_is_kept_while_it_is_erased_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalBlobStore(tmp_path)

    def keep() -> str:
        incoming = store.incoming()
        incoming.write(b"kept at the same time")
        incoming.seal()
        return incoming.keep()

    key = keep()
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        keep()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert not store.erase(key, untouched_since=datetime.now(UTC).timestamp() + 3600)
    assert store.read(key) == b"kept at the same time"
