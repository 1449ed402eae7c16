"""Payloads of the Worklist Service: what is read is what DIMSE would have brought; bad ones refuse.

PS3.18 F, PS3.19 A.1.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.dicomweb.encode import xml_document
from adapters.dicomweb.native_xml import dataset_of
from adapters.dicomweb.workitem_payload import canonical
from kernel.refusals import Refusal
from tests.support.steps import json_of
from tests.support.workitems import new_workitem, performed

VRS = ("CS", "LO", "PN", "DS", "IS", "SQ", "UI", "DT", "US", "FD", "AT", "UN", "OB", "UT", "??")
TAGS = ("00741000", "00741204", "00100010", "00741002", "0020000D", "00404005", "00280010", "x", "")
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.dictionaries(st.sampled_from(("Alphabetic", "Ideographic", "x")), st.text(max_size=8)),
)  # fmt: skip
members = st.recursive(
    st.dictionaries(
        st.sampled_from(TAGS),
        st.one_of(scalars, st.fixed_dictionaries(
            {"vr": st.sampled_from(VRS)},
            optional={"Value": st.lists(scalars, max_size=3) | scalars,
                      "InlineBinary": st.text(max_size=8), "BulkDataURI": st.text(max_size=8)},
        )),
        max_size=4,
    ),
    lambda inner: st.dictionaries(
        st.sampled_from(TAGS),
        st.fixed_dictionaries({"vr": st.just("SQ"), "Value": st.lists(inner, max_size=2)}),
        max_size=2,
    ),
    max_leaves=6,
)  # fmt: skip


@given(members)
def test_whatever_comes_is_read_or_refused_and_reads_the_same_again(told: dict[str, Any]):
    try:
        read = canonical(told)
    except Refusal:
        return
    assert canonical(read) == read


@pytest.mark.parametrize("name", ["Wang^Xiaoming=王^小明", "Müller^Jörg", "Ἀλέξανδρος^Ὁμηρος"])
def test_json_and_xml_read_the_same(name):
    told = json_of(new_workitem(PatientName=name)) | json_of(performed())
    read = canonical(told)
    assert read == canonical(dataset_of(xml_document(told)))
    assert read["00100010"] == told["00100010"]
    assert "00080005" not in read


def test_what_is_no_data_set_of_a_workitem_is_left_out():
    extra = {"00020010": {"vr": "UI", "Value": ["1.2"]}, "00000110": {"vr": "US", "Value": [1]}}
    assert canonical(json_of(new_workitem()) | extra) == canonical(json_of(new_workitem()))
