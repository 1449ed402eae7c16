"""Subscriptions over HTTP: made, narrowed by each parameter, renewed, ended; ITI TF-2 3.52."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from lxml import etree

from kernel.codes import Code
from registry.documents.values import Author
from tests.support import dsub
from tests.support.broker_door import NOWHERE, Place
from tests.support.soap import SoapClient
from tests.support.submissions import entry, folder, submission, submission_set


def test_iti52_a_subscription_has_an_address_and_an_end(
    place: Place, subscriber: SoapClient, patient: str
) -> None:
    answer = dsub.subscribe(
        subscriber, dsub.subscribe_body(NOWHERE, dsub.of_patient(patient), termination="P1D")
    )
    assert answer.action == f"{dsub.ACTIONS}/NotificationProducer/SubscribeResponse"
    assert answer.relates_to == answer.message_id
    assert dsub.reference(answer).startswith(f"{place.http}/dsub/")
    told = [
        datetime.fromisoformat(answer.body.findtext(f"n:{name}", "", dsub.NAMES))
        for name in ("CurrentTime", "TerminationTime")
    ]
    assert told[1] - told[0] == timedelta(days=1)


def test_iti52_without_an_end_the_broker_sets_one(subscriber: SoapClient, patient: str) -> None:
    for text in (
        "",
        '<w:InitialTerminationTime xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>',
    ):
        answer = dsub.subscribe(
            subscriber, dsub.subscribe_body(NOWHERE, dsub.of_patient(patient), more=text)
        )
        assert answer.body.findtext("n:TerminationTime", "", dsub.NAMES), answer.text()


DOCUMENT_PARAMETERS = {
    "ClassCode": "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')",
    "TypeCode": "('18748-4^^2.16.840.1.113883.6.1')",
    "ReferenceIdList": "('ACC-1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession')",
    "PracticeSettingCode": "('394914008^^2.16.840.1.113883.6.96')",
    "HealthcareFacilityTypeCode": "('22232009^^2.16.840.1.113883.6.96')",
    "EventCodeList": "('CT^^1.2.3')",
    "ConfidentialityCode": "('N^^2.16.840.1.113883.5.25')",
    "FormatCode": "('urn:ihe:iti:xds-sd:pdf:2008^^1.3.6.1.4.1.19376.1.2.3')",
    "AuthorPerson": "('%Example%')",
    "CreationTimeFrom": "20260101",
    "CreationTimeTo": "20270101",
    "Status": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    "Type": "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1')",
}
OTHER_VALUES = {
    **{name: "('OTHER^^9.9')" for name in DOCUMENT_PARAMETERS if "Code" in name},
    "ReferenceIdList": "('ACC-2')",
    "AuthorPerson": "('%example%')",
    "CreationTimeFrom": "20260601",
    "CreationTimeTo": "20260102",
    "Type": "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')",
}


@pytest.mark.parametrize("name", DOCUMENT_PARAMETERS)
def test_iti52_each_parameter_of_a_document_filter_narrows(
    place: Place, subscriber: SoapClient, patient: str, name: str
) -> None:
    made = {}
    for values in (DOCUMENT_PARAMETERS, OTHER_VALUES):
        if name in values:
            body = dsub.subscribe_body(NOWHERE, dsub.of_patient(patient, **{name: values[name]}))
            made[values is DOCUMENT_PARAMETERS] = dsub.reference(dsub.subscribe(subscriber, body))
    told = place.node.registered(
        entry(
            patient, event_codes=(Code("CT", "1.2.3"),), authors=(Author(person="^Example^Ada"),),
            reference_ids=("ACC-1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",),
        )
    )  # fmt: skip
    heard = [one.entry_uuid for one in place.notifications(made[True])]
    assert heard == [told.entries[0].entry_uuid]
    if False in made:
        assert place.notifications(made[False]) == []


@pytest.mark.parametrize(
    ("query", "topic", "parameters"),
    [
        (dsub.SUBMISSION_SETS, dsub.SETS, {
            "$XDSSubmissionSetPatientId": "PATIENT", "$XDSSubmissionSetSourceId": "('1.2.250.99.3')",
            "$XDSSubmissionSetAuthorPerson": "('^Example%')",
            "$XDSSubmissionSetIntendedRecipient": "('Some Hospital%','|Welby%')",
        }),
        (dsub.ANYBODYS_SUBMISSION_SETS, dsub.SETS, {"$XDSSubmissionSetAuthor": "('^Example^Ada')"}),
        (dsub.ANYBODYS_DOCUMENTS, dsub.FULL, {
            "$XDSDocumentEntryClassCode": "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')"}),
        (dsub.ANYBODYS_DOCUMENTS.upper().replace("URN:UUID", "urn:uuid"), dsub.MINIMAL, {
            "$XDSDocumentEntryHealthcareFacilityTypeCode": "('22232009^^2.16.840.1.113883.6.96')"}),
        (dsub.FOLDER, dsub.FOLDERS, {
            "$XDSFolderPatientId": "PATIENT", "$XDSFolderCodeList": "('18748-4^^2.16.840.1.113883.6.1')"}),
    ],
)  # fmt: skip
def test_iti52_each_kind_of_filter_is_told_its_objects(
    place: Place, subscriber: SoapClient, patient: str, query: str, topic: str,
    parameters: dict[str, str],
) -> None:  # fmt: skip
    parameters = {k: f"'{patient}'" if v == "PATIENT" else v for k, v in parameters.items()}
    with dsub.Recipient() as recipient:
        reference = dsub.reference(dsub.subscribe(subscriber, dsub.subscribe_body(
            recipient.address, parameters, topic=topic, query=query)))  # fmt: skip
        document, held = entry(patient), folder(patient)
        whole = submission_set(patient, intended_recipients=("|Welby^Marcus",))
        place.node.register(submission(document, held, whole=whole))
        place.deliver()
        (envelope,) = recipient.taken
        dsub.unsubscribe(subscriber, reference)
    expected = {dsub.SETS: whole, dsub.FOLDERS: held}.get(topic, document)
    told = dsub.told(envelope)
    assert told.get("id") == f"urn:uuid:{expected.entry_uuid}"
    name = {dsub.FULL: "ExtrinsicObject", dsub.MINIMAL: "ObjectRef"}.get(topic, "RegistryPackage")
    assert etree.QName(told).localname == name
    assert envelope.findtext(".//n:Topic", "", dsub.NAMES) == topic


@pytest.mark.parametrize(
    ("dialect", "topic"),
    [
        ("http://docs.oasis-open.org/wsn/t1/TopicExpression/Simple", "ihe:FullDocumentEntry"),
        ("http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete", "ihe:FullDocumentEntry"),
        (dsub.SIMPLE, "\n  FullDocumentEntry\n"),
        (dsub.SIMPLE, "x:FullDocumentEntry"),
    ],
)
def test_iti52_other_products_ways_to_write_a_topic(
    subscriber: SoapClient, patient: str, dialect: str, topic: str
) -> None:
    body = dsub.subscribe_body(NOWHERE, dsub.of_patient(patient), topic=topic)
    assert dsub.reference(dsub.subscribe(subscriber, body.replace(dsub.SIMPLE, dialect)))


def test_iti52_only_the_subscriber_ends_and_renews_his_subscription(
    place: Place, patient: str
) -> None:
    ada, bob = place.client("system"), place.client("system")
    reference = dsub.reference(
        dsub.subscribe(ada, dsub.subscribe_body(NOWHERE, dsub.of_patient(patient)))
    )
    for answer in (dsub.unsubscribe(bob, reference), dsub.renew(bob, reference, "P1D")):
        assert answer.is_fault
        assert answer.http_status == 403
    renewed = dsub.renew(ada, reference, "P2D")
    assert renewed.action == f"{dsub.ACTIONS}/SubscriptionManager/RenewResponse"
    assert renewed.body.findtext("n:TerminationTime", "", dsub.NAMES)
    assert dsub.fault(dsub.renew(ada, reference, "P99Y")) == "UnacceptableTerminationTimeFault"
    ended = dsub.unsubscribe(ada, reference)
    assert ended.action == f"{dsub.ACTIONS}/SubscriptionManager/UnsubscribeResponse"
    assert etree.QName(ended.body).localname == "UnsubscribeResponse"
    assert dsub.fault(dsub.unsubscribe(ada, reference)) == "ResourceUnknownFault"


@pytest.mark.parametrize("path", [f"/dsub/{UUID(int=7)}", "/dsub/nonsense"])
def test_iti52_an_unknown_subscription_is_a_fault(subscriber: SoapClient, path: str) -> None:
    assert dsub.fault(dsub.unsubscribe(subscriber, path)) == "ResourceUnknownFault"
    assert dsub.fault(dsub.renew(subscriber, path, "P1D")) == "ResourceUnknownFault"


def test_iti52_who_may_not_query_may_not_subscribe(place: Place, patient: str) -> None:
    body = dsub.subscribe_body(NOWHERE, dsub.of_patient(patient))
    answer = dsub.subscribe(place.client("audit_admin"), body)
    assert answer.is_fault
    assert answer.http_status == 403
    stranger = SoapClient(place.http, {"Authorization": "Bearer nobody"})
    assert dsub.subscribe(stranger, body).http_status == 401
    stranger.close()


def test_iti52_the_ledger_holds_no_patient_id_in_clear(
    place: Place, subscriber: SoapClient, patient: str
) -> None:
    dsub.subscribe(subscriber, dsub.subscribe_body(NOWHERE, dsub.of_patient(patient)))
    local = patient.partition("^")[0]
    rows = place.node.place.facts.recorder.rows(0, 100_000, topics=())
    bodies = [row.body for row in rows if row.topic == "subscription.created:v1"]
    assert bodies
    assert not any(local in body for body in bodies)
