"""Metadata updates by the dozen, for tests of the registry and of ITI-57 and ITI-92.

ITI TF-2 3.57.4.1.2 in the registry's own values. Called by tests of updates on every floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec

from adapters.xds import encode, names
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
from tests.support.soap import Answer, SoapClient
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


def update_body(asked: MetadataUpdate) -> str:
    """Return the lcm:SubmitObjectsRequest of an update, as a document administrator sends it."""
    triggers = [
        _trigger(names.UPDATE_AVAILABILITY_STATUS, change.source, change.target, {
            "OriginalStatus": f"{names.STATUS}{change.original}",
            "NewStatus": f"{names.STATUS}{change.new}",
        })
        for change in asked.status_changes
    ]  # fmt: skip
    triggers += [
        _trigger(names.SUBMIT_ASSOCIATION, further.source, further.target, {})
        for further in asked.submitted
    ]
    end = "</rim:RegistryObjectList>"
    body = encode.submit_request(asked.submission)
    assert body.count(end) == 1
    return body.replace(end, "".join(triggers) + end)


def send_update(client: SoapClient, asked: MetadataUpdate, action: str = names.ITI_57) -> Answer:
    """Send ITI-57, or ITI-92 by its action."""
    return client.call("/xds/registry", action, update_body(asked))


def _trigger(kind: str, source: UUID, target: UUID, slots: Mapping[str, str]) -> str:
    listed = "".join(
        f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList>'
        "</rim:Slot>"
        for name, value in slots.items()
    )
    return (
        f'<rim:Association id="urn:uuid:{uuid4()}" associationType="{kind}" '
        f'sourceObject="urn:uuid:{source}" targetObject="urn:uuid:{target}">{listed}'
        "</rim:Association>"
    )
