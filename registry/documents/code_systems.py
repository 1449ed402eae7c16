"""Coding systems that a code set may admit as a whole, and how their codes are formed.

Implements the vocabulary rule of ITI TF-3 4.2.3.1 for whole systems with LOINC's mod 10 and SNOMED
CT's Verhoeff check digit: a mistyped code is still refused. Used by `code_sets.py`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import msgspec

LOINC: Final = "2.16.840.1.113883.6.1"
SNOMED_CT: Final = "2.16.840.1.113883.6.96"
_FORMS: Final = {LOINC: r"[0-9]{1,7}-[0-9]", SNOMED_CT: r"[1-9][0-9]{5,17}"}
# Multiplication in the dihedral group of the pentagon; Verhoeff's permutation.
_PRODUCT: Final = tuple(
    tuple(
        (
            (a + b) % 5
            if a < 5 and b < 5
            else 5 + (a + b) % 5
            if a < 5
            else 5 + (a - b) % 5
            if b < 5
            else (a - b) % 5
        )
        for b in range(10)
    )
    for a in range(10)
)
_PERMUTATION: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


class CodingSystem(msgspec.Struct, frozen=True, kw_only=True):
    """A coding system whose codes are all allowed; `form` is a regular expression."""

    scheme: str
    form: str = ""

    def holds(self, code: str) -> bool:
        """Tell whether `code` can be one of the system."""
        form = self.form or _FORMS.get(self.scheme, "")
        if not form or _compiled(form).fullmatch(code) is None:
            return False
        if self.scheme == LOINC:
            return _mod_10(code.replace("-", ""))
        return self.scheme != SNOMED_CT or _verhoeff(code)


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(form)


def _mod_10(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _verhoeff(digits: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTATION[value]
        check = _PRODUCT[check][value]
    return check == 0
