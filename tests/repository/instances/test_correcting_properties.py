"""Corrected headers: pydicom reads the stored data set and the changes, and nothing else differs."""

import json
import os.path
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.dataset import Dataset

from kernel.refusals import Refusal
from repository.instances.correcting_json import corrected_object
from repository.instances.dicom_json import to_json
from repository.instances.header import read_header
from tests.support.corrected_files import (
    BIG,
    BOOKKEEPING,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    RENAMED,
    RLE,
    WHEN,
    base,
    composed,
    made,
    packed,
    read,
    told,
)


def test_real_files_of_every_kind_take_a_correction():
    """Pydicom's bundled files: what they held they hold, but for what was changed."""
    taken = 0
    changes = {
        **RENAMED,
        "00100020": {"vr": "LO", "Value": ["P-新"]},
        "0020000D": {"vr": "UI", "Value": ["2.25.99"]},
        **WHEN,
    }
    for path in filter(os.path.isfile, (*get_testdata_files(), *get_charset_files())):
        octets = Path(path).read_bytes()
        try:
            before = told(octets)
        except Refusal:
            continue  # not valid DICOM: the intake takes none of them
        new = composed(octets, changes)
        after = told(new)
        for tag in before.keys() | after.keys():
            if int(tag, 16) not in BOOKKEEPING and tag not in changes:
                assert after.get(tag) == before.get(tag), (path, tag)
        for tag in changes.keys() - WHEN.keys():
            assert after[tag] == changes[tag], path
        assert after == json.loads(
            corrected_object(to_json(read_header(octets), b"http://h/bulkdata"), changes)
        ), path
        pixels = read_header(octets).pixels
        if pixels is not None and read_header(octets).transfer_syntax != DEFLATED:
            tail = octets[pixels.offset :]
            assert new.endswith(tail), path
        taken += 1
    assert taken > 150


TEXT = st.sampled_from(["", "plain", "Müller", "张三", "Wang^Wu=王^五", "  padded ", "x" * 60])
POOL = {
    "PatientName": st.sampled_from(["", "A^B", "Zhang^San", "Li=李^四"]),
    "PatientID": st.sampled_from(["", "P1", "P-77"]),
    "PatientBirthDate": st.sampled_from(["", "19700101"]),
    "StudyDescription": st.sampled_from(["", "chest", "Thorax", "胸部"]),
    "AccessionNumber": st.sampled_from(["", "A1"]),
    "PatientComments": st.sampled_from(["", "one\r\ntwo", "备注"]),
    "SeriesNumber": st.integers(0, 99),
    "SliceThickness": st.sampled_from(["1.5", "0.10"]),
    "ImageType": st.sampled_from([["ORIGINAL", "PRIMARY"], "DERIVED"]),
    "LossyImageCompression": st.just("00"),
}
CHANGEABLE = {
    "00080050": ("SH", st.sampled_from(["A9", "单号"])),
    "00081030": ("LO", st.sampled_from(["abdomen", "腹部", "Überblick"])),
    "00100010": ("PN", st.sampled_from(["New^Name", "新^名", "Ñ^ame"])),
    "00100020": ("LO", st.sampled_from(["P9", "P1"])),
    "00100030": ("DA", st.sampled_from(["19991231"])),
    "0020000D": ("UI", st.sampled_from(["2.25.5", "1.2.3"])),
    "00204000": ("LT", st.sampled_from(["text", "说明"])),
}


@st.composite
def datasets(draw):
    """Return a file in some transfer syntax and character set, with nested and private values."""
    charset = draw(st.sampled_from(["", "ISO_IR 100", "GB18030", "ISO_IR 192", "GBK"]))
    chinese = charset not in {"", "ISO_IR 100"}

    def fits(value):
        return value if chinese or str(value).isascii() else "plain"

    dataset = base()
    if charset:
        dataset.SpecificCharacterSet = charset
    for keyword in draw(st.sets(st.sampled_from(sorted(POOL)))):
        setattr(dataset, keyword, fits(draw(POOL[keyword])))
    depth = draw(st.integers(0, 2))
    place = dataset
    for _ in range(depth):
        item = Dataset()
        item.ScheduledProcedureStepDescription = fits(draw(TEXT)).strip()
        place.RequestAttributesSequence = [item, Dataset()]
        place["RequestAttributesSequence"].is_undefined_length = draw(st.booleans())
        place = item
    if draw(st.booleans()):
        block = dataset.private_block(0x0019, "PIANKU TEST", create=True)
        block.add_new(0x01, "UN", draw(st.binary(max_size=6).map(lambda b: b + b)))
    syntax = draw(st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED, RLE]))
    return packed(dataset, syntax, pixels=syntax == RLE or draw(st.booleans()))


@st.composite
def changes_to_headers(draw):
    """Return changes of some attributes, some of them emptied."""
    found = {}
    for tag in draw(st.sets(st.sampled_from(sorted(CHANGEABLE)), min_size=0)):
        vr, values = CHANGEABLE[tag]
        value = draw(values)
        value = {"Alphabetic": value} if vr == "PN" else value
        found[tag] = {"vr": vr}
        if vr == "UI" or draw(st.integers(0, 3)):
            found[tag]["Value"] = [value]
    return {**found, **(WHEN if draw(st.booleans()) else {})}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(datasets(), changes_to_headers())
def test_nothing_else_differs(stored, changes):
    new = composed(stored, changes)
    before, after = read(stored), read(new)
    for element in before:
        name = f"{int(element.tag):08X}"
        if name not in changes and int(element.tag) not in BOOKKEEPING:
            assert after[element.tag] == element, name
    for element in after:
        name = f"{int(element.tag):08X}"
        assert element.tag in before or name in changes or int(element.tag) in BOOKKEEPING, name
    old, now = told(stored), told(new)
    for name, member in changes.items():
        if name not in WHEN and (member.get("Value") or name in now):
            assert now[name] == member, name
    if all(name in WHEN or old.get(name) == member for name, member in changes.items()):
        assert new == stored
    assert after.file_meta == before.file_meta
    stored_json = to_json(read_header(stored), b"http://h/bulkdata")
    assert now == json.loads(corrected_object(stored_json, changes))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED, RLE]),
    st.lists(st.tuples(st.integers(132, 700), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(200, 5000),
)
def test_damaged_files_are_refused_or_taken_never_a_crash(syntax, damage, length):
    octets = bytearray(made(syntax, SpecificCharacterSet="GB18030", PatientName="Li=李^四"))
    for at, value in damage:
        if at < len(octets):
            octets[at] = value
    damaged = bytes(octets[:length])
    try:
        composed(damaged, {"00100010": {"vr": "PN", "Value": ["한^글"]}, **WHEN})
    except Refusal:
        return
