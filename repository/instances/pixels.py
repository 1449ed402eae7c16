"""One frame's octets as samples: native and compressed transfer syntaxes.

Implements PS3.5 8 and A.4 through pydicom's decoders (GDCM, Pillow, CharLS, OpenJPEG).
Called by `rendering.py` and by WADO-RS when another transfer syntax is asked for.
"""

from __future__ import annotations

import struct
import warnings
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder

from repository.instances.header import InstanceHeader
from repository.instances.part10 import EXPLICIT_VR_BIG, EXPLICIT_VR_LITTLE, is_encapsulated
from repository.instances.refusals import NoPixelData, NotRenderable

Samples: TypeAlias = "NDArray[Any]"

MAX_FRAME_OCTETS: Final = 1 << 30
"""The largest decoded frame we make."""
_HTJ2K: Final = frozenset(f"1.2.840.10008.1.2.4.20{n}" for n in (1, 2, 3))
_ITEM: Final = struct.Struct("<HHI").pack
_KEYWORDS: Final = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}


def decode(header: InstanceHeader, octets: bytes, *, raw: bool = False) -> tuple[Samples, str]:
    """Return one frame as (rows, columns[, samples]) and its photometric interpretation.

    Without `raw`, YBR is made RGB. Raises NotRenderable when no decoder can read it.
    """
    if header.pixels is None:
        raise NoPixelData("the instance has no pixel data")
    options = _options(header)
    expected = options["rows"] * options["columns"] * options["samples_per_pixel"]
    if not expected or expected * max(1, options["bits_allocated"] // 8) > MAX_FRAME_OCTETS:
        raise NotRenderable("the frame has no size, or one too large to decode")
    syntax = header.transfer_syntax
    if syntax in _HTJ2K:
        return _htj2k(octets, options), str(options["photometric_interpretation"])
    if is_encapsulated(syntax) and header.pixels.length is None:
        octets = b"".join(
            (
                _ITEM(0xFFFE, 0xE000, 0),
                _ITEM(0xFFFE, 0xE000, len(octets) + (len(octets) & 1)),
                octets,
                b"\x00" * (len(octets) & 1),
                _ITEM(0xFFFE, 0xE0DD, 0),
            )
        )
    elif is_encapsulated(syntax) or syntax not in {EXPLICIT_VR_BIG, "1.2.840.10008.1.2"}:
        syntax = EXPLICIT_VR_LITTLE
    if not is_encapsulated(syntax):
        octets += b"\x00" * (len(octets) & 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples, told = get_decoder(syntax).as_array(octets, index=0, raw=raw, **options)
    except Exception as problem:  # the decoders raise whatever their C libraries raise
        raise NotRenderable(
            "the frame cannot be decoded", transfer_syntax=header.transfer_syntax
        ) from problem
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    return native, str(told["photometric_interpretation"])


def as_explicit_little(header: InstanceHeader, octets: bytes) -> bytes:
    """Return one frame as uncompressed little endian octets, colour by pixel (PS3.18 8.7.3)."""
    samples, _photometric = decode(header, octets, raw=True)
    little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    packed: bytes = np.ascontiguousarray(little).tobytes()
    return packed


def _options(header: InstanceHeader) -> dict[str, Any]:
    dataset = header.dataset
    assert header.pixels is not None
    keyword = _KEYWORDS.get(header.pixels.tag, "PixelData")
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword)
    allocated = dataset.integer(0x00280100, bits or 0) or 0
    samples = dataset.integer(0x00280002, 1) or 1
    options: dict[str, Any] = {
        "rows": dataset.integer(0x00280010, 0) or 0,
        "columns": dataset.integer(0x00280011, 0) or 0,
        "samples_per_pixel": samples,
        "photometric_interpretation": dataset.ascii(0x00280004) or "MONOCHROME2",
        "bits_allocated": allocated,
        "number_of_frames": 1,
        "pixel_keyword": keyword,
    }
    if bits is None:
        options["bits_stored"] = dataset.integer(0x00280101, allocated) or allocated
        options["pixel_representation"] = dataset.integer(0x00280103, 0) or 0
    if samples > 1:
        options["planar_configuration"] = dataset.integer(0x00280006, 0) or 0
    if not is_encapsulated(header.transfer_syntax):
        options["pixel_vr"] = "OB" if header.pixels.vr == b"OB" else "OW"
    return options


def _htj2k(octets: bytes, options: dict[str, Any]) -> Samples:
    from openjpeg.utils import decode as decode_j2k  # noqa: PLC0415 - heavy and rare

    try:
        samples: Samples = decode_j2k(octets)
    except Exception as problem:  # openjpeg raises RuntimeError, ValueError and others
        raise NotRenderable("the HTJ2K frame cannot be decoded") from problem
    if samples.shape[:2] != (options["rows"], options["columns"]):
        raise NotRenderable("the HTJ2K frame is not of the size that the header tells")
    return samples
