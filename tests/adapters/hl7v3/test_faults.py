"""Every refusal of the house has a code of table 0357 (ITI TF-2 Appendix O.2.2)."""

from __future__ import annotations

import pytest

from adapters.hl7v3 import endpoint, faults
from kernel.refusals import Refusal, leaves


@pytest.mark.parametrize("refusal", leaves(Refusal), ids=lambda r: r.__name__)
def test_a_refusal_has_a_code(refusal: type[Refusal]) -> None:
    assert endpoint
    assert faults.code(refusal) in {"101", "102", "204", "206", "207"}
