"""What a metadata update asks: new versions, changes of status, further associations.

Implements the operations of ITI TF-2 3.57.4.1.3.3 and 3.92.4.1.3 as values. Made by
`adapters/xds/decode_update.py`, decided by `update.py`.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from registry.documents.values import Association, DocumentEntry, Folder, Status, Submission

PREVIOUS_VERSION: Final = "PreviousVersion"
ASSOCIATION_PROPAGATION: Final = "AssociationPropagation"
ANNOTATIONS: Final = frozenset({PREVIOUS_VERSION, ASSOCIATION_PROPAGATION})
"""Slots that the SubmissionSet's HasMember of a new version carries; they are kept with it."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A new version of a DocumentEntry or Folder: the one that `member` puts in the set."""

    member: Association
    previous_version: str = ""
    """As sent; empty when the slot is missing."""
    propagate: bool = True
    """Whether the associations of the previous version are made for this one too."""


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """UpdateAvailabilityStatus; a status that is missing or unknown is None."""

    source: UUID
    target: UUID
    original: Status | None = None
    new: Status | None = None


class SubmittedAssociation(msgspec.Struct, frozen=True, kw_only=True):
    """SubmitAssociation; `target` is an association of the submission."""

    source: UUID
    target: UUID


class MetadataUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """All operations of one Update Document Set; they succeed or fail together."""

    submission: Submission
    revisions: tuple[Revision, ...] = ()
    status_changes: tuple[StatusChange, ...] = ()
    submitted: tuple[SubmittedAssociation, ...] = ()

    def logical_ids(self) -> frozenset[UUID]:
        """Return the logicalIDs of the objects that get a new version."""
        things: tuple[DocumentEntry | Folder, ...] = (
            *self.submission.entries,
            *self.submission.folders,
        )
        return frozenset(t.logical_id for t in things if t.logical_id is not None)

    def outside(self) -> frozenset[UUID]:
        """Return the registered objects that the operations name."""
        submission = self.submission
        inside = {
            submission.submission_set.entry_uuid,
            *(entry.entry_uuid for entry in submission.entries),
            *(folder.entry_uuid for folder in submission.folders),
            *(association.entry_uuid for association in submission.associations),
        }
        ends = (end for a in submission.associations for end in (a.source, a.target))
        targets = (change.target for change in self.status_changes)
        return frozenset((*self.logical_ids(), *ends, *targets)) - inside
