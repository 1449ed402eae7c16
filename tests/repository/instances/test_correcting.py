"""Corrected headers: what is changed, what is told of it, and what is refused."""

import base64
import json

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from repository.instances.correcting import check, correct, fingerprint
from repository.instances.correcting_json import corrected_object
from repository.instances.dicom_json import to_json
from repository.instances.header import read_header
from repository.instances.refusals import MalformedInstance, TruncatedInstance
from tests.support.corrected_files import (
    BIG,
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
    reader,
    told,
)


def test_a_name_is_corrected_and_the_old_one_is_told():
    stored = made(SpecificCharacterSet="ISO_IR 192", PatientName="Zhang^San=张^三")
    new = read(composed(stored, {**RENAMED, **WHEN}))
    assert str(new.PatientName) == "Li^Si=李^四"
    (item,) = new.OriginalAttributesSequence
    assert item.AttributeModificationDateTime == "20260301120000.000000+0000"
    assert item.ModifyingSystem == "Pianku"
    assert item.SourceOfPreviousValues == ""
    assert item.ReasonForTheAttributeModification == "CORRECT"
    (previous,) = item.ModifiedAttributesSequence
    assert str(previous.PatientName) == "Zhang^San=张^三"
    assert len(previous) == 1
    assert new.PixelData == read(stored).PixelData
    assert new.file_meta == read(stored).file_meta


def test_what_was_told_before_stays_before_it():
    once = composed(made(), {"00100020": {"vr": "LO", "Value": ["P2"]}, **WHEN})
    twice = read(composed(once, {"00100020": {"vr": "LO", "Value": ["P3"]}, **WHEN}))
    previous = [i.ModifiedAttributesSequence[0].PatientID for i in twice.OriginalAttributesSequence]
    assert previous == ["P1", "P2"]
    assert twice.PatientID == "P3"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("is_open", [False, True])
def test_a_history_of_undefined_length_grows_too(syntax, is_open):
    dataset = base()
    item = Dataset()
    item.ModifyingSystem = "OTHER"
    dataset.OriginalAttributesSequence = [item]
    dataset["OriginalAttributesSequence"].is_undefined_length = is_open
    item.is_undefined_length_sequence_item = is_open
    new = read(composed(packed(dataset, syntax), {"00100020": {"vr": "LO", "Value": ["P2"]}}))
    assert [i.ModifyingSystem for i in new.OriginalAttributesSequence] == ["OTHER", "PIANKU"]


def test_a_history_that_somebody_wrote_as_unknown_grows_too():
    inner = b"\x00\x04\x63\x05\x06\x00\x00\x00OTHER "
    value = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    unknown = b"\x00\x04\x61\x05UN\x00\x00" + len(value).to_bytes(4, "little") + value
    stored = made()
    at = stored.index(b"\xe0\x7f\x10\x00OW")
    stored = stored[:at] + unknown + stored[at:]
    new = read(composed(stored, {"00100020": {"vr": "LO", "Value": ["P2"]}}))
    first, second = new.OriginalAttributesSequence
    assert (first.ModifyingSystem, second.ModifyingSystem) == ("OTHER", "PIANKU")
    assert second.ModifiedAttributesSequence[0].PatientID == "P1"


def test_nothing_to_change_is_the_same_octets():
    stored = made(PatientBirthDate="19700101")
    for changes in (
        {},
        WHEN,
        {"00100020": {"vr": "LO", "Value": ["P1"]}},
        {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Zhang^San"}]}, **WHEN},
        {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Zhang^San^^"}]}},
        {"00100040": {"vr": "CS"}},
        {"00080005": {"vr": "CS", "Value": ["GB18030"]}},
        {"7FE00010": {"vr": "OW", "InlineBinary": "AAAA"}},
        {"00020010": {"vr": "UI", "Value": [IMPLICIT]}},
    ):
        assert correct(reader(stored), len(stored), changes) is None, changes


def test_an_attribute_is_emptied_and_one_is_added():
    stored = made(PatientBirthDate="19700101")
    changes = {"00100030": {"vr": "DA"}, "00080050": {"vr": "SH", "Value": ["A-7"]}, **WHEN}
    new = read(composed(stored, changes))
    assert new.PatientBirthDate == ""
    assert new.AccessionNumber == "A-7"
    (previous,) = new.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert previous.PatientBirthDate == "19700101"
    assert previous.AccessionNumber == ""  # it was not there


def test_the_file_meta_information_follows_the_sop_instance():
    stored = made()
    new = read(composed(stored, {"00080018": {"vr": "UI", "Value": ["1.2.3.4567.8"]}}))
    assert new.SOPInstanceUID == new.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4567.8"
    old = read(stored).file_meta
    assert {e.tag: e.value for e in new.file_meta if e.tag.element > 3} == {
        e.tag: e.value for e in old if e.tag.element > 3
    }


def test_a_moved_study_has_its_new_identifiers():
    changes = {
        "0020000D": {"vr": "UI", "Value": ["2.25.77"]},
        "0020000E": {"vr": "UI", "Value": ["2.25.78"]},
    }
    stored = made()
    new = read(composed(stored, changes))
    assert (new.StudyInstanceUID, new.SeriesInstanceUID) == ("2.25.77", "2.25.78")
    uri = b"http://h/studies/1.2.3/series/1.2.3.5/instances/1.2.3.4/bulkdata"
    moved = json.loads(corrected_object(to_json(read_header(stored), uri), changes))
    assert moved["7FE00010"]["BulkDataURI"] == (
        "http://h/studies/2.25.77/series/2.25.78/instances/1.2.3.4/bulkdata/7FE00010"
    )


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED, RLE])
@pytest.mark.parametrize("charset", ["", "ISO_IR 100", "GB18030", "ISO_IR 192"])
def test_chinese_goes_into_any_header(syntax, charset):
    old = {"": "Z^S", "ISO_IR 100": "Müller^Ö"}.get(charset, "Zhang=张^三")
    nested = Dataset()
    nested.ScheduledProcedureStepDescription = old.replace("^", " ").replace("=", " ")
    attributes = {"PatientName": old, "RequestAttributesSequence": [nested]}
    if charset:
        attributes["SpecificCharacterSet"] = charset
    stored = made(syntax, **attributes)
    new, before = read(composed(stored, RENAMED)), read(stored)
    assert new.SpecificCharacterSet == (charset if charset.startswith("GB") else "ISO_IR 192")
    assert str(new.PatientName) == "Li^Si=李^四"
    step = "ScheduledProcedureStepDescription"
    assert new.RequestAttributesSequence[0][step].value == nested[step].value
    previous = new.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert str(previous.PatientName) == str(before.PatientName)
    assert new.PixelData == before.PixelData


def test_code_extensions_become_unicode_as_a_whole():
    korean = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"
    dataset = base()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 149"]
    dataset.add(DataElement(0x00081030, "LO", ""))
    stored = packed(dataset)
    name = b"\x10\x00\x10\x00PN\x0a\x00Zhang^San "
    assert stored.count(name) == 1
    value = korean + b" " * (len(korean) & 1)
    stored = stored.replace(name, name[:6] + len(value).to_bytes(2, "little") + value)
    assert str(read(stored).PatientName) == "Hong^Gildong=洪^吉洞"
    new = read(composed(stored, {"00081030": {"vr": "LO", "Value": ["胸部"]}}))
    assert new.SpecificCharacterSet == "ISO_IR 192"
    assert str(new.PatientName) == "Hong^Gildong=洪^吉洞"
    assert new.StudyDescription == "胸部"


def test_latin_letters_that_we_would_read_as_chinese_go_to_unicode():
    stored = made(SpecificCharacterSet="ISO_IR 100")
    name = "ÄÖÜß"  # in ISO_IR 100 these octets are what devices send as Chinese
    new = composed(stored, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]}})
    assert str(read(new).PatientName) == name
    assert told(new)["00100010"]["Value"] == [{"Alphabetic": name}]


def test_private_and_unknown_elements_stay_octet_for_octet():
    dataset = base()
    block = dataset.private_block(0x0011, "PIANKU TEST", create=True)
    block.add_new(0x01, "UN", b"\xff\x00\x01\x02")
    block.add_new(0x02, "LO", "plain")
    block.add_new(0x03, "OB", b"\x00\xff")
    dataset.add(DataElement(0x00189999, "UN", b"\xd5\xc5\xc8\xfd"))
    new = read(composed(packed(dataset), RENAMED))
    block = new.private_block(0x0011, "PIANKU TEST")
    assert new[block.get_tag(0x01)].value == b"\xff\x00\x01\x02"
    assert new[block.get_tag(0x03)].value == b"\x00\xff"
    assert new[0x00189999].value == b"\xd5\xc5\xc8\xfd"


def test_text_that_grows_beyond_the_short_form_is_sent_as_unknown():
    dataset = base()
    dataset.SpecificCharacterSet = "GB18030"
    dataset.PatientComments = "影" * 30_000
    new = composed(packed(dataset), {"00100010": {"vr": "PN", "Value": ["Bjørn 张"]}})
    assert read(new).PatientComments == "影" * 30_000
    wide = composed(packed(dataset), {"00100010": {"vr": "PN", "Value": ["한^글"]}})
    assert read(wide).PatientComments == "影" * 30_000


def test_group_lengths_are_left_out():
    stored = made()
    at = stored.index(b"\x10\x00\x10\x00PN")
    grouped = stored[:at] + b"\x10\x00\x00\x00UL\x04\x00\x20\x00\x00\x00" + stored[at:]
    assert 0x00100000 in read(grouped)
    new = read(composed(grouped, RENAMED))
    assert 0x00100000 not in new
    assert str(new.PatientName) == "Li^Si=李^四"


def test_what_cannot_be_read_to_its_end_is_refused_only_where_something_changes():
    dataset = base()
    stored = packed(dataset, pixels=False)[:-3]
    with pytest.raises(TruncatedInstance):
        correct(reader(stored), len(stored), RENAMED)
    twice = made()
    at = twice.index(b"\x10\x00\x20\x00LO")
    doubled = twice[:at] + twice[at : at + 10] + twice[at:]
    with pytest.raises(MalformedInstance):
        correct(reader(doubled), len(doubled), RENAMED)


@pytest.mark.parametrize(
    "changes",
    [
        {"00100010": {"vr": "PN", "Value": ["a\\b"]}},
        {"00100030": {"vr": "DA", "Value": ["三月"]}},
        {"00100010": {"vr": "XX", "Value": ["a"]}},
        {"00100010": {"Value": ["a"]}},
        {"00280010": {"vr": "US", "Value": [70_000]}},
        {"00280010": {"vr": "US", "Value": ["many"]}},
        {"00200013": {"vr": "IS", "Value": [1.5]}},
        {"00104000": {"vr": "LT", "Value": ["a", "b"]}},
        {"00100010": {"vr": "PN", "Value": "ab"}},
        {"00420011": {"vr": "OB", "BulkDataURI": "http://h/b"}},
        {"00420011": {"vr": "OB", "InlineBinary": "*"}},
        {"00101002": {"vr": "SQ", "Value": [{"0010zz20": {"vr": "LO"}}]}},
        {"7FE00010": {"vr": "OW"}},
        {"00020003": {"vr": "UI", "Value": ["1.2"]}},
        {"100010": {"vr": "PN"}},
    ],
)
def test_what_cannot_be_written_is_refused(changes):
    with pytest.raises(MalformedInstance):
        check(changes)


def test_every_representation_is_written_as_it_is_read():
    changes = {
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
        "00081120": {"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": ["1.2"]}}, {}]},
        "00101010": {"vr": "AS", "Value": ["030Y"]},
        "00101020": {"vr": "DS", "Value": [1.75]},
        "00104000": {"vr": "LT", "Value": ["two\r\nlines\\and more"]},
        "00189073": {"vr": "FD", "Value": [0.25]},
        "00200013": {"vr": "IS", "Value": [12]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00186020": {"vr": "SL", "Value": [-5]},
        "00420010": {"vr": "ST", "Value": ["title"]},
        "00660016": {"vr": "OF", "InlineBinary": base64.b64encode(b"\0\0\x80\x3f").decode()},
        "0008040C": {"vr": "UV", "Value": [1 << 40]},
        "00081190": {"vr": "UR", "Value": ["http://h/x"]},
    }
    check(changes)
    for syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED):
        found = told(composed(made(syntax), changes))
        for tag, member in changes.items():
            assert found[tag] == member, (syntax, tag)


def test_versions_are_told_apart():
    other = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Li^Wu"}]}}
    assert fingerprint(RENAMED) == fingerprint(json.loads(json.dumps(RENAMED)))
    assert fingerprint(RENAMED) != fingerprint(other)
