"""The attributes every demo instance has: patient, study, series, equipment, file meta.

Implements the Patient, General Study, General Series and General Equipment modules
(PS3.3 C.7.1-C.7.5), SOP Common (C.12.1) and the Image Pixel module (C.7.6.3).
Called by the modules that make the instances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from kernel.identifiers import stable_uid
from server.demo.people import Patient

IMPLEMENTATION_UID: Final = stable_uid("demo", "implementation")

Item = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exam:
    """An ordered examination: what all instances of its study have in common."""

    patient: Patient
    study_uid: str
    accession: str
    when: datetime
    campus: str
    department: str
    description: str
    body_part: str = ""
    referrer: str = "Chen^Yi Demo=陈^医"
    reader: str = "Lin^Yue Demo=林^阅"
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series of an exam; its UID follows from the study and the number."""

    modality: str
    number: int
    description: str
    sop_class: str
    device: str = "Phantom"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def uid(self, exam: Exam) -> str:
        """Return the Series Instance UID."""
        return stable_uid(exam.study_uid, "series", str(self.number))


def header(exam: Exam, series: Series) -> Dataset:
    """Return the attributes all instances of a series share."""
    patient, ds = exam.patient, Dataset()
    ds.SpecificCharacterSet = (
        patient.charset.split("\\") if "\\" in patient.charset else patient.charset
    )
    ds.SOPClassUID = series.sop_class
    day, time = exam.when.strftime("%Y%m%d"), exam.when.strftime("%H%M%S")
    for name in ("StudyDate", "SeriesDate", "ContentDate", "AcquisitionDate"):
        setattr(ds, name, day)
    for name in ("StudyTime", "SeriesTime", "ContentTime", "AcquisitionTime"):
        setattr(ds, name, time)
    ds.AccessionNumber = exam.accession
    ds.Modality = series.modality
    ds.Manufacturer = "Pianku Demo"
    ds.ManufacturerModelName = series.device
    ds.DeviceSerialNumber = "0001"
    ds.SoftwareVersions = "1"
    ds.InstitutionName = exam.campus
    ds.InstitutionalDepartmentName = exam.department
    ds.StationName = f"DEMO{series.modality}"
    ds.ReferringPhysicianName = exam.referrer
    ds.NameOfPhysiciansReadingStudy = exam.reader
    ds.StudyDescription = exam.description
    ds.SeriesDescription = series.description
    ds.PatientName = patient.person_name
    ds.PatientID = patient.id
    ds.PatientBirthDate = patient.birth_date.strftime("%Y%m%d")
    ds.PatientSex = patient.sex
    ds.PatientAge = f"{(exam.when.date() - patient.birth_date).days // 365:03d}Y"
    if exam.body_part:
        ds.BodyPartExamined = exam.body_part
    if exam.reason:
        ds.ReasonForTheRequestedProcedure = exam.reason
    ds.StudyInstanceUID = exam.study_uid
    ds.SeriesInstanceUID = series.uid(exam)
    ds.StudyID = exam.accession[-8:]
    ds.SeriesNumber = series.number
    put(ds, series.extra)
    return ds


def instance(template: Dataset, number: int, values: Mapping[str, Any] | None = None) -> Dataset:
    """Return one instance of the series whose header is `template`, with file meta."""
    ds = Dataset()
    ds.update(template)
    uid = stable_uid(str(template.SeriesInstanceUID), "instance", str(number))
    fresh(ds, "SOPInstanceUID", "UI", uid)
    fresh(ds, "InstanceNumber", "IS", number)
    put(ds, values or {})
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = uid  # type: ignore[assignment]
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID  # type: ignore[assignment]
    meta.ImplementationVersionName = "PIANKU_DEMO"
    ds.file_meta = meta
    return ds


def fresh(ds: Dataset, keyword: str, vr: str, value: object) -> None:
    """Set an attribute by a new element: elements taken from a template are shared."""
    from pydicom.datadict import tag_for_keyword  # noqa: PLC0415 - one place needs it

    tag = tag_for_keyword(keyword)
    assert tag is not None
    ds[tag] = DataElement(tag, vr, value)


def put(ds: Dataset, values: Mapping[str, Any]) -> Dataset:
    """Set attributes by keyword; a list of mappings becomes a sequence."""
    for keyword, value in values.items():
        if isinstance(value, Mapping):
            setattr(ds, keyword, [put(Dataset(), value)])
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            setattr(ds, keyword, [put(Dataset(), v) for v in value])
        else:
            setattr(ds, keyword, value)
    return ds


def code(value: str, scheme: str, meaning: str) -> Item:
    """Return a coded entry (PS3.3 8.8)."""
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def grey_pixels(
    ds: Dataset, pixels: NDArray[Any], *, bits: int, photometric: str = "MONOCHROME2"
) -> Dataset:
    """Put grey pixels (one frame, or frames first) uncompressed; signed for signed arrays."""
    rows, columns = pixels.shape[-2:]
    wide = pixels.dtype.itemsize == 2
    put(
        ds,
        {
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": photometric,
            "Rows": rows,
            "Columns": columns,
            "BitsAllocated": 16 if wide else 8,
            "BitsStored": bits,
            "HighBit": bits - 1,
            "PixelRepresentation": int(pixels.dtype.kind == "i"),
        },
    )
    if pixels.ndim == 3:
        ds.NumberOfFrames = pixels.shape[0]
    data = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)).tobytes()
    ds.add_new(0x7FE00010, "OW" if wide else "OB", data + b"\0" * (len(data) % 2))
    return ds


def colour_frames(ds: Dataset, frames: Sequence[bytes], shape: tuple[int, int]) -> Dataset:
    """Put JPEG baseline frames (4:2:2) of `shape` rows, columns."""
    put(
        ds,
        {
            "SamplesPerPixel": 3,
            "PhotometricInterpretation": "YBR_FULL_422",
            "PlanarConfiguration": 0,
            "Rows": shape[0],
            "Columns": shape[1],
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelRepresentation": 0,
            "LossyImageCompression": "01",
            "LossyImageCompressionMethod": "ISO_10918_1",
        },
    )
    raw = shape[0] * shape[1] * 3 * len(frames)
    ds.LossyImageCompressionRatio = round(raw / sum(map(len, frames)), 2)
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.add_new(0x7FE00010, "OB", encapsulate(list(frames)))
    ds["PixelData"].is_undefined_length = True
    return ds
