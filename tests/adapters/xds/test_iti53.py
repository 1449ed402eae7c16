"""Notifications: what a subscriber may see is decided, and recorded, at each sending; ITI TF-2 3.53."""

from __future__ import annotations

import dataclasses

from registry.subscriptions.consumers import AllowedConsumers
from tests.support import dsub
from tests.support.broker_door import Place
from tests.support.soap import SoapClient
from tests.support.submissions import entry


def test_iti53_what_a_subscriber_may_see_is_decided_at_the_sending(
    place: Place, patient: str
) -> None:
    with dsub.Recipient() as recipient:
        token = place.node.place.administration.issue_token("reader", ("system",))
        place.node.place.guard.directory.refresh()
        subscriber = SoapClient(place.http, {"Authorization": f"Bearer {token.secret}"})
        reference = dsub.reference(dsub.subscribe(subscriber, dsub.subscribe_body(recipient.address, dsub.of_patient(patient))))  # fmt: skip
        place.node.registered(entry(patient))
        assert place.deliver() == 1
        place.node.place.administration.revoke_token(token.token_id)
        place.node.place.guard.directory.refresh()
        place.node.registered(entry(patient))
        assert place.deliver() == 0
        subscriber.close()
        assert len(recipient.taken) == 1
    (_, withheld) = place.notifications(reference)
    assert (withheld.state, withheld.reason) == ("withheld", "unauthenticated")


def test_iti53_an_address_that_is_allowed_no_more_gets_nothing(
    place: Place, subscriber: SoapClient, patient: str
) -> None:
    with dsub.Recipient() as recipient:
        reference = dsub.reference(dsub.subscribe(subscriber, dsub.subscribe_body(recipient.address, dsub.of_patient(patient))))  # fmt: skip
        place.node.registered(entry(patient))
        place.delivery._notify = dataclasses.replace(place.notify, consumers=AllowedConsumers(()))
        try:
            assert place.deliver() == 0
        finally:
            place.delivery._notify = place.notify
        assert recipient.offered == 0
    assert [n.reason for n in place.notifications(reference)] == ["consumer_not_allowed"]


def test_iti53_each_sending_is_in_the_audit_trail(
    place: Place, subscriber: SoapClient, patient: str
) -> None:
    with dsub.Recipient() as recipient:
        reference = dsub.reference(dsub.subscribe(subscriber, dsub.subscribe_body(recipient.address, dsub.of_patient(patient))))  # fmt: skip
        told = place.node.registered(entry(patient))
        assert place.deliver() == 1
        dsub.unsubscribe(subscriber, reference)
    events = [
        recorded.fact
        for recorded in place.node.place.access.read(0, 100_000)
        if getattr(recorded.fact, "transaction", "") == "ITI-53"
        and place.node.key(patient) in recorded.fact.patient_keys
    ]
    assert [(e.outcome, e.document_ids) for e in events] == [
        ("success", (told.entries[0].unique_id,))
    ]
