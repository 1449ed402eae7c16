"""Octets to an HL7 v2 message: delimiters, character set, segments, escapes, repetitions.

Implements HL7 v2.5 2.5-2.7 and 2.14.9.18 (MSH-18, table 0211). Called by `endpoint.py` and the
transaction modules. The whole message is decoded before it is cut: in GB 18030 the second octet
of a character may look like a delimiter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from adapters.hl7v2.refusals import CharsetRefused, RequiredFieldMissing, UnreadableMessage

_CHARSETS: Final = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "GB 18030-2000": "gb18030",
    "GB18030-2000": "gb18030",
    "GB18030": "gb18030",
    "GB 18030": "gb18030",
    "GBK": "gbk",
    "CP936": "gbk",
    "GB2312": "gb18030",
    "BIG-5": "big5",
    **{f"8859/{n}": f"iso8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}
"""HL7 table 0211 and what senders write instead -> codec."""

_ESCAPE: Final = re.compile(r"\\([^\\\r\n]{0,256})\\")
_MAX_SEGMENTS: Final = 2000
DELETED: Final = '""'


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        """Return MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; fields by their number of the standard, raw."""

    name: str
    fields: tuple[str, ...]
    delimiters: Delimiters
    charset: str

    def raw(self, number: int) -> str:
        """Return field `number` as it stands in the message."""
        return self.fields[number] if number < len(self.fields) else ""

    def repetitions(self, number: int) -> tuple[Value, ...]:
        """Return the repetitions of a field; none when it is empty."""
        raw = self.raw(number)
        parts = raw.split(self.delimiters.repetition) if raw else ()
        return tuple(Value(part, self) for part in parts)

    def value(self, number: int) -> Value:
        """Return the first repetition of a field."""
        return next(iter(self.repetitions(number)), Value("", self))


@dataclass(frozen=True, slots=True)
class Value:
    """One repetition of a field."""

    raw: str
    segment: Segment = field(repr=False)

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """Return a component's subcomponent without escapes, trimmed."""
        delimiters = self.segment.delimiters
        parts = self.raw.split(delimiters.component)
        part = parts[component - 1] if component <= len(parts) else ""
        subparts = part.split(delimiters.subcomponent)
        raw = subparts[subcomponent - 1] if subcomponent <= len(subparts) else ""
        return _unescaped(raw, delimiters, self.segment.charset).strip()


@dataclass(frozen=True, slots=True)
class Message:
    """A message; `header` is its MSH segment."""

    header: Segment
    segments: tuple[Segment, ...]

    def first(self, name: str) -> Segment | None:
        """Return the first segment of that name."""
        return next((s for s in self.segments if s.name == name), None)

    def required(self, name: str) -> Segment:
        """Return the first segment of that name; raises RequiredFieldMissing."""
        found = self.first(name)
        if found is None:
            raise RequiredFieldMissing(f"the {name} segment is missing", at=name)
        return found


def decode_header(data: bytes) -> Segment:
    """Return the MSH segment read as Latin-1: enough to answer whatever the rest is.

    Raises UnreadableMessage.
    """
    line = re.split(rb"[\r\n]", data.removeprefix(b"\xef\xbb\xbf"), maxsplit=1)[0]
    text = line.decode("latin-1")
    return _header(text, _delimiters(text), "latin-1")


def decode(data: bytes, default_charset: str = "utf-8") -> Message:
    """Return the message; raises UnreadableMessage, CharsetRefused."""
    charset = _charset(decode_header(data), default_charset)
    try:
        text = data.decode(charset).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise CharsetRefused("the octets are not of the character set", at="MSH^1^18") from None
    if "\x00" in text:
        raise UnreadableMessage("the message holds NUL characters")
    lines = [line for line in re.split(r"\r\n?|\n", text) if line]
    if len(lines) > _MAX_SEGMENTS:
        raise UnreadableMessage("the message has too many segments")
    delimiters = _delimiters(lines[0])
    header = _header(lines[0], delimiters, charset)
    segments = [header]
    for line in lines[1:]:
        name, *values = line.split(delimiters.field)
        if re.fullmatch(r"[A-Z][A-Z0-9]{2}", name) is None:
            raise UnreadableMessage("a segment has no name of three characters")
        segments.append(Segment(name, (name, *values), delimiters, charset))
    return Message(header, tuple(segments))


def _delimiters(line: str) -> Delimiters:
    if not line.startswith("MSH") or len(line) < 8:
        raise UnreadableMessage
    separator = line[3]
    encoding = line[4:].split(separator, 1)[0]
    marks = separator + encoding
    plain = all("!" <= mark <= "~" and not mark.isalnum() for mark in marks)
    if not plain or len(encoding) not in (4, 5) or len(set(marks)) != len(marks):
        raise UnreadableMessage("MSH-1 and MSH-2 do not declare delimiters")
    return Delimiters(separator, *encoding[:4])


def _header(line: str, delimiters: Delimiters, charset: str) -> Segment:
    # MSH-1 is the separator itself, so that the fields are numbered as in the standard.
    values = line[3:].split(delimiters.field)[1:]
    return Segment("MSH", ("MSH", delimiters.field, *values), delimiters, charset)


def _charset(header: Segment, default: str) -> str:
    declared = header.raw(18).split(header.delimiters.repetition)[0].strip().upper()
    if not declared:
        return default
    charset = _CHARSETS.get(declared)
    if charset is None:
        raise CharsetRefused("the character set of MSH-18 is not supported", at="MSH^1^18")
    return charset


def _unescaped(raw: str, delimiters: Delimiters, charset: str) -> str:
    if delimiters.escape not in raw:
        return raw
    if delimiters.escape != "\\":
        raw = raw.replace("\\", "\x00").replace(delimiters.escape, "\\")
    meanings = {
        "F": delimiters.field,
        "S": delimiters.component,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "T": delimiters.subcomponent,
        "H": "",
        "N": "",
        ".br": "\n",
    }

    def meaning(found: re.Match[str]) -> str:
        sequence = found[1]
        if sequence in meanings:
            return meanings[sequence]
        if sequence[:1] == "X":
            return _hexadecimal(sequence[1:], charset)
        # Formatting commands, character set shifts and local sequences carry no text.
        return ""

    return _ESCAPE.sub(meaning, raw).replace("\x00", "\\")


def _hexadecimal(digits: str, charset: str) -> str:
    try:
        text = bytes.fromhex(digits).decode(charset)
    except ValueError:
        return ""
    return "".join(c for c in text if c.isprintable() or c == "\n")
