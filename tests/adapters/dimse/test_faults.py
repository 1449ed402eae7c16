"""Every refusal of the house has a status word in every service."""

import pytest

import server.event_catalogue
from adapters.dimse import faults
from adapters.dimse.contexts import Operation
from kernel.refusals import Conflict, Forbidden, Refusal, Unavailable, leaves
from registry.procedure_steps.refusals import AttributeMissing, ProcedureStepEnded
from registry.studies.refusals import InstanceDiffers, InstanceMismatch
from repository.tiers.ports import StorageUnavailable


@pytest.mark.parametrize("service", list(Operation))
def test_every_leaf_is_mapped(service):
    assert server.event_catalogue
    for kind in leaves():
        word = faults.status(kind.__new__(kind), service)
        assert word >= 0x0100, kind


@pytest.mark.parametrize(
    ("refusal", "word"),
    [
        (StorageUnavailable(), 0xA700),
        (InstanceMismatch(), 0xA900),
        (InstanceDiffers(), 0x0111),
        (Conflict(), 0x0110),
        (Forbidden(), 0x0124),
    ],
)
def test_store_words(refusal, word):
    assert faults.status(refusal, Operation.STORE) == word


def test_rejections():
    assert faults.rejection(Forbidden()) == (1, 1, 3)
    assert faults.rejection(Unavailable()) == (2, 3, 1)
    assert faults.rejection(Refusal()) == (1, 1, 1)


def test_a_refusal_names_the_attribute_and_says_what_is_no_longer_updated():
    named = faults.particulars(AttributeMissing(tag="00400253"))
    assert named == {0x1005: b"\x40\x00\x53\x02"}
    assert faults.particulars(ProcedureStepEnded()) == {0x0903: 0xA710}
    assert faults.particulars(Conflict()) == {}


def test_a_comment_fits_its_vr():
    assert len(faults.comment(StorageUnavailable("x" * 100))) == 64
