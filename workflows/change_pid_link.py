"""A local patient identifier belongs to another patient of the affinity domain: move its documents.

Implements ITI TF-2 3.64.4.1.3 (ITI-64) by new versions of metadata, as ITI-57 makes them.
Called by `adapters/hl7v2` in a worker thread; durable when it returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from kernel.identifiers import BadIdentifier, PatientId, PatientKeys, new_uid
from kernel.times import Clock, dtm, now
from projections.document_index.filters import DocumentFilter
from projections.document_index.view import DocumentIndex
from registry.documents.refusals import PatientIdMismatch, PatientNotReconciled
from registry.documents.updates import PREVIOUS_VERSION, MetadataUpdate, Revision
from registry.documents.values import (
    Association,
    AssociationType,
    DocumentEntry,
    Slot,
    Status,
    Submission,
    SubmissionSet,
)
from workflows.register_documents import Registered
from workflows.update_documents import UpdateDocuments


@dataclass(frozen=True, slots=True)
class LinkChange:
    """What a notification says; identifiers of the affinity domain, and local ones."""

    local: PatientId
    new: PatientId
    previous: PatientId
    subsumed_local: PatientId | None = None
    """A local identifier that was merged into `local`; its documents become those of `local`."""


class ChangePidLink:
    """Moves documents from one patient of the affinity domain to another. Thread safe."""

    def __init__(
        self,
        index: DocumentIndex,
        update: UpdateDocuments,
        keys: PatientKeys,
        *,
        source_oid: str,
        clock: Clock = now,
    ) -> None:
        self._index = index
        self._update = update
        self._keys = keys
        self._source_oid = source_oid
        self._clock = clock

    def __call__(self, change: LinkChange) -> int:
        """Make new versions of all documents concerned, or of none; returns how many.

        Deprecated ones stay as they are. Relationships to documents that stay behind are not
        carried over: they would lead to another patient.
        """
        moving = self._concerned(change)
        if not moving:
            return 0
        try:
            self._revise(change, moving, propagate=True)
        except (PatientIdMismatch, PatientNotReconciled):
            self._revise(change, moving, propagate=False)
        return len(moving)

    def _concerned(self, change: LinkChange) -> list[DocumentEntry]:
        key = self._keys.key(change.previous)
        approved = DocumentFilter(statuses=(Status.APPROVED,), object_types=())
        with self._index.reading() as look:
            entries = [row.entry() for row in look.find_documents([key], approved)]
        found = []
        for entry in entries:
            source = _identifier(entry.source_patient_id)
            moved = source == change.local and change.new != change.previous
            if moved or (source is not None and source == change.subsumed_local):
                found.append(entry)
        return found

    def _revise(
        self, change: LinkChange, moving: Sequence[DocumentEntry], *, propagate: bool
    ) -> Registered:
        patient_id = str(change.new)
        whole = SubmissionSet(
            entry_uuid=uuid4(),
            unique_id=new_uid(),
            source_id=self._source_oid,
            patient_id=patient_id,
            submission_time=dtm(self._clock()),
            content_type_code=moving[0].type_code,
        )
        entries, members, revisions = [], [], []
        for held in moving:
            new = msgspec.structs.replace(
                held,
                entry_uuid=uuid4(),
                logical_id=held.logical_id or held.entry_uuid,
                patient_id=patient_id,
                source_patient_id=str(change.local),
            )
            previous = str(held.version or 1)
            member = Association(
                entry_uuid=uuid4(),
                type=AssociationType.HAS_MEMBER,
                source=whole.entry_uuid,
                target=new.entry_uuid,
                submission_set_status="Original",
                extra=(Slot(PREVIOUS_VERSION, (previous,)),),
            )
            entries.append(new)
            members.append(member)
            revisions.append(
                Revision(member=member, previous_version=previous, propagate=propagate)
            )
        submission = Submission(
            submission_set=whole, entries=tuple(entries), associations=tuple(members)
        )
        return self._update(MetadataUpdate(submission=submission, revisions=tuple(revisions)))


def _identifier(text: str) -> PatientId | None:
    """Return a sourcePatientId by its id and OID; a namespace beside the OID says no more."""
    components = text.split("^")
    authority = components[3].split("&") if len(components) > 3 else []
    try:
        return PatientId(components[0], authority[1]) if len(authority) > 1 else None
    except BadIdentifier:
        return None
