"""The services of the gateways: /xca/query and /xca/retrieve, and /xca/imaging for images.

Implements the SOAP bindings of ITI TF-2 3.38.5, 3.39.5 and RAD TF-3 4.75.5; at each path the action
says whether our consumer asks (ITI-18, ITI-43, RAD-69) or another community (ITI-38, ITI-39,
RAD-75). Called by `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.guard.guard import Guard
from adapters.soap.door import Transaction
from adapters.xds import iti39_cross_gateway_retrieve as iti39
from adapters.xds import names
from adapters.xds import rad75_cross_gateway_retrieve_imaging as rad75
from adapters.xds.communities import Communities
from adapters.xds.iti38_initiating_gateway import InitiatingGatewayQuery
from adapters.xds.iti38_responding_gateway import RespondingGatewayQuery
from kernel.identifiers import PatientKeys


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What the gateways stand on: our own transactions, and who else there is."""

    communities: Communities
    guard: Guard
    patient_keys: PatientKeys
    own_query: Transaction
    """ITI-18 for our consumers."""
    shared_query: Transaction
    """The same for other communities, recorded as ITI-38."""
    own_retrieve: Transaction
    """ITI-43 for our consumers."""
    shared_retrieve: Transaction
    """The same for other communities, recorded as ITI-39."""


def query_transactions(parts: GatewayParts) -> Mapping[str, Transaction]:
    """Return what /xca/query offers, by action."""
    home, guard = parts.communities.home, parts.guard
    return {
        names.ITI_18: InitiatingGatewayQuery(
            parts.communities, parts.own_query, guard, parts.patient_keys
        ),
        names.ITI_38: RespondingGatewayQuery(home, parts.shared_query, guard),
    }


def retrieve_transactions(parts: GatewayParts) -> Mapping[str, Transaction]:
    """Return what /xca/retrieve offers, by action."""
    home, guard = parts.communities.home, parts.guard
    return {
        names.ITI_43: iti39.initiating_gateway(parts.communities, parts.own_retrieve, guard),
        names.ITI_39: iti39.responding_gateway(home, parts.shared_retrieve, guard),
    }


def imaging_transactions(
    parts: GatewayParts, own_imaging: Transaction, shared_imaging: Transaction
) -> Mapping[str, Transaction]:
    """Return what /xca/imaging offers, by action; the second is recorded as RAD-75."""
    home, guard = parts.communities.home, parts.guard
    return {
        names.RAD_69: rad75.initiating_gateway(parts.communities, own_imaging, guard),
        names.RAD_75: rad75.responding_gateway(home, shared_imaging, guard),
    }
