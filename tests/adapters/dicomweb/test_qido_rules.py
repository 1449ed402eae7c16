"""QIDO-RS clause by clause (PS3.18 8.3.4, 10.6), one test a rule."""

from urllib.parse import quote

import pytest
from pydicom.dataset import Dataset

from tests.adapters.dicomweb.conftest import Door, running
from tests.support.archive import instance, stable
from tests.support.imaging import imaging

pytestmark = pytest.mark.tender("R-6.2.4.1")


def item(**attributes):
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


REQUESTS = [
    item(RequestedProcedureID="RP-1", ScheduledProcedureStepID="SPS-1", AccessionNumber="ACC-R"),
    item(RequestedProcedureID="RP-2", ScheduledProcedureStepID="SPS-2"),
]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """Four studies; nothing in this module changes them."""
    with (
        imaging(tmp_path_factory.mktemp("rules")) as made,
        running(made, results=50) as (server, port),
    ):
        made.store(
            *(
                instance(n, study="A", series=str(1 + n // 2), PatientName="Zhang^San=张^三",
                         StudyDate="20260301", RequestAttributesSequence=REQUESTS,
                         AccessionNumber="ACC-A", PatientAge="044Y")
                for n in range(4)
            ),
            instance(1, study="B", PatientName="张^三", StudyDate="20260302", PatientID="PAT-A",
                     Modality="MR", AccessionNumber=""),
            instance(1, study="C", PatientName="Zhang^San", StudyDate="20260303", Modality="SR"),
            instance(1, study="D", PatientName="Müller^Änne", StudyDate="20260401",
                     StudyDescription="100% sure? a+b&c", StudyTime="2230"),
        )  # fmt: skip
        yield Door(made, server, port)


def get(door, path, **headers):
    answer = door.http.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def letters(door, query):
    names = {stable(letter): letter for letter in "ABCD"}
    found = get(door, f"/studies?{query}").json()
    return "".join(sorted(names[one["0020000D"]["Value"][0]] for one in found))


S, E = f"/studies/{stable('A')}", f"/series/{stable('A', '1')}"
ALWAYS = {"00080005", "00080056", "00081190"}
STUDY = {
    "0020000D", "00080020", "00080030", "00080050", "00080061", "00080090", "00100010", "00100020",
    "00100030", "00100040", "00200010", "00201206", "00201208",
}  # fmt: skip
SERIES = {"0020000E", "00080060", "00200011", "00201209"}
INSTANCE = {"00080016", "00080018", "00200013", "00280010", "00280011", "00280100"}


@pytest.mark.parametrize(
    ("path", "count", "told", "left_out"),
    [
        ("/studies", 4, ALWAYS | STUDY, SERIES | INSTANCE),
        (f"{S}/series", 2, ALWAYS | SERIES, (STUDY | INSTANCE) - {"0020000D"}),
        ("/series", 5, ALWAYS | STUDY | SERIES, INSTANCE),
        (f"{S}/instances", 4, ALWAYS | SERIES | INSTANCE, STUDY - {"0020000D"}),
        (f"{S}{E}/instances", 2, ALWAYS | INSTANCE, STUDY - {"0020000D"}),
        ("/instances", 7, ALWAYS | STUDY | SERIES | INSTANCE, set()),
    ],
)
def test_10_6_3_3_the_attributes_of_each_level_and_path(door, path, count, told, left_out):
    found = get(door, path).json()
    assert len(found) == count
    for one in found:
        assert told <= set(one)
        assert not left_out & set(one)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PatientID=PAT-A", "AB"),
        ("00100020=PAT-A", "AB"),
        ("StudyInstanceUID={A},{C}", "AC"),
        ("0020000D={A}%5C{C}", "AC"),
        ("StudyDate=20260302-20260303", "BC"),
        ("StudyDate=-20260301", "A"),
        ("StudyDate=20260401-", "D"),
        ("StudyTime=223000", "D"),
        ("PatientID=", "ABCD"),
        ("ModalitiesInStudy=MR,SR", "BC"),
        ("ModalitiesInStudy=MR&ModalitiesInStudy=SR", "BC"),
        ("PatientID=PAT-A&PatientID=PAT-C", "ABC"),
        ("PatientID=PAT-A%5CPAT-C&multiplevaluematching=true", "ABC"),
        ("PatientID=%3FAT-C", "C"),
        ("StudyDescription=" + quote("100% sure? a+b&c"), "D"),
        ("StudyDescription=" + quote("100%*"), "D"),
        ("StudyDescription=100_*", ""),
        ("AccessionNumber=%22%22&emptyvaluematching=true", "B"),
        ("AccessionNumber=%22%22", "ABCD"),
        ("SeriesInstanceUID={A1}", "A"),
        ("SOPInstanceUID={C11}", "C"),
        ("RequestAttributesSequence.RequestedProcedureID=RP-2", "A"),
        ("00400275.00400009=SPS-2", "A"),
        ("NumberOfStudyRelatedInstances=4", "A"),
    ],
)  # fmt: skip
def test_8_3_4_1_matching(door, query, expected):
    uids = {"{A}": stable("A"), "{C}": stable("C"), "{A1}": stable("A", "1"),
            "{C11}": stable("C", "1", 1)}  # fmt: skip
    for name, uid in uids.items():
        query = query.replace(name, uid)
    assert letters(door, query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("RequestAttributesSequence.RequestedProcedureID=RP-2", 2),
        ("00400275.00401001=RP-1&00400275.00400009=SPS-1", 2),
        ("00400275.00401001=RP-1&00400275.00400009=SPS-2", 0),
        ("RequestAttributesSequence.AccessionNumber=ACC-R", 2),
        ("RequestAttributesSequence.AccessionNumber=ACC-A", 0),
        ("RequestAttributesSequence.AccessionNumber=%22%22&emptyvaluematching=true", 2),
    ],
)
def test_8_3_4_1_all_keys_of_a_sequence_match_in_one_item(door, query, expected):
    assert len(get(door, f"/series?{query}").json()) == expected


@pytest.mark.parametrize(
    ("name", "fuzzy", "plain"),
    [
        ("张三", "ABC", "AB"),
        ("张*", "ABC", "AB"),
        ("*三", "ABC", "AB"),
        ("zhangsan", "ABC", "ABC"),
        ("zs", "AB", ""),
        ("San Zhang", "ABC", ""),
        ("Zhang^San=张^三", "ABC", "AB"),
        ("muller", "D", ""),
    ],
)
def test_8_3_4_2_fuzzy_matching(door, name, fuzzy, plain):
    if "*" not in name:
        assert letters(door, f"PatientName={quote(name)}&fuzzymatching=true") == fuzzy
    assert letters(door, f"PatientName={quote(name)}") == plain


def test_8_3_4_3_includefield(door):
    base = f"/studies?StudyInstanceUID={stable('A')}"
    plain = set(get(door, base).json()[0])

    def more(asked):
        return set(get(door, f"{base}&{asked}").json()[0]) - plain

    assert more("includefield=PatientAge") == {"00101010"}
    assert more("includefield=00101010&includefield=SOPClassesInStudy") == {"00101010", "00080062"}
    assert more("includefield=PatientAge,00080062") == {"00101010", "00080062"}
    assert "00101010" in more("includefield=all")
    assert more("includefield=NumberOfPatientRelatedStudies") == {"00201200"}
    found = get(door, f"{base}&includefield=NumberOfPatientRelatedStudies,00201204").json()[0]
    assert (found["00201200"]["Value"], found["00201204"]["Value"]) == ([2], [5])
    series = get(door, f"/series?SeriesInstanceUID={stable('B', '1')}&includefield=00201202")
    assert series.json()[0]["00201202"]["Value"] == [3]


def test_8_3_4_what_is_not_known_is_told_and_not_refused(door):
    answer = get(door, "/studies?includefield=Nonsense&Gibberish=1")
    told = " ".join(answer.headers.get_list("warning"))
    assert "not used for matching: Gibberish" in told
    assert "were not included: Nonsense" in told
    assert len(answer.json()) == 4


def test_8_3_4_4_a_page_tells_how_much_there_is_beyond_it(door):
    first = get(door, "/instances?limit=5")
    assert "There are 2 additional results" in first.headers["warning"]
    last = get(door, "/instances?limit=5&offset=5")
    assert (len(last.json()), "warning" in last.headers) == (2, False)
    uids = [one["00080018"]["Value"][0] for one in first.json() + last.json()]
    assert len(set(uids)) == 7


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("charset=utf-8", 200),
        ("charset=iso-8859-1,utf-8;q=0.5", 200),
        ("charset=iso-8859-1", 406),
        ("accept=application/json", 200),
        ("accept=text/html", 406),
        ("multiplevaluematching=perhaps", 400),
        ("emptyvaluematching=perhaps", 400),
        ("StudyDate=20260302-x", 400),
        ("StudyTime=25h", 400),
        ("SeriesNumber=one", 400),
        ("RequestAttributesSequence.ScheduledProcedureStepStartDate=x", 200),
    ],
)
def test_8_3_3_and_8_3_4_forms_that_are_and_are_not_taken(door, query, status):
    assert door.http.get(f"/studies?{query}").status_code == status


def test_10_6_3_no_match_is_an_empty_list(door):
    assert get(door, "/studies?PatientID=NOBODY").json() == []


def test_a_long_list_of_uids_in_the_query(door):
    uids = ",".join([stable("A"), *(f"1.2.3.{number}" for number in range(900))])
    assert letters(door, f"StudyInstanceUID={uids}") == "A"
