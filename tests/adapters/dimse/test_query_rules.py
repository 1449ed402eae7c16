"""C-FIND clause by clause (PS3.4 C.2.2.2, C.3.4, C.4.1, C.5.1, C.6), one test a rule."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelMove,
    PatientStudyOnlyQueryRetrieveInformationModelFind,
    Verification,
)

from adapters.dimse import decode
from adapters.dimse.decode import InvalidPdu
from kernel.context import Envelope
from tests.support.archive import OpenGuard, octets, open_archive, stable
from tests.support.dimse import Receiver, quick
from tests.support.queried import STORED, STUDY_ROOT, ask, item

pytestmark = pytest.mark.tender("R-6.2.4.1")
PATIENT_ROOT = PatientRootQueryRetrieveInformationModelFind
RELATIONAL, COMBINED, FUZZY, EMPTY = 0, 1, 2, 5


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    made = open_archive(tmp_path_factory.mktemp("rules") / "archive")
    made.intake.store_many([made.offer(octets(ds)) for ds in STORED], Envelope())
    yield made
    made.close()


@pytest.fixture(scope="module")
def receive(archive):
    started = []

    def start(**limits):
        started.append(
            Receiver(
                intake=archive.intake,
                blobs=archive.blobs,
                guard=OpenGuard(),
                limits=quick(**limits),
                study_index=archive.views.searches,
                storage_map=archive.views.map,
            )
        )
        return started[-1].port

    yield start
    for receiver in started:
        receiver.stop()


@pytest.fixture(scope="module")
def port(receive):
    return receive()


def letters(port, agreed=(), **keys):
    found, _, last = ask(port, agreed=agreed, StudyInstanceUID="", **keys)
    assert last.Status == 0
    names = {stable(letter): letter for letter in "ABCD"}
    return "".join(sorted(names[one.StudyInstanceUID] for one in found))


def negotiated(port, model, offered):
    ae = AE("WS")
    ae.add_requested_context(model)
    one = SOPClassExtendedNegotiation()
    one.sop_class_uid = model
    one.service_class_application_information = offered
    association = ae.associate("127.0.0.1", port, ae_title="PIANKU", ext_neg=[one])
    told = association.acceptor.sop_class_extended
    association.release()
    return told.get(model)


@pytest.mark.parametrize(
    ("model", "offered", "answer"),
    [
        (STUDY_ROOT, b"\x01\x01\x01\x01\x01\x01\x01", b"\x01\x01\x01\x00\x00\x01\x01"),
        (STUDY_ROOT, b"\x01\x01\x01", b"\x01\x01\x01"),
        (PATIENT_ROOT, b"\x00\x00\x01", b"\x00\x00\x01"),
        (PatientRootQueryRetrieveInformationModelMove, b"\x01\x01", b"\x01\x00"),
        (Verification, b"\x01", None),
    ],
)
def test_c_5_1_what_is_proposed_beyond_the_sop_class_is_answered(port, model, offered, answer):
    assert negotiated(port, model, offered) == answer


def test_an_extended_negotiation_item_of_a_wrong_length_is_no_pdu():
    with pytest.raises(InvalidPdu):
        decode._extended(b"\x00\x40abc")


def test_c_3_3_the_retired_patient_study_only_model_is_not_accepted(port):
    ae = AE("WS")
    ae.add_requested_context(PatientStudyOnlyQueryRetrieveInformationModelFind)
    association = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert [one.result for one in association.rejected_contexts] == [3]
    association.abort()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"PatientName": "张三"}, "AB"),
        ({"PatientName": "张*"}, "AB"),
        ({"PatientName": "*三"}, "AB"),
        ({"PatientName": "张?三"}, ""),
        ({"PatientName": "zhangsan"}, "ABC"),
        ({"PatientName": "ZHANG*"}, "ABC"),
        ({"PatientName": "Zhang^San=张^三"}, "AB"),
        ({"PatientName": "Zhang^San=李^三"}, ""),
        ({"PatientName": "zs"}, ""),
        ({"PatientName": "muller^anne"}, "D"),
    ],
)
def test_c_2_2_2_1_1_names_are_matched_in_each_component_group(port, keys, expected):
    assert letters(port, SpecificCharacterSet="ISO_IR 192", **keys) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("张三", "ABC"),
        ("zs", "AB"),
        ("San^Zhang", "ABC"),
        ("Zhang^San=张^三", "ABC"),
        ("章三", "C"),
        ("李", ""),
    ],
)
def test_c_2_2_2_1_1_fuzzy_matching_crosses_the_groups_when_it_was_agreed_on(port, name, expected):
    found = letters(port, (FUZZY,), SpecificCharacterSet="GB18030", PatientName=name)
    assert found == expected


@pytest.mark.parametrize("charset", ["GB18030", "GBK", "ISO_IR 192"])
def test_c_2_2_2_the_character_set_of_the_query_is_honoured(port, charset):
    found, _, _ = ask(port, SpecificCharacterSet=charset, PatientName="张^三*", StudyDescription="")
    assert {str(one.PatientName) for one in found} == {"Zhang^San=张^三", "张^三"}
    assert found[0].SpecificCharacterSet == charset


def test_ps3_5_k_names_in_gb_2312_are_written_with_their_escapes(port):
    terms = ["", "ISO 2022 IR 58"]
    found, _, _ = ask(port, SpecificCharacterSet=terms, PatientName="张^三*")
    # pydicom neither writes nor reads these escapes, so octets are compared.
    assert {one.PatientName.original_string for one in found} == {
        b"Zhang^San=\x1b$)A\xd5\xc5^\x1b$)A\xc8\xfd",
        b"\x1b$)A\xd5\xc5^\x1b$)A\xc8\xfd",
    }
    assert found[0].SpecificCharacterSet == terms


def test_6_1_what_a_character_set_cannot_say_is_told_in_utf_8(port):
    found, _, _ = ask(port, SpecificCharacterSet="ISO_IR 100", PatientName="", StudyDescription="")
    told = {str(one.PatientName): one.SpecificCharacterSet for one in found}
    assert told["Zhang^San"] == "ISO_IR 100"
    assert told["Zhang^San=张^三"] == "ISO_IR 192"
    (one,), _, _ = ask(port, SpecificCharacterSet="ISO_IR 100", PatientName="Müller*")
    assert (str(one.PatientName), one.SpecificCharacterSet) == ("Müller^Änne", "ISO_IR 100")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"StudyDate": "20260302"}, "BC"),
        ({"StudyDate": "20260302-"}, "BCD"),
        ({"StudyDate": "-20260301"}, "A"),
        ({"StudyDate": "20260301-20260302"}, "ABC"),
        ({"StudyTime": "010000"}, "B"),
        ({"StudyTime": "1200"}, "CD"),
        ({"StudyTime": "120000.1-120000.3"}, "D"),
        ({"StudyTime": "-0100"}, "B"),
        ({"StudyTime": "2200-"}, "A"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_c_2_2_2_5_ranges_of_dates_and_times(port, keys, expected):
    assert letters(port, **keys) == expected


def test_c_2_2_2_5_4_ranges_are_combined_only_when_that_was_agreed_on(port):
    keys = {"StudyDate": "20260301-20260302", "StudyTime": "2200-2359"}
    assert letters(port, **keys) == "A"
    assert letters(port, (COMBINED,), **keys) == "ABC"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"PatientID": "PAT-?"}, "ABC"),
        ({"PatientID": "*AT-A"}, "AB"),
        ({"PatientID": "pat-a"}, ""),
        ({"PatientID": "pat-*"}, "D"),
        ({"PatientID": "*"}, "ABCD"),
        ({"StudyDescription": "*部"}, "D"),
        ({"StudyInstanceUID": [stable("A"), stable("D")]}, "AD"),
    ],
)
def test_c_2_2_2_4_wildcards_lists_and_universal_matching(port, keys, expected):
    keys = {"SpecificCharacterSet": "ISO_IR 192", **keys}
    found, _, _ = ask(port, **{"StudyInstanceUID": "", **keys})
    names = {stable(letter): letter for letter in "ABCD"}
    assert "".join(sorted(names[one.StudyInstanceUID] for one in found)) == expected


def test_c_3_4_modalities_in_study_match_any_of_the_modalities(port):
    assert letters(port, ModalitiesInStudy="MR") == "B"
    assert letters(port, ModalitiesInStudy=["MR", "SR"]) == "BC"


def test_c_2_2_2_7_empty_values_are_matched_when_that_was_agreed_on(port):
    assert letters(port, (EMPTY,), AccessionNumber='""') == "C"
    assert letters(port, (EMPTY,), PatientAge='""') == "BCD"
    assert letters(port, AccessionNumber='""') == "ABCD"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"RequestedProcedureID": "RP-1"}, "12"),
        ({"RequestedProcedureID": "RP-1", "ScheduledProcedureStepID": "SPS-1"}, "12"),
        ({"StudyID": "X"}, "12"),
        ({"StudyID": "X", "RequestedProcedureID": "RP-2"}, "12"),
        ({"StudyID": "X", "RequestedProcedureID": "RP-1"}, ""),
        ({}, "12"),
    ],
)
def test_c_2_2_2_6_all_keys_of_a_sequence_match_in_one_item(port, keys, expected):
    asked = item(StudyID="", **{k: v for k, v in keys.items() if k != "StudyID"})
    asked.StudyID = keys.get("StudyID", "")
    found, words, _ = ask(
        port, "SERIES", StudyInstanceUID=stable("A"), SeriesInstanceUID="",
        RequestAttributesSequence=Sequence([asked]),
    )  # fmt: skip
    names = {stable("A", number): number for number in "12"}
    assert "".join(sorted(names[one.SeriesInstanceUID] for one in found)) == expected
    assert set(words) <= {0xFF00}


def test_c_2_2_2_6_matching_items_are_told_with_what_was_asked_for(port):
    asked = item(RequestedProcedureID="", StudyID="X")
    (one, _), _, _ = ask(
        port, "SERIES", StudyInstanceUID=stable("A"),
        RequestAttributesSequence=Sequence([asked]),
    )  # fmt: skip
    (told,) = one.RequestAttributesSequence
    assert told.to_json_dict() == item(RequestedProcedureID="RP-2", StudyID="X").to_json_dict()
    (one, _), _, _ = ask(port, "SERIES", StudyInstanceUID=stable("A"), RequestAttributesSequence=[])
    assert [len(told) for told in one.RequestAttributesSequence] == [2, 3]


def test_c_4_1_1_3_keys_without_an_index_are_matched_by_what_is_kept(port):
    assert letters(port, PatientAge="044Y") == "A"
    found, words, _ = ask(port, "IMAGE", SOPInstanceUID="", PatientAge="044Y", Rows="")
    assert (len(found), set(words)) == (4, {0xFF00})
    found, _, _ = ask(port, "IMAGE", SOPInstanceUID="", AcquisitionDateTime="20260301170000+0000")
    assert [one.SOPInstanceUID for one in found] == [stable("B", "1", 1)]


def test_c_4_1_1_4_optional_keys_that_are_not_supported_are_told_by_ff01(port):
    for keys in ({"Rows": ""}, {"Rows": 7}, {"StorageMediaFileSetID": ""}):
        found, words, _ = ask(port, StudyInstanceUID=stable("A"), **keys)
        assert (len(found), words) == (1, [0xFF01])


def test_c_2_2_1_private_keys_are_ignored(port):
    query = {"StudyInstanceUID": stable("A")}
    ae = AE("WS")
    ae.add_requested_context(STUDY_ROOT)
    association = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    asked = item(QueryRetrieveLevel="STUDY", **query)
    asked.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "something")
    (first, identifier), (last, _) = list(association.send_c_find(asked, STUDY_ROOT))
    association.release()
    assert (first.Status, last.Status) == (0xFF01, 0)
    assert not [element for element in identifier if element.tag.is_private]


@pytest.mark.parametrize(
    ("keys", "tag"),
    [
        ({"level": "PLANET"}, 0x00080052),
        ({"level": "PATIENT"}, 0x00080052),
        ({"StudyDate": "20261-"}, 0x00080020),
        ({"PatientBirthDate": "tomorrow"}, 0x00100030),
        ({"level": "SERIES", "SeriesNumber": "one"}, 0x00200011),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_c_4_1_1_4_a_refusal_names_the_offending_element(port, keys, tag):
    query = Dataset()
    query.QueryRetrieveLevel = keys.pop("level", "STUDY")
    ae = AE("WS")
    ae.add_requested_context(STUDY_ROOT)
    association = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    for keyword, value in keys.items():
        query.add_new(keyword, "LO", value)
    ((status, _),) = list(association.send_c_find(query, STUDY_ROOT))
    association.release()
    assert status.Status == 0xA900
    assert status.OffendingElement == tag
    assert "ErrorComment" in status


def test_c_3_4_what_is_related_to_a_patient_is_counted_at_every_level(port):
    counts = ("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries",
              "NumberOfPatientRelatedInstances")  # fmt: skip
    patient, words, _ = ask(
        port, "PATIENT", PATIENT_ROOT, PatientID="PAT-A", **dict.fromkeys(counts, "")
    )
    study, _, _ = ask(port, StudyInstanceUID=stable("B"), **dict.fromkeys(counts, ""))
    series, _, _ = ask(port, "SERIES", StudyInstanceUID=stable("B"), **dict.fromkeys(counts, ""))
    for (one,) in (patient, study, series):
        assert [int(one[name].value) for name in counts] == [2, 3, 5]
    assert words == [0xFF00]


def test_c_6_1_1_2_one_answer_a_patient_however_many_pages(port, monkeypatch):
    monkeypatch.setattr("adapters.dimse.c_find._PAGE", 1)
    found, _, _ = ask(port, "PATIENT", PATIENT_ROOT, PatientID="")
    assert sorted(one.PatientID for one in found) == ["PAT-A", "PAT-C", "pat-d"]


def test_c_6_2_1_the_counts_and_lists_of_a_study(port):
    (one,), _, _ = ask(
        port, StudyInstanceUID=stable("A"), NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="", SOPClassesInStudy="", InstanceAvailability="",
        RetrieveAETitle="", ModalitiesInStudy="",
    )  # fmt: skip
    assert (one.NumberOfStudyRelatedSeries, one.NumberOfStudyRelatedInstances) == (2, 4)
    assert (one.InstanceAvailability, one.RetrieveAETitle) == ("ONLINE", "PIANKU")
    assert one.SOPClassesInStudy == STORED[0].SOPClassUID


def test_c_4_1_2_2_2_keys_of_any_level_are_taken_where_that_was_agreed_on(port):
    agreed = {"model": PATIENT_ROOT, "agreed": (RELATIONAL,)}
    found, words, _ = ask(port, "PATIENT", PatientID="", StudyDate="20260401", **agreed)
    assert ([one.PatientID for one in found], words) == (["pat-d"], [0xFF00])
    found, _, _ = ask(port, "STUDY", SOPInstanceUID=stable("A", "2", 2), **agreed)
    assert len(found) == 1
    found, _, _ = ask(port, "IMAGE", PatientID="PAT-A", SOPInstanceUID="", **agreed)
    assert len(found) == 5


def test_c_4_1_2_1_a_strict_archive_wants_the_unique_keys_above(receive):
    strict = receive(relational_queries=False)
    for level, model, keys, tag in (
        ("STUDY", PATIENT_ROOT, {}, 0x00100020),
        ("STUDY", PATIENT_ROOT, {"PatientID": "PAT-*"}, 0x00100020),
        ("SERIES", STUDY_ROOT, {}, 0x0020000D),
        ("SERIES", STUDY_ROOT, {"StudyInstanceUID": [stable("A"), stable("B")]}, 0x0020000D),
        ("IMAGE", STUDY_ROOT, {"StudyInstanceUID": stable("A")}, 0x0020000E),
    ):
        found, _, last = ask(strict, level, model, **keys)
        assert (found, last.Status, last.OffendingElement) == ([], 0xA900, tag)
        found, _, last = ask(strict, level, model, agreed=(RELATIONAL,), **keys)
        assert (bool(found), last.Status) == (True, 0)
    found, _, _ = ask(strict, "SERIES", StudyInstanceUID=stable("A"))
    assert len(found) == 2
