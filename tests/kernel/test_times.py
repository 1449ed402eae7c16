"""Times: DTM of metadata and the ledger's microseconds (ITI TF-3 4.2.3.1.7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.times import BadTime, check_dtm, dtm, from_micros, micros, pad_dtm, parse_dtm

MOMENTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - the bounds are naive, the values are not
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(MOMENTS)
def test_a_moment_keeps_its_microseconds(moment: datetime) -> None:
    assert from_micros(micros(moment)) == moment


@given(MOMENTS)
def test_a_dtm_is_the_moment_to_the_second(moment: datetime) -> None:
    assert parse_dtm(dtm(moment)) == moment.replace(microsecond=0)


def test_a_dtm_is_told_in_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert dtm(datetime(2026, 5, 3, 1, 2, 3, tzinfo=shanghai)) == "20260502170203"


@pytest.mark.parametrize("text", ["2026", "202605", "20260503", "2026050310", "20260503101259"])
def test_a_shorter_dtm_means_its_earliest_second(text: str) -> None:
    assert check_dtm(text) == text
    assert pad_dtm(text) == dtm(parse_dtm(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "2026-05-03",
        "20261301",
        "20260230",
        "2026050325",
        "20260503101261",
        "20260503101259.5",
        "20260503101259+0800",
        "２０２６",
    ],
)
def test_what_is_no_dtm_is_refused(text: str) -> None:
    with pytest.raises(BadTime):
        check_dtm(text)
