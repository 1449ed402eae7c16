"""RAD-68 Provide and Register Imaging Document Set: what ITI-41 does more for imaging manifests.

Implements RAD TF-2 4.68. The message is the one of ITI-41 and only its metadata tell it apart;
called by `iti41_provide_and_register` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from adapters.xds import names
from adapters.xds.encode import RegistryError
from adapters.xds.faults import registry_error
from projections.study_index.view import StudyIndex
from registry.documents.values import DocumentEntry, Submission
from repository.instances.manifest import Manifest
from repository.instances.refusals import ManifestMismatch
from repository.tiers.ports import Incoming
from workflows.check_manifest import Finding, check, is_manifest, read_manifest

TRANSACTION: Final = "RAD-68"
_MOST_OCTETS: Final = 64 << 20
"""The largest manifest we read; one of 100 000 instances has some 30 MB."""


class ManifestChecks(StrEnum):
    """What becomes of a manifest that contradicts its metadata."""

    REFUSE = "refuse"
    WARN = "warn"
    OFF = "off"


class ExamineManifests:
    """Looks into the imaging manifests of a submission before it is filed."""

    def __init__(
        self, checks: ManifestChecks = ManifestChecks.REFUSE, studies: StudyIndex | None = None
    ) -> None:
        self._checks = checks
        self._studies = studies

    def transaction(self, submission: Submission) -> str | None:
        """Return RAD-68 for a submission with manifests, None for any other."""
        return TRANSACTION if any(map(is_manifest, submission.entries)) else None

    def __call__(
        self, submission: Submission, documents: Mapping[UUID, Incoming]
    ) -> tuple[RegistryError, ...]:
        """Return errors, for which it must not be filed, and warnings."""
        if self._checks is ManifestChecks.OFF:
            return ()
        return tuple(
            self._told(finding)
            for entry in submission.entries
            if is_manifest(entry) and entry.entry_uuid in documents
            for finding in self._findings(entry, documents[entry.entry_uuid])
        )

    def _findings(self, entry: DocumentEntry, content: Incoming) -> Iterator[Finding]:
        try:
            octets = content.read(0, min(content.size, _MOST_OCTETS))
            manifest = read_manifest(octets, entry)
        except ManifestMismatch as mismatch:
            yield Finding(mismatch, contradicts=True)
            return
        yield from check(entry, manifest, self._held_modalities(manifest))

    def _held_modalities(self, manifest: Manifest) -> frozenset[str] | None:
        """Return the modalities of the series, None unless all instances lie here."""
        if self._studies is None:
            return None
        held = {one.sop_uid for one in self._studies.instances_of(manifest.study_uid)}
        if not all(one.sop_uid in held for one in manifest.instances):
            return None
        series = {one.series_uid for one in manifest.instances}
        return frozenset(
            one.modality
            for one in self._studies.series_of(manifest.study_uid)
            if one.series_uid in series
        )

    def _told(self, finding: Finding) -> RegistryError:
        error = registry_error(finding.refusal)
        if finding.contradicts and self._checks is ManifestChecks.REFUSE:
            return error
        return RegistryError(error.code, error.context, error.location, names.WARNING)
