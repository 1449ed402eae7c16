"""Dates, times and moments by their meaning (PS3.4 C.2.2.2.1.3, C.2.2.2.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.person_names import name_keys
from projections.study_index import names
from projections.study_index.moments import BadQuery, earliest, is_in


@pytest.mark.parametrize(
    ("wanted", "vr", "value", "expected"),
    [
        ("20260301", "DA", "20260301", True),
        ("20260301-", "DA", "20260302", True),
        ("-20260301", "DA", "20260302", False),
        ("202603", "DA", "20260315", True),
        ("20260301", "DA", "2026.03.01", True),
        ("20260301-", "DA", "", False),
        ("2230", "TM", "223000", True),
        ("223000", "TM", "2230", True),
        ("223000.0", "TM", "22:30:00", True),
        ("100000-110000", "TM", "10", True),
        ("10-11", "TM", "110000.5", True),
        ("10-11", "TM", "12", False),
        ("19980128103000.0000", "DT", "19980128103000", True),
        ("19980128103000+0000", "DT", "19980128073000-0300", True),
        ("19980128103000+0000", "DT", "19980128103000-0300", False),
        ("19980128103000", "DT", "19980128103000-0300", True),
        ("1998", "DT", "19980128103000", True),
        ("199801-199802", "DT", "19980228235959", True),
        ("199801-199802", "DT", "19980301", False),
        ("-1998", "DT", "19970101", True),
        ("19980128-0500-19980129-0500", "DT", "19980129070000+0000", True),
        ("19980128-0500-19980129-0500", "DT", "19980128040000+0000", False),
        ("1998-", "DT", "no moment", False),
        ("9999", "DT", "99991231", True),
    ],
)
def test_values_are_matched_by_their_meaning(wanted, vr, value, expected):
    assert is_in(wanted, vr, value) is expected


@pytest.mark.parametrize(
    ("wanted", "vr"),
    [("x", "DA"), ("-", "DA"), ("2026030", "DA"), ("9am", "TM"), ("-", "DT"), ("soon", "DT"),
     ("19981399", "DT")],
)  # fmt: skip
def test_what_is_no_moment_is_refused(wanted, vr):
    with pytest.raises(BadQuery):
        is_in(wanted, vr, "20260301")


@given(st.text(alphabet="0123456789-+. ", max_size=40), st.text(max_size=30))
def test_any_key_is_answered_or_refused(wanted, value):
    for vr in ("DA", "TM", "DT"):
        try:
            assert is_in(wanted, vr, value) in {True, False}
        except BadQuery:
            continue


def test_the_shortest_form_of_a_time():
    times = ("100000", "1000", "100100", "100001", "000000", "10.50", "100000.0")
    assert [earliest(one) for one in times] == ["10", "10", "1001", "100001", "00", "10.5", "10"]


@pytest.mark.parametrize(
    ("wanted", "held", "fuzzy", "expected"),
    [
        ("zhangsan", "=张^三", False, True),
        ("Zhang^San=张^三", "Zhang^San=张^三", False, True),
        ("Zhang^San=张^三", "Zhang^San", False, False),
        ("Zhang^San=张^三", "Zhang^San", True, True),
        ("张三", "Zhang^San", True, True),
        ("章三", "Zhang^San=张^三", True, False),
        ("zs", "=张^三", True, True),
        ("San^Zhang", "Zhang^San", True, True),
        ("?", "张", False, True),
        ("^", "张", False, False),
        ("*", "", True, False),
    ],
)
def test_names_of_headers_are_matched_like_those_of_columns(wanted, held, fuzzy, expected):
    assert names.matches(wanted, name_keys(held), held.split("="), fuzzy=fuzzy) is expected
