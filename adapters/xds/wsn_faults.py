"""Refusals -> faults of WS-BaseNotification, each with the detail the standard gives it.

ITI TF-2 3.52; implements WS-BaseNotification 1.3, 4.2 (Subscribe), 6.1 (Renew, Unsubscribe) and
WS-BaseFaults 1.2. The nearest class in a refusal's ancestry decides. Called by ITI-52.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from adapters.soap import faults as soap
from adapters.soap.faults import SoapFault
from adapters.soap.names import escaped
from adapters.xds import wsn_names
from adapters.xds.wsn_encode import moment
from kernel.refusals import Forbidden, Refusal, Unavailable
from registry.subscriptions import refusals as subscriptions

SUBSCRIBE: Final = "SubscribeCreationFailedFault"
RENEW: Final = "UnacceptableTerminationTimeFault"
UNSUBSCRIBE: Final = "UnableToDestroySubscriptionFault"
"""The fault of each operation where no other fits."""

_UNKNOWN: Final = "ResourceUnknownFault"
_FAULTS: Final[Mapping[type[Refusal], str]] = {
    subscriptions.FilterInvalid: "InvalidFilterFault",
    subscriptions.TopicNotSupported: "TopicNotSupportedFault",
    subscriptions.TopicDialectUnknown: "TopicExpressionDialectUnknownFault",
    subscriptions.InitialTerminationTimeUnacceptable: "UnacceptableInitialTerminationTimeFault",
    subscriptions.TerminationTimeUnacceptable: "UnacceptableTerminationTimeFault",
    subscriptions.PolicyRequestUnsupported: "UnsupportedPolicyRequestFault",
    subscriptions.SubscriptionUnknown: _UNKNOWN,
    subscriptions.SubscriptionEnded: _UNKNOWN,
}


def name(refusal: type[Refusal], otherwise: str) -> str:
    """Return the local name of the fault for a kind of refusal."""
    return next((_FAULTS[kind] for kind in refusal.__mro__ if kind in _FAULTS), otherwise)


def fault(refusal: Refusal, otherwise: str) -> SoapFault:
    """Return the SOAP fault of a refused operation; of the caller's own kind where he may not."""
    if isinstance(refusal, Forbidden | Unavailable):
        return soap.of(refusal)
    called = name(type(refusal), otherwise)
    prefix, space = ("wsrf-r", wsn_names.WSRF_R) if called == _UNKNOWN else ("wsnt", wsn_names.WSNT)
    detail = (
        f'<{prefix}:{called} xmlns:{prefix}="{space}" xmlns:wsrf-bf="{wsn_names.WSRF_BF}">'
        f"<wsrf-bf:Timestamp>{moment(datetime.now(UTC))}</wsrf-bf:Timestamp>"
        f'<wsrf-bf:Description xml:lang="en">{escaped(refusal.message)}</wsrf-bf:Description>'
        f"{_window(refusal)}</{prefix}:{called}>"
    )
    return SoapFault(refusal.message, detail=detail, action=wsn_names.FAULT)


def _window(refusal: Refusal) -> str:
    """Return the times within which a termination time would have been granted."""
    told = (("MinimumTime", "minimum"), ("MaximumTime", "maximum"))
    found = [(element, refusal.details.get(detail)) for element, detail in told]
    return "".join(
        f"<wsnt:{element}>{moment(when)}</wsnt:{element}>"
        for element, when in found
        if isinstance(when, datetime)
    )
