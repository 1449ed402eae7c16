"""Imaging manifests: Key Object Selection documents that name every instance of a study.

Implements RAD TF-2 4.68.4.1.2 (manifest content), PS3.3 A.35.4 (KOS IOD), PS3.16 TID 2010.
Built by workflows/publish_study; read by workflows that take in RAD-68 and by RAD-69.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Final

from pydicom.dataset import Dataset as PydicomDataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as PydicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from kernel.codes import Code
from kernel.identifiers import dicom_uid, stable_uid
from repository.instances.elements import Dataset
from repository.instances.header import read_header
from repository.instances.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from repository.instances.refusals import NotAManifest

KEY_OBJECT_SELECTION: Final = "1.2.840.10008.5.1.4.1.1.88.59"
MANIFEST: Final = Code("113030", "DCM", "Manifest")
_EVIDENCE: Final = 0x0040A375
_MANUFACTURER: Final = "Pianku"


@dataclass(frozen=True, slots=True)
class ManifestInstance:
    """One instance that a manifest names."""

    series_uid: str
    sop_class_uid: str
    sop_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest tells; texts may be empty, `sop_uid` is the caller's to choose."""

    sop_uid: str
    study_uid: str
    instances: tuple[ManifestInstance, ...]
    created: datetime | None = None
    patient_id: str = ""
    patient_id_issuer: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    accession_number: str = ""
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    referring_physician_name: str = ""
    retrieve_ae_title: str = ""
    retrieve_location_uid: str = ""
    """repositoryUniqueId of the imaging document source (RAD-69 asks there)."""
    title: Code = field(default=MANIFEST)


def build(manifest: Manifest) -> bytes:
    """Return the manifest as a Part 10 file, the same octets for the same values."""
    if not manifest.instances or manifest.created is None:
        raise NotAManifest("a manifest needs instances and a time of creation")
    dataset = PydicomDataset()
    _patient_and_study(dataset, manifest)
    _document(dataset, manifest, manifest.created)
    dataset.CurrentRequestedProcedureEvidenceSequence = PydicomSequence([_evidence(manifest)])
    dataset.ContentSequence = PydicomSequence([_content(item) for item in manifest.instances])
    return _part10(dataset)


def read(octets: bytes) -> Manifest:
    """Read a manifest; raises NotAManifest for any other instance."""
    header = read_header(octets)
    if header.sop_class_uid != KEY_OBJECT_SELECTION:
        raise NotAManifest("the instance is not a Key Object Selection document")
    evidence = header.dataset.items(_EVIDENCE)
    found: list[ManifestInstance] = []
    location = ae_title = ""
    for study in evidence:
        for series in study.items(0x00081115):
            location = location or series.ascii(0x0040E011)
            ae_title = ae_title or series.ascii(0x00080054)
            found.extend(_instances(series))
    if not found:
        raise NotAManifest("the Key Object Selection document names no instance")
    names = header.dataset.items(0x0040A043)
    return Manifest(
        sop_uid=header.sop_uid,
        study_uid=dicom_uid(evidence[0].ascii(0x0020000D)),
        instances=tuple(found),
        patient_id=header.patient_id,
        patient_id_issuer=header.patient_id_issuer,
        patient_name=header.patient_name,
        patient_birth_date=header.patient_birth_date,
        patient_sex=header.patient_sex,
        accession_number=header.text(0x00080050),
        study_id=header.text(0x00200010),
        study_date=header.text(0x00080020),
        study_time=header.text(0x00080030),
        study_description=header.text(0x00081030),
        referring_physician_name=header.text(0x00080090),
        retrieve_ae_title=ae_title,
        retrieve_location_uid=location,
        title=_code(names[0]) if names else Code("", "", ""),
    )


def _instances(series: Dataset) -> list[ManifestInstance]:
    series_uid = dicom_uid(series.ascii(0x0020000E))
    return [
        ManifestInstance(
            series_uid, dicom_uid(item.ascii(0x00081150)), dicom_uid(item.ascii(0x00081155))
        )
        for item in series.items(0x00081199)
    ]


def _code(item: Dataset) -> Code:
    meaning = item.raw(0x00080104).decode("utf-8", "replace").strip("\x00 ")
    return Code(item.ascii(0x00080100), item.ascii(0x00080102), meaning)


def _patient_and_study(dataset: PydicomDataset, manifest: Manifest) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = manifest.patient_name
    dataset.PatientID = manifest.patient_id
    if manifest.patient_id_issuer:
        dataset.IssuerOfPatientID = manifest.patient_id_issuer[:64]
    dataset.PatientBirthDate = manifest.patient_birth_date
    dataset.PatientSex = manifest.patient_sex
    dataset.StudyInstanceUID = manifest.study_uid
    dataset.StudyDate = manifest.study_date
    dataset.StudyTime = manifest.study_time
    dataset.ReferringPhysicianName = manifest.referring_physician_name
    dataset.StudyID = manifest.study_id
    dataset.AccessionNumber = manifest.accession_number
    if manifest.study_description:
        dataset.StudyDescription = manifest.study_description


def _document(dataset: PydicomDataset, manifest: Manifest, created: datetime) -> None:
    dataset.SOPClassUID = UID(KEY_OBJECT_SELECTION)
    dataset.SOPInstanceUID = manifest.sop_uid
    dataset.Modality = "KO"
    dataset.SeriesInstanceUID = stable_uid("manifest-series", manifest.sop_uid)
    dataset.SeriesNumber = 1
    dataset.ReferencedPerformedProcedureStepSequence = PydicomSequence()
    dataset.Manufacturer = _MANUFACTURER
    dataset.InstanceNumber = 1
    dataset.ContentDate = created.strftime("%Y%m%d")
    dataset.ContentTime = created.strftime("%H%M%S")
    if manifest.accession_number:
        dataset.ReferencedRequestSequence = PydicomSequence([_request(manifest)])
    dataset.ValueType = "CONTAINER"
    dataset.ConceptNameCodeSequence = PydicomSequence([_coded(manifest.title)])
    dataset.ContinuityOfContent = "SEPARATE"
    template = PydicomDataset()
    template.MappingResource = "DCMR"
    template.TemplateIdentifier = "2010"
    dataset.ContentTemplateSequence = PydicomSequence([template])


def _request(manifest: Manifest) -> PydicomDataset:
    """Return the order this study answers (PS3.3 C.17.6.2): empty where we know nothing."""
    request = PydicomDataset()
    request.StudyInstanceUID = manifest.study_uid
    request.ReferencedStudySequence = PydicomSequence()
    request.AccessionNumber = manifest.accession_number
    request.PlacerOrderNumberImagingServiceRequest = ""
    request.FillerOrderNumberImagingServiceRequest = ""
    request.RequestedProcedureID = ""
    request.RequestedProcedureDescription = ""
    request.RequestedProcedureCodeSequence = PydicomSequence()
    return request


def _evidence(manifest: Manifest) -> PydicomDataset:
    by_series: dict[str, list[ManifestInstance]] = {}
    for instance in manifest.instances:
        by_series.setdefault(instance.series_uid, []).append(instance)
    series_items = []
    for series_uid, instances in by_series.items():
        series = PydicomDataset()
        if manifest.retrieve_ae_title:
            series.RetrieveAETitle = manifest.retrieve_ae_title
        if manifest.retrieve_location_uid:
            series.RetrieveLocationUID = manifest.retrieve_location_uid
        series.SeriesInstanceUID = series_uid
        series.ReferencedSOPSequence = PydicomSequence([_reference(one) for one in instances])
        series_items.append(series)
    study = PydicomDataset()
    study.StudyInstanceUID = manifest.study_uid
    study.ReferencedSeriesSequence = PydicomSequence(series_items)
    return study


def _reference(instance: ManifestInstance) -> PydicomDataset:
    item = PydicomDataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_uid
    return item


def _content(instance: ManifestInstance) -> PydicomDataset:
    item = PydicomDataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = _value_type(instance.sop_class_uid)
    item.ReferencedSOPSequence = PydicomSequence([_reference(instance)])
    return item


def _value_type(sop_class_uid: str) -> str:
    """Return how TID 2010 refers to an instance: by the kind of its SOP class."""
    name = UID(sop_class_uid).name
    if "Image Storage" in name:
        return "IMAGE"
    if "Waveform Storage" in name or "ECG" in name:
        return "WAVEFORM"
    return "COMPOSITE"


def _coded(code: Code) -> PydicomDataset:
    item = PydicomDataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.display
    return item


def _part10(dataset: PydicomDataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(KEY_OBJECT_SELECTION)
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    dataset.file_meta = meta
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()
