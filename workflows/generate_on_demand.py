"""Make an on-demand document when it is asked for, and keep what was handed out as a snapshot.

Implements ITI TF-2 3.43.4.1.3 for on-demand entries and TF-3 4.2.2.2.6 (IsSnapshotOf), with the
Persistence of Retrieved Documents option by policy. Called by adapters/xds (ITI-43) and gateways.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid4

import msgspec

from kernel.identifiers import stable_uid, stream_id
from kernel.ledger.ports import StreamAppend
from kernel.refusals import Conflict, Refusal, Unavailable
from kernel.times import Clock, dtm, now
from projections.document_index.view import DocumentIndex, Located
from registry.documents.values import (
    STABLE,
    Association,
    AssociationType,
    DocumentEntry,
    Status,
    Submission,
    SubmissionSet,
)
from repository.objects import commands as objects
from repository.objects.refusals import DocumentNotGenerated
from repository.tiers.ports import BlobStore, Incoming
from workflows.register_documents import RegisterDocuments

log = logging.getLogger("pianku.on_demand")


class Generator(Protocol):
    """Makes documents from what is known now; the same knowledge makes the same octets."""

    @property
    def mime_types(self) -> frozenset[str]:
        """Return what it can make."""
        ...

    def __call__(self, entry: DocumentEntry, patient_key: UUID) -> bytes:
        """Return the octets of the document that `entry` describes."""
        ...


class Snapshots(StrEnum):
    """What becomes of documents that were handed out."""

    REPLACE = "replace"
    """Each is kept and replaces the one before it."""
    KEEP = "keep"
    """Each is kept beside those before it."""
    NONE = "none"
    """They are not kept."""


@dataclass(frozen=True, slots=True)
class OnDemandPolicy:
    """Who we are and what becomes of documents that were handed out."""

    source_oid: str
    """sourceId of the submissions that register snapshots."""
    snapshots: Snapshots = Snapshots.REPLACE


@dataclass(frozen=True, slots=True)
class Made:
    """A document as it was made for this request."""

    unique_id: str
    """NewDocumentUniqueId: names these octets for ever."""
    mime_type: str
    size: int
    key: str = ""
    """Key of the stored octets of a snapshot."""
    held: Incoming | None = None
    """The octets where nothing was kept; who takes them lets go of them."""

    @property
    def is_snapshot(self) -> bool:
        """Tell whether the document can be retrieved again by its own uniqueId."""
        return self.held is None


class GenerateOnDemand:
    """Makes on-demand documents of this repository. Thread safe."""

    def __init__(
        self,
        index: DocumentIndex,
        register: RegisterDocuments,
        blobs: BlobStore,
        generator: Generator,
        *,
        policy: OnDemandPolicy,
        clock: Clock = now,
    ) -> None:
        self.mime_types = generator.mime_types
        self._index = index
        self._register = register
        self._blobs = blobs
        self._generator = generator
        self._policy = policy
        self._clock = clock

    def __call__(self, entry_uuid: UUID) -> Made:
        """Make the document of a registered on-demand entry; raises DocumentNotGenerated."""
        with self._index.reading() as look:
            rows = look.documents(entry_uuids=(entry_uuid,))
        entry = rows[0].entry() if rows else None
        if entry is None or entry.mime_type not in self._generator.mime_types:
            raise DocumentNotGenerated("the repository makes no such document on demand")
        content = self._blobs.incoming(with_sha1=True)
        try:
            content.write(self._generator(entry, rows[0].patient_key))
            content.seal()
            made = self._snapshot(entry, content)
        except BaseException:
            content.discard()
            raise
        if made is not None:
            content.discard()
            return made
        unique_id = stable_uid("on-demand", str(entry_uuid), content.sha256)
        return Made(unique_id, entry.mime_type, content.size, held=content)

    def _snapshot(self, entry: DocumentEntry, content: Incoming) -> Made | None:
        """Return the snapshot that consists of these octets; None when none may be kept."""
        wanted = self._policy.snapshots is not Snapshots.NONE
        if not wanted or entry.availability_status is not Status.APPROVED:
            return None
        salt = ""
        for _ in range(2):
            last = self._last(entry.entry_uuid)
            if last is not None and last.hash == content.sha1 and last.object_sha256:
                return Made(last.unique_id, entry.mime_type, last.size, key=last.object_sha256)
            submission = self._described(entry, content, last, salt)
            try:
                return self._registered(submission, content)
            except Conflict:
                # Another request was faster, or these ids belong to a snapshot that was removed.
                salt = str(uuid4())
            except Unavailable:
                raise
            except Refusal as refusal:
                # The document can be given all the same; the registry does not take it.
                log.warning("snapshot not registered", extra={"code": refusal.code})
                return None
        return None

    def _registered(self, submission: Submission, content: Incoming) -> Made:
        (entry,) = submission.entries

        def keep() -> Iterable[StreamAppend]:
            content.keep()
            return (objects.store(content, tier=self._blobs.tier),)

        self._register.with_objects(submission, {entry.entry_uuid: content.sha256}, keep)
        return Made(entry.unique_id, entry.mime_type, content.size, key=content.sha256)

    def _last(self, entry_uuid: UUID) -> Located | None:
        """Return the newest snapshot."""
        with self._index.reading() as look:
            edges = look.associations(targets=(entry_uuid,))
            sources = [e.source for e in edges if e.type == AssociationType.IS_SNAPSHOT_OF]
            rows = look.documents(entry_uuids=sources)
            return look.locate_entry(rows[-1].entry_uuid) if rows else None

    def _described(
        self, entry: DocumentEntry, content: Incoming, last: Located | None, salt: str
    ) -> Submission:
        """Return the submission of a snapshot; the same step makes the same identifiers."""
        before = str(last.entry_uuid) if last else ""
        step = (str(entry.entry_uuid), before, content.sha256, salt)
        moment = dtm(self._clock())
        snapshot = msgspec.structs.replace(
            entry,
            entry_uuid=stream_id("snapshot", *step),
            logical_id=None,
            version=1,
            unique_id=stable_uid("snapshot", *step),
            object_type=STABLE,
            hash=content.sha1,
            size=content.size,
            creation_time=moment,
            document_availability="",
        )
        whole = SubmissionSet(
            entry_uuid=stream_id("snapshot-submission", *step),
            unique_id=stable_uid("snapshot-submission", *step),
            source_id=self._policy.source_oid,
            patient_id=entry.patient_id,
            submission_time=moment,
            content_type_code=entry.type_code,
        )
        edges = [
            (AssociationType.HAS_MEMBER, whole.entry_uuid, snapshot.entry_uuid),
            (AssociationType.IS_SNAPSHOT_OF, snapshot.entry_uuid, entry.entry_uuid),
        ]
        replacing = self._policy.snapshots is Snapshots.REPLACE
        if replacing and last is not None and last.status is Status.APPROVED:
            edges.append((AssociationType.RPLC, snapshot.entry_uuid, last.entry_uuid))
        return Submission(
            submission_set=whole,
            entries=(snapshot,),
            associations=tuple(
                Association(
                    entry_uuid=stream_id("snapshot-association", kind, *step),
                    type=kind,
                    source=source,
                    target=target,
                    submission_set_status=(
                        "Original" if kind is AssociationType.HAS_MEMBER else ""
                    ),
                )
                for kind, source, target in edges
            ),
        )
