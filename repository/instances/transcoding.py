"""A stored file in Explicit VR Little Endian: the transfer syntax every reader knows.

Implements PS3.18 8.7.3.5.2 (default transfer syntax) and PS3.5 A.2. Called by WADO-RS and RAD-69
in a worker thread when a client does not take what is stored.
"""

from __future__ import annotations

import warnings
from io import BytesIO

import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from repository.instances.part10 import EXPLICIT_VR_LITTLE
from repository.instances.refusals import NotRenderable


def to_explicit_little(octets: bytes) -> bytes:
    """Return a Part 10 file decompressed and in Explicit VR Little Endian.

    The SOP Instance UID stays: decompression alone makes no new instance (PS3.4 C.6.1.1).
    Raises NotRenderable when the pixel data cannot be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(BytesIO(octets))
            if dataset.file_meta.TransferSyntaxUID == EXPLICIT_VR_LITTLE:
                return octets
            if dataset.file_meta.TransferSyntaxUID.is_compressed and "PixelData" in dataset:
                dataset.decompress(as_rgb=False, generate_instance_uid=False)
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            target = BytesIO()
            dataset.save_as(target, little_endian=True, implicit_vr=False, enforce_file_format=True)
    except Exception as problem:  # decoders raise whatever their C libraries raise
        raise NotRenderable("the instance cannot be decompressed") from problem
    return target.getvalue()
