"""Decide what a feed, an image or a person tells of a patient: known, changed, merged, linked.

Implements ITI TF-2 3.8.4.1.3 and 3.8.4.2.4 (expected actions of the identity feed), the links of
3.9 and automatic creation from DICOM. Pure: past state and request -> Append or None; None when
nothing is new. Called by workflows, which load an `Identity` for each identifier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from kernel.events import Fact
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import BadTime, check_dtm
from registry.patients.aggregate import (
    NOBODY,
    NOT_KNOWN,
    PatientState,
    PersonState,
    apply_patient,
    apply_person,
)
from registry.patients.cross_references import CrossReferences, Person
from registry.patients.events import (
    PatientAbsorbed,
    PatientDemographicsChanged,
    PatientIdentified,
    PatientMerged,
)
from registry.patients.refusals import (
    BadDemographics,
    IdentifierSubsumed,
    IdentifierUnknown,
    LinkRefused,
    MergeRefused,
    PatientErased,
)
from registry.patients.values import Demographics, Member, Told

__all__ = [
    "NOBODY", "NOT_KNOWN", "PatientState", "Person", "PersonState", "apply_patient", "apply_person",
]  # fmt: skip
"""What workflows fold the streams of patients and persons with; the commands are below."""

FEED: Final = "feed"
LOCAL: Final = "local"
"""A feed's word for an identifier that is not of the affinity domain."""
DICOM: Final = "dicom"
MANUAL: Final = "manual"

_SEXES: Final = frozenset({"", "M", "F", "O"})
_DATE: Final = re.compile(r"(?:[0-9]{4}(?:[0-9]{2}){0,2})?")
_MAX_TEXT: Final = 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """One identifier that a message names, with what its stream tells."""

    patient_id: PatientId
    key: UUID
    state: PatientState
    version: int

    @property
    def member(self) -> Member:
        """Return it as a member of a person."""
        return Member(patient_key=self.key, authority=self.patient_id.authority)


def receive_feed(
    identities: Sequence[Identity], persons: Mapping[UUID, Person], told: Told, *, affinity: str
) -> Append | None:
    """Take what a feed tells of one person: it overrides what was known and links identifiers.

    The first identifier is the one the message is about; others that were subsumed meanwhile
    are passed over.
    """
    first, *rest = identities
    _check_usable(first)
    named = [first, *(one for one in rest if one.state.merged_into is None)]
    facts: dict[UUID, tuple[Fact, ...]] = {}
    for one in named:
        _check_usable(one)
        facts[one.key] = _told_of(one, told, affinity)
    links = CrossReferences(affinity, persons, FEED)
    for one in named[1:]:
        links.join(first.member, one.member)
    return _append(named, facts, links)


def merge(
    subsumed: Identity,
    survivor: Identity,
    persons: Mapping[UUID, Person],
    told: Told,
    *,
    affinity: str,
) -> Append | None:
    """Merge an identifier into another of its domain (ITI TF-2 3.8.4.2.4).

    A survivor nobody announced becomes known by this message. The same merge told again is no
    news. Whoever was cross-referenced to the subsumed one is to the survivor now.
    """
    if subsumed.key == survivor.key:
        raise MergeRefused("an identifier cannot be merged into itself")
    if subsumed.patient_id.authority != survivor.patient_id.authority:
        raise MergeRefused("the identifiers to merge are of different domains")
    if subsumed.state.merged_into == survivor.key:
        return None
    if not subsumed.state.known:
        raise IdentifierUnknown("the identifier to be merged is not known")
    _check_usable(subsumed)
    _check_usable(survivor)
    facts: dict[UUID, tuple[Fact, ...]] = {}
    known = _told_of(survivor, told, affinity)
    if survivor.state.local and not subsumed.state.local:
        # The subsumed one has documents: those to come must be accepted for the survivor too.
        known = (_identified(survivor, _merged_demographics(survivor.state, told), DICOM),)
    links = CrossReferences(affinity, persons, FEED)
    for other in links.leave(subsumed.member):
        if links.may_join(survivor.member, other):
            links.join(survivor.member, other)
    absorbed = PatientAbsorbed(
        patient_key=survivor.key, subsumed=subsumed.key, patient_id=str(survivor.patient_id)
    )
    gone = PatientMerged(patient_key=subsumed.key, into=survivor.key, origin=FEED)
    facts[survivor.key] = (*known, absorbed)
    facts[subsumed.key] = (gone,)
    return _append((survivor, subsumed), facts, links)


def link(
    first: Identity, other: Identity, persons: Mapping[UUID, Person], *, affinity: str
) -> Append | None:
    """Cross-reference two known identifiers (HL7 2.5 3.3.24, ADT^A24)."""
    for one in (first, other):
        if not one.state.known:
            raise IdentifierUnknown("an identifier to be linked is not known")
        _check_usable(one)
    links = CrossReferences(affinity, persons, FEED)
    if not links.may_join(first.member, other.member):
        raise LinkRefused
    if first.key != other.key:
        links.join(first.member, other.member)
    return _append((first, other), {}, links)


def unlink(
    first: Identity, other: Identity, persons: Mapping[UUID, Person], *, affinity: str
) -> Append | None:
    """Let `other` stand alone if it is cross-referenced to `first` (HL7 2.5 3.3.37, ADT^A37)."""
    for one in (first, other):
        if not one.state.known:
            raise IdentifierUnknown("an identifier to be unlinked is not known")
        _check_usable(one)
    links = CrossReferences(affinity, persons, FEED)
    if first.state.person is not None and first.state.person == other.state.person:
        links.leave(other.member)
    return _append((first, other), {}, links)


def receive_image(
    state: PatientState,
    *,
    patient_key: UUID,
    patient_id: PatientId,
    demographics: Demographics,
    version: int | None = None,
) -> Append | None:
    """Take what an image header tells: it makes a patient known and fills blanks, no more.

    A header is typed at the modality; it never overrides the feed. What it tells in a form
    that does not fit is left out rather than refused, so that the image is not lost.
    """
    _check(state)
    if state.merged_into is not None:
        return None  # The survivor's demographics are not a modality's to tell.
    held, told = state.demographics, _fitting(demographics)
    merged = Demographics(
        name=held.name or told.name,
        birth_date=held.birth_date or told.birth_date,
        sex=held.sex or told.sex,
        address=held.address or told.address,
        telephone=held.telephone or told.telephone,
    )
    identity = Identity(patient_id, patient_key, state, version or 0)
    fact = _news(identity, merged, DICOM)
    if fact is None:
        return None
    expected = version if state.known else 0
    return Append((StreamAppend(patient_key, (fact,), expected, patient_key),))


def check_demographics(demographics: Demographics) -> Demographics:
    """Return the demographics if their form is right; raises BadDemographics."""
    if demographics.sex not in _SEXES:
        raise BadDemographics("the sex is M, F, O or empty", field="sex")
    if _DATE.fullmatch(demographics.birth_date) is None:
        raise BadDemographics("the birth date has the form YYYY[MM[DD]]", field="birth_date")
    if demographics.birth_date:
        try:
            check_dtm(demographics.birth_date)
        except BadTime as problem:
            raise BadDemographics(
                "the birth date is no date of the calendar", field="birth_date"
            ) from problem
    texts = (demographics.name, demographics.address, demographics.telephone)
    if any(len(text) > _MAX_TEXT or "\x00" in text for text in texts):
        raise BadDemographics("a name, address or telephone is too long", field="name")
    return demographics


def _fitting(told: Demographics) -> Demographics:
    for field in ("birth_date", "sex", "name", "address", "telephone"):
        try:
            check_demographics(Demographics(**{field: getattr(told, field)}))
        except BadDemographics:
            told = msgspec.structs.replace(told, **{field: ""})
    return told


def _check(state: PatientState) -> None:
    if state.erased:
        raise PatientErased


def _check_usable(identity: Identity) -> None:
    _check(identity.state)
    if identity.state.merged_into is not None:
        raise IdentifierSubsumed("the identifier was merged into another one")


def _told_of(identity: Identity, told: Told, affinity: str) -> tuple[Fact, ...]:
    merged = _merged_demographics(identity.state, told)
    fact = _news(identity, merged, FEED if identity.patient_id.authority == affinity else LOCAL)
    return () if fact is None else (fact,)


def _merged_demographics(state: PatientState, told: Told) -> Demographics:
    held = state.demographics
    return check_demographics(
        Demographics(
            name=_said(told.name, held.name),
            birth_date=_said(told.birth_date, held.birth_date),
            sex=_said(told.sex, held.sex),
            address=_said(told.address, held.address),
            telephone=_said(told.telephone, held.telephone),
        )
    )


def _said(told: str | None, held: str) -> str:
    return held if told is None else told


def _news(identity: Identity, demographics: Demographics, origin: str) -> Fact | None:
    state = identity.state
    if not state.known or (state.local and origin != LOCAL):
        return _identified(identity, demographics, origin)
    if demographics == state.demographics:
        return None
    return PatientDemographicsChanged(
        patient_key=identity.key, origin=origin, demographics=demographics
    )


def _identified(identity: Identity, demographics: Demographics, origin: str) -> Fact:
    return PatientIdentified(
        patient_key=identity.key,
        origin=origin,
        patient_id=str(identity.patient_id),
        demographics=demographics,
    )


def _append(
    identities: Sequence[Identity], facts: Mapping[UUID, tuple[Fact, ...]], links: CrossReferences
) -> Append | None:
    """Put the facts of identifiers and persons into one append; None when there are none."""
    versions = {one.key: one.version for one in identities}
    linked = links.facts()
    streams = []
    for key in dict.fromkeys((*facts, *linked)):
        told = (*facts.get(key, ()), *linked.get(key, ()))
        if told:
            # An identifier that only comes along is guarded by its person's version.
            streams.append(StreamAppend(key, told, versions.get(key), key))
    streams += links.streams()
    return Append(tuple(streams)) if streams else None
