"""What a PACS reports is compared by day and modality, or study by study (R-6.3.4)."""

import pytest

from kernel.identifiers import BadIdentifier
from projections.study_index.view import StudyCount
from workflows.reconcile_counts import BadReport, read_report, reconcile

HELD = [
    StudyCount("1.2.1", "20260301", ("CT", "SR"), 10),
    StudyCount("1.2.2", "20260301", ("CT",), 20),
    StudyCount("1.2.3", "20260302", ("MR",), 30),
]


def differences(*lines):
    report = read_report(lines)
    return [(one.what, one.here, one.there) for one in reconcile(report, HELD)]


@pytest.mark.tender("R-6.3.4")
def test_counts_are_compared_by_day_and_modality():
    found = differences(
        "date,modality,studies", "2026-03-01,CT,3", "20260301,SR,1", "20260302,us,1"
    )
    assert found == [("count", 2, 3), ("count", 1, 0), ("count", 0, 1)]
    assert differences("date,modality,studies", "20260301,CT,1", "20260301,CT,1",
                       "20260301,SR,1", "20260302,MR,1") == []  # fmt: skip


@pytest.mark.tender("R-6.3.4")
def test_studies_are_compared_one_by_one():
    found = differences(
        "study_uid,date,instances", "1.2.1,20260301,10", "1.2.2,20260301,19", "1.2.9,20260302,"
    )
    assert found == [("instances", 20, 19), ("missing there", 30, 0), ("missing here", 0, 0)]
    report = read_report(["study_uid,date,instances", "1.2.1,2026-03-01,10", "1.2.2,20260302,20"])
    assert (report.first, report.last) == ("20260301", "20260302")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["a,b"],
        ["date,modality,studies"],
        ["date,modality,studies", "2026,CT,1"],
        ["date,modality,studies", "20260301,CT,-1"],
        ["date,modality,studies", "20260301,CT"],
    ],
)
def test_a_bad_report_is_refused(lines):
    with pytest.raises(BadReport):
        read_report(lines)
    with pytest.raises(BadIdentifier):
        read_report(["study_uid,date", "../x,20260301"])
