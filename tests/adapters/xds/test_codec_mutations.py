"""Mutated messages: whatever is done to a good one, it is read or refused, never an accident.

ITI TF-3 4.2.3 (metadata), TF-2 3.18.4.1.2.3.5 (values of parameters). Hypothesis chooses the harm.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.soap.faults import SoapFault
from adapters.xds import decode, names
from adapters.xds.refusals import QueryParameterMalformed
from adapters.xds.stored_query import StoredQuery, parse_values
from kernel.refusals import Refusal
from registry.documents.metadata import check_submission
from tests.support import foreign_xds as foreign

PATIENT = "P1^^^&1.2.3&ISO"
GOOD = foreign.text(
    foreign.request(
        foreign.document(PATIENT, "urn:uuid:8d2c1f00-0000-4000-8000-000000000001",
                         more=foreign.slot(names.REFERENCE_ID_LIST, "A^^^&1.2&ISO^urn:x")),
        foreign.submission_set(PATIENT, more=foreign.slot("intendedRecipient", "Clinic|^Wren^Ann")),
        foreign.member("urn:uuid:8d2c1f00-0000-4000-8000-000000000001"),
        foreign.folder(PATIENT),
        foreign.member("Folder", ""),
    )
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "^", "&", "|", "^^^&&", "urn:uuid:", "urn:uuid:x", "PID-3|", "0", "-1", "٣", "9" * 300,
         "id^^^&1.2&ISO", "Document01", "\u00a0", "'", "2026-01-01", "99999999999999"]
    ),
    st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=40),
)  # fmt: skip


@st.composite
def harmed(draw: st.DrawFn) -> etree._Element:
    root = etree.fromstring(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        elements = list(root[0].iter())[1:]
        if not elements:
            break
        one = elements[draw(st.integers(0, len(elements) - 1))]
        harm = draw(
            st.sampled_from(["drop", "double", "attribute", "lose", "text", "move", "empty"])
        )
        if harm == "drop":
            foreign.drop(one)
        elif harm == "double":
            foreign.double(one)
        elif harm == "attribute" and one.attrib:
            one.set(draw(st.sampled_from(sorted(one.attrib))), draw(TEXTS))
        elif harm == "lose" and one.attrib:
            del one.attrib[draw(st.sampled_from(sorted(one.attrib)))]
        elif harm == "text":
            one.text = draw(TEXTS)
        elif harm == "move":
            parent = one.getparent()
            assert parent is not None
            parent.insert(0, one)
        elif harm == "empty":
            one[:] = []
    return root


def refusal(call: Callable[[], object]) -> Refusal | None:
    """Return what a call is refused with; anything else that it raises is an accident."""
    try:
        call()
    except Refusal as problem:
        return problem
    return None


def test_the_good_one_is_read() -> None:
    check_submission(decode.register_request(etree.fromstring(GOOD)).submission)


@settings(max_examples=400, deadline=None)
@given(harmed())
def test_a_harmed_submission_is_read_or_refused(submit: etree._Element) -> None:
    problem = refusal(lambda: check_submission(decode.register_request(submit).submission))
    if problem is not None:
        assert problem.message
        assert "P1" not in str(problem.details.get("value", ""))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_values_come_back_as_they_were_quoted(values: list[str], data: st.DataObject) -> None:
    blank = st.sampled_from(["", " ", "\n\t "])
    quoted = [
        f"{data.draw(blank)}'{v.replace(chr(39), chr(39) * 2)}'{data.draw(blank)}" for v in values
    ]
    assert parse_values("$x", f"({','.join(quoted)})") == values


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="'(),0123456789.- ^&aé\n", max_size=30))
def test_any_text_is_values_or_malformed(text: str) -> None:
    problem = refusal(lambda: parse_values("$x", text))
    if problem is not None:
        assert isinstance(problem, QueryParameterMalformed)
        assert problem.details["attribute"] == "$x"


@settings(max_examples=200, deadline=None)
@given(
    TEXTS,
    st.sampled_from(["patients", "statuses", "uuids", "codes", "code_groups", "times", "one"]),
)
def test_any_parameter_is_read_or_refused(value: str, reader: str) -> None:
    slot = foreign.slot("$x", value) + foreign.slot("$xFrom", value)
    body = etree.fromstring(
        f'<query:AdhocQueryRequest xmlns:query="{names.QUERY}" xmlns:q="{names.RIM}">'
        f'<query:ResponseOption returnType="ObjectRef"/><q:AdhocQuery id="urn:uuid:1">{slot}'
        "</q:AdhocQuery></query:AdhocQueryRequest>"
    )
    problem = refusal(lambda: getattr(StoredQuery(body), reader)("$x"))
    assert problem is None or problem.message


@pytest.mark.parametrize("tag", ["AdhocQueryRequest", "RetrieveDocumentSetRequest", "x"])
def test_another_message_is_a_fault(tag: str) -> None:
    with pytest.raises(SoapFault):
        decode.register_request(etree.fromstring(f"<{tag}/>"))
