"""QIDO-RS over HTTP: parameters, warnings, media types, the record."""

import pytest

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
    answer = small_door.http.get("/studies?Nonsense=1&PatientAge=7")
    assert len(answer.json()) == 2
    warnings = answer.headers.get_list("warning")
    assert "additional results" in warnings[0]
    assert "PatientAge,Nonsense" in warnings[1]


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
