"""Small DICOM files, how they are corrected, and how pydicom reads what comes of it.

Called by the tests of `repository.instances.correcting`.
"""

import io
import json
import warnings

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from repository.instances.correcting import correct
from repository.instances.dicom_json import to_json
from repository.instances.header import read_header

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"
WHEN = {
    "04000561": {
        "vr": "SQ",
        "Value": [
            {
                "04000562": {"vr": "DT", "Value": ["20260301120000.000000+0000"]},
                "04000563": {"vr": "LO", "Value": ["Pianku"]},
                "04000564": {"vr": "LO"},
                "04000565": {"vr": "CS", "Value": ["CORRECT"]},
            }
        ],
    }
}
RENAMED = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Li^Si", "Ideographic": "李^四"}]}}
BOOKKEEPING = {0x00080005, 0x04000561, 0x00080001}


def reader(octets):
    return lambda at, length: octets[at : at + length]


def composed(octets, changes):
    """Return the corrected file, and hold what is known of it beforehand against it."""
    made = correct(reader(octets), len(octets), changes)
    if made is None:
        return octets
    whole = made.head + octets[made.rest :]
    assert len(whole) == made.size
    assert whole[128:132] == b"DICM"
    return whole


def read(octets):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(octets), force=True)


def told(octets):
    return json.loads(to_json(read_header(octets), b"http://h/bulkdata"))


def base(**attributes):
    """Return a small data set without pixel data."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.5"
    dataset.PatientID, dataset.PatientName = "P1", "Zhang^San"
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 2, 2, 16
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def made(syntax=EXPLICIT, **attributes):
    """Return a small file with pixel data."""
    return packed(base(**attributes), syntax)


def packed(dataset, syntax=EXPLICIT, *, pixels=True):
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    if pixels and syntax == RLE:
        dataset.PixelData = encapsulate([b"\x00" * 64 + b"pixels"])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
    elif pixels:
        dataset.add(DataElement(0x7FE00010, "OW", b"\x01\x02\x03\x04\x05\x06\x07\x08"))
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(
            target,
            implicit_vr=syntax == IMPLICIT,
            little_endian=syntax != BIG,
            enforce_file_format=True,
        )
    return target.getvalue()
