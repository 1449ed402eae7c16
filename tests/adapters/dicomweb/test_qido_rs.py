"""QIDO-RS over HTTP: parameters, warnings, media types, the record."""

import pytest
from pydicom.dataset import Dataset

from adapters.dicomweb.archive import Limits
from adapters.dicomweb.decode import BadParameter, frame_numbers, rendering, search
from projections.study_index.attributes import Level
from repository.instances.rendering import Window
from tests.support.archive import instance, stable


@pytest.fixture
def filled(door):
    door.imaging.store(
        instance(1, study="A", PatientName="Wang^Xiaoming=王^小明", StudyDate="20260301"),
        instance(1, study="B", PatientName="Li^Lei", StudyDate="20260302"),
        instance(1, study="C", PatientName="Zhang^San", StudyDate="20260303", Modality="MR"),
    )
    return door


def found(door, query):
    answer = door.http.get("/studies" + query)
    assert answer.status_code == 200, answer.text
    names = {stable(letter): letter for letter in "ABC"}
    return "".join(names[s["0020000D"]["Value"][0]] for s in answer.json())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "CBA"),
        ("?PatientName=wang*", "A"),
        ("?00100010=wang*", "A"),
        ("?PatientID=PAT-B", "B"),
        ("?StudyDate=20260302-20260303", "CB"),
        ("?limit=1&offset=1", "B"),
        ("?ModalitiesInStudy=MR", "C"),
        ("?PatientName=wxm&fuzzymatching=true", "A"),
        (f"?StudyInstanceUID={stable('A')},{stable('C')}", "CA"),
        ("?patientname=x", "CBA"),
        ("?includefield=all&PatientID=PAT-A", "A"),
        ("?PatientName=Wang+Xiao*", "A"),
        ("?RequestAttributesSequence.RequestedProcedureID=RP", ""),
        ("?StudyDate=", "CBA"),
        ("?PatientName=%E7%8E%8B*", "A"),
        ("?limit=0", ""),
    ],
)
def test_parameters_narrow_the_search(filled, query, expected):
    assert found(filled, query) == expected


def test_paths_below_a_study_and_across_all(filled):
    def get(path):
        return filled.http.get(path).json()

    assert len(get(f"/studies/{stable('A')}/series")) == 1
    assert len(get(f"/studies/{stable('A')}/instances")) == 1
    assert len(get(f"/studies/{stable('A')}/series/{stable('A', '1')}/instances")) == 1
    assert len(get("/series?Modality=CT")) == 2
    assert len(get("/instances?PatientID=PAT-C")) == 1
    assert get("/studies/1.2.3/series") == []
    url = get("/instances?PatientID=PAT-C")[0]["00081190"]["Value"][0]
    assert filled.http.get(url).status_code == 200


def test_what_was_not_used_and_what_is_missing_is_told(small_door):
    small_door.imaging.store(*(instance(1, study=letter) for letter in "ABC"))
    answer = small_door.http.get("/studies?Nonsense=1&Rows=7")
    assert len(answer.json()) == 2
    warnings = answer.headers.get_list("warning")
    assert "There are 1 additional results" in warnings[0]
    assert "Rows,Nonsense" in warnings[1]
    assert answer.headers["x-total-count"] == "3"


@pytest.mark.parametrize(
    "query",
    [
        "?StudyDate=x",
        "?limit=-1",
        "?limit=x",
        "?fuzzymatching=maybe",
        "?offset=1e9",
        "?StudyTime=noon",
        "?PatientName=%00",
    ],
)
def test_bad_parameters_are_400(door, query):
    assert door.http.get("/studies" + query).status_code == 400


def test_too_much_is_413(door):
    assert door.http.get("/studies?PatientName=" + "x" * 5000).status_code == 413
    assert door.http.get("/studies?" + "a=b&" * 1000).status_code == 413


def test_media_types(filled):
    def get(accept):
        return filled.http.get("/studies", headers={"accept": accept})

    assert get("application/json").headers["content-type"] == "application/dicom+json"
    assert (
        get('multipart/related; type="application/dicom+xml"').content.count(b"<NativeDicomModel")
        == 3
    )
    assert get("text/html").status_code == 406
    assert filled.http.get("/studies?accept=application/dicom%2Bjson").status_code == 200


def test_a_search_is_recorded_with_its_keys_but_not_their_values(filled):
    filled.http.get("/studies?PatientName=wang*")
    event = [a for a in filled.accesses() if a.action == "query"][-1]
    assert (event.transaction, event.count, event.detail) == ("QIDO-RS.study", 1, "00100010")
    assert event.study_uids == (stable("A"),)


def test_parameters_are_decoded():
    asked = search(
        [("includefield", "PatientAge,00080005"), ("LIMIT", "5"), ("x", "")],
        Level.SERIES,
        "",
        "",
        Limits(),
    )
    assert asked.search.include == {0x00101010, 0x00080005}
    assert (asked.search.limit, asked.unknown) == (5, ("x",))
    assert search([("limit", "999999")], Level.STUDY, "", "", Limits()).search.limit == 1000
    assert frame_numbers("1,3") == (1, 3)
    for bad in ("", "1,", "-1", "1;2", "²"):
        with pytest.raises(BadParameter):
            frame_numbers(bad)
    assert rendering([("window", "40,400,sigmoid")]).window == Window(40, 400, "SIGMOID")
    assert rendering([("viewport", "10,20,1,2,3,4")]).region == (1, 2, 3, 4)
    assert rendering([("viewport", "10,20,,,,")]).region is None


@pytest.fixture
def described(door):
    """Three studies that differ in what has no column of its own."""
    other, procedure = Dataset(), Dataset()
    other.PatientID, other.IssuerOfPatientID = "OLD-7", "ELSEWHERE"
    procedure.CodeValue, procedure.CodingSchemeDesignator = "36643-5", "LN"
    door.imaging.store(
        instance(1, study="A", PatientAge="044Y", OtherPatientIDsSequence=[other],
                 StudyDate="20260301", StudyTime="230000", AccessionNumber=""),
        instance(1, study="B", PatientAge="007Y", ProcedureCodeSequence=[procedure],
                 StudyDate="20260302", StudyTime="010000", AccessionNumber="ACC-B"),
        instance(1, study="C", PatientID="OLD-7", PatientSize=1.5,
                 StudyDate="20260302", StudyTime="120000", AccessionNumber="ACC-C"),
    )  # fmt: skip
    return door


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?PatientAge=044Y", "A"),
        ("?OtherPatientIDsSequence.PatientID=OLD-7", "A"),
        ("?00101002.00100020=old*", "A"),
        ("?00101002.00100020=OLD-7&00101002.00100021=NOWHERE", ""),
        ("?ProcedureCodeSequence.CodeValue=36643-5&00081032.00080102=LN", "B"),
        ("?PatientSize=1.5", "C"),
        ("?PatientSize=1.6", ""),
        ("?OtherPatientIDsSequence.PatientID=*", "CBA"),
        ("?StudyDate=20260301-20260302&StudyTime=2200-0200", "BA"),
        ("?StudyDate=20260301-20260302&StudyTime=2330-", "CB"),
        ("?StudyDate=-20260302&StudyTime=-0030", "A"),
        ("?StudyDate=20260302&StudyTime=00-02", "B"),
        ("?StudyTime=2200-2359", "A"),
        ('?AccessionNumber=""&emptyvaluematching=true', "A"),
        ('?AccessionNumber=""', "CBA"),
        (f"?StudyInstanceUID={stable('A')}%5C{stable('B')}&PatientAge=0*", "BA"),
    ],
)
def test_keys_without_a_column_and_ranges_of_moments(described, query, expected):
    assert found(described, query) == expected


def test_keys_without_a_column_at_the_lower_levels(described):
    def count(path):
        answer = described.http.get(path)
        assert answer.status_code == 200, answer.text
        return len(answer.json())

    assert count("/series?OtherPatientIDsSequence.PatientID=OLD-7") == 1
    assert count("/instances?OtherPatientIDsSequence.PatientID=OLD-7") == 1
    rows = described.http.get("/instances").json()[0]["00280010"]["Value"][0]
    assert count(f"/instances?PatientAge=0*&Rows={rows}") == 2
    assert count(f"/instances?Rows={rows + 1}") == 0
    assert count("/instances?limit=1&offset=1&PatientAge=0*") == 1
    assert count("/instances?PatientAge=0*&offset=2") == 0


def test_sequences_are_returned_when_they_are_asked_for(described):
    url = f"/studies?StudyInstanceUID={stable('A')}"
    plain = described.http.get(url).json()[0]
    more = described.http.get(url + "&includefield=OtherPatientIDsSequence.PatientID").json()[0]
    everything = described.http.get(url + "&includefield=all").json()[0]

    assert "00101002" not in plain
    assert more["00101002"]["Value"][0]["00100020"]["Value"] == ["OLD-7"]
    assert "00101010" not in more
    assert everything["00101010"]["Value"] == ["044Y"]


def test_pages_tell_how_many_there_are(described):
    first = described.http.get("/studies?limit=2")
    last = described.http.get("/studies?limit=2&offset=2")
    beyond = described.http.get("/studies?offset=9")

    assert [a.headers["x-total-count"] for a in (first, last, beyond)] == ["3", "3", "3"]
    assert "There are 1 additional results" in first.headers["warning"]
    assert "warning" not in last.headers
    assert beyond.json() == []


def test_a_key_that_would_take_for_ever_is_refused(described):
    assert described.http.get("/studies?PatientAge=" + "*a" * 30).status_code == 413
