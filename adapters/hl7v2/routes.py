"""Which transaction answers which message: MSH-9 to a handler, and the checks of a header.

Implements ITI TF-2 3.8, 3.9, 3.21, 3.22, 3.30 and 3.64 as one HL7 v2 door. Called by
`server.mllp_door`, which knows the workflows and views.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from adapters.hl7v2 import iti9_pix_query
from adapters.hl7v2.decode import Message
from adapters.hl7v2.faults import Acknowledgment
from adapters.hl7v2.iti8_patient_identity_feed import (
    Feed,
    FeedPolicy,
    PatientIdentityFeed,
    PatientIdentityMerge,
)
from adapters.hl7v2.iti9_pix_query import CrossReferences, PixQuery
from adapters.hl7v2.iti21_patient_demographics_query import (
    Demographics,
    PatientDemographicsQuery,
    QueryCancelled,
)
from adapters.hl7v2.iti30_link import PatientLink
from adapters.hl7v2.refusals import (
    RequiredFieldMissing,
    UnsupportedEvent,
    UnsupportedMerge,
    UnsupportedMessageType,
    UnsupportedProcessingId,
    UnsupportedVersion,
    WrongReceiver,
)
from adapters.hl7v2.result import Handler, Result, Route

Routes = Mapping[tuple[str, str], Route]
VERSIONS: Final = frozenset({"2.3", "2.3.1", "2.4", "2.5", "2.5.1"})
_PROCESSING: Final = frozenset({"P", "T", "D"})
_OTHER_MERGES: Final = frozenset({"A18", "A34", "A35", "A36", "A39", "A41", "A42"})
_ANY: Final = "ITI-8"


class Patients(CrossReferences, Demographics, Protocol):
    """The patient index as the queries need it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the transactions work with."""

    feed: Feed
    patients: Patients
    policy: FeedPolicy
    change_link: Handler
    """Answers ADT^A43 (iti64_pid_link_change.PidLinkChange)."""


def routes(parts: Parts) -> Routes:
    """Return every kind of message that is understood, with who answers it."""
    feed, policy = parts.feed, parts.policy
    known = Route("ITI-8", "feed", PatientIdentityFeed(feed, policy))
    demographics = PatientDemographicsQuery(parts.patients, policy.domains)
    visits = PatientDemographicsQuery(parts.patients, policy.domains, visits=True)
    return {
        **{("ADT", event): known for event in ("A01", "A04", "A05", "A08")},
        ("ADT", "A40"): Route("ITI-8", "feed", PatientIdentityMerge(feed, policy)),
        # What patient administration systems (PAM) send instead of A04, A08 and A40.
        **{("ADT", event): Route("ITI-30", "feed", known.handle) for event in ("A28", "A31")},
        ("ADT", "A47"): Route("ITI-30", "feed", PatientIdentityMerge(feed, policy)),
        ("ADT", "A24"): Route("ITI-30", "feed", PatientLink(feed, policy)),
        ("ADT", "A37"): Route("ITI-30", "feed", PatientLink(feed, policy, apart=True)),
        ("ADT", "A43"): Route("ITI-64", "feed", parts.change_link),
        ("QBP", "Q23"): Route(
            "ITI-9", "find", PixQuery(parts.patients, policy.domains), iti9_pix_query.refused
        ),
        ("QBP", "Q22"): Route("ITI-21", "find", demographics, demographics.refused),
        ("QBP", "ZV1"): Route("ITI-22", "find", visits, visits.refused),
        ("QCN", "J01"): Route("ITI-21", "find", QueryCancelled()),
    }


def named(table: Routes, kind: str, event: str) -> Route:
    """Return the route of MSH-9 for the guard; what is not understood counts as a feed."""
    return table.get((kind, event), _UNKNOWN)


def check_header(message: Message, table: Routes, receiver: str) -> None:
    """Refuse what is not for us; raises the refusals of the header's fields."""
    header = message.header
    if not header.raw(10).strip():
        raise RequiredFieldMissing("MSH-10 is missing", at="MSH^1^10")
    kind, event = header.value(9).text(1), header.value(9).text(2)
    if kind not in {known for known, _ in table}:
        raise UnsupportedMessageType(at="MSH^1^9^1^1")
    if (kind, event) not in table:
        if kind == "ADT" and event in _OTHER_MERGES:
            raise UnsupportedMerge("patients are merged by ADT^A40 here", at="MSH^1^9^1^2")
        raise UnsupportedEvent(at="MSH^1^9^1^2")
    if header.value(11).text() not in _PROCESSING:
        raise UnsupportedProcessingId(at="MSH^1^11")
    if header.value(12).text() not in VERSIONS:
        raise UnsupportedVersion(at="MSH^1^12")
    if receiver and header.value(5).text() != receiver:
        raise WrongReceiver(at="MSH^1^5")


def shaped(route: Route, message: Message, refusal: Acknowledgment) -> Result:
    """Return the answer to a refused message in the shape its sender waits for."""
    if route.refused is None:
        return Result((refusal,))
    return route.refused(message, refusal)


def _nobody(_message: Message) -> Result:
    raise UnsupportedEvent(at="MSH^1^9^1^2")


_UNKNOWN: Final = Route(_ANY, "feed", _nobody)
