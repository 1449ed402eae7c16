"""Decide what a feed, an image or a person tells of a patient: known, changed, or nothing new.

Implements ITI TF-2 3.8.4.1.3 (expected actions of the identity feed) and automatic creation
from DICOM. Pure: past state and request -> Append or None. Called by workflows.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

import msgspec

from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import BadTime, check_dtm
from registry.patients.aggregate import NOT_KNOWN, PatientState, apply_patient
from registry.patients.events import PatientDemographicsChanged, PatientIdentified
from registry.patients.refusals import BadDemographics, PatientErased
from registry.patients.values import Demographics, Told

__all__ = ["NOT_KNOWN", "PatientState", "apply_patient"]
"""What workflows fold a patient's stream (his key) with; the commands are below."""

FEED: Final = "feed"
DICOM: Final = "dicom"
MANUAL: Final = "manual"

_SEXES: Final = frozenset({"", "M", "F", "O"})
_DATE: Final = re.compile(r"(?:[0-9]{4}(?:[0-9]{2}){0,2})?")
_MAX_TEXT: Final = 1024


def receive_feed(
    state: PatientState,
    *,
    patient_key: UUID,
    patient_id: PatientId,
    told: Told,
    origin: str = FEED,
    version: int | None = None,
) -> Append | None:
    """Take what a feed tells: it overrides what was known; None when nothing is new."""
    _check(state)
    merged = Demographics(
        name=_said(told.name, state.demographics.name),
        birth_date=_said(told.birth_date, state.demographics.birth_date),
        sex=_said(told.sex, state.demographics.sex),
        address=_said(told.address, state.demographics.address),
        telephone=_said(told.telephone, state.demographics.telephone),
    )
    merged = check_demographics(merged)
    return _decided(state, patient_key, patient_id, merged, origin=origin, version=version)


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
    held, told = state.demographics, _fitting(demographics)
    merged = Demographics(
        name=held.name or told.name,
        birth_date=held.birth_date or told.birth_date,
        sex=held.sex or told.sex,
        address=held.address or told.address,
        telephone=held.telephone or told.telephone,
    )
    return _decided(state, patient_key, patient_id, merged, origin=DICOM, version=version)


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


def _said(told: str | None, held: str) -> str:
    return held if told is None else told


def _decided(
    state: PatientState,
    patient_key: UUID,
    patient_id: PatientId,
    demographics: Demographics,
    *,
    origin: str,
    version: int | None,
) -> Append | None:
    if state.known and demographics == state.demographics:
        return None
    fact: PatientIdentified | PatientDemographicsChanged
    if state.known:
        fact = PatientDemographicsChanged(
            patient_key=patient_key, origin=origin, demographics=demographics
        )
    else:
        fact = PatientIdentified(
            patient_key=patient_key,
            origin=origin,
            patient_id=str(patient_id),
            demographics=demographics,
        )
    expected = version if state.known else 0
    return Append((StreamAppend(patient_key, (fact,), expected, patient_key),))
