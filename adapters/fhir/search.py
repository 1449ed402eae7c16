"""Search parameters: names with modifiers, OR lists, tokens, dates, strings, pages.

Implements HL7 FHIR R4 3.1.1 (search.html) and ITI TF-2 Z.2. Used by the transaction modules;
an error names the parameter and never its value, which may be personal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from adapters.fhir.codes import authority_of, schemes_of, uuid_of
from adapters.fhir.refusals import NotSupported, ParameterInvalid
from adapters.fhir.times import Span, span_of_fhir
from adapters.http.refusals import BodyTooLarge
from kernel.codes import Code
from kernel.identifiers import BadIdentifier, PatientId

_PREFIX: Final = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(\d.*)")
_SPLIT: Final = re.compile(r"(?<!\\),")
_BAR: Final = re.compile(r"(?<!\\)\|")
_ESCAPED: Final = re.compile(r"\\([,$|\\])")
_MAX_FIELDS: Final = 200
_MAX_PAGE: Final = 200
_PAGE: Final = 50
CONTROL: Final = frozenset(
    {"_format", "_pretty", "_count", "_offset", "_sort", "_summary", "_total", "_elements"}
)
"""Parameters that shape an answer and do not narrow it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token: `code`, `system|code`, `system|`, `|code`."""

    system: str | None
    """None: any system; empty: none."""
    value: str

    def fits(self, code: Code) -> bool:
        """Tell whether a code is meant."""
        if self.value and self.value != code.value:
            return False
        return self.system is None or code.scheme in schemes_of(self.system)


@dataclass(frozen=True, slots=True)
class DateCondition:
    """A comparison with a date."""

    prefix: str
    asked: Span

    def fits(self, told: Span, *, overlap: bool = False) -> bool:  # noqa: PLR0911 - one line a prefix
        """Tell whether a time or period passes; `overlap` is what `eq` means for a period."""
        asked = self.asked
        within = asked.low <= told.low and told.high <= asked.high
        touching = told.low < asked.high and told.high > asked.low
        match self.prefix:
            case "eq":
                return touching if overlap else within
            case "ne":
                return not within
            case "gt":
                return told.high > asked.high
            case "lt":
                return told.low < asked.low
            case "ge":
                return told.high > asked.high or within or (overlap and touching)
            case "le":
                return told.low < asked.low or within or (overlap and touching)
            case "sa":
                return told.low >= asked.high
            case "eb":
                return told.high <= asked.low
            case _:
                day = timedelta(days=1)
                return told.low < asked.high + day and told.high > asked.low - day


@dataclass(frozen=True, slots=True)
class Given:
    """One parameter as it came."""

    name: str
    modifier: str
    value: str

    def alternatives(self) -> list[str]:
        """Return the values of its OR list, still escaped."""
        return [part for part in _SPLIT.split(self.value) if part]

    def tokens(self) -> list[Token]:
        """Return its tokens."""
        self.only()
        return [token(part) for part in self.alternatives()]

    def dates(self) -> list[DateCondition]:
        """Return its comparisons with dates; raises ParameterInvalid."""
        self.only()
        found = []
        for part in self.alternatives():
            match = _PREFIX.fullmatch(part.strip().replace(" ", "+"))
            try:
                found.append(DateCondition(match[1] or "eq", span_of_fhir(match[2])))  # type: ignore[index]
            except (TypeError, ValueError, OverflowError):
                raise ParameterInvalid(
                    f"{self.name} needs a date or dateTime, with or without a prefix"
                ) from None
        return found

    def strings(self) -> Callable[[Iterable[str]], bool]:
        """Return the test whether one of several texts passes (search.html 3.1.1.4.2)."""
        self.only("exact", "contains")
        wanted = [plain(part) for part in self.alternatives()]
        if self.modifier == "exact":
            return lambda texts: any(text in wanted for text in texts)
        folded = [fold(part) for part in wanted]
        if self.modifier == "contains":
            return lambda texts: any(part in fold(text) for text in texts for part in folded)
        return lambda texts: any(fold(text).startswith(tuple(folded)) for text in texts)

    def only(self, *modifiers: str) -> None:
        """Raise NotSupported for a modifier that is not one of these."""
        if self.modifier and self.modifier not in modifiers:
            raise NotSupported(f"{self.name} does not take the modifier it came with")


class Parameters:
    """The parameters of a search, from the URL and the form together."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.given: list[Given] = []
        for name, value in pairs:
            base, _, modifier = name.partition(":")
            if "." in modifier:
                # patient:Patient.identifier is patient.identifier with its type told.
                base, modifier = f"{base}.{modifier.partition('.')[2]}", ""
            if value != "":
                self.given.append(Given(base, modifier, value))

    @classmethod
    def of_form(cls, query: Sequence[tuple[str, str]], form: bytes) -> Parameters:
        """Return the parameters of a POST to _search."""
        try:
            pairs = parse_qsl(form.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except UnicodeDecodeError:
            raise ParameterInvalid("the form is not in UTF-8") from None
        except ValueError:
            raise BodyTooLarge("the form has too many fields") from None
        return cls([*query, *pairs])

    def all(self, *names: str) -> list[Given]:
        """Return the parameters of these names, in order; each is one more condition."""
        return [one for one in self.given if one.name in names]

    def one(self, name: str) -> str:
        """Return the last value of a control parameter, empty when it is absent."""
        found = self.all(name)
        return found[-1].value if found else ""

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Return the names that are neither of these nor control parameters."""
        return sorted({one.name for one in self.given} - set(known) - CONTROL)

    def ids(self) -> list[UUID] | None:
        """Return the UUIDs of _id, None when it was not given; what is no UUID finds nothing."""
        found = self.all("_id")
        if not found:
            return None
        lists = [{uuid for part in one.alternatives() if (uuid := uuid_of(part))} for one in found]
        kept = set.intersection(*lists)
        ordered = [uuid for part in found[0].alternatives() if (uuid := uuid_of(part)) in kept]
        return [uuid for uuid in dict.fromkeys(ordered) if uuid is not None]

    def page(self) -> Page:
        """Return which part of the results is asked for; raises ParameterInvalid."""
        counts = []
        for name, usual in (("_count", _PAGE), ("_offset", 0)):
            told = self.one(name)
            if told and not told.isdecimal():
                raise ParameterInvalid(f"{name} needs a number")
            counts.append(int(told[:9]) if told else usual)
        only_count = self.one("_summary") == "count" or counts[0] == 0
        return Page(min(counts[0], _MAX_PAGE), counts[1], only_count=only_count)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the results."""

    count: int
    offset: int
    only_count: bool = False

    @property
    def shown(self) -> slice:
        """The slice of the results that the page shows."""
        return slice(self.offset, self.offset + self.count) if not self.only_count else slice(0, 0)


def token(text: str) -> Token:
    """Return the token in a text."""
    system, *rest = _BAR.split(text, maxsplit=1)
    if not rest:
        return Token(None, plain(system))
    return Token(plain(system), plain(rest[0]))


def plain(text: str) -> str:
    """Return a value without its escapes."""
    return _ESCAPED.sub(r"\1", text).strip()


def fold(text: str) -> str:
    """Return a text for comparison without regard to case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in parts if not unicodedata.combining(c)).strip()


def patient_reference(value: str) -> str:
    """Return the id in a reference to a Patient, whatever stands before it."""
    return plain(value).rstrip("/").rpartition("/")[2]


def patient_id(found: Token, authorities: Sequence[str]) -> list[PatientId]:
    """Return the patient ids that a token may mean; without a system any authority is meant."""
    oids = authorities if found.system is None else [authority_of(found.system)]
    made = []
    for oid in oids:
        try:
            made.append(PatientId(found.value, oid))
        except BadIdentifier:
            continue
    return made


def link(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a URL of these parameters."""
    query = urlencode(list(pairs))
    return f"{path}?{query}" if query else path
