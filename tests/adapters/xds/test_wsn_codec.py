"""Publications and subscriptions written and read again (ITI TF-2 3.52, 3.54; hypothesis)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.soap.faults import SoapFault
from adapters.xds import wsn_decode, wsn_encode
from kernel.codes import Code
from kernel.refusals import Refusal
from registry.subscriptions.values import Criteria, DocumentLike, Kind, Topic
from tests.support import dsub
from tests.support.submissions import PATIENT, entry, folder, submission_set

TEXT = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="^|"), min_size=1, max_size=20
)
CODES = st.builds(Code, TEXT, TEXT, st.just(""))


@st.composite
def things(draw: st.DrawFn) -> DocumentLike:
    title, codes = draw(TEXT), tuple(draw(st.lists(CODES, max_size=3)))
    match draw(st.sampled_from(Kind)):
        case Kind.DOCUMENT:
            return entry(title=title, event_codes=codes, class_code=draw(CODES))
        case Kind.SUBMISSION_SET:
            return submission_set(title=title, content_type_code=draw(CODES))
        case Kind.FOLDER:
            return folder(title=title, codes=codes or (draw(CODES),))


@given(st.lists(things(), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_publication_is_read_as_it_was_written(told: list[DocumentLike]) -> None:
    body = etree.fromstring(wsn_encode.publication("urn:oid:1.2.3", told))
    read = wsn_decode.publication(body)
    assert read.producer == "urn:oid:1.2.3"
    assert read.objects == tuple(told)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.sampled_from(Topic))
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_a_filter_is_read_or_refused(garbage: bytes, topic: Topic) -> None:
    body = etree.fromstring(
        dsub.subscribe_body("http://c.example/", dsub.of_patient(PATIENT), topic=f"ihe:{topic}")
    )
    text = "".join(c for c in garbage.decode("latin-1") if c.isprintable())
    for value in body.iter("{*}Value"):
        value.text = text
    refused = ""
    try:
        assert wsn_decode.subscribe_request(body).criteria.patient_id
    except (SoapFault, Refusal) as problem:
        refused = str(problem)
    assert len(text) < 8 or text not in refused


def test_a_filter_is_read_into_criteria() -> None:
    body = etree.fromstring(
        dsub.subscribe_body(
            " http://c.example/x ",
            dsub.of_patient(
                PATIENT,
                ClassCode="('A^^s','B^^s')",
                EventCodeList="('C^^t')",
                AuthorPerson="('%x_')",
            ),
            termination="P1D",
        )
    )
    asked = wsn_decode.subscribe_request(body)
    assert (asked.topic, asked.consumer, asked.termination) == (
        Topic.FULL_DOCUMENT_ENTRY, "http://c.example/x", "P1D",
    )  # fmt: skip
    assert asked.criteria == Criteria(
        kind=Kind.DOCUMENT, patient_id=PATIENT, class_codes=(Code("A", "s"), Code("B", "s")),
        event_codes=((Code("C", "t"),),), authors=("%x_",),
    )  # fmt: skip


@pytest.mark.parametrize("topic", Topic)
def test_a_notification_is_one_message_of_one_object(topic: Topic) -> None:
    thing = entry()
    notify = etree.fromstring(
        wsn_encode.notification(
            topic, thing, subscription="http://b.example/dsub/1", producer="http://b.example/dsub"
        )
    )
    (message,) = notify.findall("n:NotificationMessage", dsub.NAMES)
    assert [etree.QName(child).localname for child in message] == [
        "SubscriptionReference", "Topic", "ProducerReference", "Message",
    ]  # fmt: skip
    listed = message.find("n:Message/lcm:SubmitObjectsRequest/rim:RegistryObjectList", dsub.NAMES)
    assert listed is not None
    assert len(listed) == 1


def test_moments_are_xsd_date_times() -> None:
    assert wsn_encode.moment(datetime(2026, 5, 3, 10, 12, tzinfo=UTC)) == "2026-05-03T10:12:00.000Z"
