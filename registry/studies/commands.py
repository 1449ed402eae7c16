"""The only door in: what may be recorded of a study, decided before it is recorded.

Pure functions from past events and a request to an `Append`. PS3.4 B (storage), RAD TF-2 4.68
(manifest). Called by `workflows.store_instances` and `workflows.publish_study`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.events import Recorded
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, Claim, StreamAppend
from registry.studies.aggregate import Study, apply
from registry.studies.events import (
    InstanceRefused,
    InstancesRejected,
    InstancesStored,
    ManifestPublished,
    ManifestWithdrawn,
    StudyCompleted,
)
from registry.studies.refusals import StudyNotKnown
from registry.studies.values import Instance, Rejection, StudyBatch

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
    fact = ManifestWithdrawn(
        study_uid=study.study_uid,
        instance_count=study.instance_count,
        entry_uuid=study.manifest.entry_uuid if study.manifest else None,
    )
    return StreamAppend(study_stream(study.study_uid), (fact,), expected_version=version)


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
