"""What a study's manifest tells, put together from the study index.

Implements RAD TF-2 4.68.4.1.2 (manifest), RAD TF-3 6.X.2 (MADO) and, of IOCM, that rejected
instances are not shared (RAD TF-2 4.66). Pure; called by `publish_study`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kernel.codes import Code
from kernel.identifiers import PatientId, stable_uid
from projections.study_index.view import InstanceRow, SeriesRow, StudyRow
from repository.instances.manifest import (
    KEY_OBJECT_SELECTION,
    MANIFEST,
    MANIFEST_WITH_DESCRIPTION,
    REJECTIONS,
    Manifest,
    ManifestInstance,
    ManifestSeries,
)
from workflows.anatomic_regions import regions
from workflows.describe_manifest import REGION, ManifestPolicy, Metadata, items, orders, text

_TITLE: Final = "0040A043"
_CONTENT: Final = "0040A730"
_KEY_DESCRIPTION: Final = "113012"


@dataclass(frozen=True, slots=True)
class Material:
    """What of a study goes into its manifest."""

    instances: Sequence[InstanceRow]
    """All that are held."""
    series: Sequence[SeriesRow] = ()
    metadata: Mapping[str, Metadata] = field(default_factory=dict)
    """Series Instance UID -> its first instance."""
    notes: Mapping[str, Metadata] = field(default_factory=dict)
    """SOP Instance UID -> the Key Object Selection documents of the study."""
    acts: int = 0
    """How often it was corrected; below zero: the version that a feed outdated."""

    def shared(self) -> tuple[InstanceRow, ...]:
        """Return the instances that are not rejected, and no rejection notes."""
        gone: set[str] = set()
        for uid, note in self.notes.items():
            if _is_rejection(note):
                gone.update((uid, *_named(note)))
        # The note of a rejected instance may be in the study that it was moved out of.
        return tuple(one for one in self.instances if one.sop_uid not in gone and not one.hidden)

    def modalities(self, row: StudyRow) -> tuple[str, ...]:
        """Return the modalities of the series that are shared."""
        shared = {one.series_uid for one in self.shared()}
        told = {one.modality for one in self.series if one.series_uid in shared}
        return tuple(one for one in row.modalities if one in told)

    def shared_metadata(self) -> tuple[Metadata, ...]:
        """Return the first instances of the series that are shared."""
        series = {one.series_uid for one in self.shared()}
        return tuple(found for uid, found in self.metadata.items() if uid in series and found)


def manifest_uid(
    study_uid: str, instances: Sequence[InstanceRow], policy: ManifestPolicy, *, acts: int = 0
) -> str:
    """Return the SOP Instance UID of the manifest of exactly these held instances.

    Rejection notes count too: what they take away makes another manifest.
    """
    digest = hashlib.sha256()
    for uid in sorted(one.sop_uid for one in instances):
        digest.update(uid.encode() + b"\n")
    told: tuple[str, ...] = ("mado", policy.retrieve_url) if policy.described else ()
    if acts:
        told = (*told, "corrected", str(acts))
    return stable_uid("manifest", policy.repository_oid, study_uid, digest.hexdigest(), *told)


def compose(
    row: StudyRow, material: Material, patient: PatientId, policy: ManifestPolicy
) -> Manifest:
    """Return the manifest of a study, classic or with description as the policy wants it."""
    made = Manifest(
        sop_uid=manifest_uid(row.study_uid, material.instances, policy, acts=material.acts),
        study_uid=row.study_uid,
        instances=tuple(_instance(one, material, policy) for one in material.shared()),
        # Not the clock: the same study gives the same octets, whoever publishes it.
        created=row.last_at.astimezone(policy.zone) if policy.described else row.last_at,
        patient_id=row.patient_id,
        patient_id_issuer=row.issuer,
        patient_id_authority=patient.authority if policy.described and row.patient_id else "",
        patient_name=row.name,
        patient_birth_date=row.birth_date,
        patient_sex=row.sex,
        accession_number=row.accession,
        study_id=row.study_id,
        study_date=row.study_date,
        study_time=row.study_time,
        study_description=row.description,
        referring_physician_name=row.referring,
        retrieve_ae_title=policy.retrieve_ae_title,
        retrieve_location_uid=policy.location_uid,
        retrieve_url=policy.retrieve_url,
        title=MANIFEST_WITH_DESCRIPTION if policy.described else MANIFEST,
    )
    return _described(made, row, material, policy) if policy.described else made


def _described(
    made: Manifest, row: StudyRow, material: Material, policy: ManifestPolicy
) -> Manifest:
    shared = {one.series_uid for one in made.instances}
    series = tuple(one for one in material.series if one.series_uid in shared)
    metadata = material.shared_metadata()
    told = orders(row, metadata, policy)
    codes = [text(item, "00080100") for one in metadata for item in items(one, REGION)]
    institution = next((one.institution for one in series if one.institution), "")
    return replace(
        made,
        accession_number=told[0].accession_number,
        orders=told,
        series=tuple(_series(one, material) for one in series),
        regions=regions((one.body_part for one in series), codes),
        institution=institution or policy.institution,
    )


def _instance(one: InstanceRow, material: Material, policy: ManifestPolicy) -> ManifestInstance:
    if not policy.described:
        return ManifestInstance(one.series_uid, one.sop_class, one.sop_uid)
    note = material.notes.get(one.sop_uid, {})
    titles = items(note, _TITLE)
    return ManifestInstance(
        one.series_uid,
        one.sop_class,
        one.sop_uid,
        number="" if one.number is None else str(one.number),
        frames=one.frame_count if one.frame_count > 1 else 0,
        key_title=_code(titles[0]) if titles else None,
        key_description=_key_description(note),
    )


def _series(one: SeriesRow, material: Material) -> ManifestSeries:
    found = items(material.metadata.get(one.series_uid, {}), REGION)
    return ManifestSeries(
        uid=one.series_uid,
        modality=one.modality,
        description=one.description,
        number="" if one.number is None else str(one.number),
        date=one.series_date,
        time=one.series_time,
        region=_code(found[0]) if found else None,
    )


def is_key_object(one: InstanceRow) -> bool:
    """Tell whether an instance is a Key Object Selection document."""
    return one.sop_class == KEY_OBJECT_SELECTION


def _is_rejection(note: Metadata) -> bool:
    return any(
        text(title, "00080102") == "DCM" and text(title, "00080100") in REJECTIONS
        for title in items(note, _TITLE)
    )


def _named(note: Metadata) -> list[str]:
    """Return the instances that a Key Object Selection document refers to."""
    return [
        text(reference, "00081155")
        for study in items(note, "0040A375")
        for series in items(study, "00081115")
        for reference in items(series, "00081199")
    ]


def _key_description(note: Metadata) -> str:
    for item in items(note, _CONTENT):
        if any(text(name, "00080100") == _KEY_DESCRIPTION for name in items(item, _TITLE)):
            return text(item, "0040A160")
    return ""


def _code(item: Metadata) -> Code | None:
    value, scheme = text(item, "00080100"), text(item, "00080102")
    return Code(value, scheme, text(item, "00080104")) if value and scheme else None
