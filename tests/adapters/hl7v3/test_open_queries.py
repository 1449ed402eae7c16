"""Open queries are kept for an hour, for who asked them, and not without end."""

from __future__ import annotations

from pathlib import Path

from adapters.hl7v3.open_queries import OpenQueries, OpenQuery, QueryKey
from projections.patient_index.demographics import DemographicQuery
from tests.support.installation import SetClock

ASKED = OpenQuery(
    query=DemographicQuery(family="王"), authorities=frozenset({"1.2"}), after="x", limit=3,
    request=b"<q/>",
)  # fmt: skip


def test_a_query_is_found_by_who_asked_it_for_an_hour(tmp_path: Path) -> None:
    clock = SetClock()
    queries = OpenQueries.sqlite(str(tmp_path / "q"), clock)
    queries.create()
    queries.keep(QueryKey("token\x1fa", "1"), ASKED)

    assert queries.find(QueryKey("token\x1fa", "1")) == ASKED
    assert queries.find(QueryKey("certificate\x1fa", "1")) is None
    clock.forward(minutes=61)
    assert queries.find(QueryKey("token\x1fa", "1")) is None
    queries.close()


def test_the_oldest_of_too_many_are_forgotten(tmp_path: Path) -> None:
    clock = SetClock()
    queries = OpenQueries.sqlite(str(tmp_path / "q"), clock)
    queries.create()
    queries.keep(QueryKey("b", "kept"), ASKED)
    for number in range(105):
        clock.forward(seconds=1)
        queries.keep(QueryKey("a", str(number)), ASKED)

    assert [n for n in range(105) if queries.find(QueryKey("a", str(n)))] == list(range(5, 105))
    assert queries.find(QueryKey("b", "kept")) == ASKED
    queries.close()
