"""The acknowledgment of a message, as octets.

Implements HL7 v2.5 2.14.1 (ACK), 2.15.8 (MSA), 2.15.5 (ERR; before 2.5 one ELD field) and
ITI TF-2 3.8.4.1.3. Called by `endpoint.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from adapters.hl7v2.decode import Delimiters, Segment
from adapters.hl7v2.faults import Acknowledgment

_MAX_ECHO: Final = 199
_OUR_VERSION: Final = "2.3.1"
_NEW_ERR: Final = ("2.5", "2.6", "2.7", "2.8")


def encode_ack(
    header: Segment | None, answer: Acknowledgment, moment: datetime, control_id: str
) -> bytes:
    """Return the acknowledgment in the sender's delimiters and character set.

    `header` is None for octets that are no message at all.
    """
    if header is None:
        header = Segment("MSH", ("MSH", "|", "^~\\&"), Delimiters(), "ascii")
    marks = header.delimiters
    version = header.value(12).text() or _OUR_VERSION
    stamp = moment.strftime("%Y%m%d%H%M%S")
    event = header.value(9).text(2)
    kind = "ACK" if not event.isalnum() else marks.component.join(("ACK", event))
    if version.startswith(_NEW_ERR) and event.isalnum():
        kind += marks.component + "ACK"
    echo = header.raw(10)[:_MAX_ECHO]
    lines = [
        marks.field.join(
            (
                "MSH",
                marks.encoding_characters,
                header.raw(5),
                header.raw(6),
                header.raw(3),
                header.raw(4),
                stamp,
                "",
                kind,
                control_id,
                header.raw(11) or "P",
                version,
            )
        )
    ]
    if header.raw(18):
        lines[0] += marks.field * 6 + header.raw(18)
    text = _escaped(answer.text, marks)
    lines.append(marks.field.join(("MSA", answer.code, echo, text)).rstrip(marks.field))
    if answer.error:
        lines.append(_err(answer, version, marks))
    return ("\r".join(lines) + "\r").encode(header.charset, "replace")


def _err(answer: Acknowledgment, version: str, marks: Delimiters) -> str:
    place = answer.at.replace("^", marks.component)
    text = _escaped(answer.text, marks)
    if version.startswith(_NEW_ERR):
        code = marks.component.join((answer.error, text, "HL70357"))
        return marks.field.join(("ERR", "", place, code, "E", "", "", "", text))
    # ELD: segment, sequence, field, code (a CE whose parts are subcomponents here).
    parts = [*place.split(marks.component), "", "", ""][:3]
    code = marks.subcomponent.join((answer.error, text, "HL70357"))
    return marks.field.join(("ERR", marks.component.join((*parts, code))))


def _escaped(text: str, marks: Delimiters) -> str:
    table = {
        marks.escape: "E",
        marks.field: "F",
        marks.component: "S",
        marks.repetition: "R",
        marks.subcomponent: "T",
    }
    return "".join(
        f"{marks.escape}{table[c]}{marks.escape}" if c in table else c
        for c in text
        if c.isprintable()
    )
