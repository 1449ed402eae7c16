"""Removal of metadata, decided: what goes, what is told to what stays (ITI TF-2 3.62.4.1.3)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid4

import pytest

from kernel.identifiers import stream_id
from kernel.ledger.ports import Append
from registry.documents import commands
from registry.documents.events import DocumentUnrelated, FolderUpdated, MetadataRemoved
from registry.documents.refusals import (
    EntryUuidTaken,
    LeftUnreferenced,
    ReferenceUnresolved,
    StillReferenced,
)
from registry.documents.removal import Present, remove
from registry.documents.values import AssociationType, Submission
from tests.support.registry_past import KEYS, MOMENT, Registry, facts
from tests.support.submissions import (
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)


def all_of(*asked: Submission) -> list[UUID]:
    return [
        thing.entry_uuid
        for one in asked
        for thing in (one.submission_set, *one.entries, *one.folders, *one.associations)
    ]


def present(past: Registry, *asked: Submission) -> Present:
    streams = {
        one.submission_set.entry_uuid: stream_id("submission-set", one.submission_set.unique_id)
        for one in asked
    }
    edges = {a.entry_uuid: a for one in asked for a in one.associations}
    objects = {uuid: past.objects[streams.get(uuid, uuid)] for uuid in all_of(*asked)}
    return Present(objects, streams, edges)


def when(named: Iterable[UUID], past: Registry, *asked: Submission) -> Append:
    return remove(named, present(past, *asked), MOMENT)


def gone(batch: Append) -> list[UUID]:
    return [f.entry_uuid for f in facts(batch, MetadataRemoved)]


def test_all_of_a_submission_goes_in_one_append() -> None:
    asked = submission(entry(), folder())
    past = Registry().holds(asked)
    batch = when(all_of(asked), past, asked)
    assert gone(batch) == all_of(asked)
    assert {f.patient_key for f in facts(batch, MetadataRemoved)} == {KEYS[PATIENT]}
    versions = {s.stream: s.expected_version for s in batch.streams}
    assert all(versions[stream] == past.objects[stream].version for stream in versions)
    whole = stream_id("submission-set", asked.submission_set.unique_id)
    assert whole in versions


def test_an_object_is_named_twice_and_goes_once() -> None:
    asked = submission(entry())
    past = Registry().holds(asked)
    assert gone(when([*all_of(asked), *all_of(asked)], past, asked)) == all_of(asked)


def test_d1_unknown_and_removed_objects_are_unresolved() -> None:
    asked = submission(entry())
    past = Registry().holds(asked)
    with pytest.raises(ReferenceUnresolved):
        when([*all_of(asked), uuid4()], past, asked)
    past.take(when(all_of(asked), past, asked))
    with pytest.raises(ReferenceUnresolved):
        when(all_of(asked), past, asked)


def test_d2_each_object_alone_is_refused() -> None:
    asked = submission(entry())
    past = Registry().holds(asked)
    (document,), (edge,) = asked.entries, asked.associations
    for one in (document, asked.submission_set):
        with pytest.raises(StillReferenced) as refusal:
            when([one.entry_uuid], past, asked)
        assert str(one.entry_uuid) in str(refusal.value.details["object"])
    with pytest.raises(LeftUnreferenced):
        when([edge.entry_uuid], past, asked)
    with pytest.raises(LeftUnreferenced):
        when([edge.entry_uuid, document.entry_uuid], past, asked)


def test_d2_a_document_that_stays_forgets_who_pointed_at_it() -> None:
    first = submission(entry())
    target = first.entries[0].entry_uuid
    addition = entry()
    edge = association(AssociationType.APND, addition.entry_uuid, target)
    second = submission(addition, edge)
    past = Registry().holds(first).holds(second)
    batch = when([edge.entry_uuid], past, first, second)
    (told,) = facts(batch, DocumentUnrelated)
    assert (told.entry_uuid, told.association) == (target, edge.entry_uuid)
    past.take(batch)
    assert past.objects[target].inbound == ()
    # A replacement of the target no longer deprecates what was once added to it.
    newer = entry()
    replaced = association(AssociationType.RPLC, newer.entry_uuid, target)
    deprecating = past.when(submission(newer, replaced))
    assert {s.stream for s in deprecating.streams} & {addition.entry_uuid} == set()


def test_a_folder_that_stays_tells_that_it_changed() -> None:
    document, drawer = entry(), folder()
    whole = submission_set()
    inside = member(drawer.entry_uuid, document.entry_uuid)
    listed = member(whole.entry_uuid, inside.entry_uuid)
    asked = submission(document, drawer, inside, listed, whole=whole)
    past = Registry().holds(asked)
    batch = when([inside.entry_uuid, listed.entry_uuid], past, asked)
    (changed,) = facts(batch, FolderUpdated)
    assert changed.entry_uuid == drawer.entry_uuid
    assert changed.last_update_time.startswith("20260503")
    with pytest.raises(LeftUnreferenced):
        when([listed.entry_uuid], past, asked)
    with pytest.raises(StillReferenced):
        when([inside.entry_uuid], past, asked)


def test_nothing_may_use_the_id_of_what_was_removed() -> None:
    asked = submission(entry())
    past = Registry().holds(asked)
    past.take(when(all_of(asked), past, asked))
    target = asked.entries[0].entry_uuid
    assert past.objects[target].kind is commands.Kind.REMOVED
    newer = entry()
    edge = association(AssociationType.RPLC, newer.entry_uuid, target)
    with pytest.raises(ReferenceUnresolved):
        past.when(submission(newer, edge))
    with pytest.raises(EntryUuidTaken):
        past.when(submission(entry(entry_uuid=target)))
