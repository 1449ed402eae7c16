"""The patients of the demo as HL7 v2 messages: ADT^A04, then ADT^A08 for one who moved.

Implements the sender of ITI-8 (ITI TF-2 3.8) in HL7 2.5, UTF-8 by MSH-18.
Called by `feed`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from server.demo.people import PATIENTS, ZHAO_LIU, Patient

_FIELD: Final = "|"
_SENDER: Final = ("PIANKU_DEMO", "HIS")
_RECEIVER: Final = ("PIANKU", "PIANKU")


def messages(authority: str, when: datetime) -> list[bytes]:
    """Return the feed: an A01 or A04 for every patient, an A08 with a new address for one."""
    feed = [
        adt("A01" if patient.vip else "A04", patient, authority, when=when, number=number)
        for number, patient in enumerate(PATIENTS, start=1)
    ]
    moved = adt(
        "A08", ZHAO_LIU, authority, when=when, number=len(feed) + 1, address="示范市新居路18号"
    )
    return [*feed, moved]


def adt(
    event: str, patient: Patient, authority: str, *, when: datetime, number: int, address: str = ""
) -> bytes:
    """Return one ADT message; lines end in CR, the last one too."""
    stamp = when.strftime("%Y%m%d%H%M%S")
    structure = {"A01": "ADT_A01", "A04": "ADT_A01", "A08": "ADT_A01"}[event]
    header = ["MSH", "^~\\&", *_SENDER, *_RECEIVER, stamp, "", f"ADT^{event}^{structure}"]
    header += [f"DEMO{stamp}{number:04d}", "P", "2.5", "", "", "", "", "CHN", "UNICODE UTF-8"]
    person = {
        1: "1",
        3: f"{escape(patient.id)}^^^&{authority}&ISO^MR",
        5: "~".join(_names(patient)),
        7: patient.birth_date.strftime("%Y%m%d"),
        8: patient.sex,
        11: f"{escape(address or patient.address)}^^示范市^示范省^100000^CHN^H",
        13: f"{patient.phone}^PRN^CP",
    }
    visit = {1: "1", 2: "I" if event == "A01" else "O", 10: "RAD", 16: "VIP" if patient.vip else ""}
    lines = [
        _FIELD.join(header),
        _segment("EVN", {1: event, 2: stamp}),
        _segment("PID", person),
        _segment("PV1", visit),
    ]
    return ("\r".join(lines) + "\r").encode()


def escape(text: str) -> str:
    """Escape the delimiters in a value (HL7 v2 2.7)."""
    for delimiter, sequence in (
        ("\\", "\\E\\"), ("|", "\\F\\"), ("^", "\\S\\"), ("&", "\\T\\"), ("~", "\\R\\"),
    ):  # fmt: skip
        text = text.replace(delimiter, sequence)
    return text


def _names(patient: Patient) -> list[str]:
    """Return the XPN repetitions: alphabetic, ideographic, phonetic (XPN.8)."""
    groups = ((patient.alphabetic, "A"), (patient.ideographic, "I"), (patient.phonetic, "P"))
    names = []
    for group, representation in groups:
        if group:
            family, _, given = group.partition("^")
            names.append(f"{escape(family)}^{escape(given)}^^^^^L^{representation}")
    return names


def _segment(name: str, fields: dict[int, str]) -> str:
    values = [fields.get(index, "") for index in range(1, max(fields) + 1)]
    return _FIELD.join([name, *values]).rstrip(_FIELD)
