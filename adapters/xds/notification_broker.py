"""The Document Metadata Notification Broker as services: `/dsub` and each subscription's address.

Implements the SOAP bindings of ITI TF-2 3.52 and 3.54 (DSUB). Called by `endpoint.py`; what is
sent to subscribers goes out by `iti53_notify.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import schemas
from adapters.guard.guard import Guard
from adapters.soap.door import SoapPort, Transaction
from adapters.xds import wsn_names
from adapters.xds.iti52_subscribe import Renew, Subscribe, Unsubscribe
from adapters.xds.iti54_publish import Publish
from workflows.subscribe_to_documents import DocumentSubscriptions

PATH: Final = "/dsub"
_SCHEMAS: Final = ("xml.xsd", "rim.xsd", "rs.xsd", "lcm.xsd", "wsa.xsd", "dsub.xsd")


@dataclass(frozen=True, slots=True)
class Broker:
    """What the broker stands on."""

    subscriptions: DocumentSubscriptions
    address: str = ""
    """The broker's own address as subscribers know it; empty: as their requests came."""


def broker_services(broker: Broker, guard: Guard) -> Sequence[SoapPort]:
    """Return the services of the broker."""
    subscriptions = broker.subscriptions
    return (
        _service(
            PATH,
            {
                wsn_names.SUBSCRIBE: Subscribe(subscriptions, guard, broker.address),
                wsn_names.NOTIFY: Publish(subscriptions, guard),
            },
        ),
        _service(
            f"{PATH}/{{subscription}}",
            {
                wsn_names.RENEW: Renew(subscriptions, guard),
                wsn_names.UNSUBSCRIBE: Unsubscribe(subscriptions, guard),
            },
        ),
    )


def _service(path: str, transactions: dict[str, Transaction]) -> SoapPort:
    files = {name: schemas.path(f"xds/{name}") for name in _SCHEMAS}
    return SoapPort(path, schemas.path("xds/dsub.wsdl"), transactions, files)
