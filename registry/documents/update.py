"""Decide a metadata update: all of its operations become facts, or it is refused.

Implements ITI TF-2 3.57.4.1.3 (Update Document Set) and 3.92.4.1.3 (Restricted Update).
Called by `workflows/update_documents.py`, which loads what the operations touch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel.identifiers import PatientId, urn
from kernel.ledger.ports import Append
from kernel.refusals import Refusal
from kernel.times import dtm
from registry.documents.aggregate import Kind, RegistryObject
from registry.documents.commands import (
    Known,
    Registration,
    Rules,
    check_entry_uuids,
    submission_set_accepted,
    submission_set_claims,
)
from registry.documents.events import DocumentRegistered, FolderCreated
from registry.documents.metadata import (
    check_association,
    check_entry,
    check_folder,
    check_submission_set,
)
from registry.documents.refusals import (
    AttributeFixed,
    PatientNotReconciled,
    PatientUnknown,
    UniqueIdTaken,
    UpdateRefused,
    VersionMismatch,
)
from registry.documents.update_draft import VERSIONED, Draft
from registry.documents.update_terms import UPDATE, Terms, check_operations
from registry.documents.updates import ANNOTATIONS, MetadataUpdate, Revision, StatusChange
from registry.documents.values import Association, AssociationType, DocumentEntry, Folder, Status

_ONLINE: Final = "urn:ihe:iti:2010:DocumentAvailability:Online"


@dataclass(frozen=True, slots=True)
class AskedUpdate:
    """An update as it is asked for."""

    update: MetadataUpdate
    patient_key: UUID
    """Of the SubmissionSet's patient."""
    moment: datetime
    terms: Terms = UPDATE


def wanted(objects: Mapping[UUID, RegistryObject]) -> frozenset[UUID]:
    """Return what must also be loaded: all versions, ends of associations."""
    found: set[UUID] = set()
    for held in objects.values():
        if held.kind in VERSIONED:
            found.add(held.logical_id)
        found |= set(held.revisions)
        if held.association is not None:
            found |= {held.association.source, held.association.target}
    return frozenset(found - objects.keys())


def update(asked: AskedUpdate, known: Known, rules: Rules) -> Append:
    """Return the one append that does the whole update; raises the refusals of this room."""
    submission = asked.update.submission
    whole = submission.submission_set
    # What is no update at all is told before how it is written.
    check_operations(asked.update, asked.terms)
    check_submission_set(whole)
    if whole.unique_id in known.claims:
        raise UniqueIdTaken(
            f"the uniqueId {whole.unique_id} is already registered", unique_id=whole.unique_id
        )
    check_entry_uuids(submission, known)
    if known.subsumed or (rules.patient_feed_required and not known.patient):
        raise PatientUnknown("the patient id of the submission is not known to this registry")
    decision = _Decision(asked, Draft(known.objects, asked.patient_key, whole.entry_uuid))
    decision.decide()
    rules.code_sets.check_submission(submission)
    accepted = submission_set_accepted(Registration(submission, asked.patient_key, asked.moment))
    return Append((accepted, *decision.draft.streams()), submission_set_claims(whole))


class _Decision:
    """Applies the operations of one update, one after the other."""

    def __init__(self, asked: AskedUpdate, draft: Draft) -> None:
        self.draft = draft
        self._terms = asked.terms
        self._update = asked.update
        self._set = asked.update.submission.submission_set
        self._patient_key = asked.patient_key
        self._time = dtm(asked.moment)
        self._revisions = {r.member.target: r for r in asked.update.revisions}

    def decide(self) -> None:
        """Apply new versions, then what hangs on them; raises the refusals of this room."""
        for entry in self._update.submission.entries:
            self._revise_document(entry)
        for folder in self._update.submission.folders:
            self._revise_folder(folder)
        self.draft.propagate(self._time)
        associations = {a.entry_uuid: a for a in self._update.submission.associations}
        for further in self._update.submitted:
            self._from_the_set(further.source, further.target)
            association = associations.get(further.target)
            if association is None:
                raise UpdateRefused(
                    f"SubmitAssociation names {urn(further.target)}, which is none of the "
                    "submission's associations",
                    object=urn(further.target),
                )
            self._submit(association)
        for change in self._update.status_changes:
            self._from_the_set(change.source, change.target)
            self._change_status(change)

    def _revise_document(self, entry: DocumentEntry) -> None:
        previous, revision = self._previous(entry, Kind.DOCUMENT)
        before = previous.registered
        if not isinstance(before, DocumentRegistered) or before.entry is None:
            raise self._refused(self._terms.unknown, entry, "is no longer readable")
        self._check_unchanged(entry, before.entry, previous)
        check_entry(msgspec.structs.replace(entry, logical_id=None), before.entry.object_type)
        settled = msgspec.structs.replace(
            entry,
            version=previous.version_name + 1,
            availability_status=Status.APPROVED,
            home_community_id="",
            hash=entry.hash.lower(),
        )
        # The octets stay what they are, whatever the metadata say of them from now on.
        ours = bool(before.object_sha256)
        fact = DocumentRegistered(
            entry_uuid=entry.entry_uuid,
            logical_id=previous.logical_id,
            version=settled.version,
            unique_id=entry.unique_id,
            repository_unique_id=entry.repository_unique_id,
            mime_type=entry.mime_type,
            hash=before.hash if ours else settled.hash,
            size=before.size if ours else entry.size or 0,
            patient_key=self._patient_key,
            object_sha256=before.object_sha256,
            entry=settled,
        )
        self._replace(previous, fact, revision)

    def _revise_folder(self, folder: Folder) -> None:
        previous, revision = self._previous(folder, Kind.FOLDER)
        before = previous.registered
        if not isinstance(before, FolderCreated):
            raise self._refused(self._terms.unknown, folder, "is no longer readable")
        self._check_patient(folder)
        check_folder(msgspec.structs.replace(folder, logical_id=None))
        if folder.unique_id != before.unique_id:
            raise self._refused(self._terms.identifier, folder, "has another uniqueId")
        settled = msgspec.structs.replace(
            folder,
            version=previous.version_name + 1,
            availability_status=Status.APPROVED,
            home_community_id="",
            last_update_time=self._time,
        )
        fact = FolderCreated(
            entry_uuid=folder.entry_uuid,
            unique_id=folder.unique_id,
            patient_key=self._patient_key,
            folder=settled,
        )
        self._replace(previous, fact, revision)

    def _replace(
        self, previous: RegistryObject, fact: DocumentRegistered | FolderCreated, revision: Revision
    ) -> None:
        status = "Original" if previous.kind is Kind.DOCUMENT else ""
        member = msgspec.structs.replace(
            revision.member, availability_status=Status.APPROVED, submission_set_status=status
        )
        self.draft.revise(previous, fact, propagate=revision.propagate)
        self.draft.assert_association(member, self._time)

    def _previous(
        self, thing: DocumentEntry | Folder, kind: Kind
    ) -> tuple[RegistryObject, Revision]:
        """Return the version that `thing` follows and the operation that says so."""
        terms, lid = self._terms, thing.logical_id
        assert lid is not None, "check_operations has seen to it"
        revision = self._revisions.get(thing.entry_uuid)
        if revision is None:
            raise self._refused(terms.annotation, thing, "has no HasMember from the SubmissionSet")
        if not revision.previous_version:
            raise self._refused(terms.annotation, thing, "comes without a PreviousVersion")
        if terms.restricted and not revision.propagate:
            raise self._refused(terms.annotation, thing, "may not leave its associations behind")
        extra = tuple(s for s in revision.member.extra if s.name not in ANNOTATIONS)
        check_association(msgspec.structs.replace(revision.member, extra=extra))
        previous = self.draft.current(lid)
        if previous is None or previous.kind is not kind:
            raise self._refused(
                terms.unknown, thing, f"follows {urn(lid)}, which is not registered"
            )
        if revision.previous_version != str(previous.version_name):
            raise self._refused(
                VersionMismatch, thing, f"follows a version that is not {previous.version_name}"
            )
        if previous.status is not Status.APPROVED and not terms.restricted:
            raise self._refused(UpdateRefused, thing, "follows a version that is not Approved")
        return previous, revision

    def _check_unchanged(
        self, entry: DocumentEntry, before: DocumentEntry, previous: RegistryObject
    ) -> None:
        """Refuse what may not differ between two versions; what is missing is told elsewhere."""
        terms = self._terms
        self._check_patient(entry)
        if terms.restricted and self._patient_key != previous.patient_key:
            raise self._refused(PatientNotReconciled, entry, "has another patientId")
        if entry.unique_id and entry.unique_id != before.unique_id:
            raise self._refused(terms.identifier, entry, "has another uniqueId")
        if entry.object_type != before.object_type:
            raise self._refused(terms.object_type, entry, "has another objectType")
        if not terms.restricted:
            return
        for name, now, then in (
            ("repositoryUniqueId", entry.repository_unique_id, before.repository_unique_id),
            ("sourcePatientId", entry.source_patient_id, before.source_patient_id),
        ):
            if now and now != then:
                raise self._refused(AttributeFixed, entry, f"has another {name}")
        availability = entry.document_availability or _ONLINE
        if availability != (before.document_availability or _ONLINE):
            raise self._refused(AttributeFixed, entry, "has another documentAvailability")
        # An absent status reads as Approved, so only this change can be told from none.
        if entry.availability_status is Status.DEPRECATED and previous.status is Status.APPROVED:
            raise self._refused(AttributeFixed, entry, "has another availabilityStatus")

    def _check_patient(self, thing: DocumentEntry | Folder) -> None:
        if not thing.patient_id:
            return
        if PatientId.parse(thing.patient_id) != PatientId.parse(self._set.patient_id):
            raise self._refused(PatientNotReconciled, thing, "names another patient than its set")

    def _submit(self, association: Association) -> None:
        """Add an association between objects that are Approved."""
        draft, source, target = self.draft, association.source, association.target
        check_association(association)
        kinds = (draft.kind(source), draft.kind(target))
        folder = association.type is AssociationType.HAS_MEMBER
        if kinds != (Kind.FOLDER if folder else Kind.DOCUMENT, Kind.DOCUMENT) or source == target:
            raise _wrong(association, f"links no {kinds[0]} to a {kinds[1]}")
        for end in (source, target):
            if draft.status(end) is not Status.APPROVED:
                raise _wrong(association, f"has the end {urn(end)}, which is not Approved")
            if draft.patient(end) != self._patient_key:
                raise PatientNotReconciled(
                    "an association may not lead to another patient's object",
                    object=urn(association.entry_uuid),
                )
        if association.documentation is not None and folder:
            raise _wrong(association, "has a documentation, which belongs on relationships only")
        if draft.linked(source, target):
            raise _wrong(association, "links what an Approved association links already")
        draft.assert_association(
            msgspec.structs.replace(association, availability_status=Status.APPROVED), self._time
        )
        # The same association cannot be added twice at once: the target tells.
        draft.guard(target)

    def _change_status(self, change: StatusChange) -> None:
        draft, target = self.draft, change.target
        kind = draft.kind(target)
        if kind is Kind.ASSOCIATION:
            edge = draft.association(target)
            if edge is None or draft.kind(edge.source) not in VERSIONED:
                raise _unchanged(target, "is the membership in a SubmissionSet")
        elif kind not in VERSIONED:
            raise _unchanged(target, "is no registered document, folder or association")
        elif not draft.is_current(target):
            raise _unchanged(target, "is not the current version")
        if draft.patient(target) != self._patient_key:
            raise PatientNotReconciled(
                "the object belongs to another patient than the SubmissionSet", object=urn(target)
            )
        if draft.status(target) is not change.original:
            raise _unchanged(target, f"is not {change.original}")
        if change.new is not None:
            draft.set_status(target, change.new)

    def _from_the_set(self, source: UUID, target: UUID) -> None:
        if source != self._set.entry_uuid:
            raise UpdateRefused("an operation must start at the SubmissionSet", object=urn(target))

    @staticmethod
    def _refused(refusal: type[Refusal], thing: DocumentEntry | Folder, why: str) -> Refusal:
        return refusal(f"{urn(thing.entry_uuid)} {why}", object=urn(thing.entry_uuid))


def _wrong(association: Association, why: str) -> UpdateRefused:
    uuid = urn(association.entry_uuid)
    return UpdateRefused(f"Association {uuid} {why}", object=uuid)


def _unchanged(target: UUID, why: str) -> UpdateRefused:
    return UpdateRefused(f"the status stays as it is: {urn(target)} {why}", object=urn(target))
