"""What meets a filter is what a stored query with the same parameters would find.

ITI TF-2 3.52.5.2; LIKE patterns against a plain reference (hypothesis).
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.codes import Code
from registry.documents.values import ON_DEMAND, STABLE, Author
from registry.subscriptions.matching import like, matches
from registry.subscriptions.values import Criteria, Kind, Span
from tests.support.submissions import LOINC, SNOMED, entry, folder, submission_set

CT, MR = Code("CT", "1.2.3"), Code("MR", "1.2.3")
SHOWN = Code("CT", "1.2.3", "shown otherwise")


@given(st.text("ab%_", max_size=6), st.text("ab", max_size=8))
def test_like_is_sql_like(pattern: str, text: str) -> None:
    expression = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
    assert like(text, pattern) == bool(re.fullmatch(expression, text, re.DOTALL))


def test_like_does_not_grow_without_bound() -> None:
    assert not like("a" * 2000, "%a" * 60 + "%b")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, True),
        ({"class_codes": (Code("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1"),)}, True),
        ({"class_codes": (Code("REPORTS", "other"),)}, False),
        ({"type_codes": (Code("1", LOINC), Code("18748-4", LOINC))}, True),
        ({"type_codes": (Code("1", LOINC),)}, False),
        ({"format_codes": (Code("x", "y"),)}, False),
        ({"facility_codes": (Code("22232009", SNOMED),)}, True),
        ({"practice_codes": (Code("22232009", SNOMED),)}, False),
        ({"event_codes": ((CT,),)}, True),
        ({"event_codes": ((SHOWN, MR),)}, True),
        ({"event_codes": ((CT,), (MR,))}, False),
        ({"confidentiality_codes": ((Code("R", "2.16.840.1.113883.5.25"),),)}, False),
        ({"reference_ids": (("A^^^^t", "B^^^^t"),)}, True),
        ({"reference_ids": (("A^^^^t",), ("B^^^^t",))}, False),
        ({"authors": ("%Example%",)}, True),
        ({"authors": ("%example%",)}, False),
        ({"creation": Span("20260102", "20260103")}, True),
        ({"creation": Span("", "20260102030405")}, False),
        ({"service_start": Span("20200101", "")}, False),
        ({"object_types": (ON_DEMAND,)}, False),
        ({"object_types": (ON_DEMAND, STABLE)}, True),
    ],
)
def test_documents(wanted: dict[str, Any], expected: bool) -> None:
    document = entry(
        event_codes=(CT,), reference_ids=("A^^^^t",), authors=(Author(person="^Example^Ada"),)
    )
    assert matches(Criteria(kind=Kind.DOCUMENT, **wanted), document) is expected


def test_on_demand_entries_are_told_only_when_asked_for() -> None:
    on_demand = entry(object_type=ON_DEMAND)
    assert not matches(Criteria(kind=Kind.DOCUMENT), on_demand)
    assert matches(Criteria(kind=Kind.DOCUMENT, object_types=(ON_DEMAND,)), on_demand)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, True),
        ({"source_ids": ("1.2.250.99.3",)}, True),
        ({"source_ids": ("1.2",)}, False),
        ({"authors": ("^Example%",)}, True),
        ({"recipients": ("Some Hospital%", "|Welby%")}, True),
        ({"recipients": ("Welby%",)}, False),
        ({"content_type_codes": (CT,)}, False),
        ({"submission": Span("2026", "2027")}, True),
    ],
)
def test_submission_sets(wanted: dict[str, Any], expected: bool) -> None:
    whole = submission_set(intended_recipients=("|Welby^Marcus", "Other"))
    assert matches(Criteria(kind=Kind.SUBMISSION_SET, **wanted), whole) is expected


def test_folders() -> None:
    one = folder(unique_id="1.2.3", codes=(CT,))
    assert matches(Criteria(kind=Kind.FOLDER), one)
    assert matches(Criteria(kind=Kind.FOLDER, unique_ids=("1.2.3",)), one)
    assert not matches(Criteria(kind=Kind.FOLDER, unique_ids=("1.2",)), one)
    assert not matches(Criteria(kind=Kind.FOLDER, folder_codes=((MR,),)), one)


def test_a_filter_on_one_kind_finds_no_other() -> None:
    assert not matches(Criteria(kind=Kind.FOLDER), entry())
    assert not matches(Criteria(kind=Kind.DOCUMENT), folder())
    assert not matches(Criteria(kind=Kind.DOCUMENT), submission_set())
