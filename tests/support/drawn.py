"""Small drawn instances for pixel tests: any depth, colour, syntax; presentation states.

PS3.3 A.8 (secondary capture), A.33.1 (GSPS), written with pydicom and nothing of ours.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from repository.instances.frames import frame_table, native_table
from repository.instances.header import read_header

STUDY, SERIES, IMAGE = "1.2.3", "1.2.3.5", "1.2.3.4"
STATE_SERIES, STATE = "1.2.3.6", "1.2.3.6.1"


def image(
    pixels, photometric="MONOCHROME2", *, frames=1, syntax="1.2.840.10008.1.2.1", **attributes
):
    """Return a Part 10 file that holds these pixels."""
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", IMAGE
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, SERIES
    made.PatientID, made.PatientName = "P1", "Drawn^Phantom"
    made.ImageType, made.Modality = ["ORIGINAL", "PRIMARY"], "OT"
    made.Rows, made.Columns = shape[:2]
    made.SamplesPerPixel = shape[2] if len(shape) == 3 else 1
    made.PhotometricInterpretation = photometric
    if made.SamplesPerPixel > 1:
        made.PlanarConfiguration = 0
    if frames > 1:
        made.NumberOfFrames = frames
    if pixels.dtype.kind == "f":
        made.BitsAllocated = 8 * pixels.dtype.itemsize
        made.FloatPixelData = pixels.tobytes()
    else:
        made.BitsAllocated = made.BitsStored = 8 * pixels.dtype.itemsize
        made.HighBit = made.BitsStored - 1
        made.PixelRepresentation = int(pixels.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    if pixels.dtype.kind != "f":
        octets = pixels.astype(pixels.dtype.newbyteorder(">" if syntax.endswith(".1.2.2") else "<"))
        made.PixelData = octets.tobytes() + b"\0" * (pixels.nbytes & 1)
        made["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
        made.HighBit = made.BitsStored - 1
    return written(made, syntax)


def written(dataset, syntax="1.2.840.10008.1.2.1"):
    """Return a data set as a Part 10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    target = BytesIO()
    dataset.save_as(
        target,
        implicit_vr=syntax == "1.2.840.10008.1.2",
        little_endian=syntax != "1.2.840.10008.1.2.2",
        enforce_file_format=True,
    )
    return target.getvalue()


def item(**attributes):
    """Return a sequence item."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def table(entries, first=0, bits=16, vr="US"):
    """Return an item that holds a lookup table."""
    made = Dataset()
    made.add_new(0x00283002, vr, [len(entries) % 65536, first, bits])
    made.add_new(0x00283006, "OW", np.asarray(entries, "<u2").tobytes())
    return made


def state(sop_class="1.2.840.10008.5.1.4.1.1.11.1", *, image_uid=IMAGE, frame=None, **attributes):
    """Return a presentation state for an image as a Part 10 file."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, STATE
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, STATE_SERIES
    made.PatientID, made.PatientName = "P1", "Drawn^Phantom"
    made.Modality = "PR"
    reference = item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.7", ReferencedSOPInstanceUID=image_uid
    )
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    made.ReferencedSeriesSequence = Sequence(
        [item(SeriesInstanceUID=SERIES, ReferencedImageSequence=Sequence([reference]))]
    )
    for keyword, value in attributes.items():
        setattr(made, keyword, Sequence(value) if keyword.endswith("Sequence") else value)
    return written(made)


def opened(octets):
    """Return header and the octets of each frame, as the doors hand them to the renderer."""
    header = read_header(octets)
    source = header.dataset.buffer if header.deflated else octets

    def read(offset, length):
        return bytes(source[offset : offset + length])

    made = (
        native_table(header, len(source))
        if header.deflated
        else frame_table(header, read, len(source))
    )
    return header, [made.read(n + 1, read) for n in range(made.count)]
