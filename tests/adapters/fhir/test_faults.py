"""Every refusal of the house has a status and an OperationOutcome (HL7 FHIR R4 3.1.0.4)."""

from __future__ import annotations

import pytest
from fhir.resources.R4B import get_fhir_model_class

from adapters.fhir import endpoint, faults
from kernel.refusals import Refusal, Unauthenticated, Unavailable, leaves

ISSUE_TYPES = frozenset(
    [
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
    ]
)


@pytest.mark.parametrize("refusal", leaves(Refusal), ids=lambda r: r.__name__)
def test_a_refusal_has_a_status_and_an_issue_type(refusal: type[Refusal]) -> None:
    assert endpoint
    assert faults.issue_type(refusal) in ISSUE_TYPES
    made = refusal.__new__(refusal)
    Refusal.__init__(made, "no")
    assert 400 <= faults.status_of(made) < 600
    get_fhir_model_class("OperationOutcome").model_validate(faults.outcome(made))


def test_headers_tell_when_and_how_to_try_again() -> None:
    later = dict(faults.headers(Unavailable("later", retry_after_seconds=7), 503))
    assert later[b"retry-after"] == b"7"
    assert b"www-authenticate" in dict(faults.headers(Unauthenticated("who"), 401))
