"""RAD-75 Cross Gateway Retrieve Imaging Document Set: images for and of other communities.

Implements RAD TF-3 4.75, and 4.69 at the Initiating Imaging Gateway. Made by `gateways.py`.
"""

from __future__ import annotations

from typing import Final

from adapters.guard.guard import Guard
from adapters.soap.door import Transaction
from adapters.xds import names
from adapters.xds.communities import Communities
from adapters.xds.gateway_retrieve import Retrieval
from adapters.xds.gateway_retrieve_transactions import (
    InitiatingGatewayRetrieve,
    RespondingGatewayRetrieve,
)
from adapters.xds.rad69_request import imaging_request

TRANSACTION: Final = "RAD-75"
_KIND: Final = Retrieval(TRANSACTION, names.RAD_75, imaging_request)


def responding_gateway(home: str, source: Transaction, guard: Guard) -> Transaction:
    """Return RAD-75 on top of our archive's RAD-69."""
    return RespondingGatewayRetrieve(_KIND, home, source, guard)


def initiating_gateway(communities: Communities, source: Transaction, guard: Guard) -> Transaction:
    """Return RAD-69 for all communities."""
    return InitiatingGatewayRetrieve(
        _KIND, communities, source, guard, peer=lambda one: one.imaging
    )
