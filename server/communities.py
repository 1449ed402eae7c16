"""The gateways' surroundings put together: other communities, asynchronous answers.

ITI TF-1 18 (XCA), ITI TF-2 Appendix V.3.2.2. Called by `web_door`.
"""

from __future__ import annotations

import ssl
from typing import Final
from urllib.parse import urlsplit

from adapters.soap.client import Peer, SoapClient, tls_context
from adapters.soap.replies import Replies
from adapters.xds.communities import Communities, Community, Correlate
from kernel.identifiers import PatientId, is_oid
from registry.subscriptions.consumers import AllowedConsumers, BadConsumerRule
from server.settings import BadSettings, CommunitySettings, GatewaySettings
from server.wiring import Installation

_LONGEST_SECONDS: Final = 4 * 3600.0


def communities(here: Installation) -> Communities:
    """Return our community and the others; raises BadSettings."""
    gateway = here.settings.gateway
    others = [_community(told, gateway) for told in here.settings.communities]
    homes = [f"urn:oid:{here.identity.home_community_oid}", *(one.home for one in others)]
    if len(set(homes)) < len(homes):
        raise BadSettings("communities names a homeCommunityId twice, or our own")
    made = Communities(homes[0], others, SoapClient(here.blobs), correlate=_correlate(here))
    here.on_close(made.close)
    return made


def replies(here: Installation) -> Replies | None:
    """Return what sends asynchronous answers, None when they may go nowhere; BadSettings."""
    gateway = here.settings.gateway
    if not gateway.reply_to:
        return None
    try:
        allowed = AllowedConsumers(gateway.reply_to)
    except BadConsumerRule as problem:
        raise BadSettings(f"gateway.reply_to: {problem}") from problem
    tls = _tls(gateway.ca, gateway.certificate, gateway.key, "gateway")
    made = Replies(SoapClient(here.blobs), allowed, tls=tls)
    here.on_close(made.close)
    return made


def _community(told: CommunitySettings, gateway: GatewaySettings) -> Community:
    oid = told.home_community_oid.removeprefix("urn:oid:")
    if not is_oid(oid):
        raise BadSettings("communities: home_community_oid is not an OID")
    if told.assigning_authority and not is_oid(told.assigning_authority):
        raise BadSettings("communities: assigning_authority is not an OID")
    own = bool(told.certificate)
    tls = _tls(
        told.ca or gateway.ca,
        told.certificate if own else gateway.certificate,
        told.key if own else gateway.key,
        "communities",
    )

    return Community(
        f"urn:oid:{oid}",
        query=_peer(told.query_url, tls, gateway.query_seconds, gateway.query_seconds),
        retrieve=_peer(told.retrieve_url, tls, gateway.silence_seconds),
        imaging=_peer(told.imaging_url, tls, gateway.silence_seconds),
        assigning_authority=told.assigning_authority,
    )


def _peer(
    url: str, tls: ssl.SSLContext, silence_seconds: float, total_seconds: float = _LONGEST_SECONDS
) -> Peer | None:
    if not url:
        return None
    _web_address(url, "communities")
    return Peer(url, tls, silence_seconds, total_seconds)


def _correlate(here: Installation) -> Correlate:
    """Return what finds the same person's id in another domain, by the cross-references."""

    def correlate(patient: PatientId, authority: str) -> PatientId | None:
        person = here.patients.person_of(patient)
        if person is None:
            return None
        there = [
            one.patient_id
            for one in person.identifiers
            if one.authority == authority and one.merged_into is None
        ]
        return PatientId.parse(there[0]) if there else None

    return correlate


def _tls(ca: str, certificate: str, key: str, name: str) -> ssl.SSLContext:
    try:
        return tls_context(ca=ca, certificate=certificate, key=key)
    except OSError as problem:
        raise BadSettings(f"{name}: ca, certificate or key cannot be used") from problem


def _web_address(url: str, name: str) -> None:
    address = urlsplit(url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise BadSettings(f"{name}: an address must be http://host... or https://host...")
