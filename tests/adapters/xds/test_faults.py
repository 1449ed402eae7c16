"""Every refusal of the house has an XDS error code (ITI TF-3 table 4.2.4.1-2)."""

from __future__ import annotations

import re

import pytest

from adapters.xds import endpoint, faults
from kernel.refusals import Refusal, leaves
from registry.documents.refusals import MetadataInvalid

_KNOWN = re.compile(
    r"XDS\w+|UnresolvedReferenceException|ReferencesExistException|UnmodifiableMetadataError"
)


@pytest.mark.parametrize("refusal", leaves(Refusal), ids=lambda r: r.__name__)
def test_a_refusal_has_a_code(refusal: type[Refusal]) -> None:
    assert endpoint
    assert _KNOWN.fullmatch(faults.error_code(refusal))


def test_a_refusal_becomes_an_error_with_its_context() -> None:
    error = faults.registry_error(MetadataInvalid("classCode is missing", attribute="classCode"))
    assert (error.code, error.context, error.location) == (
        "XDSRegistryMetadataError", "classCode is missing", "classCode",
    )  # fmt: skip
