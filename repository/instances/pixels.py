"""One frame's octets as samples: native and compressed transfer syntaxes.

Implements PS3.5 8 and A.4 through pydicom's decoders (GDCM, Pillow, CharLS, OpenJPEG) and our own
for native pixels, RLE and 12-bit JPEG. Called by `rendering.py`, `transcoding.py` and WADO-RS.
"""

from __future__ import annotations

import struct
import warnings
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import convert_color_space

from repository.instances import run_lengths
from repository.instances.codestreams import SEQUENTIAL_12, Codestream, codestream
from repository.instances.header import InstanceHeader
from repository.instances.jpeg_extended import decode_extended
from repository.instances.part10 import (
    DEFLATED_EXPLICIT,
    EXPLICIT_VR_BIG,
    EXPLICIT_VR_LITTLE,
    IMPLICIT_VR_LITTLE,
    is_encapsulated,
)
from repository.instances.refusals import NoPixelData, NotRenderable

Samples: TypeAlias = "NDArray[Any]"

MAX_FRAME_OCTETS: Final = 1 << 29
"""The largest decoded frame we make."""
_JPEG_2000: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203))
"""And HTJ2K. By OpenJPEG itself: GDCM ends the process when header and stream disagree."""
_RLE: Final = "1.2.840.10008.1.2.5"
_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
_ITEM: Final = struct.Struct("<HHI").pack
_KEYWORDS: Final = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_PLAIN_COLOURS: Final = frozenset(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"))
_CODEC_COLOURS: Final = _PLAIN_COLOURS | {
    "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT",
}  # fmt: skip
_PARTIAL: Final = frozenset(("YBR_PARTIAL_422", "YBR_PARTIAL_420"))


def decode(header: InstanceHeader, octets: bytes, *, raw: bool = False) -> tuple[Samples, str]:
    """Return one frame as (rows, columns[, samples]) and its photometric interpretation.

    Without `raw`, YBR is made RGB. Raises NotRenderable when no decoder can read it. The samples
    may be a view of `octets`.
    """
    if header.pixels is None:
        raise NoPixelData("the instance has no pixel data")
    options = _options(header)
    expected = options["rows"] * options["columns"] * options["samples_per_pixel"]
    if not expected or expected * max(1, options["bits_allocated"] // 8) > MAX_FRAME_OCTETS:
        raise NotRenderable("the frame has no size, or one too large to decode")
    photometric = str(options["photometric_interpretation"])
    if is_encapsulated(header.transfer_syntax) and header.pixels.length is None:
        samples, photometric = _compressed(header, octets, options, raw=raw)
    else:
        plain = _native(header, octets, options)
        if plain is not None:
            return plain, photometric
        if photometric in _PARTIAL:
            options["photometric_interpretation"] = "YBR_FULL_422"
            samples, _told = _by_pydicom(header, octets, options, raw=True)
            return (samples, "YBR_FULL") if raw else (_partial(samples), "RGB")
        samples, photometric = _by_pydicom(header, octets, options, raw=raw)
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    return native, photometric


def as_explicit_little(header: InstanceHeader, octets: bytes) -> bytes:
    """Return one frame as uncompressed little endian octets, colour by pixel (PS3.18 8.7.3)."""
    samples, _photometric = decode(header, octets, raw=True)
    little = as_stored_type(header, samples)
    packed: bytes = np.ascontiguousarray(little).tobytes()
    return packed


def as_stored_type(header: InstanceHeader, samples: Samples) -> Samples:
    """Return samples in the little endian type that Bits Allocated tells of.

    Codecs make it as wide as their stream: 8 bits of JPEG-LS may stand for 16 allocated ones.
    """
    allocated = header.dataset.integer(0x00280100, 0) or 0
    if samples.dtype.kind in "iu" and allocated in {8, 16, 32, 64}:
        kind = "i" if header.dataset.integer(0x00280103, 0) == 1 else "u"
        return samples.astype(f"<{kind}{allocated // 8}", copy=False)
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False)


def _native(header: InstanceHeader, octets: bytes, options: dict[str, Any]) -> Samples | None:
    """Return plain pixels without a detour, None for what needs more than a look (PS3.5 8.1)."""
    allocated, count = options["bits_allocated"], options["samples_per_pixel"]
    syntax = header.transfer_syntax
    big = syntax == EXPLICIT_VR_BIG
    if (
        syntax not in {IMPLICIT_VR_LITTLE, EXPLICIT_VR_LITTLE, DEFLATED_EXPLICIT, EXPLICIT_VR_BIG}
        or options["pixel_keyword"] != "PixelData"
        or allocated not in {8, 16}
        or (big and allocated == 8)
        or options["photometric_interpretation"] not in _PLAIN_COLOURS
        or count not in {1, 3}
    ):
        return None
    kind = "i" if options["pixel_representation"] == 1 else "u"
    size = options["rows"] * options["columns"] * count
    if len(octets) < size * allocated // 8:
        raise NotRenderable("the frame is shorter than the header tells")
    samples: Samples = np.frombuffer(octets, f"{'>' if big else '<'}{kind}{allocated // 8}", size)
    if big:
        samples = samples.astype(samples.dtype.newbyteorder("="))
    if 0 < options["bits_stored"] < allocated:
        # PS3.5 8.1.1: nothing is known of the bits that are not used; overlays may lie there.
        spare = allocated - options["bits_stored"]
        samples = samples << spare
        samples >>= spare
    if count == 1:
        return samples.reshape(options["rows"], options["columns"])
    if options["planar_configuration"] == 1:
        planes = samples.reshape(count, options["rows"], options["columns"])
        return np.moveaxis(planes, 0, -1)
    return samples.reshape(options["rows"], options["columns"], count)


def _compressed(
    header: InstanceHeader, octets: bytes, options: dict[str, Any], *, raw: bool
) -> tuple[Samples, str]:
    syntax, photometric = header.transfer_syntax, str(options["photometric_interpretation"])
    if syntax == _RLE:
        return _run_lengths(octets, options, raw=raw)
    if photometric not in _CODEC_COLOURS:
        # GDCM ends the process for a name that it does not know.
        raise NotRenderable("compressed frames of this colour are not decoded")
    stream = codestream(octets)
    if stream is not None:
        _checked(stream, options)
    if syntax in _JPEG_2000:
        return _jpeg_2000(octets, options, stream)
    if syntax == _EXTENDED and stream is not None and stream.precision > 8:
        if stream.process != SEQUENTIAL_12 or stream.components != 1:
            raise NotRenderable("this process of JPEG Extended is not decoded")
        samples = decode_extended(octets)
        return _signed(samples, options, stream.precision), photometric
    odd = len(octets) & 1
    fragment = (
        _ITEM(0xFFFE, 0xE000, 0),
        _ITEM(0xFFFE, 0xE000, len(octets) + odd),
        octets,
        b"\x00" * odd,
        _ITEM(0xFFFE, 0xE0DD, 0),
    )
    return _by_pydicom(header, b"".join(fragment), options, raw=raw)


def _checked(stream: Codestream, options: dict[str, Any]) -> None:
    """Refuse a stream that claims another picture than the header, before a codec allocates it."""
    told = (options["rows"], options["columns"], options["samples_per_pixel"])
    if (stream.rows, stream.columns, stream.components) != told:
        raise NotRenderable("the compressed frame is not of the size that the header tells")


def _by_pydicom(
    header: InstanceHeader, octets: bytes, options: dict[str, Any], *, raw: bool
) -> tuple[Samples, str]:
    syntax = header.transfer_syntax
    assert header.pixels is not None
    if not is_encapsulated(syntax) or header.pixels.length is not None:
        if syntax not in {EXPLICIT_VR_BIG, IMPLICIT_VR_LITTLE}:
            syntax = EXPLICIT_VR_LITTLE
        octets += b"\x00" * (len(octets) & 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples, told = get_decoder(syntax).as_array(octets, index=0, raw=raw, **options)
    except Exception as problem:  # the decoders raise whatever their C libraries raise
        raise NotRenderable(
            "the frame cannot be decoded", transfer_syntax=header.transfer_syntax
        ) from problem
    return samples, str(told["photometric_interpretation"])


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


def _run_lengths(octets: bytes, options: dict[str, Any], *, raw: bool) -> tuple[Samples, str]:
    count, size = options["samples_per_pixel"], options["bits_allocated"] // 8
    rows, columns = options["rows"], options["columns"]
    if options["bits_allocated"] not in {8, 16, 32, 64}:
        raise NotRenderable("RLE of this depth is not decoded", bits=options["bits_allocated"])
    planes = run_lengths.unpack(octets, count * size, rows * columns)
    kind = "i" if options["pixel_representation"] == 1 else "u"
    joined = np.ascontiguousarray(planes.reshape(count, size, -1).transpose(2, 0, 1))
    samples: Samples = joined.view(f">{kind}{size}").astype(f"{kind}{size}")
    samples = samples.reshape((rows, columns) if count == 1 else (rows, columns, count))
    photometric = str(options["photometric_interpretation"])
    if raw or photometric not in {"YBR_FULL", "YBR_FULL_422"}:
        return samples, photometric
    if samples.dtype != np.uint8 or count != 3:
        raise NotRenderable("colour of this depth is not decoded")
    rgb: Samples = convert_color_space(samples, "YBR_FULL", "RGB")
    return rgb, "RGB"


def _jpeg_2000(
    octets: bytes, options: dict[str, Any], stream: Codestream | None
) -> tuple[Samples, str]:
    from openjpeg.utils import decode as decode_j2k  # noqa: PLC0415 - heavy and rare

    try:
        samples: Samples = decode_j2k(octets)
    except Exception as problem:  # openjpeg raises RuntimeError, ValueError and others
        raise NotRenderable("the JPEG 2000 frame cannot be decoded") from problem
    if samples.shape[:2] != (options["rows"], options["columns"]):
        raise NotRenderable("the JPEG 2000 frame is not of the size that the header tells")
    photometric = str(options["photometric_interpretation"])
    if photometric in {"YBR_RCT", "YBR_ICT"}:
        photometric = "RGB"
    precision = stream.precision if stream is not None else options["bits_stored"]
    return _signed(samples, options, precision), photometric


def _signed(samples: Samples, options: dict[str, Any], precision: int) -> Samples:
    """Return samples as signed ones if the header says so and the stream did not (PS3.5 8.2.4)."""
    if options["pixel_representation"] != 1 or samples.dtype.kind == "i":
        return samples
    spare = 8 * samples.dtype.itemsize - precision
    signed: Samples = (samples << spare).view(f"i{samples.dtype.itemsize}") >> spare
    return signed


def _partial(samples: Samples) -> Samples:
    """Return RGB of YBR_PARTIAL: luminance from 16, all 219 or 224 steps (PS3.3 C.7.6.3.1.2)."""
    luminance = (samples[..., 0].astype(np.float32) - 16) * (255 / 219)
    blue, red = ((samples[..., n].astype(np.float32) - 128) * (255 / 224) for n in (1, 2))
    rgb = np.stack(
        (luminance + 1.402 * red, luminance - 0.344136 * blue - 0.714136 * red,
         luminance + 1.772 * blue), axis=-1,
    )  # fmt: skip
    eight: Samples = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return eight
