"""What cannot be subscribed to is told in the faults of WS-BaseNotification 1.3 (ITI TF-2 3.52)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from adapters.xds import wsn_faults
from kernel.refusals import Refusal, leaves
from tests.support import dsub, xds
from tests.support.broker_door import NOWHERE
from tests.support.soap import SoapClient
from tests.support.submissions import PATIENT

QUERY = f'<rim:AdhocQuery id="{dsub.DOCUMENTS}">{{}}</rim:AdhocQuery>'
TOPIC = f'<w:TopicExpression Dialect="{dsub.SIMPLE}">ihe:FullDocumentEntry</w:TopicExpression>'
GOOD = QUERY.format(xds.slots(dsub.of_patient(PATIENT)))
REFUSED = {
    "no query": (TOPIC, "InvalidFilterFault"),
    "two queries": (TOPIC + GOOD + GOOD, "InvalidFilterFault"),
    "no topic": (GOOD, "InvalidFilterFault"),
    "unknown query": (
        TOPIC + GOOD.replace(dsub.DOCUMENTS, f"urn:uuid:{uuid4()}"), "InvalidFilterFault"),
    "no patient": (TOPIC + QUERY.format(""), "InvalidFilterFault"),
    "patient id without authority": (
        TOPIC + QUERY.format(xds.slots({"$XDSDocumentEntryPatientId": "'PIDSECRET'"})),
        "InvalidFilterFault"),
    "value without quotes": (
        TOPIC + QUERY.format(xds.slots({"$XDSDocumentEntryPatientId": "PIDSECRET"})),
        "InvalidFilterFault"),
    "code without scheme": (
        TOPIC + QUERY.format(xds.slots(dsub.of_patient(PATIENT, ClassCode="('REPORTS')"))),
        "InvalidFilterFault"),
    "unknown parameter": (
        TOPIC + QUERY.format(xds.slots(dsub.of_patient(PATIENT, Title="('x')"))),
        "InvalidFilterFault"),
    "only deprecated": (
        TOPIC + QUERY.format(xds.slots(dsub.of_patient(
            PATIENT, Status="('urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')"))),
        "InvalidFilterFault"),
    "message content": (
        TOPIC + GOOD + '<w:MessageContent Dialect="http://www.w3.org/TR/1999/REC-xpath-19991116">'
        "true()</w:MessageContent>", "InvalidFilterFault"),
    "nothing narrows": (
        TOPIC + f'<rim:AdhocQuery id="{dsub.ANYBODYS_DOCUMENTS}">'
        + xds.slots({"$XDSDocumentEntryEventCodeList": "('CT^^1.2.3')"}) + "</rim:AdhocQuery>",
        "InvalidFilterFault"),
    "patient in an independent filter": (
        TOPIC + GOOD.replace(dsub.DOCUMENTS, dsub.ANYBODYS_DOCUMENTS), "InvalidFilterFault"),
    "unknown topic": (TOPIC.replace("FullDocumentEntry", "Weather") + GOOD,
                      "TopicNotSupportedFault"),
    "topic of another filter": (TOPIC.replace("FullDocumentEntry", "FolderMetadata") + GOOD,
                                "TopicNotSupportedFault"),
    "unknown dialect": (TOPIC.replace(dsub.SIMPLE, "http://example.org/dialect") + GOOD,
                        "TopicExpressionDialectUnknownFault"),
}  # fmt: skip


@pytest.mark.parametrize(("inside", "expected"), REFUSED.values(), ids=REFUSED)
def test_iti52_a_filter_that_cannot_be_evaluated_is_a_fault(
    subscriber: SoapClient, inside: str, expected: str
) -> None:
    body = (
        f'<w:Subscribe xmlns:w="{dsub.WSNT}" xmlns:rim="{xds.RIM}" xmlns:a="{dsub.ADDRESSING}">'
        f"<w:ConsumerReference><a:Address>{NOWHERE}</a:Address></w:ConsumerReference>"
        f"<w:Filter>{inside}</w:Filter></w:Subscribe>"
    )
    answer = dsub.subscribe(subscriber, body)
    assert dsub.fault(answer) == expected
    assert answer.http_status == 400
    assert "PIDSECRET" not in answer.text()
    assert "P-1001" not in answer.text()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("<w:Filter>", "<w:NoFilter>"), None),
        ({"termination": "2001-01-01T00:00:00Z"}, "UnacceptableInitialTerminationTimeFault"),
        ({"termination": "P9999Y"}, "UnacceptableInitialTerminationTimeFault"),
        ({"termination": "soon"}, "UnacceptableInitialTerminationTimeFault"),
        ({"more": "<w:SubscriptionPolicy><w:UseRaw/></w:SubscriptionPolicy>"},
         "UnsupportedPolicyRequestFault"),
        ({"consumer": "http://169.254.169.254/latest"}, "SubscribeCreationFailedFault"),
        ({"consumer": "mailto:someone@example.org"}, "SubscribeCreationFailedFault"),
    ],
)  # fmt: skip
def test_iti52_what_cannot_be_granted_is_a_fault(
    subscriber: SoapClient, change: Any, expected: str | None
) -> None:
    told = {"consumer": NOWHERE, "parameters": dsub.of_patient(PATIENT)}
    if isinstance(change, tuple):
        body = dsub.subscribe_body(**told).replace(*change).replace("</w:Filter>", "</w:NoFilter>")
        assert dsub.subscribe(subscriber, body).is_fault
        return
    answer = dsub.subscribe(subscriber, dsub.subscribe_body(**{**told, **change}))
    assert dsub.fault(answer) == expected
    if "TerminationTime" in str(expected):
        assert answer.body.find(".//n:MaximumTime", dsub.NAMES) is not None
    assert answer.body.find(".//bf:Timestamp", dsub.NAMES) is not None


def test_every_refusal_has_a_fault_of_the_operation() -> None:
    for otherwise in (wsn_faults.SUBSCRIBE, wsn_faults.RENEW, wsn_faults.UNSUBSCRIBE):
        for refusal in leaves(Refusal):
            assert wsn_faults.name(refusal, otherwise).endswith("Fault")
