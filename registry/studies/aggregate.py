"""The state of one study, made from its events; the rules of completion and publication.

RAD TF-2 4.68 (a changed study gets a new manifest that replaces the old one). Read by
`commands.py` only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from kernel.events import Recorded
from registry.studies.events import (
    InstancesAdopted,
    InstancesMoved,
    InstancesStored,
    ManifestPublished,
    ManifestWithdrawn,
    StudyCompleted,
    StudyCorrected,
    StudyReassigned,
)


@dataclass(frozen=True, slots=True)
class Study:
    """What the events of a study say of it."""

    study_uid: str = ""
    patient_key: UUID | None = None
    instance_count: int = 0
    completed_count: int = 0
    """Instances when it last counted as complete."""
    manifest: ManifestPublished | None = None
    withdrawn_count: int = 0
    """Instances when the manifest was withdrawn because nothing may be shared."""
    stale: bool = False
    """Corrected since: the manifest does not say what the images say."""
    moved: bool = False
    """Instances were moved in or out: the study index, not this stream, knows how many it has."""
    stored_for: UUID | None = None
    """The patient that the headers name."""
    acts: tuple[Recorded, ...] = ()
    """Corrections, reassignments and moves, in order."""
    reverted: frozenset[int] = frozenset()
    """Positions of acts that were taken back."""

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing came since the study was last found complete."""
        return 0 < self.instance_count == self.completed_count

    @property
    def is_published(self) -> bool:
        """Tell whether the manifest, or its withdrawal, is of everything that is held."""
        if self.stale:
            return False
        if self.manifest is None:
            return 0 < self.instance_count == self.withdrawn_count
        return self.manifest.instance_count == self.instance_count


def apply(study: Study, recorded: Recorded) -> Study:
    """Return the study after one more event."""
    match recorded.fact:
        case InstancesStored() as fact:
            return replace(
                study,
                study_uid=fact.study_uid,
                patient_key=fact.patient_key if study.patient_key is None else study.patient_key,
                stored_for=study.stored_for or fact.patient_key,
                instance_count=study.instance_count + len(fact.sop_uids),
            )
        case StudyCompleted() as fact:
            return replace(study, completed_count=fact.instance_count)
        case ManifestPublished() as fact:
            return replace(study, manifest=fact, stale=False)
        case ManifestWithdrawn() as fact:
            return replace(study, manifest=None, withdrawn_count=fact.instance_count, stale=False)
        case StudyCorrected() | StudyReassigned() | InstancesMoved() | InstancesAdopted():
            return _acted(study, recorded, recorded.fact)
        case _:
            return study


def _acted(
    study: Study,
    recorded: Recorded,
    fact: StudyCorrected | StudyReassigned | InstancesMoved | InstancesAdopted,
) -> Study:
    study = replace(study, acts=(*study.acts, recorded), stale=True)
    if not isinstance(fact, InstancesMoved):
        if fact.reverts:
            study = replace(study, reverted=study.reverted | {fact.reverts})
        # What was told of the patient who was merged meanwhile is told of the survivor.
        study = replace(study, study_uid=fact.study_uid, patient_key=fact.patient_key)
    match fact:
        case InstancesMoved():
            left = study.instance_count - fact.instance_count
            return replace(study, instance_count=left, moved=True)
        case InstancesAdopted():
            held = study.instance_count + fact.instance_count
            return replace(study, instance_count=held, moved=True)
        case _:
            return study
