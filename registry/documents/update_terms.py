"""The two update transactions: which operations each allows, and what it calls their faults.

Implements ITI TF-2 3.57.4.1.3, 3.92.4.1.3 and their errors of TF-3 table 4.2.4.1-2.
Used by `update.py` and by the workflow that is told which of the two is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel.identifiers import urn
from kernel.refusals import Refusal
from registry.documents.refusals import (
    AnnotationInvalid,
    AttributeFixed,
    IdentifierChanged,
    NotAnUpdate,
    ObjectKindRefused,
    ReferenceUnresolved,
    UpdateNotUnderstood,
    UpdateRefused,
    VersionMismatch,
)
from registry.documents.updates import MetadataUpdate
from registry.documents.values import DocumentEntry, Folder


@dataclass(frozen=True, slots=True)
class Terms:
    """Which of the two transactions it is, and what that one calls the same faults."""

    restricted: bool
    first_version: type[Refusal]
    """No logicalID, or its own."""
    unknown: type[Refusal]
    """No object has the logicalID."""
    annotation: type[Refusal]
    """The HasMember or its slots are missing."""
    identifier: type[Refusal]
    """The uniqueId differs."""
    object_type: type[Refusal]
    """The objectType differs."""


UPDATE: Final = Terms(
    restricted=False,
    first_version=UpdateRefused,
    unknown=VersionMismatch,
    annotation=UpdateRefused,
    identifier=UpdateRefused,
    object_type=UpdateRefused,
)
RESTRICTED_UPDATE: Final = Terms(
    restricted=True,
    first_version=NotAnUpdate,
    unknown=ReferenceUnresolved,
    annotation=AnnotationInvalid,
    identifier=IdentifierChanged,
    object_type=AttributeFixed,
)


def check_operations(update: MetadataUpdate, terms: Terms) -> None:
    """Refuse operations that the transaction does not have, and what is no operation at all."""
    things: tuple[DocumentEntry | Folder, ...] = (
        *update.submission.entries,
        *update.submission.folders,
    )
    if not things and not update.status_changes and not update.submitted:
        raise UpdateNotUnderstood("the submission holds no operation on metadata")
    if terms.restricted:
        _check_restricted(update)
    seen: set[UUID] = set()
    for thing in things:
        if thing.logical_id is None or thing.logical_id == thing.entry_uuid:
            raise terms.first_version(
                f"{urn(thing.entry_uuid)} has no logicalID of a registered one",
                object=urn(thing.entry_uuid),
            )
        if thing.logical_id in seen:
            raise UpdateNotUnderstood(
                "an object is updated twice in one submission", object=urn(thing.entry_uuid)
            )
        seen.add(thing.logical_id)
    used = {r.member.entry_uuid for r in update.revisions} | {s.target for s in update.submitted}
    for association in update.submission.associations:
        if association.entry_uuid not in used:
            uuid = urn(association.entry_uuid)
            raise UpdateNotUnderstood(f"Association {uuid} belongs to no operation", object=uuid)
    _check_by_hand(update)
    for change in update.status_changes:
        if change.original is None or change.new is None or change.original is change.new:
            raise UpdateNotUnderstood(
                "a change of status needs an OriginalStatus and another NewStatus",
                object=urn(change.target),
            )


def _check_by_hand(update: MetadataUpdate) -> None:
    """Refuse an association added to a new version that gets those of the previous one too."""
    carried = {r.member.target for r in update.revisions if r.propagate}
    submitted = {further.target for further in update.submitted}
    for association in update.submission.associations:
        by_hand = association.entry_uuid in submitted
        if by_hand and not carried.isdisjoint((association.source, association.target)):
            raise UpdateNotUnderstood(
                "an association is added to a new version whose AssociationPropagation is not no",
                object=urn(association.entry_uuid),
            )


def _check_restricted(update: MetadataUpdate) -> None:
    for folder in update.submission.folders:
        raise ObjectKindRefused(
            "only DocumentEntries may be updated here", object=urn(folder.entry_uuid)
        )
    for change in update.status_changes:
        raise AttributeFixed(
            "availabilityStatus may not be changed here", object=urn(change.target)
        )
    for further in update.submitted:
        raise AttributeFixed("associations may not be added here", object=urn(further.target))
