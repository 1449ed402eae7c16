"""Synthetic CT series for walks and benchmarks: valid headers, pictures that are not blank.

PS3.3 A.3 (CT Image IOD), written with pydicom and nothing of ours. Nobody's name is in them.
Called by walks and benchmarks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROOT: Final = "2.25"


def new_uid() -> str:
    """Return a UID below 2.25, made of a random UUID (PS3.5 B.2)."""
    return f"{ROOT}.{random.getrandbits(122) | 1 << 121}"


@dataclass(frozen=True)
class Series:
    """What the slices of one series have in common."""

    patient_id: str = "WALK-1"
    patient_name: str = "Walk^Phantom"
    accession: str = "A-1"
    study_date: str = "20260301"
    description: str = "Synthetic chest"
    birth_date: str = "19700102"
    study_uid: str = field(default_factory=new_uid)
    series_uid: str = field(default_factory=new_uid)


def slices(series: Series, count: int, *, size: int = 512) -> Iterator[Dataset]:
    """Give `count` slices of a moving disc with noise; 16 bits, `size` pixels square."""
    noise = np.random.default_rng(7).integers(0, 90, (size, size), dtype=np.int16)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) - size / 2
    body = np.where(np.hypot(x / 1.25, y) < size * 0.36, 1040, 0).astype(np.int16)
    frame_of_reference = new_uid()
    for number in range(1, count + 1):
        turn = number / max(count, 1) * 6.283
        spot = np.hypot(x - np.cos(turn) * size / 6, y - np.sin(turn) * size / 6) < size / 14
        pixels = body + np.where(spot, 700, 0).astype(np.int16) + np.roll(noise, number, axis=0)
        yield _slice(series, number, pixels, frame_of_reference)


def write(folder: Path, series: Series, count: int, *, size: int = 512) -> list[Path]:
    """Write the slices as Part 10 files and return their paths in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset in slices(series, count, size=size):
        path = folder / f"{dataset.InstanceNumber:05d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _slice(series: Series, number: int, pixels: np.ndarray, frame_of_reference: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = new_uid()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = series.study_date
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101500"
    ds.AccessionNumber = series.accession
    ds.Modality = "CT"
    ds.Manufacturer = "Phantom Works"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = series.description
    ds.SeriesDescription = "Axial"
    ds.PatientName = series.patient_name
    ds.PatientID = series.patient_id
    ds.PatientBirthDate = series.birth_date
    ds.PatientSex = "O"
    ds.BodyPartExamined = "CHEST"
    ds.SliceThickness = "1"
    ds.KVP = "120"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = series.study_uid
    ds.SeriesInstanceUID = series.series_uid
    ds.StudyID = "1"
    ds.SeriesNumber = 1
    ds.AcquisitionNumber = 1
    ds.InstanceNumber = number
    ds.ImagePositionPatient = [-180, -180, -number]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.FrameOfReferenceUID = frame_of_reference
    ds.PositionReferenceIndicator = ""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelSpacing = [0.7, 0.7]
    ds.BitsAllocated = 16
    ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 1
    ds.WindowCenter = "40"
    ds.WindowWidth = "400"
    ds.RescaleIntercept = "-1024"
    ds.RescaleSlope = "1"
    ds.RescaleType = "HU"
    ds.PixelData = pixels.astype("<i2").tobytes()
    return ds
