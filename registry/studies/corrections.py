"""What may be corrected of a study and in which form; who a patient is, as DICOM JSON members.

Implements PS3.3 C.7.1.1 (Patient), C.7.2.1 (General Study), PS3.5 6.2 (value representations) and
PS3.18 F. Pure; called by workflows before a command, and by adapters to name attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec

from registry.patients.values import Demographics
from registry.studies.refusals import CorrectionInvalid

ATTRIBUTES: Final[Mapping[str, tuple[str, str]]] = {
    "AccessionNumber": ("00080050", "SH"),
    "AdditionalPatientHistory": ("001021B0", "LT"),
    "AdmissionID": ("00380010", "LO"),
    "AdmittingDiagnosesDescription": ("00081080", "LO"),
    "EthnicGroup": ("00102160", "SH"),
    "NameOfPhysiciansReadingStudy": ("00081060", "PN"),
    "Occupation": ("00102180", "SH"),
    "OtherPatientNames": ("00101001", "PN"),
    "PatientAge": ("00101010", "AS"),
    "PatientBirthDate": ("00100030", "DA"),
    "PatientBirthTime": ("00100032", "TM"),
    "PatientComments": ("00104000", "LT"),
    "PatientName": ("00100010", "PN"),
    "PatientSex": ("00100040", "CS"),
    "PatientState": ("00380500", "LO"),
    "PhysiciansOfRecord": ("00081048", "PN"),
    "ReferringPhysicianName": ("00080090", "PN"),
    "RequestedProcedureDescription": ("00321060", "LO"),
    "RequestingPhysician": ("00321032", "PN"),
    "StudyDate": ("00080020", "DA"),
    "StudyDescription": ("00081030", "LO"),
    "StudyID": ("00200010", "SH"),
    "StudyTime": ("00080030", "TM"),
}
"""Keyword -> tag and value representation. Patient ID changes by reassignment only."""

_EMPTIED: Final = (
    ("00100032", "TM"), ("00101000", "LO"), ("00101001", "PN"), ("00101002", "SQ"),
    ("00101010", "AS"), ("00101040", "LO"), ("00101060", "PN"), ("00102154", "SH"),
)  # fmt: skip
"""What else identifies the patient, and is not the new one's."""
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9](?:\.[0-9]{1,6})?)?)?")
_AGE: Final = re.compile(r"[0-9]{3}[DWMY]")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_encode: Final = msgspec.json.Encoder(order="sorted").encode
Members = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """Attributes with their new values, as an event holds them."""

    members: Members

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags, in order."""
        return tuple(sorted(self.members))

    @property
    def values(self) -> str:
        """Return the members as JSON; empty when there are none."""
        return _encode(self.members).decode() if self.members else ""


NOTHING: Final = Change({})


def correction(values: Mapping[str, str]) -> Change:
    """Return values by keyword as a change; an empty value empties. Raises CorrectionInvalid."""
    members: dict[str, Mapping[str, Any]] = {}
    for keyword, text in values.items():
        if keyword not in ATTRIBUTES:
            raise CorrectionInvalid("an attribute is not of those that may be corrected")
        tag, vr = ATTRIBUTES[keyword]
        members[tag] = _attribute(keyword, vr, text.strip())
    if not members:
        raise CorrectionInvalid("nothing is to be corrected")
    return Change(members)


def patient_of(local_id: str, demographics: Demographics, *, issuer: str | None) -> Change:
    """Return who a patient is; `issuer` is the OID of another domain, None where it stays."""
    members: dict[str, Mapping[str, Any]] = {tag: {"vr": vr} for tag, vr in _EMPTIED}
    members["00100020"] = {"vr": "LO", "Value": [local_id]}
    members["00100010"] = _member("PN", _name(demographics.name))
    members["00100030"] = _member("DA", demographics.birth_date)
    members["00100040"] = _member("CS", demographics.sex)
    if issuer is not None:
        members["00100021"] = {"vr": "LO", "Value": [issuer]}
        members["00100024"] = {
            "vr": "SQ",
            "Value": [
                {
                    "00400032": {"vr": "UT", "Value": [issuer]},
                    "00400033": {"vr": "CS", "Value": ["ISO"]},
                }
            ],
        }
    return Change(members)


def _attribute(keyword: str, vr: str, text: str) -> Mapping[str, Any]:
    if not text:
        return {"vr": vr}
    if keyword == "PatientSex" and text not in {"M", "F", "O"}:
        raise CorrectionInvalid("the sex is M, F, O or empty", attribute=keyword)
    if _CONTROLS.search(text.replace("\r\n", "").replace("\n", "") if vr == "LT" else text):
        raise CorrectionInvalid("a value holds control characters", attribute=keyword)
    if vr != "LT" and "\\" in text:
        raise CorrectionInvalid("an attribute has one value", attribute=keyword)
    check, what = _FORMS[vr]
    if not check(text):
        raise CorrectionInvalid(what, attribute=keyword)
    return _member(vr, _name(text) if vr == "PN" else text)


def _member(vr: str, value: Any) -> Mapping[str, Any]:
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}


def _name(text: str) -> dict[str, str]:
    groups = (part.rstrip("^ ") for part in text.split("="))
    return {group: part for group, part in zip(_GROUPS, groups, strict=False) if part}


def _is_date(text: str) -> bool:
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _is_name(text: str) -> bool:
    groups = text.split("=")
    return len(groups) <= len(_GROUPS) and all(
        len(group) <= 64 and group.count("^") <= 4 for group in groups
    )


_FORMS: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "DA": (_is_date, "a date has the form YYYYMMDD"),
    "TM": (lambda text: _TIME.fullmatch(text) is not None, "a time has the form HHMMSS"),
    "AS": (lambda text: _AGE.fullmatch(text) is not None, "an age has the form 042Y"),
    "CS": (lambda text: len(text) <= 16, "a code has at most 16 characters"),
    "SH": (lambda text: len(text) <= 16, "a short text has at most 16 characters"),
    "LO": (lambda text: len(text) <= 64, "a text has at most 64 characters"),
    "LT": (lambda text: len(text) <= 10240, "a long text has at most 10240 characters"),
    "PN": (_is_name, "a name has up to three groups of five parts, 64 characters each"),
}
