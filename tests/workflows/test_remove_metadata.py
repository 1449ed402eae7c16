"""Removal of metadata while others register beside it (ITI TF-2 3.62.4.1.3)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from projections.document_index.projection import SPEC
from projections.document_index.view import DocumentIndex
from registry.documents.commands import Rules
from registry.documents.refusals import StillReferenced
from registry.documents.values import AssociationType, Submission
from tests.support.installation import Installation, installation
from tests.support.submissions import association, entry, submission
from workflows.register_documents import RegisterDocuments
from workflows.remove_metadata import RemoveMetadata


@pytest.fixture
def place(tmp_path: Path) -> Generator[Installation]:
    with installation(tmp_path, [SPEC]) as made:
        yield made


class Meanwhile:
    """A ledger in which something happens before the first stream is read."""

    def __init__(self, facts: Any, happens: Callable[[], object]) -> None:
        self._facts = facts
        self._happens: Callable[[], object] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)

    def fold(self, *asked: Any) -> Any:
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()
        return self._facts.fold(*asked)


def all_of(asked: Submission) -> list[UUID]:
    contents = [one.entry_uuid for one in asked.entries]
    return [asked.submission_set.entry_uuid, *contents, *(a.entry_uuid for a in asked.associations)]


def test_what_is_related_meanwhile_is_not_left_without_its_end(place: Installation) -> None:
    register = RegisterDocuments(place.facts, place.keys, rules=Rules(patient_feed_required=False))
    index = DocumentIndex(place.views)
    old, addition = entry(), entry()
    asked = submission(old)
    register(asked)
    edge = association(AssociationType.APND, addition.entry_uuid, old.entry_uuid)
    facts: Any = Meanwhile(place.facts, lambda: register(submission(addition, edge)))
    with pytest.raises(StillReferenced):
        RemoveMetadata(facts, index)(all_of(asked))
    with index.reading() as look:
        assert look.documents(entry_uuids=[old.entry_uuid])
        assert look.associations(entry_uuids=[edge.entry_uuid])
