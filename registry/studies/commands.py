"""The only door in: what may be recorded of a study, decided before it is recorded.

Pure functions from past events and a request to an `Append`. PS3.4 B (storage), RAD TF-2 4.68
(manifest). Called by `workflows.store_instances` and `workflows.publish_study`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, Claim, StreamAppend
from registry.studies.aggregate import Study, apply
from registry.studies.corrections import Change
from registry.studies.events import (
    InstanceRefused,
    InstancesAdopted,
    InstancesMoved,
    InstancesRejected,
    InstancesStored,
    ManifestPublished,
    ManifestWithdrawn,
    StudyCompleted,
    StudyCorrected,
    StudyReassigned,
)
from registry.studies.refusals import (
    InstancesNotOfStudy,
    NothingChanges,
    StudyNotKnown,
    StudyOfAnotherPatient,
)
from registry.studies.values import Instance, Move, Reassignment, Rejection, StudyBatch

__all__ = ["Study"]
"""What workflows hold of a study; the commands are below."""

SOP_INSTANCE: Final = "sop-instance"
"""Claim kind: SOP Instance UID -> SHA-256 of the file that is held under it."""
REFUSED_INSTANCE: Final = "refused-instance"
MAX_BATCH: Final = 64
"""Instances in one event: 93 octets an instance against 262 for one each (measured)."""

NOTHING: Final = Study()


def study_stream(study_uid: str) -> UUID:
    """Return the stream of a study."""
    return stream_id("study", study_uid)


def fold(study: Study, recorded: Recorded) -> Study:
    """Return the study after one more event; for `Ledger.fold` with `NOTHING`."""
    return apply(study, recorded)


def store(
    batches: Sequence[StudyBatch], patients: Iterable[StreamAppend], envelope: Envelope
) -> Append:
    """Record instances of any number of studies, and what they make known of patients.

    At the head of each study's stream without an expected version: the claims guard it, so
    parallel receivers never collide. `patients` comes from the patients' own commands.
    """
    streams = list(patients)
    claims: list[Claim] = []
    for batch in batches:
        claims.extend(
            Claim(SOP_INSTANCE, one.sop_uid, bytes.fromhex(one.sha256)) for one in batch.instances
        )
        streams.append(
            StreamAppend(
                stream=study_stream(batch.study_uid),
                facts=(
                    *(
                        _stored(batch.study_uid, batch.patient_key, part)
                        for part in _parts(batch.instances)
                    ),
                    *(_rejected(batch, rejection) for rejection in batch.rejections),
                ),
            )
        )
    return Append(tuple(streams), tuple(claims), envelope)


def refuse(
    study_uid: str, sop_uid: str, *, held_sha256: str, offered_sha256: str, envelope: Envelope
) -> Append:
    """Record that other content was offered under a SOP Instance UID that is held.

    The same content offered again takes the same claim, so it is recorded once.
    """
    fact = InstanceRefused(
        study_uid=study_uid, sop_uid=sop_uid, held_sha256=held_sha256, offered_sha256=offered_sha256
    )
    claim = Claim(REFUSED_INSTANCE, f"{sop_uid}/{offered_sha256}")
    return Append((StreamAppend(study_stream(study_uid), (fact,)),), (claim,), envelope)


def complete(study: Study, version: int, envelope: Envelope) -> Append | None:
    """Record that the study is complete; None when nothing came since it last was.

    Raises `StudyNotKnown`.
    """
    if study.instance_count == 0:
        raise StudyNotKnown("no instance of the study is held", study_uid=study.study_uid)
    if study.is_complete:
        return None
    fact = StudyCompleted(study_uid=study.study_uid, instance_count=study.instance_count)
    stream = study_stream(study.study_uid)
    return Append((StreamAppend(stream, (fact,), expected_version=version),), (), envelope)


def publish(
    study: Study, version: int, *, entry_uuid: UUID, unique_id: str, instance_count: int
) -> StreamAppend:
    """Say that a manifest of the study is registered; goes into the append that registers it.

    The expected version makes a second publisher, or one that saw an older study, lose.
    """
    fact = ManifestPublished(
        study_uid=study.study_uid,
        entry_uuid=entry_uuid,
        unique_id=unique_id,
        instance_count=instance_count,
    )
    return StreamAppend(study_stream(study.study_uid), (fact,), expected_version=version)


def withdraw(study: Study, version: int) -> StreamAppend:
    """Say that nothing of the study may be shared; goes with the deprecation of its manifest."""
    stream = study_stream(study.study_uid)
    return StreamAppend(stream, _withdrawn(study), expected_version=version)


def as_held(study: Study, held: int) -> Study:
    """Return the study with as many instances as the index finds, if any were ever moved."""
    return replace(study, instance_count=held) if study.moved else study


def correct(
    study: Study, version: int, change: Change, *, patient_key: UUID, reason: str
) -> StreamAppend:
    """Say that attributes of a study are to be told otherwise; raises StudyNotKnown."""
    if not study.study_uid:
        raise StudyNotKnown("no instance of the study is held")
    fact = StudyCorrected(
        study_uid=study.study_uid,
        patient_key=patient_key,
        tags=change.tags,
        values=change.values,
        reason=reason,
    )
    return _sealed(study.study_uid, version, patient_key, fact)


def uncorrect(
    study: Study, version: int, reverts: int, *, patient_key: UUID, reason: str
) -> StreamAppend:
    """Take a correction back: what was told before it is told again."""
    fact = StudyCorrected(
        study_uid=study.study_uid, patient_key=patient_key, reason=reason, reverts=reverts
    )
    return _sealed(study.study_uid, version, patient_key, fact)


def reassign(study: Study, version: int, asked: Reassignment) -> StreamAppend:
    """Give a study to another patient; its manifest is the old one's, and is withdrawn.

    Raises StudyNotKnown and NothingChanges.
    """
    if not study.study_uid:
        raise StudyNotKnown("no instance of the study is held")
    if asked.giver == asked.taker:
        raise NothingChanges("the study is this patient's already")
    fact = StudyReassigned(
        study_uid=asked.study_uid,
        from_patient_key=asked.giver,
        patient_key=asked.taker,
        tags=asked.change.tags,
        values=asked.change.values,
        reason=asked.reason,
        reverts=asked.reverts,
    )
    withdrawn = _withdrawn(study) if study.manifest else ()
    return _sealed(asked.study_uid, version, asked.taker, *withdrawn, fact)


def move(
    source: tuple[Study, int], target: tuple[Study, int], asked: Move
) -> tuple[StreamAppend, StreamAppend]:
    """Move series or instances to another study of the same patient.

    Raises StudyNotKnown, InstancesNotOfStudy, NothingChanges and StudyOfAnotherPatient.
    """
    (study, version), (there, its_version) = source, target
    if not study.study_uid:
        raise StudyNotKnown("no instance of the study is held")
    if asked.study_uid == asked.to_study_uid:
        raise NothingChanges("a study cannot be moved to itself")
    if not asked.series or not asked.instance_count:
        raise InstancesNotOfStudy("no instance to be moved is of the study")
    if there.study_uid and there.patient_key != asked.patient_key:
        raise StudyOfAnotherPatient
    left = InstancesMoved(
        study_uid=asked.study_uid,
        patient_key=asked.patient_key,
        to_study_uid=asked.to_study_uid,
        whole=asked.whole,
        series_uids=tuple(one.series_uid for one in asked.series),
        to_series_uids=tuple(one.to_series_uid for one in asked.series),
        whole_series=tuple(not one.sop_uids for one in asked.series),
        sop_uids=tuple(uid for one in asked.series for uid in one.sop_uids),
        series=tuple(n for n, one in enumerate(asked.series) for _ in one.sop_uids),
        instance_count=asked.instance_count,
        reason=asked.reason,
    )
    came = InstancesAdopted(
        study_uid=asked.to_study_uid,
        patient_key=asked.patient_key,
        from_study_uid=asked.study_uid,
        instance_count=asked.instance_count,
        reverts=asked.reverts,
    )
    withdrawn = _withdrawn(replace(study, instance_count=0)) if asked.whole else ()
    return (
        _sealed(asked.study_uid, version, asked.patient_key, left, *withdrawn),
        StreamAppend(study_stream(asked.to_study_uid), (came,), expected_version=its_version),
    )


def _sealed(study_uid: str, version: int, patient_key: UUID, *facts: Fact) -> StreamAppend:
    return StreamAppend(
        study_stream(study_uid), facts, expected_version=version, patient_key=patient_key
    )


def _withdrawn(study: Study) -> tuple[ManifestWithdrawn, ...]:
    """Return the end of a study's manifest; its document is deprecated in the same append."""
    entry = study.manifest.entry_uuid if study.manifest else None
    return (
        ManifestWithdrawn(
            study_uid=study.study_uid, instance_count=study.instance_count, entry_uuid=entry
        ),
    )


def _rejected(batch: StudyBatch, rejection: Rejection) -> InstancesRejected:
    return InstancesRejected(
        study_uid=batch.study_uid,
        patient_key=batch.patient_key,
        note_uid=rejection.note_uid,
        reason=rejection.reason,
        sop_uids=rejection.sop_uids,
    )


def _parts(instances: Sequence[Instance]) -> Iterator[Sequence[Instance]]:
    for start in range(0, len(instances), MAX_BATCH):
        yield instances[start : start + MAX_BATCH]


def _stored(study_uid: str, patient_key: UUID, instances: Sequence[Instance]) -> InstancesStored:
    series = {uid: n for n, uid in enumerate(dict.fromkeys(i.series_uid for i in instances))}
    classes = {uid: n for n, uid in enumerate(dict.fromkeys(i.sop_class for i in instances))}
    syntaxes = {uid: n for n, uid in enumerate(dict.fromkeys(i.transfer_syntax for i in instances))}
    return InstancesStored(
        study_uid=study_uid,
        patient_key=patient_key,
        series_uids=tuple(series),
        sop_classes=tuple(classes),
        transfer_syntaxes=tuple(syntaxes),
        sop_uids=tuple(i.sop_uid for i in instances),
        series=tuple(series[i.series_uid] for i in instances),
        sop_class=tuple(classes[i.sop_class] for i in instances),
        transfer_syntax=tuple(syntaxes[i.transfer_syntax] for i in instances),
        sizes=tuple(i.size for i in instances),
        sha256=tuple(i.sha256 for i in instances),
    )
