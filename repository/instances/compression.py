"""Samples of one frame as a compressed bit stream: RLE, JPEG-LS, JPEG 2000, JPEG baseline.

Implements PS3.5 8.2 and A.4 (what each transfer syntax takes; the photometric interpretation that
belongs to it) and PS3.3 C.7.6.1.1.5 (lossy). Called by `transcoding.py` and by WADO-RS frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from repository.instances import run_lengths
from repository.instances.pixels import Samples
from repository.instances.refusals import NotRenderable

RLE: Final = "1.2.840.10008.1.2.5"
JPEG_LS_LOSSLESS: Final = "1.2.840.10008.1.2.4.80"
JPEG_2000_LOSSLESS: Final = "1.2.840.10008.1.2.4.90"
JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
LOSSLESS: Final = (JPEG_2000_LOSSLESS, JPEG_LS_LOSSLESS, RLE)
"""What we write without losing anything."""
LOSSY: Final = (JPEG_BASELINE,)
"""What we write only for a client that takes nothing else."""
QUALITY: Final = 95
"""Of JPEG baseline where the client does not say."""
_LARGEST: Final = 65535
_SMALLEST_LS: Final = 144
"""The header of the stream may not fit where CharLS writes pixels of fewer."""
_SMALLEST_2000: Final = 32
"""OpenJPEG is called with six resolutions, each half of the one before."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """One frame's stream, and what the header has to tell of it."""

    octets: bytes
    photometric: str
    planar: int


def compress(
    samples: Samples, syntax: str, *, photometric: str, stored: int, quality: int = QUALITY
) -> Compressed:
    """Return a frame (rows, columns[, samples]) of `stored` bits in a compressed transfer syntax.

    Raises NotRenderable for what the syntax does not take.
    """
    if samples.dtype.kind not in "iu":
        raise NotRenderable("floating point pixels are not compressed", transfer_syntax=syntax)
    if samples.ndim == 3 and samples.shape[2] != 3:
        raise NotRenderable("only one or three samples a pixel are compressed")
    made = {
        RLE: _rle,
        JPEG_LS_LOSSLESS: _jpeg_ls,
        JPEG_2000_LOSSLESS: _jpeg_2000,
        JPEG_BASELINE: _baseline,
    }.get(syntax)
    if made is None:
        raise NotRenderable("we do not write this transfer syntax", transfer_syntax=syntax)
    return made(np.ascontiguousarray(samples), photometric, stored, quality)


def _rle(samples: Samples, photometric: str, _stored: int, _quality: int) -> Compressed:
    size = samples.dtype.itemsize
    wide = samples.reshape(*samples.shape[:2], -1)
    octets = wide.astype(samples.dtype.newbyteorder(">"), copy=False).view(np.uint8)
    # PS3.5 G.2: the most significant octets of the first sample come first.
    planes = np.moveaxis(octets.reshape(*wide.shape[:2], wide.shape[2] * size), -1, 0)
    packed = run_lengths.pack(np.ascontiguousarray(planes))
    # PS3.5 table 8.2.2-1 takes 0 and 1; the IODs of visible light only 0.
    return Compressed(packed, photometric, 0)


def _jpeg_ls(samples: Samples, photometric: str, stored: int, _quality: int) -> Compressed:
    import jpeg_ls  # noqa: PLC0415 - heavy and rare

    _bounded(samples, stored)
    rows, columns = samples.shape[:2]
    if rows * columns < _SMALLEST_LS:
        raise NotRenderable("the frame is too small for our JPEG-LS encoder")
    stream = jpeg_ls.encode_pixel_data(
        _unsigned(samples, stored).tobytes(),
        lossy_error=0,
        rows=rows,
        columns=columns,
        samples_per_pixel=1 if samples.ndim == 2 else 3,
        bits_stored=max(2, stored),
        planar_configuration=0,
    )
    return Compressed(bytes(stream), photometric, 0)


def _jpeg_2000(samples: Samples, photometric: str, stored: int, _quality: int) -> Compressed:
    from openjpeg.utils import encode_array  # noqa: PLC0415 - heavy and rare

    _bounded(samples, stored)
    if min(samples.shape[:2]) < _SMALLEST_2000:
        raise NotRenderable("the frame is too small for our JPEG 2000 encoder")
    colour = photometric == "RGB" and samples.ndim == 3
    stream = encode_array(
        samples,
        bits_stored=stored,
        photometric_interpretation=1 if colour else 0 if samples.ndim == 3 else 2,
        use_mct=colour,
    )
    return Compressed(bytes(stream), "YBR_RCT" if colour else photometric, 0)


def _baseline(samples: Samples, photometric: str, stored: int, quality: int) -> Compressed:
    if samples.dtype != np.uint8 or stored > 8:
        raise NotRenderable("JPEG baseline takes 8 bits without sign", bits_stored=stored)
    if photometric not in {"MONOCHROME1", "MONOCHROME2", "RGB"}:
        raise NotRenderable("these pixels are not compressed with loss", photometric=photometric)
    _bounded(samples, stored)
    target = BytesIO()
    if samples.ndim == 2:
        Image.fromarray(samples).save(target, "JPEG", quality=quality)
        return Compressed(target.getvalue(), photometric, 0)
    Image.fromarray(samples).save(target, "JPEG", quality=quality, subsampling="4:2:2")
    return Compressed(target.getvalue(), "YBR_FULL_422", 0)


def _bounded(samples: Samples, stored: int) -> None:
    if samples.dtype.itemsize > 2 or not 1 < stored <= 16:
        raise NotRenderable("this depth is not compressed", bits_stored=stored)
    if max(samples.shape[:2]) > _LARGEST:
        raise NotRenderable("the frame is too large to compress")


def _unsigned(samples: Samples, stored: int) -> Samples:
    """Return signed samples as the bit patterns that JPEG-LS keeps (PS3.5 8.2.3)."""
    if samples.dtype.kind == "u":
        return samples
    pattern = samples.view(f"u{samples.dtype.itemsize}")
    masked: Samples = pattern & np.asarray((1 << stored) - 1, pattern.dtype)
    return masked
