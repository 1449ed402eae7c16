"""Updates in the ledger and what the document index then tells, on both engines (ITI TF-2 3.57)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kernel.ledger.ports import Append
from projections.document_index.filters import DocumentFilter
from projections.document_index.projection import SPEC
from projections.document_index.view import DocumentIndex
from registry.documents.commands import Rules
from registry.documents.refusals import (
    TargetDeprecated,
    UniqueIdTaken,
    UpdateRefused,
    VersionMismatch,
)
from registry.documents.values import AssociationType, Status
from tests.support.installation import Installation, installation
from tests.support.submissions import (
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from tests.support.updates import metadata_update, new_version
from workflows.register_documents import RegisterDocuments
from workflows.update_documents import UpdateDocuments


@dataclass
class Registry:
    """A registry without doors."""

    place: Installation
    index: DocumentIndex
    register: RegisterDocuments
    update: UpdateDocuments

    def current(self, unique_id: str) -> list[UUID]:
        with self.index.reading(current_only=True) as look:
            return [row.entry_uuid for row in look.documents(unique_ids=(unique_id,))]


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Registry]:
    dsn, schema = None, ""
    if request.param == "postgresql":
        dsn = request.getfixturevalue("postgres_dsn")
        schema = request.getfixturevalue("postgres_schema")
    with installation(tmp_path, [SPEC], dsn=dsn, schema=schema) as place:
        index = DocumentIndex(place.views)
        register = RegisterDocuments(
            place.facts, place.keys, rules=Rules(patient_feed_required=False)
        )
        yield Registry(place, index, register, UpdateDocuments(place.facts, index, register))


class Overtaken:
    """A ledger in which somebody else is faster, once or every time."""

    def __init__(self, facts: Any, others: Callable[[], object], times: int = 1) -> None:
        self._facts = facts
        self._others = others
        self._left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)

    def append(self, batch: Append) -> int:
        if self._left:
            self._left -= 1
            self._others()
        position: int = self._facts.append(batch)
        return position


def test_the_current_version_is_what_lists_and_look_ups_tell(registry: Registry) -> None:
    old = entry()
    registry.register.with_objects(submission(old), {old.entry_uuid: "ab" * 32}, lambda: ())
    new = new_version(old, title="Better", mime_type="text/plain")
    done = registry.update(metadata_update(new))

    assert registry.current(old.unique_id) == [new.entry_uuid]
    (line,) = registry.index.documents_of(done.patient_key, with_deprecated=True)
    assert (line.entry_uuid, line.title, line.object_sha256) == (
        new.entry_uuid, "Better", "ab" * 32,
    )  # fmt: skip
    found = registry.index.locate_unique(old.unique_id, old.repository_unique_id)
    assert found is not None
    assert (found.entry_uuid, found.object_sha256) == (new.entry_uuid, "ab" * 32)
    assert (found.hash, found.size) == (old.hash, old.size)
    with registry.index.reading() as look:
        every = look.documents(logical_ids=(old.entry_uuid,))
        wanted = DocumentFilter(statuses=(Status.DEPRECATED,))
        deprecated = look.find_documents((done.patient_key,), wanted)
    assert [row.entry().version for row in every] == [1, 2]
    assert [row.entry_uuid for row in deprecated] == [old.entry_uuid]


def test_level_one_hides_what_is_deprecated_of_folders_and_associations(registry: Registry) -> None:
    case, document = folder(), entry()
    inside = member(case.entry_uuid, document.entry_uuid)
    registry.register(submission(case, document, inside))
    approved, deprecated = Status.APPROVED, Status.DEPRECATED
    registry.update(metadata_update((inside.entry_uuid, approved, deprecated)))
    registry.update(metadata_update((case.entry_uuid, approved, deprecated)))
    for first, shown in ((True, 0), (False, 1)):
        with registry.index.reading(current_only=first) as look:
            assert len(look.folders(entry_uuids=(case.entry_uuid,))) == shown
            assert len(look.associations(entry_uuids=(inside.entry_uuid,))) == shown
            assert len(look.every_version().folders(entry_uuids=(case.entry_uuid,))) == 1
    registry.update(metadata_update((case.entry_uuid, deprecated, approved)))
    with registry.index.reading(current_only=True) as look:
        (row,) = look.folders(entry_uuids=(case.entry_uuid,))
    assert row.folder().availability_status is approved


def test_an_update_that_was_overtaken_is_decided_once_more(registry: Registry) -> None:
    old = entry()
    registry.register(submission(old))
    winner, loser = new_version(old), new_version(old)
    facts: Any = Overtaken(registry.place.facts, lambda: registry.update(metadata_update(winner)))
    late = UpdateDocuments(facts, registry.index, registry.register)
    with pytest.raises(VersionMismatch):
        late(metadata_update(loser))
    assert registry.current(old.unique_id) == [winner.entry_uuid]


def test_an_association_that_comes_in_between_is_propagated_too(registry: Registry) -> None:
    old, addition = entry(), entry()
    registry.register(submission(old))
    edge = association(AssociationType.APND, addition.entry_uuid, old.entry_uuid)
    facts: Any = Overtaken(
        registry.place.facts, lambda: registry.register(submission(addition, edge))
    )
    new = new_version(old)
    UpdateDocuments(facts, registry.index, registry.register)(metadata_update(new))
    with registry.index.reading() as look:
        rows = look.associations(targets=(new.entry_uuid,))
    assert addition.entry_uuid in {row.source for row in rows}


def test_nothing_is_added_to_a_folder_that_got_a_new_version_meanwhile(registry: Registry) -> None:
    case, late, linked = folder(), entry(), entry()
    registry.register(submission(case, linked))
    renamed: Any = Overtaken(
        registry.place.facts, lambda: registry.update(metadata_update(new_version(case)))
    )
    register = RegisterDocuments(
        renamed, registry.place.keys, rules=Rules(patient_feed_required=False)
    )
    with pytest.raises(TargetDeprecated):
        register(submission(late, member(case.entry_uuid, late.entry_uuid)))

    other = folder()
    registry.register(submission(other))
    renamed = Overtaken(
        registry.place.facts, lambda: registry.update(metadata_update(new_version(other)))
    )
    with pytest.raises(UpdateRefused):
        UpdateDocuments(renamed, registry.index, registry.register)(
            metadata_update(member(other.entry_uuid, linked.entry_uuid))
        )


def test_many_sources_fill_one_folder_at_once(registry: Registry) -> None:
    case = folder()
    registry.register(submission(case))

    def fill(_: int) -> None:
        inside = entry()
        registry.register(submission(inside, member(case.entry_uuid, inside.entry_uuid)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(12)))
    with registry.index.reading() as look:
        assert len(look.associations(sources=(case.entry_uuid,))) == 12


def test_an_update_that_is_always_overtaken_gives_up(registry: Registry) -> None:
    old, addition = entry(), entry()
    registry.register(submission(old))

    def relate() -> None:
        other = msgspec.structs.replace(addition, entry_uuid=entry().entry_uuid)
        edge = association(AssociationType.APND, other.entry_uuid, old.entry_uuid)
        registry.register(submission(other, edge))

    facts: Any = Overtaken(registry.place.facts, relate, times=8)
    late = UpdateDocuments(facts, registry.index, registry.register)
    with pytest.raises(VersionMismatch):
        late(metadata_update(new_version(old)))
    assert registry.current(old.unique_id) == [old.entry_uuid]


def test_a_submission_set_is_submitted_once(registry: Registry) -> None:
    old, whole = entry(), submission_set()
    registry.register(submission(old))
    registry.update(metadata_update(new_version(old), whole=whole))
    again = msgspec.structs.replace(whole, entry_uuid=entry().entry_uuid)
    with pytest.raises(UniqueIdTaken):
        registry.update(metadata_update(new_version(old), whole=again, previous="2"))


def test_whose_objects_an_update_touches(registry: Registry) -> None:
    mine, other = entry(), entry(OTHER_PATIENT)
    registry.register(submission(mine))
    registry.register(submission(other))
    keys = [registry.register.patient_key(submission(one)) for one in (mine, other)]
    moving = metadata_update(new_version(mine, patient_id=OTHER_PATIENT))
    assert set(registry.update.touched(moving)) == set(keys)
    status = metadata_update(
        (other.entry_uuid, Status.APPROVED, Status.DEPRECATED), whole=submission_set(PATIENT)
    )
    assert set(registry.update.touched(status)) == set(keys)
    assert registry.update.touched(metadata_update(new_version(mine))) == (keys[0],)
