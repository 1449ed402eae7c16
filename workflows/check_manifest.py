"""An imaging manifest against the metadata it comes with: what contradicts, what is missing.

Implements RAD TF-2 4.68.4.1.2.3.2 (DocumentEntry of a manifest) as a repository can prove it.
Pure; called by `adapters/xds` for RAD-68. Values that may tell who a patient is are not quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kernel.codes import Code
from kernel.identifiers import urn
from kernel.refusals import Invalid, TooMuch
from registry.documents.values import DocumentEntry
from repository.instances import manifest as manifests
from repository.instances.manifest import KEY_OBJECT_SELECTION, Manifest
from repository.instances.refusals import ManifestMismatch, NotAManifest
from workflows.describe_manifest import ACCESSION, DICOM_UIDS, STUDY

_DCM: Final = "1.2.840.10008.2.16.4"
_TITLES: Final = (manifests.MANIFEST, manifests.MANIFEST_WITH_DESCRIPTION)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a manifest's metadata."""

    refusal: ManifestMismatch
    contradicts: bool
    """Manifest and metadata cannot both be right; otherwise something is missing."""


def is_manifest(entry: DocumentEntry) -> bool:
    """Tell whether a DocumentEntry says that its document is an imaging manifest."""
    code = entry.format_code
    return code is not None and (code.value, code.scheme) == (KEY_OBJECT_SELECTION, DICOM_UIDS)


def read_manifest(octets: bytes, entry: DocumentEntry) -> Manifest:
    """Read the manifest of an entry; raises ManifestMismatch when it is none."""
    try:
        return manifests.read(octets)
    except (Invalid, TooMuch) as problem:
        why = problem.message if isinstance(problem, NotAManifest) else "it cannot be read"
        raise _mismatch(
            entry, "formatCode", f"formatCode {KEY_OBJECT_SELECTION} names a manifest, but {why}"
        ) from None


def check(
    entry: DocumentEntry, manifest: Manifest, held_modalities: frozenset[str] | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with the metadata of a manifest.

    `held_modalities` are those of its series where all of its images lie here, else None.
    """
    modalities = manifest.modalities or held_modalities
    return (
        *_identity(entry, manifest),
        *_references(entry, manifest),
        *_event_codes(entry, modalities),
        *_content(entry, manifest),
    )


def _identity(entry: DocumentEntry, manifest: Manifest) -> Iterator[Finding]:
    if entry.mime_type.lower() != "application/dicom":
        yield _contradiction(
            entry,
            "mimeType",
            f"mimeType of a manifest is application/dicom, not {entry.mime_type[:80]}",
        )
    if entry.unique_id != manifest.sop_uid:
        yield _contradiction(
            entry,
            "uniqueId",
            f"uniqueId {entry.unique_id} is not the SOP Instance UID of the manifest, "
            f"{manifest.sop_uid}",
        )
    known = {
        identifier.partition("^")[0] for identifier in (entry.source_patient_id, entry.patient_id)
    }
    if manifest.patient_id and manifest.patient_id not in known:
        # Not a contradiction: the source may have mapped its own identifier to the domain's.
        yield _gap(
            entry,
            "sourcePatientId",
            "sourcePatientId is not the Patient ID (0010,0020) of the manifest",
        )


def _references(entry: DocumentEntry, manifest: Manifest) -> Iterator[Finding]:
    studies = _referenced(entry, STUDY)
    if studies and manifest.study_uid not in studies:
        yield _contradiction(
            entry,
            "referenceIdList",
            f"referenceIdList names the study {', '.join(sorted(studies))[:200]}, the manifest "
            f"the study {manifest.study_uid}",
        )
    elif not studies:
        yield _gap(
            entry, "referenceIdList", f"referenceIdList lacks the study {manifest.study_uid}"
        )
    numbers, told = _referenced(entry, ACCESSION), manifest.accession_numbers
    if numbers and told and not numbers & told:
        yield _contradiction(
            entry,
            "referenceIdList",
            "no accession number in referenceIdList is one of the manifest (0008,0050)",
        )
    elif told and not numbers:
        yield _gap(entry, "referenceIdList", "referenceIdList lacks the accession number")


def _event_codes(entry: DocumentEntry, modalities: frozenset[str] | None) -> Iterator[Finding]:
    told = {code.value for code in entry.event_codes if _is_modality(code)}
    if not told:
        yield _gap(entry, "eventCodeList", "eventCodeList names no acquisition modality")
    elif modalities is not None and not told <= modalities:
        yield _contradiction(
            entry,
            "eventCodeList",
            f"eventCodeList names {_listed(told - modalities)}, which the study does not have "
            f"(it has {_listed(modalities)})",
        )


def _content(entry: DocumentEntry, manifest: Manifest) -> Iterator[Finding]:
    if not any(manifest.title.same_as(title) for title in _TITLES):
        yield _gap(
            entry,
            "formatCode",
            f"the document title is {manifest.title.value} ({manifest.title.scheme}), not "
            "113030 (DCM), Manifest",
        )
    if not manifest.retrieve_location_uid:
        yield _gap(
            entry,
            "formatCode",
            "the manifest has no Retrieve Location UID (0040,E011): RAD-69 cannot find the source",
        )


def _referenced(entry: DocumentEntry, kind: str) -> frozenset[str]:
    """Return the identifiers of one type code in the referenceIdList (CXi)."""
    parts = (reference.split("^") for reference in entry.reference_ids)
    return frozenset(part[0] for part in parts if len(part) > 4 and part[4] == kind)


def _is_modality(code: Code) -> bool:
    # PS3.16 CID 29 and 33 are letters; other codes of DCM are numbers.
    return code.scheme == DICOM_UIDS or (code.scheme == _DCM and not code.value.isdigit())


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(value[:32] for value in values))


def _contradiction(entry: DocumentEntry, attribute: str, message: str) -> Finding:
    return Finding(_mismatch(entry, attribute, message), contradicts=True)


def _gap(entry: DocumentEntry, attribute: str, message: str) -> Finding:
    return Finding(_mismatch(entry, attribute, message), contradicts=False)


def _mismatch(entry: DocumentEntry, attribute: str, message: str) -> ManifestMismatch:
    return ManifestMismatch(
        message, attribute=f"DocumentEntry.{attribute}", object=urn(entry.entry_uuid)
    )
