"""From a refusal to the protocol's word for it: status codes and rejections.

PS3.7 C (status type encoding), PS3.4 B.2.3, C.4.1.1.4, C.4.2.1.5, C.4.3.1.4, J.3.2.2 (service
statuses), PS3.8 9.3.4 (A-ASSOCIATE-RJ). Called by the services and by `association.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from adapters.dimse.contexts import Operation
from kernel.identifiers import BadIdentifier
from kernel.refusals import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooMuch,
    Unauthenticated,
    Unavailable,
)
from registry.availability.refusals import NoticeExists, NoticeIncomplete
from registry.procedure_steps.refusals import (
    AttributeEmpty,
    AttributeInvalid,
    AttributeMissing,
    ProcedureStepEnded,
    ProcedureStepExists,
)
from registry.studies.refusals import InstanceDiffers, InstanceMismatch
from registry.workitems import refusals as workitems

SUCCESS: Final = 0x0000
PENDING: Final = 0xFF00
PENDING_WITHOUT_OPTIONAL_KEYS: Final = 0xFF01
CANCELLED: Final = 0xFE00
INVALID_ATTRIBUTE_VALUE: Final = 0x0106
PROCESSING_FAILURE: Final = 0x0110
DUPLICATE_INSTANCE: Final = 0x0111
NO_SUCH_INSTANCE: Final = 0x0112
INVALID_ARGUMENT: Final = 0x0115
INVALID_INSTANCE: Final = 0x0117
NO_SUCH_SOP_CLASS_N: Final = 0x0118
MISSING_ATTRIBUTE: Final = 0x0120
MISSING_ATTRIBUTE_VALUE: Final = 0x0121
NO_SUCH_ACTION: Final = 0x0123
RESOURCE_LIMITATION: Final = 0x0213
NO_SUCH_SOP_CLASS: Final = 0x0122
NOT_AUTHORISED: Final = 0x0124
UNRECOGNISED_OPERATION: Final = 0x0211
OUT_OF_RESOURCES: Final = 0xA700
CANNOT_CALCULATE_MATCHES: Final = 0xA701
CANNOT_PERFORM_SUBOPERATIONS: Final = 0xA702
MOVE_DESTINATION_UNKNOWN: Final = 0xA801
DATASET_DOES_NOT_MATCH: Final = 0xA900
SUBOPERATIONS_FAILED: Final = 0xB000
CANNOT_UNDERSTAND: Final = 0xC000
UPS_CREATED_WITH_MODIFICATIONS: Final = 0xB300
UPS_ALREADY_CANCELED: Final = 0xB304
UPS_ALREADY_COMPLETED: Final = 0xB306

_STORE: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (InstanceDiffers, DUPLICATE_INSTANCE),
    (InstanceMismatch, DATASET_DOES_NOT_MATCH),
    (BadIdentifier, CANNOT_UNDERSTAND),
    (Invalid, CANNOT_UNDERSTAND),
    (NotFound, CANNOT_UNDERSTAND),
    (Conflict, PROCESSING_FAILURE),
    (Forbidden, NOT_AUTHORISED),
    (TooMuch, OUT_OF_RESOURCES),
    (Unavailable, OUT_OF_RESOURCES),
    (Refusal, PROCESSING_FAILURE),
)
_QUERY: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (Invalid, DATASET_DOES_NOT_MATCH),
    (NotFound, CANNOT_UNDERSTAND),
    (Conflict, CANNOT_UNDERSTAND),
    (Forbidden, NOT_AUTHORISED),
    (TooMuch, OUT_OF_RESOURCES),
    (Unavailable, OUT_OF_RESOURCES),
    (Refusal, CANNOT_UNDERSTAND),
)
_RETRIEVE: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (TooMuch, CANNOT_CALCULATE_MATCHES),
    (Unavailable, CANNOT_CALCULATE_MATCHES),
    *_QUERY,
)
_COMMIT: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (Invalid, INVALID_ARGUMENT),
    (Forbidden, NOT_AUTHORISED),
    (TooMuch, RESOURCE_LIMITATION),
    (Unavailable, RESOURCE_LIMITATION),
    (Refusal, PROCESSING_FAILURE),
)
_MPPS: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (AttributeMissing, MISSING_ATTRIBUTE),
    (AttributeEmpty, MISSING_ATTRIBUTE_VALUE),
    (AttributeInvalid, INVALID_ATTRIBUTE_VALUE),
    (BadIdentifier, INVALID_ATTRIBUTE_VALUE),
    (ProcedureStepExists, DUPLICATE_INSTANCE),
    (NotFound, NO_SUCH_INSTANCE),
    (Forbidden, NOT_AUTHORISED),
    (TooMuch, RESOURCE_LIMITATION),
    (Unavailable, RESOURCE_LIMITATION),
    (Refusal, PROCESSING_FAILURE),
)
_AVAILABILITY: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (NoticeExists, DUPLICATE_INSTANCE),
    (NoticeIncomplete, MISSING_ATTRIBUTE),
    (BadIdentifier, INVALID_ATTRIBUTE_VALUE),
    (Forbidden, NOT_AUTHORISED),
    (TooMuch, RESOURCE_LIMITATION),
    (Unavailable, RESOURCE_LIMITATION),
    (Refusal, PROCESSING_FAILURE),
)
_UPS: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (workitems.WorkitemEnded, 0xC300),
    (workitems.TransactionUidMissing, 0xC301),
    (workitems.TransactionUidWrong, 0xC301),
    (workitems.WorkitemInProgress, 0xC302),
    (workitems.ScheduledByCreation, 0xC303),
    (workitems.WorkitemUnfinished, 0xC304),
    (workitems.WorkitemNotKnown, 0xC307),
    (workitems.SubscriberNotKnown, 0xC308),
    (workitems.WorkitemNotScheduled, 0xC309),
    (workitems.WorkitemNotClaimed, 0xC310),
    (workitems.WorkitemDone, 0xC311),
    (workitems.SubscriptionUnfit, 0xC314),
    (workitems.WorkitemExists, DUPLICATE_INSTANCE),
    (workitems.WorkitemAttributeMissing, MISSING_ATTRIBUTE),
    (workitems.WorkitemAttributeEmpty, MISSING_ATTRIBUTE_VALUE),
    (workitems.WorkitemAttributeInvalid, INVALID_ATTRIBUTE_VALUE),
    (workitems.StateUnknown, INVALID_ARGUMENT),
    (workitems.FilterNamesPerson, INVALID_ARGUMENT),
    (BadIdentifier, INVALID_ATTRIBUTE_VALUE),
    (Forbidden, NOT_AUTHORISED),
    (TooMuch, RESOURCE_LIMITATION),
    (Unavailable, RESOURCE_LIMITATION),
    (Refusal, PROCESSING_FAILURE),
)
"""PS3.4 CC.2.1 to CC.2.6, tables of status values."""
_ECHO: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (Forbidden, NOT_AUTHORISED),
    (Refusal, PROCESSING_FAILURE),
)
_TABLES: Final = {
    Operation.ECHO: _ECHO,
    Operation.STORE: _STORE,
    Operation.FIND: _QUERY,
    Operation.MOVE: _RETRIEVE,
    Operation.GET: _RETRIEVE,
    Operation.COMMIT: _COMMIT,
    Operation.WORKLIST: _QUERY,
    Operation.MPPS: _MPPS,
    Operation.AVAILABILITY: _AVAILABILITY,
    Operation.UPS: _UPS,
}

_ENDS: Final[Mapping[Operation, tuple[int, ...]]] = {
    Operation.FIND: (PENDING, PENDING_WITHOUT_OPTIONAL_KEYS, CANCELLED),
    Operation.WORKLIST: (PENDING, CANCELLED),
    Operation.MOVE: (
        PENDING, CANCELLED, SUBOPERATIONS_FAILED, CANNOT_PERFORM_SUBOPERATIONS,
        MOVE_DESTINATION_UNKNOWN,
    ),
    Operation.GET: (PENDING, CANCELLED, SUBOPERATIONS_FAILED, CANNOT_PERFORM_SUBOPERATIONS),
    Operation.COMMIT: (NO_SUCH_SOP_CLASS_N, NO_SUCH_INSTANCE, NO_SUCH_ACTION),
    Operation.MPPS: (NO_SUCH_SOP_CLASS_N,),
    Operation.AVAILABILITY: (NO_SUCH_SOP_CLASS_N,),
    Operation.UPS: (
        PENDING, CANCELLED, OUT_OF_RESOURCES, DATASET_DOES_NOT_MATCH, NO_SUCH_SOP_CLASS_N,
        NO_SUCH_ACTION, UPS_CREATED_WITH_MODIFICATIONS, UPS_ALREADY_CANCELED,
        UPS_ALREADY_COMPLETED,
    ),
}  # fmt: skip
"""What the services say besides success, and besides why they refuse."""

_NAMING_ATTRIBUTES: Final = (
    AttributeMissing,
    AttributeEmpty,
    AttributeInvalid,
    workitems.WorkitemAttributeMissing,
    workitems.WorkitemAttributeEmpty,
    workitems.WorkitemAttributeInvalid,
    workitems.WorkitemUnfinished,
)
MAY_NO_LONGER_BE_UPDATED: Final = 0xA710
"""Error ID of an N-SET on a performed procedure step that has ended (PS3.4 F.7.2.2.4)."""

# result, source, reason (PS3.8 9.3.4)
CALLED_AE_UNKNOWN: Final = (1, 1, 7)
CALLING_AE_UNKNOWN: Final = (1, 1, 3)
NO_SUCH_APPLICATION_CONTEXT: Final = (1, 1, 2)
NO_SUCH_PROTOCOL_VERSION: Final = (1, 2, 2)
TEMPORARY_CONGESTION: Final = (2, 3, 1)
LOCAL_LIMIT_EXCEEDED: Final = (2, 3, 2)


def status(refusal: Refusal, service: Operation) -> int:
    """Return the status word of a refusal in a service's response."""
    return next(word for kind, word in _TABLES[service] if isinstance(refusal, kind))


def words(service: Operation) -> tuple[tuple[int, str], ...]:
    """Return every status a service may answer with, and why; for the conformance statement."""
    told = [(SUCCESS, ""), *((word, "") for word in _ENDS.get(service, ()))]
    told += [(UNRECOGNISED_OPERATION, "no operation of the service")]
    table = dict(reversed(_TABLES[service]))  # of a kind that stands twice the first counts
    told += [(word, _branch(kind)) for kind, word in table.items()]
    reasons: dict[int, list[str]] = {}
    for word, why in told:
        reasons.setdefault(word, []).extend([why] if why else [])
    return tuple((word, "; ".join(dict.fromkeys(why))) for word, why in sorted(reasons.items()))


def _branch(kind: type[Refusal]) -> str:
    told = (kind.__doc__ or "").split(".")[0]
    return "any other refusal" if kind is Refusal else told[:1].lower() + told[1:]


def is_success(word: int) -> bool:
    """Tell whether a status says that a request was carried out, if with a warning (PS3.7 C)."""
    return word in {SUCCESS, 0x0001, 0x0107, 0x0116} or word & 0xF000 == 0xB000


def rejection(refusal: Refusal) -> tuple[int, int, int]:
    """Return result, source and reason of the A-ASSOCIATE-RJ for a refused caller."""
    if isinstance(refusal, Unavailable):
        return TEMPORARY_CONGESTION
    if isinstance(refusal, Unauthenticated | Forbidden):
        return CALLING_AE_UNKNOWN
    return (1, 1, 1)


def particulars(refusal: Refusal) -> Mapping[int, int | bytes]:
    """Return what a DIMSE-N response tells besides: Attribute Identifier List or Error ID."""
    if isinstance(refusal, ProcedureStepEnded):
        return {0x0903: MAY_NO_LONGER_BE_UPDATED}
    tag = refusal.details.get("tag")
    if isinstance(refusal, _NAMING_ATTRIBUTES) and tag:
        number = int(str(tag), 16)
        return {0x1005: struct.pack("<HH", number >> 16, number & 0xFFFF)}
    return {}


def offending(refusal: Refusal) -> Mapping[int, bytes]:
    """Return the Offending Element (0000,0901) of a refused query, if one key is to blame."""
    tag = refusal.details.get("tag")
    if tag is None:
        return {}
    number = int(str(tag), 16)
    return {0x0901: struct.pack("<HH", number >> 16, number & 0xFFFF)}


def comment(refusal: Refusal) -> str:
    """Return the Error Comment (0000,0902): at most 64 characters, never personal data."""
    return f"{refusal.code}: {refusal.message}"[:64]
