"""DICOM JSON against pydicom's, value by value, on real files and all character sets."""

import json
import math
import warnings
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.dataset import Dataset, FileMetaDataset

from kernel.refusals import Refusal
from repository.instances.dicom_json import member, members_of, swapped, to_json
from repository.instances.header import read_header

# badVR.dcm holds an IS of "1A": pydicom gives no JSON at all for it, we send it as a string.
PATHS = [
    p
    for p in (*get_testdata_files(), *get_charset_files())
    if p.endswith(".dcm") and not p.endswith("badVR.dcm")
]


def plain(value):
    """Reduce a JSON member to what both sides can agree on: numbers, nulls, binary or not."""
    if not isinstance(value, dict):
        return value
    if "vr" not in value:
        return {key: plain(inner) for key, inner in value.items()}
    value = dict(value)
    if "BulkDataURI" in value or "InlineBinary" in value:
        return {"vr": value["vr"], "binary": True}
    values = value.pop("Value", [])
    if value["vr"] in {"DS", "IS"}:
        values = [None if v is None else float(v) for v in values]
    if value["vr"] in {"FL", "FD"}:
        values = [None if isinstance(v, str) or math.isnan(v) else v for v in values]
    # pydicom keeps trailing spaces of the values inside a list, and "" where F.2.5 wants null.
    values = [v.rstrip() or None if isinstance(v, str) else v for v in values]
    if values not in ([], [None]):
        value["Value"] = [plain(v) for v in values]
    return value


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.rsplit("/", 1)[-1])
def test_every_value_is_the_one_pydicom_reads(path):
    octets = Path(path).read_bytes()
    try:
        header = read_header(octets)
    except Refusal:
        pytest.skip(
            "this bundled file is not valid DICOM: the reader refuses it, nothing to compare"
        )
    mine = json.loads(to_json(header, b"http://example/bulkdata"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pydicom.dcmread(path).to_json_dict(
            bulk_data_element_handler=lambda _e: "x", bulk_data_threshold=1024
        )
    assert list(mine) == sorted(mine)
    declared = theirs.get("00080005", {}).get("Value", [])
    if len(declared) > 1 and not declared[0]:
        declared[0] = "ISO 2022 IR 6"  # what it means (PS3.3 C.12.1.1.2), and what we send
    for tag, value in theirs.items():
        if not tag.endswith("0000") and tag != "FFFCFFFC":
            assert plain(mine.get(tag)) == plain(value), tag
    assert set(mine) <= set(theirs)


def made(**attributes):
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.5"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return read_header(target.getvalue())


def test_names_carry_all_component_groups_and_missing_ones_are_left_out():
    header = made(
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Wang^XiaoDong=王^小东",
        ReferringPhysicianName="=李^四",
    )
    found = json.loads(to_json(header, b""))
    assert found["00100010"]["Value"] == [{"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小东"}]
    assert found["00080090"]["Value"] == [{"Ideographic": "李^四"}]


def test_numbers_keep_their_digits_and_bad_ones_become_strings():
    octets = to_json(
        made(PixelSpacing=["0.10", "1e-3"], ImagePositionPatient=[1, -2, "+3.50"]), b""
    )
    # JSON has room for it, no reader has.
    assert b'"Value":["1e999"]' in to_json(made(SliceThickness="1e999"), b"")
    assert b'"Value":[0.10,1e-3]' in octets
    assert json.loads(octets)["00200032"]["Value"] == [1, -2, 3.5]


def test_big_values_become_uris_by_attribute_path():
    item = Dataset()
    item.WaveformData = b"\0" * 5000
    item["WaveformData"].VR = "OW"
    found = json.loads(to_json(made(WaveformSequence=[item]), b"http://h/bulkdata"))
    waveform = found["54000100"]["Value"][0]["54001010"]
    assert waveform == {"vr": "OW", "BulkDataURI": "http://h/bulkdata/54000100/0/54001010"}


def test_members_can_be_picked_and_made():
    picked = members_of(made(PatientID="P1"), (0x00100020, 0x00100030))
    assert picked == {0x00100020: b'"00100020":{"vr":"LO","Value":["P1"]}'}
    assert member(0x00201208, "IS", 3) == b'"00201208":{"vr":"IS","Value":[3]}'
    assert member(0x00080061, "CS") == b'"00080061":{"vr":"CS"}'


def test_big_endian_words_are_sent_little():
    assert swapped(b"\x01\x02\x03\x04", b"OW") == b"\x02\x01\x04\x03"
    assert swapped(b"\x01\x02\x03\x04", b"OL") == b"\x04\x03\x02\x01"
    assert swapped(b"\x01\x02", b"OB") == b"\x01\x02"


def test_an_identifier_of_a_wrong_vr_is_told_as_the_identifier_it_is():
    octets = b"\x08\x00\x16\x00UI\x04\x001.2\0\x08\x00\x18\x00UI\x04\x001.3\0"
    octets += b"\x20\x00\x0d\x00FD\x04\x001.4\0\x20\x00\x0e\x00US\x04\x001.5\0"

    told = json.loads(to_json(read_header(octets, "1.2.840.10008.1.2.1"), b"x"))

    assert told["0020000D"] == {"vr": "UI", "Value": ["1.4"]}
    assert told["0020000E"] == {"vr": "UI", "Value": ["1.5"]}
