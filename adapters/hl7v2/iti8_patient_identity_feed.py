"""ITI-8 Patient Identity Feed: ADT^A01, A04, A05, A08 to a patient identifier and what is told.

Implements ITI TF-2 3.8.4.1 (HL7 v2.3.1; 2.5 has the same fields). Called by `endpoint.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.hl7v2.decode import DELETED, Message, Segment, Value
from adapters.hl7v2.refusals import (
    ForeignAuthority,
    RequiredFieldMissing,
    UnsupportedEvent,
    UnsupportedMessageType,
    UnsupportedProcessingId,
    UnsupportedVersion,
    WrongFieldValue,
    WrongReceiver,
    WrongTableValue,
)
from kernel.identifiers import BadIdentifier, PatientId
from registry.patients.values import Told

EVENTS: Final = frozenset({"A01", "A04", "A05", "A08"})
VERSIONS: Final = frozenset({"2.3", "2.3.1", "2.4", "2.5", "2.5.1"})
_PROCESSING: Final = frozenset({"P", "T", "D"})
_SEX: Final = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O", "U": "", "": ""}
_TIME: Final = re.compile(
    r"([0-9]{4}(?:[0-9]{2}){0,2})(?:[0-9]{2}){0,3}(?:\.[0-9]{1,4})?(?:[+-][0-9]{4})?"
)
_ADDRESS_PARTS: Final = (1, 2, 3, 4, 5, 6)
_HAN: Final = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """Whose identifiers the feed brings, and how to read messages that do not say."""

    assigning_authority: str
    """OID of the affinity domain's patient ids."""
    namespaces: Mapping[str, str] = field(default_factory=dict)
    """Namespace id (CX.4.1) as senders write it -> OID."""
    default_charset: str = "utf-8"
    """For messages without MSH-18."""
    receiving_application: str = ""
    """What MSH-5 must be; empty: anything."""


def check_header(message: Message, policy: FeedPolicy) -> None:
    """Refuse what is not an identity feed for us; raises the refusals of its fields."""
    header = message.header
    if not header.raw(10).strip():
        raise RequiredFieldMissing("MSH-10 is missing", at="MSH^1^10")
    kind = header.value(9)
    if kind.text(1) != "ADT":
        raise UnsupportedMessageType(at="MSH^1^9^1^1")
    if kind.text(2) not in EVENTS:
        raise UnsupportedEvent(at="MSH^1^9^1^2")
    if header.value(11).text() not in _PROCESSING:
        raise UnsupportedProcessingId(at="MSH^1^11")
    if header.value(12).text() not in VERSIONS:
        raise UnsupportedVersion(at="MSH^1^12")
    receiver = policy.receiving_application
    if receiver and header.value(5).text() != receiver:
        raise WrongReceiver(at="MSH^1^5")


def decode_feed(message: Message, policy: FeedPolicy) -> tuple[PatientId, Told]:
    """Return the patient of PID-3 and what the message says of him."""
    segment = message.first("PID")
    if segment is None:
        raise RequiredFieldMissing("the PID segment is missing", at="PID")
    return _patient_id(segment, policy), Told(
        name=_name(segment),
        birth_date=_birth_date(segment),
        sex=_sex(segment),
        address=_address(segment),
        telephone=_telephone(segment),
    )


def _patient_id(segment: Segment, policy: FeedPolicy) -> PatientId:
    values = [value for value in segment.repetitions(3) if value.text(1) not in ("", DELETED)]
    if not values:
        raise RequiredFieldMissing("PID-3 is missing", at="PID^1^3")
    own = policy.assigning_authority
    ours = {value.text(1) for value in values if _authority(value, policy) == own}
    if not ours:
        raise ForeignAuthority(at="PID^1^3^1^4")
    if len(ours) > 1:
        raise WrongFieldValue("PID-3 has several identifiers of the authority", at="PID^1^3")
    try:
        return PatientId(ours.pop(), own)
    except BadIdentifier as problem:
        raise WrongFieldValue(problem.message, at="PID^1^3^1^1") from None


def _authority(value: Value, policy: FeedPolicy) -> str:
    """Return the OID of CX.4: the universal id when it is an ISO one, else by namespace."""
    universal, kind = value.text(4, 2), value.text(4, 3)
    if universal:
        return universal if kind in ("ISO", "") else ""
    return policy.namespaces.get(value.text(4, 1), "")


def _name(segment: Segment) -> str | None:
    """Return PID-5 as DICOM PN text: the legal name in its alphabetic and ideographic form."""
    if segment.value(5).raw == DELETED:
        return ""
    groups = {"A": "", "I": "", "P": ""}
    # The legal name first (XPN.7 = L or not said), aliases only when there is no other.
    for value in sorted(segment.repetitions(5), key=lambda v: v.text(7) not in ("L", "")):
        group = _person_name(value)
        code = value.text(8)
        if code not in groups:
            code = "I" if _HAN.search(group) else "A"
        if group and not groups[code]:
            groups[code] = group
    text = "=".join(groups.values()).rstrip("=")
    return text or None


def _person_name(value: Value) -> str:
    # XPN: family, given, further, suffix, prefix. PN: family^given^middle^prefix^suffix.
    parts = [re.sub(r"[\^=\\\r\n]", " ", value.text(n)).strip() for n in (1, 2, 3, 5, 4)]
    return "^".join(parts).rstrip("^")


def _birth_date(segment: Segment) -> str | None:
    text = segment.value(7).text()
    if text in ("", DELETED):
        return "" if text else None
    found = _TIME.fullmatch(text)
    if found is None:
        raise WrongFieldValue("PID-7 is not a time stamp", at="PID^1^7")
    return found[1]


def _sex(segment: Segment) -> str | None:
    text = segment.value(8).text()
    if not text:
        return None
    if text == DELETED:
        return ""
    try:
        return _SEX[text.upper()]
    except KeyError:
        raise WrongTableValue("PID-8 is not of table 0001", at="PID^1^8") from None


def _address(segment: Segment) -> str | None:
    value = segment.value(11)
    if value.raw == DELETED:
        return ""
    parts = [value.text(n) for n in _ADDRESS_PARTS]
    return " ".join(part for part in parts if part and part != DELETED) or None


def _telephone(segment: Segment) -> str | None:
    value = segment.value(13)
    if value.raw == DELETED:
        return ""
    # XTN.1 is the number up to 2.3.1; later messages may use XTN.12 or area code and number.
    dialled = value.text(1) or value.text(12)
    return dialled or f"{value.text(6)}{value.text(7)}".strip() or None
