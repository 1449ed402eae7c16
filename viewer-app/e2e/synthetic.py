"""Makes the studies the fake server shows: phantoms drawn with numpy, invented patients.

No pixel and no name here comes from a person. Used by fake_server.py only.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.1.99"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
US_MULTI = "1.2.840.10008.5.1.4.1.1.3.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def ct_slice(index: int, count: int, size: int = 512) -> np.ndarray:
    """One axial slice of a thorax-like phantom, in Hounsfield units."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    z = (index / max(count - 1, 1) - 0.5) * 2
    rng = np.random.default_rng(index)
    image = np.full((size, size), -1000.0, np.float32)

    def ellipse(cx, cy, rx, ry):
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1

    image[ellipse(0, 0, 0.44, 0.31)] = -90
    image[ellipse(0, 0, 0.405, 0.28)] = 45
    lung = 0.145 * np.sqrt(max(0.05, 1 - z * z * 0.8))
    for side in (-1, 1):
        field = ellipse(side * 0.2, -0.01, lung, lung * 1.45)
        image[field] = -860
        for k in range(26):
            a = k * 2.4 + side
            r = 0.02 + 0.11 * ((k * 37 % 26) / 26)
            px = side * 0.2 + r * np.cos(a + z * 1.3)
            py = -0.01 + 1.35 * r * np.sin(a + z * 1.3)
            image[ellipse(px, py, 0.004 + 0.004 * (k % 3), 0.004 + 0.004 * (k % 2)) & field] = 20
    image[ellipse(0.05, -0.05, 0.115, 0.1)] = 55
    image[ellipse(0.06, -0.06, 0.06, 0.05)] = 160
    image[ellipse(-0.03, 0.09, 0.035, 0.033)] = 170
    image[ellipse(-0.012, 0.175, 0.05, 0.042)] = 520
    image[ellipse(-0.012, 0.175, 0.036, 0.03)] = 230
    image[ellipse(-0.012, 0.232, 0.019, 0.016)] = 30
    for k in range(11):
        a = np.pi * (0.12 + 0.076 * k) + z * 0.25
        for side in (-1, 1):
            px, py = side * 0.375 * np.sin(a), -0.255 * np.cos(a)
            image[ellipse(px, py, 0.024, 0.011)] = 420
    if abs(z - 0.15) < 0.12:
        image[ellipse(0.235, -0.04, 0.017, 0.016)] = 38
    table = ellipse(0, 0.78, 0.75, 0.45) & ~ellipse(0, 0.785, 0.75, 0.443)
    image[table & (image < -900)] = 60
    return np.round(image + rng.normal(0, 9, image.shape)).astype(np.int16)


def us_frame(index: int, rows: int = 480, columns: int = 640) -> np.ndarray:
    """One RGB frame of a beating, speckled sector."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    dx, dy = x - columns / 2, y - 20
    radius, angle = np.hypot(dx, dy), np.arctan2(dx, dy)
    sector = (radius < 430) & (radius > 40) & (np.abs(angle) < 0.68)
    rng = np.random.default_rng(7)
    speckle = rng.rayleigh(0.5, (rows, columns)) * np.exp(-radius / 600)
    beat = 1 + 0.18 * np.sin(index / 20 * 2 * np.pi)
    chamber = ((dx + 30) / (85 * beat)) ** 2 + ((dy - 220) / (110 * beat)) ** 2
    speckle[chamber < 1] *= 0.16
    speckle[(chamber >= 1) & (chamber < 1.35)] *= 1.9
    grey = np.clip(speckle * 150, 0, 255) * sector
    frame = np.stack([grey * 0.97, grey, grey], axis=-1)
    flow = (chamber < 0.35) & sector
    frame[flow] = frame[flow] * 0.4 + np.array([190 * (beat - 0.8) + 30, 30, 160 * (1.2 - beat) + 20])
    return np.clip(frame, 0, 255).astype(np.uint8)


def base(study: dict, series_no: int, number: int, sop_class: str, modality: str) -> Dataset:
    """The attributes every instance shares."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.StudyInstanceUID = study["uid"]
    ds.SeriesInstanceUID = f"{study['uid']}.{series_no}"
    ds.SOPInstanceUID = f"{study['uid']}.{series_no}.{number}"
    ds.PatientName = study["name"]
    ds.PatientID = study["patient_id"]
    ds.PatientSex = study["sex"]
    ds.PatientBirthDate = study["birth"].replace("-", "")
    ds.StudyDate = study["when"][:10].replace("-", "")
    ds.StudyTime = study["when"][11:19].replace(":", "")
    ds.Modality = modality
    ds.SeriesNumber = series_no
    ds.InstanceNumber = number
    ds.AccessionNumber = study["accession"]
    ds.InstanceCreationDate = dt.date.today().strftime("%Y%m%d")
    return ds


def grey(ds: Dataset, pixels: np.ndarray, *, signed: bool, spacing: float) -> Dataset:
    """Writes 16-bit pixels and their description."""
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, int(signed)
    ds.PixelSpacing = [spacing, spacing]
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def ct_series(study: dict, series_no: int, count: int, description: str, thickness: float) -> list:
    """A stack of axial slices."""
    out = []
    for index in range(count):
        ds = base(study, series_no, index + 1, CT, "CT")
        ds.SeriesDescription, ds.BodyPartExamined = description, "CHEST"
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [-180, -180, 200 - index * thickness]
        ds.SliceThickness, ds.SliceLocation = thickness, 200 - index * thickness
        ds.FrameOfReferenceUID = f"{study['uid']}.9"
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
        lung = "肺" in description
        ds.WindowCenter, ds.WindowWidth = (-600, 1500) if lung else (40, 400)
        out.append(grey(ds, ct_slice(index, count), signed=True, spacing=0.703125))
    return out


def us_series(study: dict, series_no: int, frames: int) -> list:
    """One multi-frame colour loop."""
    ds = base(study, series_no, 1, US_MULTI, "US")
    ds.SeriesDescription, ds.BodyPartExamined = "四腔心 动态", "HEART"
    pixels = np.stack([us_frame(i) for i in range(frames)])
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames, pixels.shape[1], pixels.shape[2]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.FrameTime = 7, 0, 40
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OB"
    return [ds]


def dx_series(study: dict, series_no: int) -> list:
    """One projection image: the CT phantom summed along its depth."""
    ds = base(study, series_no, 1, DX, "DX")
    ds.SeriesDescription, ds.BodyPartExamined = "胸部正位", "CHEST"
    y, x = np.mgrid[0:900, 0:900].astype(np.float32) / 900 - 0.5
    image = 2600 - 900 * np.exp(-((x / 0.36) ** 6 + (y / 0.48) ** 6))
    for side in (-1, 1):
        image += 1500 * np.exp(-(((x - side * 0.19) / 0.13) ** 4 + ((y + 0.02) / 0.3) ** 4))
    image -= 900 * np.exp(-(((x - 0.05) / 0.12) ** 2 + ((y - 0.12) / 0.17) ** 2))
    image -= 500 * np.exp(-((x / 0.035) ** 2))
    for k in range(9):
        curve = y + 0.36 - k * 0.075 - 0.5 * x**2
        image -= 130 * np.exp(-((curve / 0.008) ** 2)) * (np.abs(x) < 0.36)
    image += np.random.default_rng(3).normal(0, 18, image.shape)
    ds.WindowCenter, ds.WindowWidth = 2600, 2600
    pixels = np.clip(image, 0, 4095).astype(np.uint16)
    return [grey(ds, pixels, signed=False, spacing=0.4)]


def pdf_series(study: dict, series_no: int, pdf: bytes) -> list:
    ds = base(study, series_no, 1, PDF, "DOC")
    ds.SeriesDescription = ds.DocumentTitle = "检查报告"
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    ds["EncapsulatedDocument"].VR = "OB"
    return [ds]
