"""The metadata of a manifest: what an XDS consumer finds a study by.

RAD TF-3 4.68.4.1.2.3 (DocumentEntry of an imaging manifest), ITI TF-3 4.2.3.2. Pure, from the
study index's rows; called by `publish_study`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final
from uuid import UUID

from kernel.codes import Code
from kernel.identifiers import PatientId, is_oid, stable_uid, stream_id
from kernel.times import BadTime, check_dtm, dtm
from projections.study_index.view import StudyRow
from registry.documents.code_sets import NO_CODE_SETS, CodeSets
from registry.documents.refusals import CodeUnknown
from registry.documents.values import (
    Association,
    AssociationType,
    DocumentEntry,
    Submission,
    SubmissionSet,
)
from repository.instances.manifest import KEY_OBJECT_SELECTION, Manifest, ManifestOrder
from workflows.identify_patient import escaped

ACCESSION: Final = "urn:ihe:iti:xds:2013:accession"
ORDER: Final = "urn:ihe:iti:xds:2013:order"
STUDY: Final = "urn:ihe:iti:xds:2016:studyInstanceUID"
DICOM_UIDS: Final = "1.2.840.10008.2.6.1"
_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_SCHEMES: Final = {
    "SCT": _SNOMED,
    "SRT": _SNOMED,
    "SNM3": "2.16.840.1.113883.6.51",
    "DCM": "1.2.840.10008.2.16.4",
    "LN": _LOINC,
}
"""Coding scheme designators and their OIDs (PS3.16 table 8-1)."""
_DERIVED: Final = frozenset(
    {
        "AU",
        "DOC",
        "KO",
        "M3D",
        "PLAN",
        "PR",
        "REG",
        "RTDOSE",
        "RTPLAN",
        "RTRECORD",
        "RTSTRUCT",
        "SEG",
        "SR",
    }
)
"""Modalities that acquire nothing (not of PS3.16 CID 29)."""
_TIME: Final = re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2})?)?")
_PROCEDURE_CODE: Final = "00081032"
REGION: Final = "00082218"
_REQUEST: Final = "00400275"
_ACCESSION: Final = "00080050"
_ACCESSION_ISSUER: Final = "00080051"
_UNIVERSAL_ID: Final = "00400032"
_PLACER_NUMBER: Final = "00402016"
_PLACER: Final = "00400026"

_IMAGES: Final = Code("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images")
_IMAGING_STUDY: Final = Code("18748-4", _LOINC, "Diagnostic imaging study")
_HOSPITAL: Final = Code("22232009", _SNOMED, "Hospital")
_RADIOLOGY: Final = Code("394914008", _SNOMED, "Radiology")
_NORMAL: Final = Code("N", "2.16.840.1.113883.5.25", "normal")

Metadata = Mapping[str, Any]
"""Attributes of an instance as DICOM JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPolicy:
    """The codes an affinity domain wants on manifests, and who we are."""

    repository_oid: str
    source_oid: str
    """sourceId of the submissions: this system."""
    accession_authority: str
    """OID for accession numbers that come without an issuer."""
    retrieve_ae_title: str
    imaging_source_oid: str = ""
    """Retrieve Location UID, which RAD-69 requests carry; empty: the repository's."""
    language_code: str = "zh-CN"
    class_code: Code = _IMAGES
    type_code: Code = _IMAGING_STUDY
    """When the study names no procedure that the domain knows."""
    facility_type_code: Code = _HOSPITAL
    practice_setting_code: Code = _RADIOLOGY
    confidentiality_code: Code = _NORMAL
    code_sets: CodeSets = field(default=NO_CODE_SETS)
    described: bool = False
    """Write manifests with description (MADO) instead of classic ones."""
    retrieve_url: str = ""
    """Base URI of our WADO-RS service as others reach it; empty: not told."""
    institution: str = ""
    """For studies that name none."""
    zone: tzinfo = UTC
    """Of the dates and times in manifests with description."""

    @property
    def location_uid(self) -> str:
        """Return the Retrieve Location UID."""
        return self.imaging_source_oid or self.repository_oid


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A manifest that is to be registered."""

    unique_id: str
    sha1: str
    size: int
    patient: PatientId
    replaces: UUID | None
    submission_time: str
    manifest: Manifest
    """What the manifest itself tells."""
    modalities: tuple[str, ...]
    """Of the series that it names."""


def describe(
    study: StudyRow, metadata: Sequence[Metadata], made: Described, policy: ManifestPolicy
) -> Submission:
    """Return the submission of a manifest; `metadata` has an instance of each shared series.

    Its identifiers follow from the manifest's uniqueId, so that the same manifest can only be
    registered once.
    """
    entry_uuid = stream_id("manifest-entry", made.unique_id)
    set_uuid = stream_id("manifest-submission", made.unique_id)
    patient = str(made.patient)
    described = made.manifest if policy.described else None
    entry = DocumentEntry(
        entry_uuid=entry_uuid,
        unique_id=made.unique_id,
        patient_id=patient,
        mime_type="application/dicom",
        repository_unique_id=policy.repository_oid,
        hash=made.sha1,
        size=made.size,
        class_code=policy.class_code,
        type_code=_type_code(metadata, policy),
        format_code=Code(KEY_OBJECT_SELECTION, DICOM_UIDS, "Key Object Selection Document"),
        healthcare_facility_type_code=policy.facility_type_code,
        practice_setting_code=policy.practice_setting_code,
        confidentiality_codes=(policy.confidentiality_code,),
        event_codes=event_codes(made.modalities, metadata, described),
        creation_time=dtm(study.last_at),
        service_start_time=start_time(study.study_date, study.study_time),
        language_code=policy.language_code,
        title=study.description[:128],
        source_patient_id=patient,
        source_patient_info=patient_info(study, patient),
        reference_ids=reference_ids(study, metadata, policy),
    )
    submission_set = SubmissionSet(
        entry_uuid=set_uuid,
        unique_id=stable_uid("manifest-submission", made.unique_id),
        source_id=policy.source_oid,
        patient_id=patient,
        submission_time=made.submission_time,
        content_type_code=policy.type_code,
    )
    return Submission(
        submission_set=submission_set,
        entries=(entry,),
        associations=tuple(_associations(set_uuid, entry_uuid, made.replaces)),
    )


def event_codes(
    modalities: Iterable[str], metadata: Sequence[Metadata], manifest: Manifest | None = None
) -> tuple[Code, ...]:
    """Return the acquisition modalities and anatomic regions of a study, and nothing else.

    A manifest with description adds its high-level regions and the procedure codes.
    """
    found = [Code(m, DICOM_UIDS, m) for m in modalities if m not in _DERIVED]
    tags = (REGION,) if manifest is None else (REGION, _PROCEDURE_CODE)
    told = [_coded(item) for tag in tags for one in metadata for item in items(one, tag)]
    if manifest is not None:
        told += [Code(one.value, _SNOMED, one.display) for one in manifest.regions]
    for code in told:
        if code is not None and not any(code.same_as(known) for known in found):
            found.append(code)
    return tuple(found)


def reference_ids(
    study: StudyRow, metadata: Sequence[Metadata], policy: ManifestPolicy
) -> tuple[str, ...]:
    """Return the referenceIdList: accession numbers, with MADO also orders, and the study."""
    if policy.described:
        known = orders(study, metadata, policy)
        numbers = [(one.accession_number, one.accession_authority) for one in known]
        placed = [(one.placer_number, one.placer_authority) for one in known if one.placer_number]
    else:
        numbers, placed = list(_accessions(study, metadata, policy.accession_authority)), []
    told = [f"{escaped(n)}^^^&{issuer}&ISO^{ACCESSION}" for n, issuer in dict.fromkeys(numbers)]
    told += [f"{escaped(n)}^^^&{issuer}&ISO^{ORDER}" for n, issuer in dict.fromkeys(placed)]
    return (*told, f"{study.study_uid}^^^^{STUDY}")


def orders(
    study: StudyRow, metadata: Iterable[Metadata], policy: ManifestPolicy
) -> tuple[ManifestOrder, ...]:
    """Return what a study answers, one or more (RAD TF-3 6.X.2.6.1, the three cases).

    A study without an accession number gets one of ours, the same each time.
    """
    metadata = list(metadata)
    placed: dict[str, tuple[str, str]] = {}
    for instance in metadata:
        for place in (instance, *items(instance, _REQUEST)):
            placer = text(place, _PLACER_NUMBER)
            if placer:
                number = text(place, _ACCESSION) or study.accession
                placed.setdefault(number, (placer, _authority(place, _PLACER, policy)))
    found = _accessions(study, metadata, policy.accession_authority)
    if not found:
        made = hashlib.sha256(study.study_uid.encode()).hexdigest()[:15].upper()
        found = {(f"X{made}", policy.source_oid): None}
    unplaced = placed.get("", ("", ""))
    return tuple(
        ManifestOrder(
            accession_number=number,
            accession_authority=issuer,
            placer_number=placed.get(number, unplaced)[0],
            placer_authority=placed.get(number, unplaced)[1],
        )
        for number, issuer in found
    )


def _authority(place: Metadata, tag: str, policy: ManifestPolicy) -> str:
    issuers = items(place, tag)
    issuer = text(issuers[0], _UNIVERSAL_ID) if issuers else ""
    return issuer if is_oid(issuer) else policy.accession_authority


def _accessions(
    study: StudyRow, metadata: Iterable[Metadata], authority: str
) -> dict[tuple[str, str], None]:
    """Return every accession number with the OID of its issuer."""
    numbers: dict[tuple[str, str], None] = {}
    if study.accession:
        numbers[study.accession, authority] = None
    for instance in metadata:
        for place in (instance, *items(instance, _REQUEST)):
            number = text(place, _ACCESSION)
            issuers = items(place, _ACCESSION_ISSUER)
            issuer = text(issuers[0], _UNIVERSAL_ID) if issuers else ""
            if number and is_oid(issuer):
                numbers.pop((number, authority), None)
            if number:
                known = issuer if is_oid(issuer) else authority
                numbers[number, known] = None
    return numbers


def patient_info(study: StudyRow, patient_id: str) -> tuple[str, ...]:
    """Return sourcePatientInfo from the patient module (ITI TF-3 4.2.3.2.23)."""
    told = [
        ("PID-3", patient_id),
        ("PID-5", _person(study.name)),
        ("PID-7", study.birth_date if study.birth_date.isdigit() else ""),
        ("PID-8", study.sex if study.sex in {"M", "F", "O"} else ""),
    ]
    return tuple(f"{name}|{value}"[:256] for name, value in told if value)


def start_time(date: str, time: str) -> str:
    """Return Study Date and Time as a DTM, as precise as both are; empty if they are no time."""
    matched = _TIME.match(time)
    try:
        return check_dtm(date + (matched[0] if matched and len(date) == 8 else "")) if date else ""
    except BadTime:
        return ""


def _type_code(metadata: Iterable[Metadata], policy: ManifestPolicy) -> Code:
    for instance in metadata:
        for item in items(instance, _PROCEDURE_CODE):
            code = _coded(item)
            if code is None:
                continue
            try:
                policy.code_sets.check("typeCode", (code,), object_id=UUID(int=0))
            except CodeUnknown:
                continue
            return code
    return policy.type_code


def _associations(set_uuid: UUID, entry_uuid: UUID, replaces: UUID | None) -> Iterable[Association]:
    yield Association(
        entry_uuid=stream_id("manifest-member", str(entry_uuid)),
        type=AssociationType.HAS_MEMBER,
        source=set_uuid,
        target=entry_uuid,
        submission_set_status="Original",
    )
    if replaces is not None:
        yield Association(
            entry_uuid=stream_id("manifest-replaces", str(entry_uuid)),
            type=AssociationType.RPLC,
            source=entry_uuid,
            target=replaces,
        )


def _person(name: str) -> str:
    """Return a DICOM person name as HL7 XPN: prefix and suffix change places."""
    groups = name.split("=")
    group = next((g for g in groups if g.strip("^ ")), "")
    parts = (group.split("^") + [""] * 5)[:5]
    family, given, middle, prefix, suffix = parts
    return f"{family}^{given}^{middle}^{suffix}^{prefix}".rstrip("^")


def _coded(item: Metadata) -> Code | None:
    value = text(item, "00080100")
    designator = text(item, "00080102")
    scheme = _SCHEMES.get(designator, "") or text(item, "0008010C")
    if not value or not is_oid(scheme):
        return None
    return Code(value, scheme, text(item, "00080104") or value)


def items(place: Metadata, tag: str) -> Sequence[Metadata]:
    """Return the items of a sequence."""
    values = (place.get(tag) or {}).get("Value") or ()
    return [value for value in values if isinstance(value, Mapping)]


def text(place: Metadata, tag: str) -> str:
    """Return the first value of an attribute, empty when absent."""
    values = (place.get(tag) or {}).get("Value") or ("",)
    return str(values[0] or "").strip()
