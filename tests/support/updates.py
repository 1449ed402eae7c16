"""Metadata updates by the dozen, for tests of the registry and of ITI-57 and ITI-92.

ITI TF-2 3.57.4.1.2 in the registry's own values. Called by tests of updates on every floor.
"""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec

from registry.documents.updates import (
    ASSOCIATION_PROPAGATION,
    PREVIOUS_VERSION,
    MetadataUpdate,
    Revision,
    StatusChange,
    SubmittedAssociation,
)
from registry.documents.values import (
    Association,
    DocumentEntry,
    Folder,
    Slot,
    Status,
    Submission,
    SubmissionSet,
)
from tests.support.submissions import PATIENT, member, submission_set

V = TypeVar("V", DocumentEntry, Folder)


def new_version(thing: V, **changes: Any) -> V:
    """Return a further version of a document or folder."""
    lid = thing.logical_id or thing.entry_uuid
    made: V = msgspec.structs.replace(thing, entry_uuid=uuid4(), logical_id=lid)
    return msgspec.structs.replace(made, **changes)


def metadata_update(
    *things: DocumentEntry | Folder | Association | tuple[UUID, Status, Status],
    whole: SubmissionSet | None = None,
    previous: str = "1",
    propagation: str = "",
) -> MetadataUpdate:
    """Return an update: new versions, associations to add, (object, from, to) for a status."""
    versions = [t for t in things if isinstance(t, DocumentEntry | Folder)]
    further = [t for t in things if isinstance(t, Association)]
    statuses = [t for t in things if isinstance(t, tuple)]
    whole = whole or submission_set(versions[0].patient_id if versions else PATIENT)
    revisions = []
    for thing in versions:
        slots = [Slot(PREVIOUS_VERSION, (previous,))] if previous else []
        if propagation:
            slots.append(Slot(ASSOCIATION_PROPAGATION, (propagation,)))
        status = "Original" if isinstance(thing, DocumentEntry) else ""
        listed = msgspec.structs.replace(
            member(whole.entry_uuid, thing.entry_uuid, status), extra=tuple(slots)
        )
        revisions.append(
            Revision(member=listed, previous_version=previous, propagate=propagation != "no")
        )
    return MetadataUpdate(
        submission=Submission(
            submission_set=whole,
            entries=tuple(t for t in versions if isinstance(t, DocumentEntry)),
            folders=tuple(t for t in versions if isinstance(t, Folder)),
            associations=(*(r.member for r in revisions), *further),
        ),
        revisions=tuple(revisions),
        status_changes=tuple(
            StatusChange(source=whole.entry_uuid, target=t, original=old, new=new)
            for t, old, new in statuses
        ),
        submitted=tuple(
            SubmittedAssociation(source=whole.entry_uuid, target=a.entry_uuid) for a in further
        ),
    )
