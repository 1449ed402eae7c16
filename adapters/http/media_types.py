"""Media types: parsing, matching and the choice by Accept.

Implements RFC 9110 8.3 and 12.5.1, and for DICOM PS3.18 8.7 (the `type` and `transfer-syntax`
parameters of multipart/related, the `accept` query parameter). Called by protocol adapters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PARAMETER: Final = re.compile(
    r"""\s*;\s*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*=\s*
        (?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?""",
    re.VERBOSE,
)
_MAX_RANGES: Final = 64


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range with its parameters (names lower case)."""

    main: str
    sub: str
    parameters: tuple[tuple[str, str], ...] = field(default=())
    quality: float = 1.0

    @property
    def essence(self) -> str:
        """Return type/subtype."""
        return f"{self.main}/{self.sub}"

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter."""
        for key, value in self.parameters:
            if key == name:
                return value
        return default

    def covers(self, essence: str) -> bool:
        """Tell whether this range includes a media type (parameters are not compared)."""
        main, _, sub = essence.partition("/")
        return self.main in {"*", main} and self.sub in {"*", sub}


@lru_cache(maxsize=512)
def parse(text: str) -> MediaType | None:
    """Parse one media type, None if it is none."""
    found = _parse_at(text, 0)
    return found[0] if found is not None and not text[found[1] :].strip() else None


@lru_cache(maxsize=512)
def parse_accept(text: str) -> tuple[MediaType, ...]:
    """Parse an Accept header, the most wanted first; what is malformed is left out."""
    found: list[MediaType] = []
    position = 0
    while position < len(text) and len(found) < _MAX_RANGES:
        parsed = _parse_at(text, position)
        if parsed is None:
            comma = text.find(",", position)
            position = len(text) if comma < 0 else comma + 1
            continue
        media, position = parsed
        while position < len(text) and text[position] in " \t":
            position += 1
        if position < len(text) and text[position] == ",":
            position += 1
        elif position < len(text):
            comma = text.find(",", position)
            position = len(text) if comma < 0 else comma + 1
            continue
        if media.quality > 0:
            found.append(media)
    found.sort(key=lambda media: (-media.quality, media.main == "*", media.sub == "*"))
    return tuple(found)


def accepted(header: str | None, query: Iterable[str] = ()) -> tuple[MediaType, ...]:
    """Return what a client accepts: the query parameter goes before the header (PS3.18 8.3.3.1).

    Nothing said means that anything will do.
    """
    asked = tuple(media for value in query for media in parse_accept(value))
    if asked:
        return asked
    return parse_accept(header) if header and header.strip() else (ANYTHING,)


def _parse_at(text: str, position: int) -> tuple[MediaType, int] | None:
    while position < len(text) and text[position] in " \t,":
        position += 1
    main = _TOKEN.match(text, position)
    if main is None or main.end() >= len(text) or text[main.end()] != "/":
        return None
    sub = _TOKEN.match(text, main.end() + 1)
    if sub is None:
        return None
    position = sub.end()
    parameters: list[tuple[str, str]] = []
    quality = 1.0
    while True:
        match = _PARAMETER.match(text, position)
        if match is None:
            break
        position = match.end()
        if match[1] is None:
            continue
        name = match[1].lower()
        value = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        if name == "q":
            quality = _quality(value)
        else:
            parameters.append((name, value))
    media = MediaType(main[0].lower(), sub[0].lower(), tuple(parameters), quality)
    return media, position


def _quality(value: str) -> float:
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 1.0


ANYTHING: Final = MediaType("*", "*")
