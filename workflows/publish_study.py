"""A study is complete: build its manifest and register it, once, as an XDS-I document.

RAD TF-2 4.68 (Provide and Register Imaging Document Set), PS3.3 A.35.4 (Key Object Selection).
Run by `server.wiring` beside the projector; any number may run at the same time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

import msgspec

from kernel.context import Envelope, acting_as
from kernel.ledger.ports import Append, Ledger, StreamAppend, StreamMoved
from kernel.refusals import Conflict, Refusal
from kernel.times import Clock, dtm, now
from projections.study_index.attributes import MARK
from projections.study_index.view import InstanceRow, StudyIndex, StudyRow
from registry.documents import commands as documents
from registry.studies import commands
from repository.instances import manifest_document
from repository.objects import commands as objects
from repository.tiers.ports import BlobStore, Incoming
from workflows.compose_manifest import Material, compose, is_key_object
from workflows.describe_manifest import Described, ManifestPolicy, Metadata, describe
from workflows.identify_patient import PatientPolicy
from workflows.register_documents import RegisterDocuments

log = logging.getLogger("pianku.publisher")
_MOST: Final = 100
"""Series whose first instance is looked at for codes and accession numbers."""
_FIRST_RETRY_SECONDS: Final = 5.0
_LAST_RETRY_SECONDS: Final = 3600.0
_PAGE: Final = 200


class PublishStudy:
    """Publishes one study: complete, manifest, registered, in that order. Thread safe."""

    def __init__(
        self,
        facts: Ledger,
        blobs: BlobStore,
        index: StudyIndex,
        register: RegisterDocuments,
        *,
        patients: PatientPolicy,
        policy: ManifestPolicy,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._blobs = blobs
        self._index = index
        self._register = register
        self._patients = patients
        self._policy = policy
        self._clock = clock

    def __call__(self, row: StudyRow) -> bool:
        """Publish the study as it stands; tells whether it was published now, by us.

        A study that moved meanwhile, or that another publisher took, is left alone. Raises
        the refusals of `registry.documents` and Unavailable.
        """
        envelope = Envelope(subject="publisher", protocol="workflow")
        with acting_as(envelope):
            try:
                return self._publish(row, envelope)
            except StreamMoved:
                return False
            except Conflict:
                study = commands.as_held(self._fold(row.study_uid)[0], row.held_count)
                if study.is_published or study.instance_count != row.held_count:
                    return False
                raise

    def _fold(self, study_uid: str) -> tuple[commands.Study, int]:
        stream = commands.study_stream(study_uid)
        return self._facts.fold(stream, commands.NOTHING, commands.fold)

    def _publish(self, row: StudyRow, envelope: Envelope) -> bool:
        study, version = self._fold(row.study_uid)
        # After the stream was read: a correction of later moves it, and nothing is registered.
        row = self._index.study(row.study_uid, held=True) or row
        instances = self._index.instances_for_manifest(row.study_uid)
        study = commands.as_held(study, len(instances))
        published = study.is_published and not row.outdated
        if published or len(instances) != study.instance_count:
            return False
        completed = commands.complete(study, version, envelope)
        if completed is not None:
            self._facts.append(completed)
            version += 1
        # What a feed tells is no act of the study: its manifest is another one all the same.
        acts = -version if row.outdated else len(study.acts)
        material = replace(self._material(row, instances), acts=acts)
        if not material.shared():
            return self._withdraw(study, version, envelope)
        own = self._patients.patient(_Patient(row))
        manifest = compose(row, material, own, self._policy)
        incoming = self._blobs.incoming(with_sha1=True)
        try:
            incoming.write(manifest_document.build(manifest))
            incoming.seal()
            made = Described(
                unique_id=manifest.sop_uid,
                sha1=incoming.sha1,
                size=incoming.size,
                patient=self._register.survivors.patient_id(own),
                replaces=self._replaced(study),
                submission_time=dtm(self._clock()),
                manifest=manifest,
                modalities=material.modalities(row),
            )
            submission = describe(row, material.shared_metadata(), made, self._policy)
            entry_uuid = submission.entries[0].entry_uuid
            said = commands.publish(
                study,
                version,
                entry_uuid=entry_uuid,
                unique_id=manifest.sop_uid,
                instance_count=study.instance_count,
            )
            self._register.with_objects(
                submission, {entry_uuid: incoming.sha256}, lambda: self._kept(incoming, said)
            )
        finally:
            incoming.discard()
        log.info("manifest published", extra={"instances": study.instance_count})
        return True

    def _withdraw(self, study: commands.Study, version: int, envelope: Envelope) -> bool:
        """Deprecate the manifest of a study of which everything was rejected (IOCM)."""
        streams = [commands.withdraw(study, version)]
        if study.manifest is not None:
            last = study.manifest.entry_uuid
            deprecated = documents.deprecate(self._register.load((last,))[last])
            if deprecated is not None:
                streams.append(deprecated)
        self._facts.append(Append(tuple(streams), (), envelope))
        log.info("manifest withdrawn", extra={"instances": study.instance_count})
        return True

    def _replaced(self, study: commands.Study) -> UUID | None:
        """Return the last manifest, unless somebody has removed or deprecated its entry."""
        last = study.manifest.entry_uuid if study.manifest else None
        return last if last is not None and self._register.is_approved(last) else None

    def _kept(self, incoming: Incoming, said: StreamAppend) -> Iterable[StreamAppend]:
        """Make the manifest durable; its publication goes into the append that registers it."""
        incoming.keep()
        return objects.store(incoming, tier=self._blobs.tier), said

    def _material(self, row: StudyRow, instances: Sequence[InstanceRow]) -> Material:
        first: dict[str, InstanceRow] = {}
        for one in instances:
            first.setdefault(one.series_uid, one)
        metadata = {one.series_uid: self._metadata(one) for one in list(first.values())[:_MOST]}
        notes = {one.sop_uid: self._metadata(one) for one in instances if is_key_object(one)}
        return Material(instances, self._index.series_of(row.study_uid), metadata, notes)

    def _metadata(self, one: InstanceRow) -> Metadata:
        json = self._index.instance_metadata(one.study_uid, one.series_uid, one.sop_uid, held=True)
        found: Metadata = msgspec.json.decode(json.replace(MARK, b"")) if json else {}
        return found


class Publishes(Protocol):
    """Publishes a study; `PublishStudy` is one."""

    def __call__(self, row: StudyRow) -> bool:
        """Publish the study as it stands."""
        ...


class StudyPublisher:
    """Publishes studies that have been quiet for a while, again and again."""

    def __init__(
        self,
        index: StudyIndex,
        publish: Publishes,
        *,
        quiet_seconds: float,
        look_seconds: float = 0.0,
        clock: Clock = now,
    ) -> None:
        self._index = index
        self._publish = publish
        self._quiet = timedelta(seconds=quiet_seconds)
        self._look_seconds = look_seconds or min(max(quiet_seconds / 4, 0.2), 5.0)
        self._clock = clock
        self._failed: dict[str, tuple[float, float]] = {}
        """Study -> when to try again (monotonic), and how long the wait then was."""

    def run(self, stopping: threading.Event) -> None:
        """Publish until `stopping` is set."""
        while not stopping.is_set():
            try:
                published = self.publish_due(stopping)
            except Refusal as refusal:
                # The view is behind or being rebuilt: look again later.
                log.info("publication postponed", extra={"code": refusal.code})
                published = 0
            if not published:
                stopping.wait(self._look_seconds)

    def publish_due(self, stopping: threading.Event | None = None) -> int:
        """Publish what is due now; returns how many studies were published."""
        published = 0
        due = self._index.pending_publication(
            self._clock() - self._quiet, limit=_PAGE + len(self._failed)
        )
        for row in due:
            if stopping is not None and stopping.is_set():
                break
            if self._failed.get(row.study_uid, (0.0, 0.0))[0] > time.monotonic():
                continue
            published += self._one(row)
        return published

    def _one(self, row: StudyRow) -> bool:
        try:
            published = self._publish(row)
        except Refusal as refusal:
            self._postpone(row.study_uid, refusal.code)
            return False
        except Exception as problem:
            # One study that cannot be published must not stop the others.
            log.exception("study cannot be published")
            self._postpone(row.study_uid, type(problem).__name__)
            return False
        self._failed.pop(row.study_uid, None)
        return published

    def _postpone(self, study_uid: str, code: str) -> None:
        waited = self._failed.get(study_uid, (0.0, 0.0))[1]
        wait = min(waited * 2 or _FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS)
        self._failed[study_uid] = (time.monotonic() + wait, wait)
        log.warning("study not published", extra={"code": code, "retry_seconds": wait})


@dataclass(frozen=True, slots=True)
class _Patient:
    """A study's row as the patient module that `PatientPolicy` reads."""

    row: StudyRow

    @property
    def study_uid(self) -> str:
        return self.row.study_uid

    @property
    def patient_id(self) -> str:
        return self.row.patient_id

    @property
    def patient_id_issuer(self) -> str:
        return self.row.issuer

    @property
    def patient_name(self) -> str:
        return self.row.name

    @property
    def patient_birth_date(self) -> str:
        return self.row.birth_date

    @property
    def patient_sex(self) -> str:
        return self.row.sex
