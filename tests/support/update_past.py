"""The pure decision of an update on top of a registry's past, as a test tells it.

ITI TF-2 3.57.4.1.3, given/when/then. Called by tests/registry/documents.
"""

from __future__ import annotations

from uuid import UUID

import pytest

from kernel.ledger.ports import Append
from kernel.refusals import Refusal
from registry.documents import update
from registry.documents.commands import Known, Rules
from registry.documents.events import AssociationAsserted
from registry.documents.update import AskedUpdate
from registry.documents.update_terms import UPDATE, Terms
from registry.documents.updates import MetadataUpdate
from registry.documents.values import Association, AssociationType
from tests.support.registry_past import KEYS, MOMENT, Registry, facts


def decide(past: Registry, asked: MetadataUpdate, terms: Terms = UPDATE) -> Append:
    key = KEYS[asked.submission.submission_set.patient_id]
    known = Known(past.patient_known, past.objects, past.claims)
    return update.update(AskedUpdate(asked, key, MOMENT, terms), known, Rules())


def updated(past: Registry, asked: MetadataUpdate, terms: Terms = UPDATE) -> Append:
    batch = decide(past, asked, terms)
    past.take(batch)
    return batch


def asserted(batch: Append) -> list[Association]:
    return [f.association for f in facts(batch, AssociationAsserted)]


def edges(batch: Append, kind: AssociationType) -> set[tuple[UUID, UUID]]:
    return {(a.source, a.target) for a in asserted(batch) if a.type is kind}


def refused(
    past: Registry, asked: MetadataUpdate, refusal: type[Refusal], terms: Terms = UPDATE
) -> None:
    with pytest.raises(Refusal) as caught:
        decide(past, asked, terms)
    assert type(caught.value) is refusal, caught.value
