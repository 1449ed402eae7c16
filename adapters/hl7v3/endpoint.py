"""The service of HL7 v3: POST /hl7v3, and its WSDL.

Implements the SOAP bindings of ITI TF-2 3.44.5, 3.45.5 and 3.47.5 through `adapters.soap.door`.
Made by `server.web_door` through `build_router`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter

import schemas
from adapters.guard.guard import Guard
from adapters.hl7v3 import names
from adapters.hl7v3.iti44_patient_identity_feed import Feed, PatientIdentityFeed
from adapters.hl7v3.iti45_pix_query import CrossReferences, PixQuery
from adapters.hl7v3.iti47_patient_demographics_query import PatientDemographicsQuery, Persons
from adapters.hl7v3.open_queries import OpenQueries
from adapters.soap.door import SoapPort, build_soap_router
from adapters.soap.multipart import Limits
from adapters.soap.replies import Replies
from registry.patients.values import IdentityDomains
from repository.tiers.ports import BlobStore

PATH: Final = "/hl7v3"


@dataclass(frozen=True, slots=True)
class Hl7V3Parts:
    """What the service stands on."""

    guard: Guard
    feed: Feed
    cross_references: CrossReferences
    persons: Persons
    open_queries: OpenQueries
    domains: IdentityDomains
    device: str
    """OID that we send messages as."""
    store: BlobStore
    replies: Replies | None = None
    """Where answers may go to instead of back on the connection."""


def build_router(parts: Hl7V3Parts) -> APIRouter:
    """Return the routes of the service."""
    return build_soap_router(
        (service(parts),), parts.guard, parts.store, Limits(), replies=parts.replies
    )


def service(parts: Hl7V3Parts) -> SoapPort:
    """Return the service with its transactions by the action of their requests."""
    feed = PatientIdentityFeed(parts.feed, parts.guard, parts.domains, parts.device)
    pix = PixQuery(parts.cross_references, parts.guard, parts.domains, parts.device)
    pdq = PatientDemographicsQuery(
        parts.persons, parts.open_queries, parts.guard, parts.domains, parts.device
    )
    return SoapPort(
        PATH,
        schemas.path("hl7v3/pix-pdq.wsdl"),
        {
            names.action(names.ADD): feed.add,
            names.action(names.REVISE): feed.revise,
            names.action(names.MERGE): feed.merge,
            names.action(names.CROSS_REFERENCES): pix,
            names.action(names.FIND): pdq.find,
            names.action(f"{names.GO_ON}_Continue"): pdq.go_on,
            names.action(f"{names.GO_ON}_Cancel"): pdq.cancel,
        },
        {"messages.xsd": schemas.path("hl7v3/messages.xsd")},
    )
