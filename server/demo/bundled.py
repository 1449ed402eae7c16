"""The sample files that ship inside pydicom's wheel, given to invented patients.

They bring what we do not generate: RT plan, dose and structures, and many transfer syntaxes
(JPEG, JPEG-LS, JPEG 2000, RLE, deflated, big endian; PS3.5 annex A). Nothing is downloaded.
Called by `studies.generate`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pydicom.data
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from kernel.identifiers import stable_uid
from server.demo.attributes import IMPLEMENTATION_UID, Exam, Series, header

RADIOTHERAPY: Final = ("rtstruct.dcm", "rtplan.dcm", "rtdose.dcm")

SYNTAXES: Final = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "image_dfl.dcm",
    "examples_overlay.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle_2frame.dcm",
)

_OURS: Final = (
    "SpecificCharacterSet",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "InstitutionName",
    "InstitutionalDepartmentName",
    "ReferringPhysicianName",
    "NameOfPhysiciansReadingStudy",
    "StudyDescription",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyID",
)
_PERSONAL: Final = (
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientAddress",
    "PatientComments",
    "InstitutionAddress",
    "OperatorsName",
    "PerformingPhysicianName",
    "RequestingPhysician",
    "PatientWeight",
    "EthnicGroup",
    "AdditionalPatientHistory",
    "PhysiciansOfRecord",
)
_NAMING: Final = ("SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def folder() -> Path:
    """Return where pydicom keeps the files of its wheel."""
    return Path(pydicom.data.__file__).parent / "test_files"


def bundled(exam: Exam, names: tuple[str, ...]) -> list[Dataset]:
    """Return the named files as instances of `exam`, one series each; pixels untouched.

    UIDs are replaced by stable ones, references between the files included.
    """
    result: list[Dataset] = []
    for number, name in enumerate(names, start=1):
        ds = dcmread(folder() / name, force=True)  # one of them has no preamble
        # Plan, dose and structures point at each other; the others are variants of one file.
        own = "" if names == RADIOTHERAPY else name
        _renew(ds, exam, own)
        ours = header(
            exam,
            Series(
                modality=str(ds.Modality),
                number=number,
                description=name.removesuffix(".dcm"),
                sop_class=str(ds.SOPClassUID),
            ),
        )
        for keyword in _PERSONAL:
            if keyword in ds:
                ds[keyword].value = None
        ds.remove_private_tags()
        for keyword in (*_OURS, "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"):
            if keyword in ours:
                ds[keyword] = ours[keyword]
        if "TransferSyntaxUID" not in ds.file_meta:
            ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.file_meta.ImplementationClassUID = IMPLEMENTATION_UID  # type: ignore[assignment]
        result.append(ds)
    return result


def _renew(ds: Dataset, exam: Exam, file: str) -> None:
    """Replace the UIDs that name things, before pydicom reads (and judges) the old ones."""
    for tag in list(ds.keys()):
        raw = ds.get_item(tag)
        keyword = keyword_for_tag(tag)
        if raw is None or not raw.value:
            continue
        if keyword.endswith("StudyInstanceUID"):
            ds[tag] = DataElement(tag, "UI", exam.study_uid)
        elif keyword.endswith(_NAMING):
            old = raw.value
            text = old.decode("ascii").rstrip("\0 ") if isinstance(old, bytes) else str(old)
            ds[tag] = DataElement(tag, "UI", stable_uid(exam.study_uid, "was", file, text))
        elif dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ":
            for item in ds[tag].value:
                _renew(item, exam, file)
