"""DICOM files of many makers, and how two of them are compared.

PS3.5 (data sets and transfer syntaxes): what ships inside pydicom's wheel, what the folder named by
PIANKU_DICOM_SAMPLES holds, and what our generators make. Called by the round-trip walks.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pydicom
import pydicom.data
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag
from pydicom.uid import UID
from pydicom.valuerep import STR_VR

from kernel.identifiers import stable_uid
from tests.support.dicom_studies import KINDS, generate, part10

SAMPLES: Final = "PIANKU_DICOM_SAMPLES"
"""The variable that names a folder of sample files; they are not part of the source."""
IDENTIFIERS: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
BROKEN: Final = {
    "MR_truncated.dcm": "the pixel data are cut off",
    "rtplan_truncated.dcm": "the data set is cut off",
    "SC_rgb_jpeg.dcm": "implicit VR under a transfer syntax of explicit VR",
    "bad_sequence.dcm": "UIDs that are none",
}
"""Files that are wrong on purpose, and why."""
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
VIDEO: Final = {
    "1.2.840.10008.1.2.4.100": "MPEG2 main",
    "1.2.840.10008.1.2.4.101": "MPEG2 high",
    "1.2.840.10008.1.2.4.102": "H.264 4.1",
    "1.2.840.10008.1.2.4.103": "H.264 4.1 BD",
    "1.2.840.10008.1.2.4.104": "H.264 4.2 2D",
    "1.2.840.10008.1.2.4.107": "H.265 main",
    "1.2.840.10008.1.2.4.108": "H.265 main 10",
}
"""Transfer syntaxes in which an archive only ever carries the octets."""
MADE: Final = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.80",
)
"""Transfer syntaxes that pydicom can write."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One file."""

    name: str
    octets: bytes
    sop_class: str
    sop_uid: str
    study_uid: str
    transfer_syntax: str


def bundled() -> list[Sample]:
    """Return the instances of patients in pydicom's wheel."""
    root = Path(pydicom.data.__file__).parent
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return list(_read(files))


def outside() -> list[Sample]:
    """Return the instances below the folder of samples, none when it is not named."""
    folder = os.environ.get(SAMPLES)
    return list(_read(sorted(Path(folder).rglob("*.dcm")))) if folder else []


def generated() -> list[Sample]:
    """Return a small study of every kind, and an image in every transfer syntax we can write."""
    made = [
        sample(f"{kind} {number}", part10(dataset))
        for kind in KINDS
        for number, dataset in enumerate(generate(kind, seed=11)[:3])
    ]
    made += [sample(UID(syntax).name, _in_syntax(syntax)) for syntax in MADE]
    made += [sample(name, _video(syntax)) for syntax, name in VIDEO.items()]
    return made


def distinct(samples: Iterable[Sample], first: int = 100) -> list[Sample]:
    """Return the samples with a SOP Instance UID each; variants of one file share theirs.

    The last digits are changed in the octets, to `first` or more, so that nothing else is.
    """
    seen: set[str] = set()
    found = []
    for sample in samples:
        number = first
        one = _renamed(sample, number)
        while one.sop_uid in seen:
            number += 1
            one = _renamed(sample, number)
        seen.add(one.sop_uid)
        found.append(one)
    return found


def slice_of(samples: Iterable[Sample]) -> list[Sample]:
    """Return one sample of every SOP class in every transfer syntax."""
    return list({(one.sop_class, one.transfer_syntax): one for one in samples}.values())


def write(samples: Iterable[Sample], folder: Path) -> list[Path]:
    """Write samples to files and return them in the same order."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, sample in enumerate(samples):
        path = folder / f"{number:04d}.dcm"
        path.write_bytes(sample.octets)
        written.append(path)
    return written


def differences(before: Dataset, after: Dataset, where: str = "") -> list[str]:
    """Return where two data sets differ: tags, VRs, octets of values, items, fragments.

    Both as read, not yet looked at, so that texts are compared in the octets they came in.
    Group lengths and trailing padding are not content (PS3.5 7.2, 7.4.1 and PS3.10 7.2).
    """
    one, other = _elements(before), _elements(after)
    found = [f"{where}{tag} is only on one side" for tag in sorted(one.keys() ^ other.keys())]
    for tag in sorted(one.keys() & other.keys()):
        found += _unlike(one[tag], other[tag], f"{where}{tag}")
    return found


def compared_files(before: bytes, after: bytes) -> list[str]:
    """Return where two files differ, their transfer syntaxes too."""
    one, other = read(before), read(after)
    syntaxes = [str(some.file_meta.TransferSyntaxUID) for some in (one, other)]
    told = differences(one, other)
    return told if syntaxes[0] == syntaxes[1] else [f"came back in {syntaxes[1]}", *told]


def read(octets: bytes) -> FileDataset:
    """Return the data set of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(octets))


Element = tuple[DataElement, bytes | None]
"""An element and, unless it has items, the octets of its value."""


def _unlike(before: Element, after: Element, where: str) -> list[str]:
    (one, octets), (other, others) = before, after
    if one.VR == "SQ" and other.VR == "SQ":
        if len(one.value) != len(other.value):
            return [f"{where}: {len(one.value)} items against {len(other.value)}"]
        return [
            told
            for number, (a, b) in enumerate(zip(one.value, other.value, strict=True))
            for told in differences(a, b, f"{where}[{number}].")
        ]
    # Fragments are OB (PS3.5 A.4 c); toolkits correct what some writers call OW.
    if one.VR != other.VR and not (one.is_undefined_length and one.tag == 0x7FE00010):
        return [f"{where}: VR {one.VR} against {other.VR}"]
    if octets is None or others is None:
        alike = _plain(one.value) == _plain(other.value)
    else:
        alike = _unpadded(octets, one.VR) == _unpadded(others, one.VR)
    if not alike:
        return [
            f"{where} {one.VR}: {octets or one.value!r:.40} against {others or other.value!r:.40}"
        ]
    return []


def _unpadded(octets: bytes, vr: str) -> bytes:
    if vr in STR_VR:
        return octets.rstrip(b"\x00 ")
    return octets + b"\x00" * (len(octets) % 2)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.rstrip(b"\x00 ")
    if isinstance(value, float):
        return repr(value)
    return value if value not in (None, "") else ""


def _elements(dataset: Dataset) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for tag in list(dataset.keys()):
        if BaseTag(tag).element == 0 or tag == 0xFFFCFFFC:
            continue
        raw = dataset.get_item(tag)
        octets = (raw.value or b"") if isinstance(raw, RawDataElement) else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            element = dataset[tag]
        found[str(BaseTag(tag))] = (element, octets)
    return found


def _read(files: Iterable[Path]) -> Iterator[Sample]:
    for path in files:
        if path.name in BROKEN:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(path)
                named = [bool(dataset.get(keyword)) for keyword in IDENTIFIERS]
        except (InvalidDicomError, OSError):
            continue
        if not all(named[:2]) or "TransferSyntaxUID" not in dataset.file_meta:
            continue
        octets = path.read_bytes()
        if all(named):
            yield sample(path.name, octets)
        elif "PixelData" in dataset:
            # A codec's sample that belongs to no study yet.
            dataset.StudyInstanceUID = stable_uid("corpus", "study", path.name)
            dataset.SeriesInstanceUID = stable_uid("corpus", "series", path.name)
            yield sample(path.name, part10(dataset))


def sample(name: str, octets: bytes) -> Sample:
    """Return a file with what identifies it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(octets), stop_before_pixels=True)
        sop_class, sop_uid, study_uid = (str(dataset[k].value) for k in IDENTIFIERS[:3])
        syntax = str(dataset.file_meta.TransferSyntaxUID)
    return Sample(name, octets, sop_class, sop_uid, study_uid, syntax)


def _renamed(sample: Sample, number: int) -> Sample:
    uid = f"{sample.sop_uid[:-3]}{number}"
    if sample.transfer_syntax == DEFLATED:
        dataset = read(sample.octets)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
        octets = part10(dataset)
    else:
        octets = sample.octets.replace(sample.sop_uid.encode(), uid.encode())
    return Sample(
        sample.name, octets, sample.sop_class, uid, sample.study_uid, sample.transfer_syntax
    )


def _in_syntax(syntax: str) -> bytes:
    (dataset,) = generate("CR", seed=5)[:1]
    dataset.SOPInstanceUID = UID(stable_uid("corpus", "syntax", syntax))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    target = io.BytesIO()
    if UID(syntax).is_compressed and syntax != DEFLATED:
        dataset.compress(UID(syntax), generate_instance_uid=False)
    else:
        if syntax.endswith("1.2.2"):
            words = dataset.PixelData
            swapped = bytearray(len(words))
            swapped[::2], swapped[1::2] = words[1::2], words[::2]
            dataset.PixelData = bytes(swapped)
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.save_as(
        target,
        implicit_vr=syntax == "1.2.840.10008.1.2",
        little_endian=not syntax.endswith("1.2.2"),
        enforce_file_format=True,
    )
    return target.getvalue()


def _video(syntax: str) -> bytes:
    """Return an endoscopy whose stream no decoder would take, which an archive need not know."""
    (dataset,) = generate("CR", seed=6)[:1]
    dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.77.1.1.1")
    dataset.SOPInstanceUID = UID(stable_uid("corpus", "video", syntax))
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.NumberOfFrames = 1
    dataset.PixelData = encapsulate([bytes(range(256)) * 40], has_bot=False)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return part10(dataset)


def by_syntax(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return the samples by their transfer syntax."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.transfer_syntax, []).append(sample)
    return found
