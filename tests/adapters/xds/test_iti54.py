"""Publications of foreign registries: brokered, or refused; ITI TF-2 3.54."""

from __future__ import annotations

import pytest

from adapters.xds import wsn_encode
from kernel.identifiers import new_uid
from tests.support import dsub, xds
from tests.support.broker_door import Place
from tests.support.soap import SoapClient
from tests.support.submissions import OTHER_PATIENT, entry, submission_set


def _notify(inside: str) -> str:
    return (
        f'<w:Notify xmlns:w="{dsub.WSNT}"><w:NotificationMessage>{inside}'
        "</w:NotificationMessage></w:Notify>"
    )


def test_iti54_a_publication_is_brokered_to_subscribers(
    place: Place, subscriber: SoapClient, patient: str
) -> None:
    with dsub.Recipient() as recipient:
        dsub.subscribe(subscriber, dsub.subscribe_body(recipient.address, dsub.of_patient(patient)))
        dsub.subscribe(subscriber, dsub.subscribe_body(
            recipient.address, {"$XDSSubmissionSetPatientId": f"'{patient}'"},
            topic=dsub.SETS, query=dsub.SUBMISSION_SETS))  # fmt: skip
        foreign = entry(patient, repository_unique_id=new_uid())
        whole = submission_set(patient)
        elsewhere = entry(OTHER_PATIENT)
        body = wsn_encode.publication("urn:oid:1.2.3", (foreign, elsewhere, whole))
        answer = dsub.publish(place.http, body)
        assert answer.status_code == 202
        assert answer.content == b""
        assert place.deliver() == 2
        told = {dsub.told(e).get("id"): dsub.told(e) for e in recipient.taken}
    assert set(told) == {f"urn:uuid:{foreign.entry_uuid}", f"urn:uuid:{whole.entry_uuid}"}
    document = told[f"urn:uuid:{foreign.entry_uuid}"]
    assert xds.unique_id(document) == foreign.unique_id
    assert xds.slot(document, "repositoryUniqueId") == [foreign.repository_unique_id]


@pytest.mark.parametrize(
    "body",
    [
        f'<w:Notify xmlns:w="{dsub.WSNT}"/>',
        _notify("<w:Message/>"),
        _notify(
            f'<w:Message><l:SubmitObjectsRequest xmlns:l="{xds.LCM}"><r:RegistryObjectList '
            f'xmlns:r="{xds.RIM}"/></l:SubmitObjectsRequest></w:Message>'
        ),
        wsn_encode.publication("urn:oid:1", (entry("PIDSECRET"),)),
        f'<w:Subscribe xmlns:w="{dsub.WSNT}"/>',
    ],
    ids=["no message", "empty message", "no objects", "bad patient id", "another body"],
)  # fmt: skip
def test_iti54_what_tells_nothing_is_a_fault(place: Place, body: str) -> None:
    head = place.node.place.facts.head()
    answer = dsub.publish(place.http, body)
    assert answer.status_code == 400
    assert b"Fault>" in answer.content
    assert b"PIDSECRET" not in answer.content
    assert place.node.place.facts.head() == head


def test_iti54_who_may_not_register_may_not_publish(place: Place, patient: str) -> None:
    body = wsn_encode.publication("urn:oid:1.2.3", (entry(patient),))
    head = place.node.place.facts.head()
    token = place.node.place.token("clinician")
    answer = dsub.publish(place.http, body, {"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert place.node.place.facts.read(head, 10, topics=("publication.received:v1",)) == []
