"""The header reader against pydicom on pydicom's files, and against broken octets."""

import contextlib
import random
import tracemalloc
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_charset_files, get_testdata_file, get_testdata_files
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from kernel.identifiers import BadIdentifier
from kernel.refusals import Refusal
from repository.instances import charsets
from repository.instances.elements import Walker
from repository.instances.header import identify, read_header, read_header_of
from repository.instances.part10 import encoding_of, file_meta, read_meta
from repository.instances.refusals import (
    HeaderTooLarge,
    MissingAttribute,
    NestedTooDeep,
    NotPart10,
    TruncatedInstance,
    WrongTransferSyntax,
)

REFUSED = {
    "rtstruct.dcm": NotPart10,
    "ExplVR_LitEndNoMeta.dcm": NotPart10,
    "no_meta.dcm": NotPart10,
    "SC_rgb_jpeg.dcm": WrongTransferSyntax,
    "rtplan_truncated.dcm": TruncatedInstance,
    "meta_missing_tsyntax.dcm": MissingAttribute,
    "JPEGLSNearLossless_08.dcm": MissingAttribute,
    "DICOMDIR": MissingAttribute,
}


@cache
def bundled() -> tuple[str, ...]:
    """Every DICOM file that comes inside the pydicom wheel."""
    return tuple(
        path for path in get_testdata_files() if Path(path).is_file() and path.endswith(".dcm")
    )


def readable() -> list[str]:
    found = []
    for path in bundled():
        try:
            read_header(Path(path).read_bytes())
        except Refusal:
            continue
        found.append(path)
    return found


def made(transfer_syntax: str = ExplicitVRLittleEndian, **attributes: object) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.5"
    dataset.PatientID = "P1"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def test_bundled_files_have_the_elements_pydicom_sees():
    seen = 0
    for path in readable():
        octets = Path(path).read_bytes()
        header = read_header(octets)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = pydicom.dcmread(path, stop_before_pixels=True)
        tags = {int(tag) for tag in theirs.keys()}  # noqa: SIM118 - iterating decodes values
        assert set(header.dataset.elements) == tags, path
        assert (header.study_uid, header.series_uid) == (
            theirs.StudyInstanceUID,
            theirs.SeriesInstanceUID,
        )
        assert header.transfer_syntax == theirs.file_meta.TransferSyntaxUID
        if "ISO" not in header.specific_character_set:
            assert header.patient_id == str(theirs.get("PatientID") or "")
        quick = identify(octets)
        assert (quick.sop_uid, quick.sop_class_uid, quick.patient_id) == (
            header.sop_uid,
            header.sop_class_uid,
            header.patient_id,
        )
        seen += 1
    assert seen > 55


@pytest.mark.parametrize(("name", "refusal"), REFUSED.items())
def test_unusable_files_are_refused(name, refusal):
    path = get_testdata_file(name) or next(
        p for p in get_testdata_files() if p.endswith("/" + name)
    )
    with pytest.raises(refusal):
        read_header(Path(path).read_bytes())


@pytest.mark.parametrize(
    "transfer_syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_every_uncompressed_encoding_is_read(transfer_syntax):
    item = Dataset()
    item.CodeValue = "T1"
    inner = Dataset()
    inner.ConceptCodeSequence = Sequence([item])
    octets = made(transfer_syntax, ContentSequence=Sequence([inner, inner]), Rows=7)
    header = read_header(octets)
    assert header.dataset.integer(0x00280010) == 7
    items = header.dataset.items(0x0040A730)
    assert len(items) == 2
    assert items[1].items(0x0040A168)[0].ascii(0x00080100) == "T1"
    bare = read_meta(octets).dataset_offset
    assert read_header(octets[bare:], str(transfer_syntax)).sop_uid == "1.2.3.4"
    assert identify(octets[bare:], str(transfer_syntax)).series_uid == "1.2.3.5"


def test_a_written_file_meta_is_read_back_by_both_readers():
    bare = made()[read_meta(made()).dataset_offset :]
    octets = file_meta(CTImageStorage, "1.2.3.4", ExplicitVRLittleEndian, source_ae="CT1") + bare
    theirs = pydicom.dcmread(BytesIO(octets))
    assert theirs.file_meta.SourceApplicationEntityTitle == "CT1"
    assert read_header(octets).transfer_syntax == ExplicitVRLittleEndian


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2/3", "1.2.3\\1.2.4", "..", "a.b"])
def test_uids_that_could_be_paths_are_refused(uid):
    octets = made(SeriesDescription="x").replace(b"1.2.3.5\x00", uid.encode()[:8].ljust(8, b"\x00"))
    with pytest.raises(BadIdentifier):
        read_header(octets)


def test_an_absent_study_uid_is_refused():
    with pytest.raises(MissingAttribute):
        read_header(made(StudyInstanceUID=None))


def test_a_declared_syntax_that_is_not_the_real_one_is_refused():
    octets = made(ImplicitVRLittleEndian)
    bare = octets[read_meta(octets).dataset_offset :]
    with pytest.raises(WrongTransferSyntax):
        read_header(bare, str(ExplicitVRLittleEndian))
    with pytest.raises(WrongTransferSyntax):
        read_header(made()[read_meta(made()).dataset_offset :], str(ExplicitVRBigEndian))


def test_sequences_nested_without_end_are_refused():
    nest = b"\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    with pytest.raises(NestedTooDeep):
        read_header(b"\x08\x00\x05\x00CS\x00\x00" + nest, str(ExplicitVRLittleEndian))


def test_a_header_longer_than_the_first_read_is_fetched_in_steps():
    octets = made(ImageComments="c" * 9000, TextValue="t" * 900_000)
    reads = []

    def read(offset, length):
        reads.append(length)
        return octets[offset : offset + length]

    header = read_header_of(read, len(octets))
    assert len(header.text(0x0040A160)) == 900_000
    assert 2 <= len(reads) <= 4


@pytest.mark.parametrize(
    "path", [p for p in get_charset_files() if p.endswith(".dcm") and "chrSQ" not in p]
)
def test_names_follow_the_character_set(path):
    theirs = pydicom.dcmread(path, force=True)
    octets = Path(path).read_bytes()
    start, syntax = 0, str(theirs.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
    if octets[128:132] == b"DICM":
        start, syntax = read_meta(octets).dataset_offset, read_meta(octets).transfer_syntax
    elif octets[4:6].isupper():
        syntax = str(ExplicitVRLittleEndian)
    dataset = Walker(octets).top_level(start, encoding_of(syntax))
    codecs = charsets.codecs_of(dataset.ascii(0x00080005))
    name = charsets.decode(dataset.raw(0x00100010), codecs, delimiters=b"\\^=")
    assert name.strip().rstrip("=") == str(theirs.get("PatientName", ""))


SEEDS = (1, 7, 23, 4242)


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_files_end_in_a_header_or_a_refusal(seed):
    chance = random.Random(seed)
    paths = [p for p in bundled() if Path(p).stat().st_size < 60_000]
    for path in chance.sample(paths, 25):
        original = Path(path).read_bytes()
        for _ in range(20):
            octets = bytearray(original)
            for _ in range(chance.randint(1, 12)):
                at = chance.randrange(128, min(len(octets), 4000))
                kind = chance.random()
                if kind < 0.5:
                    octets[at] = chance.randrange(256)
                elif kind < 0.7:
                    octets[at : at + 4] = b"\xff\xff\xff\xff"
                elif kind < 0.85:
                    del octets[at : at + chance.randint(1, 40)]
                else:
                    octets[at:at] = bytes(chance.randrange(256) for _ in range(8))
            if chance.random() < 0.3:
                del octets[chance.randrange(len(octets)) :]
            with contextlib.suppress(Refusal):
                read_header(bytes(octets))
            with contextlib.suppress(Refusal):
                identify(bytes(octets))


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(
        [
            str(ExplicitVRLittleEndian),
            str(ImplicitVRLittleEndian),
            str(ExplicitVRBigEndian),
            str(DeflatedExplicitVRLittleEndian),
        ]
    ),
)
def test_random_octets_end_in_a_refusal(octets, transfer_syntax):
    with pytest.raises(Refusal):
        read_header(octets, transfer_syntax)


@pytest.mark.parametrize("off", [-2, 0, 2])
def test_a_first_read_that_ends_between_two_elements_is_not_the_end(off):
    short = made(ImageComments="c" * 100, Rows=1, Columns=1, BitsAllocated=8, PixelData=b"\0\0")
    at = short.index(b"\x28\x00\x10\x00US")  # where the group of the image begins
    comments = "c" * (100 + (16 << 10) - at + off)
    octets = made(ImageComments=comments, Rows=1, Columns=1, BitsAllocated=8, PixelData=b"\0\0")

    header = read_header_of(lambda offset, length: octets[offset : offset + length], len(octets))

    assert header.pixels is not None
    assert header.dataset.integer(0x00280010) == 1


def test_a_deflated_header_longer_than_the_first_read_is_fetched_in_steps():
    noise = random.Random(1).randbytes(30_000).hex()
    octets = made(str(DeflatedExplicitVRLittleEndian), TextValue=noise)

    header = read_header_of(lambda offset, length: octets[offset : offset + length], len(octets))

    assert header.text(0x0040A160) == noise


def test_no_more_is_inflated_than_the_header_takes():
    bomb = made(str(DeflatedExplicitVRLittleEndian), EncapsulatedDocument=bytes(200 << 20))
    tracemalloc.start()
    try:
        assert identify(bomb).study_uid == "1.2.3"
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    with pytest.raises(HeaderTooLarge):
        read_header(bomb)


def test_the_first_of_two_elements_is_told_by_every_reader():
    octets = made() + b"\x20\x00\x0d\x00UI\x00\x00" + b"\x20\x00\x0e\x00UI\x04\x009.9\0"

    assert identify(octets).study_uid == read_header(octets).study_uid == "1.2.3"
    assert read_header(octets).series_uid == "1.2.3.5"
