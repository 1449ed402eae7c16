"""ITI-8 Patient Identity Feed: ADT^A01, A04, A05, A08 make known, A40 merges.

Implements ITI TF-2 3.8.4.1 and 3.8.4.2 (HL7 v2.3.1; 2.5 has the same fields). Called through
`routes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from adapters.hl7v2.decode import DELETED, Message, Segment, Value
from adapters.hl7v2.identifiers import person_identifiers
from adapters.hl7v2.refusals import (
    ForeignAuthority,
    RequiredFieldMissing,
    WrongFieldValue,
    WrongTableValue,
)
from adapters.hl7v2.result import Result
from kernel.identifiers import PatientId
from registry.patients.values import IdentityDomains, Told

_SEX: Final = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O", "U": "", "": ""}
_TIME: Final = re.compile(
    r"([0-9]{4}(?:[0-9]{2}){0,2})(?:[0-9]{2}){0,3}(?:\.[0-9]{1,4})?(?:[+-][0-9]{4})?"
)
_ADDRESS_PARTS: Final = (1, 2, 3, 4, 5, 6)
_HAN: Final = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """Whose identifiers messages bring, and how to read messages that do not say."""

    domains: IdentityDomains
    default_charset: str = "utf-8"
    """For messages without MSH-18."""
    receiving_application: str = ""
    """What MSH-5 must be; empty: anything."""


@dataclass(frozen=True, slots=True)
class Merge:
    """One merge that a message tells: MRG-1 into PID-3."""

    subsumed: PatientId
    survivor: PatientId
    told: Told


class Feed(Protocol):
    """Takes what an identity feed tells (workflows.receive_identity_feed.IdentityFeed)."""

    def receive(self, patient_ids: Sequence[PatientId], told: Told) -> UUID:
        """Record what is new, durably, and return the patient's key."""
        ...

    def merge(self, subsumed: PatientId, survivor: PatientId, told: Told) -> tuple[UUID, UUID]:
        """Merge the first into the second, durably, and return their keys."""
        ...

    def link(self, first: PatientId, other: PatientId) -> tuple[UUID, UUID]:
        """Cross-reference two identifiers, durably, and return their keys."""
        ...

    def unlink(self, first: PatientId, other: PatientId) -> tuple[UUID, UUID]:
        """Let the second stand alone, durably, and return their keys."""
        ...


class PatientIdentityFeed:
    """Answers the messages that make a patient known."""

    def __init__(self, feed: Feed, policy: FeedPolicy) -> None:
        self._feed = feed
        self._policy = policy

    def __call__(self, message: Message) -> Result:
        """Take the message in."""
        patient_ids, told = decode_feed(message, self._policy.domains)
        key = self._feed.receive(patient_ids, told)
        return Result(patient_keys=(key,), detail=message.header.value(9).text(2))


class PatientIdentityMerge:
    """Answers the messages that merge patients (ADT^A40)."""

    def __init__(self, feed: Feed, policy: FeedPolicy) -> None:
        self._feed = feed
        self._policy = policy

    def __call__(self, message: Message) -> Result:
        """Merge what the message says, in its order; a message sent again does no harm."""
        keys: list[UUID] = []
        for one in decode_merges(message, self._policy.domains):
            keys += self._feed.merge(one.subsumed, one.survivor, one.told)
        event = message.header.value(9).text(2)
        return Result(patient_keys=tuple(dict.fromkeys(keys)), detail=event)


def decode_feed(message: Message, domains: IdentityDomains) -> tuple[list[PatientId], Told]:
    """Return the patient's identifiers of PID-3 and what the message says of him."""
    segment = message.required("PID")
    return person_identifiers(segment, 3, domains), told_of(segment)


def decode_merges(message: Message, domains: IdentityDomains) -> list[Merge]:
    """Return the merges of a message: each MRG segment belongs to the PID before it."""
    found: list[Merge] = []
    patient: Segment | None = None
    for segment in message.segments:
        if segment.name == "PID":
            patient = segment
        elif segment.name == "MRG":
            if patient is None:
                raise RequiredFieldMissing("the PID segment is missing", at="PID")
            found += _merges(patient, segment, domains)
    if not found:
        message.required("PID")
        message.required("MRG")
    return found


def _merges(patient: Segment, prior: Segment, domains: IdentityDomains) -> list[Merge]:
    gone = person_identifiers(prior, 1, domains)
    stays = {one.authority: one for one in person_identifiers(patient, 3, domains)}
    told = told_of(patient)
    pairs = [Merge(one, stays[one.authority], told) for one in gone if one.authority in stays]
    if not pairs:
        raise ForeignAuthority("MRG-1 and PID-3 have no domain in common", at="MRG^1^1^1^4")
    return pairs


def told_of(segment: Segment) -> Told:
    """Return what a PID segment says of the patient."""
    return Told(
        name=_name(segment),
        birth_date=_birth_date(segment),
        sex=_sex(segment),
        address=_address(segment),
        telephone=_telephone(segment),
    )


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
