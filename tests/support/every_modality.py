"""A small instance of every storage SOP class of patients, in each transfer syntax it may come in.

PS3.3 and PS3.5 A: what is asked is that nothing is lost, so each holds what gets lost elsewhere:
private elements, texts of five character sets, empty items, odd numbers, unknown VRs.
Called by the round-trip walks and the soak proof.
"""

from __future__ import annotations

import io
import warnings
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence
from pydicom.uid import UID

from kernel.identifiers import stable_uid
from tests.support.dicom_corpus import Sample, sample

_J: Final = "1.2.840.10008.1.2.4."
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"
PLAIN: Final = (EXPLICIT, IMPLICIT, BIG, DEFLATED)
"""Transfer syntaxes in which everything may come."""
VIDEO: Final = tuple(
    _J + n for n in ("100", "101", "102", "103", "104", "105", "106", "107", "108")
)
OPAQUE: Final = tuple(_J + n for n in ("92", "93", "201", "202", "203"))
"""Nobody here writes these: the octets after the marker are no picture, which no archive minds."""

_BY_PYDICOM: Final = (RLE, *(_J + n for n in ("80", "81", "90", "91")))
_SIXTEEN: Final = {
    _J + "51": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ"
        "4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/wQALDAAQABABAREA/8QAFgABAQEAAAAAAAAAAAAAAAAADAAK/8QA"
        "GxAAAQQDAAAAAAAAAAAAAAAACgAnN0RTYXH/2gAIAQEAAD8AxOA4A4R+3+CpzSQrA4A4R+3+CpzSgcAcI/b/AA"
        "VOaSFUHAHCP2/wVOaX///Z"
    ),
    _J + "57": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAAQABABAREA/8QAFgABAQEAAAAAAAAAAAAAAAAABgcQ/9oACAEBAA"
        "YAANZLJZLJZLJZLJZLJZLJZLJZLIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIy"
        "ZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMm"
        "TJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZ"
        "MmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMrIyZMmTJkyZMmTJkyZMv/Z"
    ),
    _J + "70": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAAQABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAABxD/2gAIAQEAAQ"
        "AAmRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZ"
        "GRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGR"
        "kZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZ"
        "GRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZP/"
        "/Z"
    ),
}
"""A ramp of 16 x 16 pixels of 12 bits, by dcmtk's dcmcjpeg."""

_COLOUR_OF: Final = {_J + "50": "YBR_FULL_422", _J + "90": "YBR_RCT", _J + "91": "YBR_ICT"}
_MONO8: Final = (_J + "50", *_BY_PYDICOM)
_MONO16: Final = (*_SIXTEEN, *_BY_PYDICOM)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_IMAGES: Final = _names(
    "CR:1 DX:1.1 DX:1.1.1 PX:1.1 MG:1.2 MG:1.2.1 IO:1.3 IO:1.3.1 CT:2 CT:2.1 CT:2.2 MR:4 MR:4.1 "
    "MR:4.4 US:6.2 OT:7.3 BMD:7 XA:12.1 XA:12.1.1 RF:12.2 RF:12.2.1 XA:13.1.1 DX:13.1.2 MG:13.1.3 "
    "MG:13.1.4 MG:13.1.5 IVOCT:14.1 IVOCT:14.2 NM:20 PT:128 PT:128.1 PT:130 RTIMAGE:481.1 "
    "RTDOSE:481.2 RTIMAGE:481.23 RTIMAGE:481.24 OP:77.1.5.2 OCT:30 SEG:66.4"
)
"""Modality and the end of the SOP class, with pixels of 16 bits."""
_BYTES: Final = _names("US:6.1 OT:7.2 OPT:77.1.5.4 OPTENF:77.1.5.7 OAM:81.1 IVUS:3.1 CFM:77.1.8")
"""With grey pixels of 8 bits."""
_COLOURS: Final = _names(
    "US:3.1 US:6.1 MR:4.3 OT:7 OT:7.4 ES:77.1.1 GM:77.1.2 SM:77.1.3 XC:77.1.4 OP:77.1.5.1 "
    "OP:77.1.5.5 OP:77.1.5.6 SM:77.1.6 DMS:77.1.7 CFM:77.1.9 ES:77.1.1.1 PA:6.3 OPM:82.1"
)
"""With pixels in colour."""
_VIDEOS: Final = _names("ES:77.1.1.1 GM:77.1.2.1 XC:77.1.4.1")
_WAVES: Final = _names(
    "ECG:9.1.1 ECG:9.1.2 ECG:9.1.3 ECG:9.1.4 HD:9.2.1 EPS:9.3.1 AU:9.4.1 AU:9.4.2 HD:9.5.1 "
    "RESP:9.6.1 RESP:9.6.2 EEG:9.7.1 EMG:9.7.2 EOG:9.7.3 EEG:9.7.4 POS:9.8.1"
)
_REPORTS: Final = _names(
    "SR:88.11 SR:88.22 SR:88.33 SR:88.34 SR:88.35 SR:88.40 SR:88.50 KO:88.59 SR:88.65 SR:88.67 "
    "SR:88.68 SR:88.69 SR:88.70 SR:88.71 SR:88.72 SR:88.73 SR:88.74 SR:88.75 SR:88.76"
)
_DOCUMENTS: Final = _names("DOC:104.1 DOC:104.2 M3D:104.3 M3D:104.4 M3D:104.5")
_OTHERS: Final = _names(
    "PR:11.1 PR:11.2 PR:11.3 PR:11.4 PR:11.5 PR:11.6 PR:11.7 PR:11.8 PR:11.9 REG:66.1 FID:66.2 "
    "REG:66.3 SEG:66.5 TRACT:66.6 RWV:67 OT:66 MR:4.2 OT:68.1 OT:68.2 SMR:77.1.5.3 LEN:78.1 "
    "AR:78.2 KER:78.3 SRF:78.4 VA:78.5 SRF:78.6 OAM:78.7 IOL:78.8 OPR:79.1 OPV:80.1 ASMT:90.1 "
    "ANN:91.1 RTSTRUCT:481.3 RTRECORD:481.4 RTPLAN:481.5 RTRECORD:481.6 RTRECORD:481.7 "
    "RTPLAN:481.8 RTRECORD:481.9 PLAN:481.10 RTSTRUCT:481.11 PLAN:481.12 PLAN:481.13 "
    "CTPROTOCOL:200.2"
)
_TEXTS: Final = (
    ("GB18030", "gb18030", "张^伟=张^伟"),
    ("GBK", "gbk", "李^娜=李^娜"),
    ("ISO_IR 192", "utf-8", "Wang^Fang=王^芳=𠮷"),
    ("ISO_IR 100", "gb18030", "赵^敏=赵^敏"),
    ("ISO_IR 100", "latin-1", "Müller^José"),
)
"""What is declared, what the octets are (the fourth says wrongly), and a name."""


def matrix() -> list[Sample]:
    """Return every SOP class in every transfer syntax it may come in."""
    return [_made(*one) for one in _rows()]


def plain(*kinds: str) -> list[Sample]:
    """Return kinds such as `SR:88.33` with explicit VRs."""
    return [_made(*one) for one in _rows() if one[0] in kinds and one[1] == EXPLICIT]


def slice_of_matrix() -> list[Sample]:
    """Return every SOP class once, and every transfer syntax, seldom ones first."""
    rows = list(_rows())
    usage: dict[str, int] = {}
    chosen = []
    for kind in dict.fromkeys(row[0] for row in rows):
        some = [row for row in rows if row[0] == kind]
        one = min(some, key=lambda row: usage.get(row[1], 0))
        usage[one[1]] = usage.get(one[1], 0) + 1
        chosen.append(one)
    chosen += {row[1]: row for row in rows if row[1] not in usage}.values()
    return [_made(*one) for one in chosen]


Row = tuple[str, str, Callable[[Dataset, str], None]]


def _rows() -> Iterator[Row]:
    """Give modality and class, transfer syntax, and what fills the data set."""
    families: tuple[
        tuple[tuple[str, ...], tuple[str, ...], Callable[[Dataset, str], None]], ...
    ] = (
        (_IMAGES, (*PLAIN, *_MONO16, *OPAQUE), _sixteen_bits),
        (tuple(f"{one} grey" for one in _BYTES), (*PLAIN, *_MONO8, *OPAQUE), _eight_bits),
        (_COLOURS, (*PLAIN, *_MONO8, *OPAQUE), _colour),
        (tuple(f"{one} video" for one in _VIDEOS), VIDEO, _video),
        (_WAVES, PLAIN, _waveform),
        (_REPORTS, PLAIN, _report),
        (_DOCUMENTS, PLAIN, _document),
        (_OTHERS, PLAIN, _nothing_more),
        (("PMAP:30 float",), PLAIN, _floats),
        (("OT:7.1",), PLAIN, _single_bits),
    )
    for kinds, syntaxes, fill in families:
        for kind in kinds:
            for syntax in syntaxes:
                yield kind, syntax, fill


def _made(kind: str, syntax: str, fill: Callable[[Dataset, str], None]) -> Sample:
    modality, _, rest = kind.partition(":")
    sop_class = f"1.2.840.10008.5.1.4.1.1.{rest.split()[0]}"
    number = sum(map(ord, kind))
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.SOPInstanceUID = UID(stable_uid("every", kind, syntax))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.Modality = modality
    _identify(ds, number % len(_TEXTS), modality, number // len(_TEXTS) % 8)
    _burden(ds, number)
    fill(ds, syntax)
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(
            target,
            implicit_vr=syntax == IMPLICIT,
            little_endian=syntax != BIG,
            enforce_file_format=True,
        )
    return sample(f"{kind} {UID(syntax).name}", target.getvalue())


def _identify(ds: Dataset, text: int, modality: str, study: int) -> None:
    """Tell whose it is: a study has so few kinds that C-MOVE can propose them all at once."""
    declared, codec, name = _TEXTS[text]
    octets = name.encode(codec)
    ds.SpecificCharacterSet = declared
    ds.add_new("PatientName", "PN", octets)
    ds.PatientID = f"EVERY-{text}"
    ds.PatientBirthDate, ds.PatientSex = "19700101", ""
    ds.StudyInstanceUID = UID(stable_uid("every", "study", str(text), str(study)))
    ds.SeriesInstanceUID = UID(stable_uid("every", "series", str(text), str(study), modality))
    ds.StudyID, ds.AccessionNumber, ds.StudyDate, ds.StudyTime = "1", "", "20260504", "093000.5"
    ds.add_new("ReferringPhysicianName", "PN", None)
    ds.add_new("StudyDescription", "LO", octets.replace(b"=", b" ").replace(b"^", b" "))
    ds.SeriesNumber, ds.InstanceNumber, ds.ContentDate = 1, 1, "20260504"


def _burden(ds: Dataset, number: int) -> None:
    """Add what careless archives drop or tidy up."""
    octets = _TEXTS[number % len(_TEXTS)][2].encode(_TEXTS[number % len(_TEXTS)][1])
    private = ds.private_block(0x0019, "PHANTOM WORKS", create=True)
    private.add_new(0x01, "LO", octets.replace(b"=", b" ").replace(b"^", b" "))
    private.add_new(0x02, "UN", bytes(range(number % 200, number % 200 + 6)))
    private.add_new(0x03, "OB", b"\x00\xff\x00\x0a\x5c\x20")
    private.add_new(0x04, "DS", ["1.50", "-0", "3e-7"])
    private.add_new(0x05, "FD", [1 / 3, -0.0])
    inner = Dataset()
    inner.add_new(0x00080100, "SH", b"X1")
    inner.add_new(0x00080104, "LO", octets.replace(b"=", b" ").replace(b"^", b" "))
    inner.private_block(0x0021, "PHANTOM INNER", create=True).add_new(0x01, "US", [1, 65535])
    private.add_new(0x06, "SQ", Sequence([inner, Dataset()]))
    second = ds.private_block(0x0019, "SECOND CREATOR", create=True)
    second.add_new(0x01, "SS", -32768)
    ds.add_new(0x00081110, "SQ", Sequence([]))
    ds.add_new(0x00081032, "SQ", Sequence([inner]))
    ds.add_new(0x00200052, "UI", "1.2.3")
    ds.add_new(0x00201040, "LO", None)
    ds.add_new(0x00204000, "LT", b"  leading and trailing\r\n ")
    ds.add_new(0xFFFCFFFC, "OB", b"\x00\x00")


def _shape(ds: Dataset, bits: int, samples: int = 1) -> None:
    ds.SamplesPerPixel = samples
    ds.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
    if samples == 3:
        ds.PlanarConfiguration = 0
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated, ds.PixelRepresentation = max(bits, 8), 0
    ds.BitsStored = 12 if bits == 16 else bits
    ds.HighBit = ds.BitsStored - 1


def _sixteen_bits(ds: Dataset, syntax: str) -> None:
    _shape(ds, 16)
    octets = (np.add.outer(np.arange(16), np.arange(16)) * 100).astype("<u2").tobytes()
    _pixels(ds, syntax, octets, 2)


def _eight_bits(ds: Dataset, syntax: str) -> None:
    _shape(ds, 8)
    _pixels(ds, syntax, np.add.outer(np.arange(16), np.arange(16)).astype("u1").tobytes(), 1)


def _colour(ds: Dataset, syntax: str) -> None:
    _shape(ds, 8, 3)
    _pixels(ds, syntax, bytes(number * 7 % 256 for number in range(16 * 16 * 3)), 1)


def _pixels(ds: Dataset, syntax: str, octets: bytes, width: int) -> None:
    """Put two frames into the data set when it is in a syntax that may hold several."""
    if syntax in PLAIN:
        words = np.frombuffer(octets, "<u2")
        big = syntax == BIG and width == 2
        ds.add_new("PixelData", "OW", words.astype(">u2").tobytes() if big else octets)
        return
    frame = _compressed(syntax, octets, int(ds.SamplesPerPixel), width)
    if ds.SamplesPerPixel == 3:
        ds.PhotometricInterpretation = _COLOUR_OF.get(syntax, "RGB")
    if syntax in (_J + "90", _J + "91"):
        ds.Rows = ds.Columns = 32
    ds.NumberOfFrames = 2
    _fragments(ds, [frame, frame])


@cache
def _compressed(syntax: str, octets: bytes, samples: int, width: int) -> bytes:
    if syntax in OPAQUE:
        return b"\xff\x4f\xff\x51" + octets[:200]
    if syntax in _SIXTEEN:
        return b64decode(_SIXTEEN[syntax])
    shaped = np.frombuffer(octets, "<u2" if width == 2 else "u1")
    shaped = shaped.reshape((16, 16, 3) if samples == 3 else (16, 16))
    if syntax == _J + "50":
        target = io.BytesIO()
        Image.fromarray(shaped).save(target, "JPEG", quality=90)
        return target.getvalue()
    if syntax in (_J + "90", _J + "91"):
        # The encoder takes no image of less than 32 x 32.
        twice = shaped.repeat(2, axis=0).repeat(2, axis=1)
        return _jpeg_2000(twice, lossless=syntax.endswith("0"))
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    _shape(made, width * 8, samples)
    made.add_new("PixelData", "OW", octets)
    made.SOPInstanceUID = UID("1.2.3")
    near = 2 if syntax == _J + "81" else None
    made.compress(UID(syntax), generate_instance_uid=False, jls_error=near)
    return get_frame(made.PixelData, 0, number_of_frames=1)


def _jpeg_2000(shaped: np.ndarray, *, lossless: bool) -> bytes:
    from openjpeg.utils import encode_array  # noqa: PLC0415 - heavy and rare

    return bytes(
        encode_array(
            shaped,
            bits_stored=12 if shaped.itemsize == 2 else 8,
            photometric_interpretation=1 if shaped.ndim == 3 else 2,
            use_mct=shaped.ndim == 3,
            compression_ratios=None if lossless else [2],
        )
    )


def _video(ds: Dataset, _syntax: str) -> None:
    _shape(ds, 8, 3)
    ds.PhotometricInterpretation = "YBR_PARTIAL_420"
    ds.NumberOfFrames = 25
    _fragments(ds, [b"\x00\x00\x01\xb3" + bytes(range(256)) * 20])


def _fragments(ds: Dataset, frames: list[bytes]) -> None:
    ds.add_new("PixelData", "OB", encapsulate(frames, has_bot=len(frames) > 1))
    ds["PixelData"].is_undefined_length = True


def _single_bits(ds: Dataset, _syntax: str) -> None:
    _shape(ds, 1)
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    ds.NumberOfFrames = 3
    ds.add_new("PixelData", "OB", bytes(range(96)))


def _floats(ds: Dataset, syntax: str) -> None:
    _shape(ds, 16)
    del ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated = 32
    ramp = np.linspace(-1, 1, 256).astype("<f4")
    octets = (ramp.astype(">f4") if syntax == BIG else ramp).tobytes()
    ds.add_new("FloatPixelData", "OF", octets)


def _waveform(ds: Dataset, syntax: str) -> None:
    group = Dataset()
    group.WaveformOriginality, group.NumberOfWaveformChannels = "ORIGINAL", 2
    group.NumberOfWaveformSamples, group.SamplingFrequency = 50, "500"
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    wave = (np.sin(np.arange(100)) * 3000).astype("<i2")
    octets = (wave.astype(">i2") if syntax == BIG else wave).tobytes()
    group.add_new("WaveformData", "OW", octets)
    ds.WaveformSequence = Sequence([group])


def _report(ds: Dataset, _syntax: str) -> None:
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    items: list[Dataset] = []
    for depth in range(3):
        item = Dataset()
        item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
        item.TextValue = f"Level {depth}"
        if items:
            item.ContentSequence = Sequence([items[-1]])
        items.append(item)
    ds.ContentSequence = Sequence([items[-1]])


def _document(ds: Dataset, _syntax: str) -> None:
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = 77
    ds.add_new("EncapsulatedDocument", "OB", b"%PDF-1.4\n" + b"x" * 69)


def _nothing_more(ds: Dataset, _syntax: str) -> None:
    ds.SeriesDescription = "No pixels"
