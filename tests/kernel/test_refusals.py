"""The tree of refusals: codes are unique and stable, texts are there, details stay inside."""

from __future__ import annotations

import re

import pytest

import server.dimse_door
import server.mllp_door
import server.web_door  # noqa: F401 - every room is imported, so that every refusal is known
from kernel.refusals import Refusal, Unavailable, leaves

ALL = [r for r in leaves() if not r.__module__.startswith(("tests", "test_"))]


@pytest.mark.parametrize("refusal", ALL, ids=lambda r: r.__qualname__)
def test_a_refusal_has_a_code_and_says_when_it_is_raised(refusal: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", refusal.code)
    assert refusal.__doc__


def test_codes_are_unique() -> None:
    codes = [r.code for r in ALL]
    assert sorted(codes) == sorted(set(codes))


def test_details_are_for_faults_and_not_in_the_text() -> None:
    refusal = Refusal("the value is not good", value="secret")
    assert str(refusal) == "the value is not good"
    assert refusal.details == {"value": "secret"}


def test_a_refusal_without_words_says_its_first_sentence() -> None:
    assert str(Unavailable()) == "We cannot do it now."
    assert Unavailable(retry_after_seconds=9).retry_after_seconds == 9
