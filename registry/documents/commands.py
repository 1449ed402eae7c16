"""Decide a submission: all of it becomes facts, or it is refused and nothing does.

Implements ITI TF-2 3.42.4.1.3 (expected actions of the Document Registry) and TF-3 4.2.2.
Called by workflows, which load `Known` from the ledger and append what is returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import msgspec

from kernel.events import Recorded
from kernel.identifiers import PatientId, stream_id
from kernel.ledger.ports import Append, Claim, ClaimHeld, StreamAppend
from kernel.times import dtm
from registry.documents.aggregate import Kind, RegistryObject, Resolver
from registry.documents.code_sets import NO_CODE_SETS, CodeSets
from registry.documents.events import (
    AssociationAsserted,
    DocumentDeprecated,
    DocumentRegistered,
    FolderCreated,
    SubmissionAccepted,
)
from registry.documents.metadata import check_submission
from registry.documents.refusals import (
    DocumentHashDiffers,
    DocumentSizeDiffers,
    EntryUuidTaken,
    PatientIdMismatch,
    PatientUnknown,
    UniqueIdTaken,
    UniqueIdTwice,
)
from registry.documents.values import (
    STABLE,
    AssociationType,
    DocumentEntry,
    Folder,
    Status,
    Submission,
    SubmissionSet,
)
from registry.patients.events import PatientIdentified, PatientMerged, PatientShredded

__all__ = ["Kind", "Known", "Registration", "RegistryObject", "Rules", "register"]

UNIQUE_ID_CLAIM: Final = "unique-id"
"""Claim kind of every uniqueId of the registry."""

LOCAL_FEED: Final = "local"
"""What the patients room calls an identifier of a domain that is not the affinity domain's."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the affinity domain decided."""

    code_sets: CodeSets = NO_CODE_SETS
    patient_feed_required: bool = True


@dataclass(frozen=True, slots=True)
class Registration:
    """A submission as it is asked for, with what only its receiver can tell."""

    submission: Submission
    patient_key: UUID
    moment: datetime
    objects: Mapping[UUID, str] = field(default_factory=dict)
    """entryUUID -> SHA-256 of the stored object, for documents of our own repository."""
    object_type: str = STABLE
    """What the transaction registers: stable documents (ITI-42) or on-demand ones (ITI-61)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the registry holds of the things a submission touches."""

    patient: bool = False
    objects: Mapping[UUID, RegistryObject] = field(default_factory=dict)
    claims: Mapping[str, ClaimHeld] = field(default_factory=dict)
    """uniqueIds already taken (claims of kind `UNIQUE_ID_CLAIM`)."""
    subsumed: bool = False
    """The patient id was merged into another one (ITI TF-2 3.8.4.2.4)."""


def initial(entry_uuid: UUID) -> RegistryObject:
    """Return the state of a stream before its first event, for `Ledger.fold`."""
    return RegistryObject(entry_uuid)


def evolve(state: RegistryObject, event: Recorded) -> RegistryObject:
    """Return the state after one more event, for `Ledger.fold`."""
    return state.apply(event)


def references(submission: Submission) -> frozenset[UUID]:
    """Return the objects outside the submission that its associations name."""
    inside = {uuid for uuid, _ in _objects(submission)}
    inside.update(a.entry_uuid for a in submission.associations)
    ends = {end for a in submission.associations for end in (a.source, a.target)}
    return frozenset(ends - inside)


def dependents(submission: Submission, known: Mapping[UUID, RegistryObject]) -> frozenset[UUID]:
    """Return what must also be loaded: folders, additions and transforms of what is replaced."""
    pending = [
        a.target
        for a in submission.associations
        if a.type in {AssociationType.RPLC, AssociationType.XFRM_RPLC}
    ]
    found: set[UUID] = {
        a.source
        for target in pending
        if target in known
        for a in known[target].inbound
        if a.type is AssociationType.HAS_MEMBER and a.source not in known
    }
    seen: set[UUID] = set()
    while pending:
        target = pending.pop()
        if target in seen:
            continue
        seen.add(target)
        if target not in known:
            found.add(target)
            continue
        pending.extend(
            a.source
            for a in known[target].inbound
            if a.type in {AssociationType.APND, AssociationType.XFRM}
        )
    return frozenset(found)


def new_objects(submission: Submission) -> frozenset[UUID]:
    """Return the entryUUIDs that the submission wants to use."""
    used = {uuid for uuid, _ in _objects(submission)}
    return frozenset(used | {a.entry_uuid for a in submission.associations})


def patient_known(events: Iterable[Recorded]) -> bool:
    """Tell from a patient's stream whether submissions for him may be accepted."""
    known = False
    for event in events:
        match event.fact:
            case PatientIdentified(origin=origin):
                known = known or origin != LOCAL_FEED
            case PatientShredded() | PatientMerged():
                known = False
            case _:
                pass
    return known


def patient_subsumed(events: Iterable[Recorded]) -> bool:
    """Tell from a patient's stream whether another identifier took his place."""
    return any(isinstance(event.fact, PatientMerged) for event in events)


def unique_ids(submission: Submission) -> frozenset[str]:
    """Return every uniqueId of the submission, for looking up their claims."""
    return frozenset(unique_id for _, unique_id in _objects(submission))


def register(asked: Registration, known: Known, rules: Rules) -> Append:
    """Return the one append that registers the submission; raises the refusals of this room."""
    submission = asked.submission
    check_submission(submission, asked.object_type)
    rules.code_sets.check_submission(submission)
    _check_patient(asked, known, rules)
    _check_unique_ids(submission, known)
    check_entry_uuids(submission, known)
    resolved = Resolver(submission, known.objects, asked.patient_key).resolve()
    return Append(
        streams=(
            submission_set_accepted(asked),
            *(
                StreamAppend(
                    entry.entry_uuid,
                    (_registered(asked, entry), *resolved.related(entry.entry_uuid)),
                    0,
                    asked.patient_key,
                )
                for entry in submission.entries
            ),
            *(_folder(asked, folder) for folder in submission.folders),
            *(
                StreamAppend(
                    association.entry_uuid,
                    (AssociationAsserted(patient_key=asked.patient_key, association=association),),
                    0,
                )
                for association in resolved.associations
            ),
            *resolved.changes(dtm(asked.moment)),
        ),
        claims=_claims(submission),
    )


def deprecate(held: RegistryObject) -> StreamAppend | None:
    """Deprecate a document without a replacement; None when it does not stand any more."""
    if held.kind is not Kind.DOCUMENT or held.status is not Status.APPROVED:
        return None
    fact = DocumentDeprecated(entry_uuid=held.entry_uuid)
    return StreamAppend(held.entry_uuid, (fact,), expected_version=held.version)


def _check_patient(asked: Registration, known: Known, rules: Rules) -> None:
    submission = asked.submission
    whole = PatientId.parse(submission.submission_set.patient_id)
    others: tuple[DocumentEntry | Folder, ...] = (*submission.entries, *submission.folders)
    for one in others:
        if PatientId.parse(one.patient_id) != whole:
            raise PatientIdMismatch(
                "an object of the submission names another patient than the SubmissionSet",
                object=f"urn:uuid:{one.entry_uuid}",
            )
    if known.subsumed or (rules.patient_feed_required and not known.patient):
        raise PatientUnknown("the patient id of the submission is not known to this registry")


def _check_unique_ids(submission: Submission, known: Known) -> None:
    seen: set[str] = set()
    for _, unique_id in _objects(submission):
        if unique_id in seen:
            raise UniqueIdTwice(
                f"the uniqueId {unique_id} occurs twice in the submission", unique_id=unique_id
            )
        seen.add(unique_id)
    once: tuple[SubmissionSet | Folder, ...] = (submission.submission_set, *submission.folders)
    for thing in once:
        if thing.unique_id in known.claims:
            raise UniqueIdTaken(
                f"the uniqueId {thing.unique_id} is already registered", unique_id=thing.unique_id
            )
    for entry in submission.entries:
        held = known.claims.get(entry.unique_id)
        if held is not None:
            _check_same_document(entry, held)


def _check_same_document(entry: DocumentEntry, held: ClaimHeld) -> None:
    """Let the same octets register again under their uniqueId, and nothing else."""
    fingerprint = _fingerprint(entry)
    if held.fingerprint == fingerprint:
        return
    kind, _, rest = held.fingerprint.partition(b":")
    if kind != b"document":
        raise UniqueIdTaken(
            f"the uniqueId {entry.unique_id} is already registered", unique_id=entry.unique_id
        )
    if rest.partition(b":")[0] != fingerprint.split(b":")[1]:
        raise DocumentHashDiffers(
            f"the document {entry.unique_id} is registered with another hash",
            unique_id=entry.unique_id,
        )
    raise DocumentSizeDiffers(
        f"the document {entry.unique_id} is registered with another size", unique_id=entry.unique_id
    )


def check_entry_uuids(submission: Submission, known: Known) -> None:
    """Refuse an entryUUID that is used twice or by a registered object."""
    new = [uuid for uuid, _ in _objects(submission)]
    new.extend(a.entry_uuid for a in submission.associations)
    seen: set[UUID] = set()
    for uuid in new:
        held = known.objects.get(uuid)
        if uuid in seen or (held is not None and held.kind is not Kind.NOTHING):
            raise EntryUuidTaken(
                f"the entryUUID urn:uuid:{uuid} is already in use", object=f"urn:uuid:{uuid}"
            )
        seen.add(uuid)


def _objects(submission: Submission) -> list[tuple[UUID, str]]:
    things: tuple[SubmissionSet | DocumentEntry | Folder, ...] = (
        submission.submission_set,
        *submission.entries,
        *submission.folders,
    )
    return [(thing.entry_uuid, thing.unique_id) for thing in things]


def _fingerprint(entry: DocumentEntry) -> bytes:
    return f"document:{entry.hash.lower()}:{entry.size}".encode()


def _claims(submission: Submission) -> tuple[Claim, ...]:
    whole = submission.submission_set
    return (
        *submission_set_claims(whole),
        *(
            Claim(UNIQUE_ID_CLAIM, folder.unique_id, b"folder:" + uuid4().bytes)
            for folder in submission.folders
        ),
        *(
            Claim(UNIQUE_ID_CLAIM, entry.unique_id, _fingerprint(entry), shared=True)
            for entry in submission.entries
        ),
    )


def submission_set_claims(whole: SubmissionSet) -> tuple[Claim, ...]:
    """Return the claims of a SubmissionSet's own identifiers."""
    return (
        Claim("submission-set-entry-uuid", str(whole.entry_uuid)),
        Claim(UNIQUE_ID_CLAIM, whole.unique_id, b"submission-set:" + uuid4().bytes),
    )


def submission_set_accepted(asked: Registration) -> StreamAppend:
    """Return what the stream of the SubmissionSet gets."""
    whole = msgspec.structs.replace(
        asked.submission.submission_set, availability_status=Status.APPROVED, home_community_id=""
    )
    fact = SubmissionAccepted(
        entry_uuid=whole.entry_uuid,
        unique_id=whole.unique_id,
        source_id=whole.source_id,
        patient_key=asked.patient_key,
        submission_set=whole,
    )
    stream = stream_id("submission-set", whole.unique_id)
    return StreamAppend(stream, (fact,), 0, asked.patient_key)


def _registered(asked: Registration, entry: DocumentEntry) -> DocumentRegistered:
    settled = msgspec.structs.replace(
        entry,
        logical_id=entry.entry_uuid,
        version=1,
        availability_status=Status.APPROVED,
        home_community_id="",
        hash=entry.hash.lower(),
    )
    return DocumentRegistered(
        entry_uuid=entry.entry_uuid,
        logical_id=entry.entry_uuid,
        version=1,
        unique_id=entry.unique_id,
        repository_unique_id=entry.repository_unique_id,
        mime_type=entry.mime_type,
        hash=settled.hash,
        size=entry.size or 0,
        patient_key=asked.patient_key,
        object_sha256=asked.objects.get(entry.entry_uuid, ""),
        entry=settled,
    )


def _folder(asked: Registration, folder: Folder) -> StreamAppend:
    settled = msgspec.structs.replace(
        folder,
        logical_id=folder.entry_uuid,
        version=1,
        availability_status=Status.APPROVED,
        home_community_id="",
        last_update_time=dtm(asked.moment),
    )
    fact = FolderCreated(
        entry_uuid=folder.entry_uuid,
        unique_id=folder.unique_id,
        patient_key=asked.patient_key,
        folder=settled,
    )
    return StreamAppend(folder.entry_uuid, (fact,), 0, asked.patient_key)
