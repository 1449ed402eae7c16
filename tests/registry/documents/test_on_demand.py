"""On-demand documents and their snapshots, decided (ITI TF-2 3.61, TF-3 4.2.2.2.6)."""

from __future__ import annotations

from typing import Any

import pytest

from registry.documents import commands
from registry.documents.commands import Known, Registration, Rules
from registry.documents.events import DocumentRegistered, DocumentRelated
from registry.documents.refusals import (
    DocumentHashDiffers,
    MetadataInvalid,
    PatientIdMismatch,
    TargetDeprecated,
)
from registry.documents.values import ON_DEMAND, AssociationType, DocumentEntry, Submission
from tests.support.registry_past import KEYS, MOMENT, Registry, facts
from tests.support.removing import on_demand
from tests.support.submissions import OTHER_PATIENT, association, entry, submission


def on_demand_append(past: Registry, asked: Submission) -> Any:
    key = KEYS[asked.submission_set.patient_id]
    registration = Registration(asked, key, MOMENT, object_type=ON_DEMAND)
    return commands.register(registration, Known(True, past.objects, past.claims), Rules())


def holds(past: Registry, asked: Submission) -> Registry:
    past.take(on_demand_append(past, asked))
    return past


def snapshot_of(target: DocumentEntry, **changes: Any) -> Submission:
    made = entry(**changes)
    return submission(
        made, association(AssociationType.IS_SNAPSHOT_OF, made.entry_uuid, target.entry_uuid)
    )


def test_an_on_demand_entry_is_registered_without_octets() -> None:
    document = on_demand()
    batch = on_demand_append(Registry(), submission(document))
    (fact,) = facts(batch, DocumentRegistered)
    assert (fact.hash, fact.size, fact.object_sha256) == ("", 0, "")
    assert fact.entry.object_type == ON_DEMAND


@pytest.mark.parametrize(
    "changes",
    [
        {"hash": "a" * 40}, {"size": 0}, {"creation_time": "2026"},
        {"legal_authenticator": "^A^B"}, {"repository_unique_id": ""}, {"language_code": ""},
        {"object_type": "urn:uuid:00000000-0000-0000-0000-000000000000"},
    ],
)  # fmt: skip
def test_an_on_demand_entry_that_tells_too_much_or_too_little(changes: dict[str, Any]) -> None:
    with pytest.raises(MetadataInvalid):
        on_demand_append(Registry(), submission(on_demand(**changes)))


def test_r9_a_snapshot_is_told_to_its_on_demand_entry() -> None:
    document = on_demand()
    past = holds(Registry(), submission(document))
    batch = past.when(snapshot_of(document))
    (fact,) = facts(batch, DocumentRelated)
    assert fact.entry_uuid == document.entry_uuid
    moved = {s.stream: s.expected_version for s in batch.streams}
    assert moved[document.entry_uuid] == 1


def test_r9_the_target_is_an_approved_on_demand_entry_of_the_patient() -> None:
    document, stable = on_demand(), entry()
    past = holds(Registry(), submission(document)).holds(submission(stable))
    with pytest.raises(MetadataInvalid):
        past.when(snapshot_of(stable))
    with pytest.raises(PatientIdMismatch):
        past.when(snapshot_of(document, patient_id=OTHER_PATIENT))
    newer = on_demand()
    edge = association(AssociationType.RPLC, newer.entry_uuid, document.entry_uuid)
    holds(past, submission(newer, edge))
    with pytest.raises(TargetDeprecated):
        past.when(snapshot_of(document))


def test_r9_an_on_demand_entry_is_no_snapshot() -> None:
    document, other = on_demand(), on_demand()
    past = holds(Registry(), submission(document))
    edge = association(AssociationType.IS_SNAPSHOT_OF, other.entry_uuid, document.entry_uuid)
    with pytest.raises(MetadataInvalid):
        on_demand_append(past, submission(other, edge))


def test_a_stable_document_cannot_have_the_id_of_an_on_demand_one() -> None:
    document = on_demand()
    past = holds(Registry(), submission(document))
    with pytest.raises(DocumentHashDiffers):
        past.when(submission(entry(unique_id=document.unique_id)))
