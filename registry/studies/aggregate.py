"""The state of one study, made from its events; the rules of completion and publication.

RAD TF-2 4.68 (a changed study gets a new manifest that replaces the old one). Read by
`commands.py` only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from kernel.events import Recorded
from registry.studies.events import (
    InstancesStored,
    ManifestPublished,
    ManifestWithdrawn,
    StudyCompleted,
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

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing came since the study was last found complete."""
        return 0 < self.instance_count == self.completed_count

    @property
    def is_published(self) -> bool:
        """Tell whether the manifest, or its withdrawal, is of everything that is held."""
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
                patient_key=fact.patient_key,
                instance_count=study.instance_count + len(fact.sop_uids),
            )
        case StudyCompleted() as fact:
            return replace(study, completed_count=fact.instance_count)
        case ManifestPublished() as fact:
            return replace(study, manifest=fact)
        case ManifestWithdrawn() as fact:
            return replace(study, manifest=None, withdrawn_count=fact.instance_count)
        case _:
            return study
