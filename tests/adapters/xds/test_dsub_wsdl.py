"""Another stack subscribes by nothing but our WSDL (ITI TF-2 Appendix V)."""

from __future__ import annotations

from uuid import UUID

import httpx
import zeep
from lxml import etree

from tests.support import dsub, xds
from tests.support.broker_door import NOWHERE, Place


def test_zeep_subscribes_and_unsubscribes_by_our_wsdl(place: Place, patient: str) -> None:
    service = zeep.Client(f"{place.http}/dsub?wsdl")
    reference = service.get_type("{http://www.w3.org/2005/08/addressing}EndpointReferenceType")
    filtered = etree.fromstring(
        f'<w:Filter xmlns:w="{dsub.WSNT}" xmlns:rim="{xds.RIM}">'
        f'<w:TopicExpression Dialect="{dsub.SIMPLE}">{dsub.FULL}</w:TopicExpression>'
        f'<rim:AdhocQuery id="{dsub.DOCUMENTS}">{xds.slots(dsub.of_patient(patient))}'
        "</rim:AdhocQuery></w:Filter>"
    )
    answer = service.service["NotificationBroker_Subscribe"](
        ConsumerReference=reference(Address=NOWHERE), Filter={"_value_1": list(filtered)}
    )
    address = answer.SubscriptionReference.Address
    address = getattr(address, "_value_1", address)
    assert address.startswith(f"{place.http}/dsub/")
    manager = service.create_service(
        "{urn:ihe:iti:dsub:2009}NotificationBroker_Binding_Soap12", address
    )
    manager.NotificationBroker_Unsubscribe()
    held = place.node.queue.subscription(UUID(address.rpartition("/")[2]))
    assert held is not None
    assert held.state == "cancelled"


def test_the_wsdl_names_the_address_that_was_asked(place: Place) -> None:
    answer = httpx.get(f"{place.http}/dsub?wsdl")
    assert f'location="{place.http}/dsub"' in answer.text
    for name in ("dsub.xsd", "wsa.xsd", "rim.xsd"):
        assert httpx.get(f"{place.http}/dsub?xsd={name}").status_code == 200
