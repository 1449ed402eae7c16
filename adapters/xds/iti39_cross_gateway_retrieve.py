"""ITI-39 Cross Gateway Retrieve: documents for other communities, and of them for our consumers.

Implements ITI TF-2 3.39, and 3.43 at the Initiating Gateway. Made by `gateways.py`.
"""

from __future__ import annotations

from typing import Final

from adapters.guard.guard import Guard
from adapters.soap.door import Transaction
from adapters.xds import decode, names
from adapters.xds.communities import Communities
from adapters.xds.gateway_retrieve import Retrieval
from adapters.xds.gateway_retrieve_transactions import (
    InitiatingGatewayRetrieve,
    RespondingGatewayRetrieve,
)

TRANSACTION: Final = "ITI-39"
_KIND: Final = Retrieval(TRANSACTION, names.ITI_39, decode.retrieve_request)


def responding_gateway(home: str, repository: Transaction, guard: Guard) -> Transaction:
    """Return ITI-39 on top of our repository's ITI-43."""
    return RespondingGatewayRetrieve(_KIND, home, repository, guard)


def initiating_gateway(
    communities: Communities, repository: Transaction, guard: Guard
) -> Transaction:
    """Return ITI-43 for all communities."""
    return InitiatingGatewayRetrieve(
        _KIND, communities, repository, guard, peer=lambda one: one.retrieve
    )
