"""The answer to a message, as octets: an acknowledgment, or a response with what was asked for.

Implements HL7 v2.5 2.14.1 (ACK), 2.15.8 (MSA), 2.15.5 (ERR; before 2.5 one ELD field) and
ITI TF-2 3.8.4.1.3, 3.9.4.2.2, 3.21.4.2.2. Called by `answering.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from adapters.hl7v2.decode import Delimiters, Segment
from adapters.hl7v2.faults import Acknowledgment

_MAX_ECHO: Final = 199
_OUR_VERSION: Final = "2.3.1"
_UNICODE: Final = "UNICODE UTF-8"
_NEW_ERR: Final = ("2.5", "2.6", "2.7", "2.8")


def encode_ack(
    header: Segment | None, answer: Acknowledgment, moment: datetime, control_id: str
) -> bytes:
    """Return the acknowledgment in the sender's delimiters and character set.

    `header` is None for octets that are no message at all.
    """
    if header is None:
        header = Segment("MSH", ("MSH", "|", "^~\\&"), Delimiters(), "ascii")
    event = header.value(9).text(2)
    kind: tuple[str, ...] = ("ACK", event) if event.isalnum() else ("ACK",)
    if header.value(12).text().startswith(_NEW_ERR) and event.isalnum():
        kind = ("ACK", event, "ACK")
    return encode_reply(header, kind, (answer,), (), (moment, control_id))


def encode_reply(
    header: Segment,
    kind: Sequence[str],
    answers: Sequence[Acknowledgment],
    segments: Sequence[str],
    stamp: tuple[datetime, str],
) -> bytes:
    """Return a message of `kind` that answers the one of `header`.

    It goes out in the sender's character set; where that lacks a character, in UTF-8, and
    says so. `stamp` is the moment and the control id; the first of `answers` is MSA-1, all
    that name an error become ERR segments.
    """
    marks = header.delimiters
    version = header.value(12).text() or _OUR_VERSION
    first = answers[0]
    echo = header.raw(10)[:_MAX_ECHO]
    text = escaped(first.text, marks)
    body = [
        marks.field.join(("MSA", first.code, echo, text)).rstrip(marks.field),
        *(_err(answer, version, marks) for answer in answers if answer.error),
        *segments,
    ]
    declared = header.raw(18)
    lines = [_msh(header, kind, stamp, declared), *body]
    try:
        return ("\r".join(lines) + "\r").encode(header.charset if declared else "ascii")
    except (UnicodeEncodeError, LookupError):
        lines[0] = _msh(header, kind, stamp, _UNICODE)
        return ("\r".join(lines) + "\r").encode()


def _msh(header: Segment, kind: Sequence[str], stamp: tuple[datetime, str], charset: str) -> str:
    marks = header.delimiters
    moment, control_id = stamp
    fields = (
        "MSH",
        marks.encoding_characters,
        header.raw(5),
        header.raw(6),
        header.raw(3),
        header.raw(4),
        moment.strftime("%Y%m%d%H%M%S"),
        "",
        marks.component.join(kind),
        control_id,
        header.raw(11) or "P",
        header.value(12).text() or _OUR_VERSION,
    )
    line = marks.field.join(fields)
    return line + marks.field * 6 + charset if charset else line


def _err(answer: Acknowledgment, version: str, marks: Delimiters) -> str:
    place = answer.at.replace("^", marks.component)
    text = escaped(answer.text, marks)
    if version.startswith(_NEW_ERR):
        code = marks.component.join((answer.error, text, "HL70357"))
        return marks.field.join(("ERR", "", place, code, "E", "", "", "", text))
    # ELD: segment, sequence, field, code (a CE whose parts are subcomponents here).
    parts = [*place.split(marks.component), "", "", ""][:3]
    code = marks.subcomponent.join((answer.error, text, "HL70357"))
    return marks.field.join(("ERR", marks.component.join((*parts, code))))


def escaped(text: str, marks: Delimiters) -> str:
    """Return a text as it stands in a message; what cannot be printed is left out."""
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
