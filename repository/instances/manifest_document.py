"""Writes imaging manifests as Part 10 files: classic KOS, or with the description of MADO.

Implements PS3.3 A.35.4 (KOS IOD), PS3.16 TID 2010, RAD TF-2 4.68.4.1.2 and RAD TF-3 6.X.2 (MADO).
Called by workflows/publish_study.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Final

from pydicom.dataset import Dataset as PydicomDataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as PydicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from kernel.identifiers import stable_uid
from repository.instances.image_library import coded, image_library, value_type
from repository.instances.manifest import (
    KEY_OBJECT_SELECTION,
    Manifest,
    ManifestInstance,
    ManifestOrder,
)
from repository.instances.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from repository.instances.refusals import NotAManifest

_MANUFACTURER: Final = "Pianku"


def build(manifest: Manifest) -> bytes:
    """Return the manifest as a Part 10 file, the same octets for the same values."""
    if not manifest.instances or manifest.created is None:
        raise NotAManifest("a manifest needs instances and a time of creation")
    dataset = PydicomDataset()
    _patient(dataset, manifest)
    _study(dataset, manifest)
    _document(dataset, manifest, manifest.created)
    dataset.CurrentRequestedProcedureEvidenceSequence = PydicomSequence([_evidence(manifest)])
    # The plain references stay beside the description: who reads classic manifests finds them.
    content = [_content(item) for item in manifest.instances]
    if manifest.described:
        content.append(image_library(manifest))
    dataset.ContentSequence = PydicomSequence(content)
    return _part10(dataset)


def _patient(dataset: PydicomDataset, manifest: Manifest) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = manifest.patient_name
    dataset.PatientBirthDate = manifest.patient_birth_date
    dataset.PatientSex = manifest.patient_sex
    _patient_id(dataset, manifest)
    if manifest.described and manifest.patient_id:
        # RAD TF-3 6.X.2.5.1.1.2: the identifier stands among the others too, so that a receiver
        # may put its own into Patient ID and lose nothing.
        other = PydicomDataset()
        _patient_id(other, manifest)
        other.TypeOfPatientID = "TEXT"
        dataset.OtherPatientIDsSequence = PydicomSequence([other])


def _patient_id(place: PydicomDataset, manifest: Manifest) -> None:
    place.PatientID = manifest.patient_id
    if manifest.patient_id_issuer:
        place.IssuerOfPatientID = manifest.patient_id_issuer[:64]
    if manifest.patient_id_authority:
        qualifiers = PydicomDataset()
        qualifiers.UniversalEntityID = manifest.patient_id_authority
        qualifiers.UniversalEntityIDType = "ISO"
        place.IssuerOfPatientIDQualifiersSequence = PydicomSequence([qualifiers])


def _study(dataset: PydicomDataset, manifest: Manifest) -> None:
    dataset.StudyInstanceUID = manifest.study_uid
    dataset.StudyDate = manifest.study_date
    dataset.StudyTime = manifest.study_time
    dataset.ReferringPhysicianName = manifest.referring_physician_name
    dataset.StudyID = manifest.study_id
    # RAD TF-3 6.X.2.6.1: of several accession numbers none is the study's.
    several = manifest.described and len(manifest.accession_numbers) > 1
    dataset.AccessionNumber = "" if several else manifest.accession_number
    authority = next((o.accession_authority for o in manifest.orders), "")
    if dataset.AccessionNumber and authority:
        dataset.IssuerOfAccessionNumberSequence = _designator(authority)
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
    if manifest.institution:
        dataset.InstitutionName = manifest.institution[:64]
    dataset.InstanceNumber = 1
    dataset.ContentDate = created.strftime("%Y%m%d")
    dataset.ContentTime = created.strftime("%H%M%S")
    if manifest.described:
        dataset.TimezoneOffsetFromUTC = created.strftime("%z") or "+0000"
    orders = manifest.orders
    if not orders and manifest.accession_number:
        orders = (ManifestOrder(accession_number=manifest.accession_number),)
    if orders:
        dataset.ReferencedRequestSequence = PydicomSequence(
            [_request(manifest.study_uid, order) for order in orders]
        )
    dataset.ValueType = "CONTAINER"
    dataset.ConceptNameCodeSequence = PydicomSequence([coded(manifest.title)])
    dataset.ContinuityOfContent = "SEPARATE"
    template = PydicomDataset()
    template.MappingResource = "DCMR"
    template.TemplateIdentifier = "2010"
    dataset.ContentTemplateSequence = PydicomSequence([template])


def _request(study_uid: str, order: ManifestOrder) -> PydicomDataset:
    """Return the order this study answers (PS3.3 C.17.6.2): empty where we know nothing."""
    request = PydicomDataset()
    request.StudyInstanceUID = study_uid
    request.ReferencedStudySequence = PydicomSequence()
    request.AccessionNumber = order.accession_number
    if order.accession_authority:
        request.IssuerOfAccessionNumberSequence = _designator(order.accession_authority)
    request.PlacerOrderNumberImagingServiceRequest = order.placer_number
    if order.placer_number and order.placer_authority:
        request.OrderPlacerIdentifierSequence = _designator(order.placer_authority)
    request.FillerOrderNumberImagingServiceRequest = ""
    request.RequestedProcedureID = ""
    request.RequestedProcedureDescription = ""
    request.RequestedProcedureCodeSequence = PydicomSequence()
    return request


def _designator(authority: str) -> PydicomSequence:
    """Return an OID as an HL7v2 Hierarchic Designator (PS3.3 table 10-17)."""
    item = PydicomDataset()
    item.UniversalEntityID = authority
    item.UniversalEntityIDType = "ISO"
    return PydicomSequence([item])


def _evidence(manifest: Manifest) -> PydicomDataset:
    by_series: dict[str, list[ManifestInstance]] = {}
    for instance in manifest.instances:
        by_series.setdefault(instance.series_uid, []).append(instance)
    study = PydicomDataset()
    study.StudyInstanceUID = manifest.study_uid
    study.ReferencedSeriesSequence = PydicomSequence(
        [_series(manifest, uid, instances) for uid, instances in by_series.items()]
    )
    return study


def _series(manifest: Manifest, uid: str, instances: Sequence[ManifestInstance]) -> PydicomDataset:
    series = PydicomDataset()
    if manifest.retrieve_ae_title:
        series.RetrieveAETitle = manifest.retrieve_ae_title
    if manifest.retrieve_location_uid:
        series.RetrieveLocationUID = manifest.retrieve_location_uid
    if manifest.retrieve_url:
        series.RetrieveURL = manifest.retrieve_url
    series.SeriesInstanceUID = uid
    series.ReferencedSOPSequence = PydicomSequence([_reference(one) for one in instances])
    return series


def _reference(instance: ManifestInstance) -> PydicomDataset:
    item = PydicomDataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_uid
    return item


def _content(instance: ManifestInstance) -> PydicomDataset:
    item = PydicomDataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = value_type(instance.sop_class_uid)
    item.ReferencedSOPSequence = PydicomSequence([_reference(instance)])
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
