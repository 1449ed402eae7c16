"""Searches at the three levels, on both engines, against what pydicom wrote."""

import json
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from projections.study_index.attributes import Level
from projections.study_index.matching import BadQuery, QueryTooLarge
from projections.study_index.search import Search
from tests.support.archive import instance, stable
from tests.support.imaging import imaging
from tests.support.postgres import drop_schema

ALL = sa.true()


@pytest.fixture(scope="module")
def archive(engine_dsn, tmp_path_factory):
    """Six studies; nothing in the tests of this module changes them."""
    schema = ""
    if engine_dsn is not None:
        schema = f"test_{uuid4().hex[:12]}"
    with imaging(tmp_path_factory.mktemp("search"), dsn=engine_dsn, schema=schema) as made:
        request = Dataset()
        request.RequestedProcedureID = "RP1"
        request.ScheduledProcedureStepID = "SPS1"
        made.store(
            *(
                instance(
                    n,
                    study="A",
                    series="1",
                    PatientName="Wang^Xiaoming=王^小明",
                    StudyDate="20260301",
                    RequestAttributesSequence=[request],
                    ReferringPhysicianName="Li^Si=李^四",
                )
                for n in (1, 2, 3)
            ),
            instance(
                1,
                study="A",
                series="2",
                PatientName="Wang^Xiaoming=王^小明",
                Modality="SR",
                SeriesDescription="Report",
            ),
            instance(
                1,
                study="B",
                PatientName="单^雄信",
                StudyDate="20260302",
                StudyDescription="Brain_100%",
                Modality="MR",
            ),
            instance(
                1,
                study="C",
                PatientName="Wangerin^Otto",
                StudyDate="20260303",
                StudyTime="235959.5",
                BodyPartExamined="CHEST",
            ),
            instance(
                1,
                study="D",
                PatientName="Müller^Änne",
                StudyDate="20251231",
                AccessionNumber="acc-d",
                NumberOfFrames=1,
            ),
            instance(
                1, study="E", PatientName=None, StudyDate="", InstanceNumber=None, SeriesNumber=None
            ),
        )
        yield made
    if engine_dsn is not None:
        drop_schema(engine_dsn, schema)


def studies(archive, **options):
    filters = tuple((tag, value) for tag, value in options.pop("filters", ()))
    found = archive.searches.find(Search(level=Level.STUDY, filters=filters, **options), policy=ALL)
    names = {stable(letter): letter for letter in "ABCDE"}
    return "".join(names[json.loads(clean(item))["0020000D"]["Value"][0]] for item in found.items)


def clean(item):
    return item.replace(b"\x01", b"http://h")


def test_all_studies_come_newest_first_with_their_counts(archive):
    found = archive.searches.find(Search(level=Level.STUDY), policy=ALL)
    first = json.loads(clean(found.items[-3]))  # C B A D E
    assert studies(archive) == "CBADE"
    assert first["00201206"]["Value"] == [2]
    assert first["00201208"]["Value"] == [4]
    assert first["00080061"]["Value"] == ["CT", "SR"]
    assert first["00100010"]["Value"][0]["Ideographic"] == "王^小明"
    assert first["00081190"]["Value"] == [f"http://h/studies/{stable('A')}"]
    assert list(first) == sorted(first)
    assert not found.more


NAME, PID, DATE, TIME, ACCESSION = 0x00100010, 0x00100020, 0x00080020, 0x00080030, 0x00080050
MODALITIES, DESCRIPTION, STUDY, REFERRING = 0x00080061, 0x00081030, 0x0020000D, 0x00080090


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (NAME, "Wang*", "CA"),
        (NAME, "wang^xiao*", "A"),
        (NAME, "WANG XIAOMING", "A"),
        (NAME, "王*", "A"),
        (NAME, "王小明", "A"),
        (NAME, "王^小?", "A"),
        (NAME, "*小明", "A"),
        (NAME, "shanxiong*", "B"),
        (NAME, "单*", "B"),
        (NAME, "Muller*", "D"),
        (NAME, "wang", ""),
        (NAME, "wang*=王*", "A"),
        (NAME, "wang*=李*", ""),
        (NAME, "*", "CBADE"),
        (NAME, "", "CBADE"),
        (NAME, "^", ""),
        (PID, "PAT-A", "A"),
        (PID, "PAT-?", "CBADE"),
        (PID, "pat-a", ""),
        (PID, "PAT-A\\PAT-B", "BA"),
        (PID, "*at-a", ""),
        (PID, "*AT-A", "A"),
        (PID, "*AT-[AB]", ""),
        (PID, "P?T-B", "B"),
        (PID, "PAT-A\\", "A"),
        (DATE, "20260301", "A"),
        (DATE, "20260301-20260302", "BA"),
        (DATE, "-20260101", "D"),
        (DATE, "20260302-", "CB"),
        (DATE, "202603", "CBA"),
        (DATE, "2026.03.01", "A"),
        (TIME, "101500", "BADE"),
        (TIME, "101500.00", "BADE"),
        (TIME, "2359", "C"),
        (TIME, "235959.4-235959.6", "C"),
        (TIME, "235959.6-", ""),
        (TIME, "1015-1016", "BADE"),
        (TIME, "23-", "C"),
        (ACCESSION, "acc-d", "D"),
        (ACCESSION, "ACC*", "CBAE"),
        (ACCESSION, "ACC-_", ""),
        (MODALITIES, "MR", "B"),
        (MODALITIES, "SR\\MR", "BA"),
        (MODALITIES, "CT,MR", "CBADE"),
        (DESCRIPTION, "brain_100%", "B"),
        (DESCRIPTION, "*_1*", "B"),
        (DESCRIPTION, "brain*\\nothing", "B"),
        (MODALITIES, "mr", "B"),
        (NAME, "Mu*\\Shan*", "BD"),
        (NAME, "Wang^Xiaoming=王^小明", "A"),
        (NAME, "Wang^Xiaoming=李^四", ""),
        (NAME, "=王*", "A"),
        (NAME, "=".join(["Wang*"] * 600), "CA"),
        (DESCRIPTION, "study ?", "CADE"),
        (REFERRING, "Li*", "A"),
        (REFERRING, "李四", "A"),
        (REFERRING, "si*", ""),
        (0x00080060, "SR", "A"),
        (0x00180015, "CHEST", "C"),
        (0x0008103E, "rep*", "A"),
        (0x00080062, "1.2.840.10008.5.1.4.1.1.2", "CBADE"),
        (0x00401001, "RP1", "A"),
        (0x00100040, "o", "CBADE"),
        (0x00100040, "F", ""),
    ],
)
def test_a_matching_key_finds_what_it_should(archive, key, value, expected):
    assert studies(archive, filters=[(key, value)]) == expected


def test_lists_of_uids_match_any_of_them(archive):
    for comma in (",", "\\"):
        value = comma.join((stable("A"), stable("D"), "1.2.3"))
        assert studies(archive, filters=[(STUDY, value)]) == "AD"


def test_keys_are_anded_and_the_policy_is_one_of_them(archive):
    assert studies(archive, filters=[(NAME, "wang*"), (DATE, "20260303")]) == "C"
    none = archive.searches.find(Search(level=Level.STUDY), policy=sa.false())
    assert none.items == []


def test_fuzzy_matching_takes_beginnings_and_initials(archive):
    assert studies(archive, filters=[(NAME, "wangxi")], fuzzy=True) == "A"
    assert studies(archive, filters=[(NAME, "wxm")], fuzzy=True) == "A"
    assert studies(archive, filters=[(NAME, "wang")], fuzzy=True) == "CA"


def test_pages_follow_each_other(archive):
    assert studies(archive, limit=2) == "CB"
    assert studies(archive, limit=2, offset=2) == "AD"
    assert archive.searches.find(Search(level=Level.STUDY, limit=2), policy=ALL).more
    assert studies(archive, limit=2, offset=40) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [(DATE, "yesterday"), (DATE, "-"), (TIME, "9am"), (0x00200011, "one"), (NAME, "a\x00b")],
)
def test_keys_of_the_wrong_form_are_refused(archive, key, value):
    level = Level.SERIES if key == 0x00200011 else Level.STUDY
    with pytest.raises(BadQuery):
        archive.searches.find(Search(level=level, filters=((key, value),)), policy=ALL)


def test_a_key_without_end_is_refused(archive):
    with pytest.raises(QueryTooLarge):
        studies(archive, filters=[(NAME, "*" * 10_000)])


def test_keys_nothing_is_indexed_by_are_told(archive):
    found = archive.searches.find(
        Search(level=Level.STUDY, filters=((0x00181030, "x"), (0x00200013, "1"))), policy=ALL
    )
    assert found.ignored == (0x00181030, 0x00200013)


def test_uids_of_lower_levels_find_what_holds_them(archive):
    sop = stable("A", "1", 2)
    assert studies(archive, filters=[(0x00080018, sop)]) == "A"
    assert studies(archive, filters=[(0x0020000E, stable("B", "1"))]) == "B"
    series = archive.searches.find(
        Search(level=Level.SERIES, filters=((0x00080018, sop),)), policy=ALL
    ).items
    assert [json.loads(clean(s))["0020000E"]["Value"] for s in series] == [[stable("A", "1")]]


def test_series_of_a_study_and_of_all(archive):
    within = archive.searches.find(
        Search(level=Level.SERIES, study_uid=stable("A")), policy=ALL
    ).items
    assert [json.loads(clean(s))["00080060"]["Value"][0] for s in within] == ["CT", "SR"]
    assert "00100010" not in json.loads(clean(within[0]))
    everywhere = archive.searches.find(
        Search(level=Level.SERIES, filters=((0x00080060, "MR"),)), policy=ALL
    ).items
    found = json.loads(clean(everywhere[0]))
    assert found["00100020"]["Value"] == ["PAT-B"]
    assert found["00201209"]["Value"] == [1]
    assert list(found) == sorted(found)
    by_name = archive.searches.find(
        Search(level=Level.SERIES, filters=((NAME, "wang*"),)), policy=ALL
    ).items
    assert len(by_name) == 3


def test_instances_of_a_series_a_study_and_of_all(archive):
    def find(**options):
        return [
            json.loads(clean(item))
            for item in archive.searches.find(
                Search(level=Level.INSTANCE, **options), policy=ALL
            ).items
        ]

    series = find(study_uid=stable("A"), series_uid=stable("A", "1"))
    assert [one["00200013"]["Value"] for one in series] == [[1], [2], [3]]
    assert series[0]["00280010"]["Value"] == [64]
    assert "00080060" not in series[0]
    study = find(study_uid=stable("A"))
    assert sorted(one["00080060"]["Value"][0] for one in study) == ["CT", "CT", "CT", "SR"]
    everywhere = find(filters=((0x00080018, stable("C", "1", 1)),))
    assert everywhere[0]["00100020"]["Value"] == ["PAT-C"]
    assert everywhere[0]["00081190"]["Value"][0].endswith(stable("C", "1", 1))
    number = find(filters=((0x00200013, "2"), (0x00080060, "CT"), (PID, "PAT-A")))
    assert len(number) == 1


@pytest.mark.parametrize("level", [Level.SERIES, Level.INSTANCE])
@pytest.mark.parametrize(
    "filters", [(), ((0x00080060, "CT"),), ((NAME, "wang*"), (0x00200011, "1")), ((PID, "PAT-A"),)]
)
def test_common_rows_are_walked_along_and_rare_ones_sorted(archive, monkeypatch, level, filters):
    asked = Search(level=level, filters=filters)
    sorted_ = archive.searches.find(asked, policy=ALL).items
    monkeypatch.setattr("projections.study_index.search._COMMON", 1)
    assert archive.searches.find(asked, policy=ALL).items == sorted_
    assert sorted_


def test_more_attributes_come_when_asked_for(archive):
    def find(level, **options):
        (item,) = archive.searches.find(
            Search(level=level, filters=((STUDY, stable("B")),), **options), policy=ALL
        ).items
        return json.loads(clean(item))

    plain = find(Level.STUDY)
    assert "00080062" not in plain
    more = find(Level.STUDY, include=frozenset({0x00080062, 0x00100010}))
    assert set(more) - set(plain) == {"00080062"}
    assert "00280010" in find(Level.INSTANCE, include_all=True)
    everything = find(Level.INSTANCE, include=frozenset({0x00280101}))
    assert everything["00280101"]["Value"] == [12]
    assert find(Level.INSTANCE, include_all=True)["7FE00010"]["BulkDataURI"].startswith("http://h/")


def test_who_was_found_is_told_for_the_audit(archive):
    found = archive.searches.find(Search(level=Level.STUDY, filters=((PID, "PAT-A"),)), policy=ALL)
    assert found.study_uids == (stable("A"),)
    assert len(found.patient_keys) == 1
