"""Which codes of an admitted coding system pass: form and check digit (ITI TF-3 4.2.3.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from kernel.codes import Code
from registry.documents.code_sets import CodeSets
from registry.documents.code_systems import LOINC, SNOMED_CT, CodingSystem
from registry.documents.refusals import CodeUnknown
from tests.support.submissions import entry, submission

SETS = CodeSets.parse(schemas.path("codes/affinity-domain.json").read_bytes())


@pytest.mark.parametrize("code", ["18748-4", "11369-6", "34133-9", "57133-1"])
def test_loinc_codes_pass(code: str) -> None:
    assert CodingSystem(scheme=LOINC).holds(code)


@pytest.mark.parametrize("code", ["18748-5", "99999-9", "REPORTS", "18748", "", "１８７４８-4"])
def test_what_is_no_loinc_code_does_not(code: str) -> None:
    assert not CodingSystem(scheme=LOINC).holds(code)


@pytest.mark.parametrize("code", ["22232009", "264372000", "394914008", "225728007"])
def test_snomed_concepts_pass(code: str) -> None:
    assert CodingSystem(scheme=SNOMED_CT).holds(code)


@given(st.integers(10**5, 10**17 - 1), st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_of_a_concept_is_found(number: int, check: int, off: int) -> None:
    system = CodingSystem(scheme=SNOMED_CT)
    right = f"{number}{check}"
    wrong = f"{number}{(check + off) % 10}"
    assert not (system.holds(right) and system.holds(wrong))


def test_a_system_without_a_form_admits_nothing() -> None:
    assert not CodingSystem(scheme="1.2.3").holds("x")


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"type_code": Code("11369-6", LOINC)}, True),
        ({"type_code": Code("11369-7", LOINC)}, False),
        ({"class_code": Code("DEMO-Lab", "1.3.6.1.4.1.21367.100.1")}, True),
        ({"class_code": Code("SUMMARIES", "1.3.6.1.4.1.19376.1.2.6.1")}, True),
        ({"class_code": Code("DISPENSATIONS", "1.3.6.1.4.1.19376.1.2.6.1")}, True),
        ({"class_code": Code("PRESCRIPTIONS", "1.3.6.1.4.1.19376.1.2.6.1")}, True),
        ({"class_code": Code("PLANS", "1.3.6.1.4.1.19376.1.2.6.1")}, True),
        ({"class_code": Code("PATIENT", "1.3.6.1.4.1.19376.1.2.6.1")}, True),
        ({"class_code": Code("HEALTH", "1.3.6.1.4.1.19376.1.2.6.1")}, True),
        ({"class_code": Code("NO-SUCH", "1.3.6.1.4.1.19376.1.2.6.1")}, False),
        ({"format_code": Code("urn:ihe:qrph:hw:2013", "1.3.6.1.4.1.19376.1.2.3")}, True),
        ({"format_code": Code("bogus", "1.3.6.1.4.1.19376.1.2.3")}, False),
        ({"confidentiality_codes": (Code("X", "2.16.840.1.113883.5.25"),)}, False),
        ({"class_code": Code("MPQ-classcode-1", "MPQ Testing")}, True),
        ({"class_code": Code("MPQ", "MPQ Testing")}, False),
        ({"practice_setting_code": Code("Practice-C", "1.3.6.1.4.1.21367.2017.3")}, True),
    ],
)
def test_the_default_admits_ordinary_codes_only(changes: dict[str, object], passes: bool) -> None:
    asked = submission(entry(**changes))
    if passes:
        SETS.check_submission(asked)
    else:
        with pytest.raises(CodeUnknown):
            SETS.check_submission(asked)
