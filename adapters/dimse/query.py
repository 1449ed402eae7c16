"""Identifiers of C-FIND, C-MOVE and C-GET: read from the wire, turned into a search.

PS3.4 C.2.2.1 (identifier), C.4.1.1.3, C.4.2.1.4, C.6.1 and C.6.2 (information models). Pure;
called by `c_find.py` and `retrieval.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from adapters.dimse.contexts import PATIENT_ROOT, Context
from kernel.refusals import Invalid
from projections.study_index.attributes import PATIENT_RELATED
from projections.study_index.attributes import Level as IndexLevel
from repository.instances import charsets
from repository.instances.elements import Dataset, Short, Walker
from repository.instances.part10 import encoding_of

QUERY_RETRIEVE_LEVEL: Final = 0x00080052
SPECIFIC_CHARACTER_SET: Final = 0x00080005
RETRIEVE_AE_TITLE: Final = 0x00080054
TIMEZONE: Final = 0x00080201
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E
SOP_UID: Final = 0x00080018
PATIENT_ID: Final = 0x00100020
_PATIENT_TAGS: Final = range(0x00100000, 0x00110000)
_NO_KEYS: Final = frozenset({QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET})
_NOT_MATCHED: Final = frozenset({RETRIEVE_AE_TITLE, TIMEZONE, 0x00080053})
"""Said of the whole identifier, or by us: asked for, but never looked for."""

Asked: TypeAlias = "dict[int, Asked]"
"""Attributes that are wanted inside a sequence, by tag; empty: all of them."""


class BadIdentifierDataset(Invalid):
    """The identifier of a query or retrieval cannot be read, or names no level."""

    code = "bad_identifier_dataset"


class Level(StrEnum):
    """The levels of the information models (PS3.4 C.6)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


INDEX_LEVEL: Final = {
    Level.PATIENT: IndexLevel.STUDY,
    Level.STUDY: IndexLevel.STUDY,
    Level.SERIES: IndexLevel.SERIES,
    Level.IMAGE: IndexLevel.INSTANCE,
}
_UNIQUE: Final = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_UID,
    Level.SERIES: SERIES_UID,
    Level.IMAGE: SOP_UID,
}


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a query or retrieval asks for."""

    level: Level
    keys: dict[int, str]
    """Tag -> value as text; empty values ask for the attribute only. In ascending order."""
    sequences: dict[int, Asked]
    """Those among `keys` that are sequences, and what of their items is asked for."""
    character_set: str
    """Specific Character Set of the request, empty when it names none."""
    nested: tuple[tuple[tuple[int, ...], str], ...] = ()
    """Matching keys inside sequences, by their path."""

    def filters(self) -> tuple[tuple[int, str], ...]:
        """Return the matching keys that narrow the search; private ones do not."""
        return tuple(
            (tag, value)
            for tag, value in self.keys.items()
            if value and tag not in _NOT_MATCHED and not is_private(tag)
        )

    def uids(self, tag: int) -> list[str]:
        """Return a list of UIDs (PS3.4 C.2.2.2.2)."""
        return [uid.strip() for uid in self.keys.get(tag, "").split("\\") if uid.strip()]


def is_private(tag: int) -> bool:
    """Tell whether an attribute is private: no information model has any (PS3.4 C.2.2.1)."""
    return bool(tag >> 16 & 1)


def read_identifier(octets: bytes, context: Context) -> Identifier:
    """Read an identifier; raises BadIdentifierDataset and refusals of repository.instances."""
    try:
        dataset = Walker(octets).top_level(0, encoding_of(context.transfer_syntax))
    except Short:
        raise BadIdentifierDataset("the identifier ends in the middle of an element") from None
    level_tag = f"{QUERY_RETRIEVE_LEVEL:08X}"
    try:
        level = Level(dataset.ascii(QUERY_RETRIEVE_LEVEL))
    except ValueError:
        raise BadIdentifierDataset(
            "Query/Retrieve Level is absent or unknown", tag=level_tag
        ) from None
    if level is Level.PATIENT and not context.abstract_syntax.startswith(PATIENT_ROOT):
        raise BadIdentifierDataset("the Study Root has no PATIENT level", tag=level_tag)
    character_set = dataset.ascii(SPECIFIC_CHARACTER_SET)
    codecs = charsets.codecs_of(character_set)
    keys: dict[int, str] = {}
    sequences: dict[int, Asked] = {}
    for tag in sorted(dataset.elements):
        if tag in _NO_KEYS or not tag & 0xFFFF:
            continue
        keys[tag] = _text(dataset, tag, codecs)
        if dataset.elements[tag][0] == b"SQ":
            sequences[tag] = _asked(dataset, tag)
    return Identifier(level, keys, sequences, character_set, tuple(_nested(dataset, codecs)))


def check_hierarchy(identifier: Identifier, context: Context) -> None:
    """Raise BadIdentifierDataset unless each level above has one value of its unique key.

    PS3.4 C.4.1.2.1: the hierarchical search, where relational queries were not agreed on.
    """
    for level, tag in _UNIQUE.items():
        if level is identifier.level:
            return
        if level is Level.PATIENT and not context.abstract_syntax.startswith(PATIENT_ROOT):
            continue
        value = identifier.keys.get(tag, "")
        if not value or any(mark in value for mark in "\\*?"):
            raise BadIdentifierDataset(
                f"one value of the unique key of the {level} level is needed", tag=f"{tag:08X}"
            )


def of_patients(identifier: Identifier) -> Identifier:
    """Return the identifier with the keys of the PATIENT level only (PS3.4 C.4.1.3.1.1)."""
    return replace(
        identifier,
        keys={
            tag: value
            for tag, value in identifier.keys.items()
            if tag in _PATIENT_TAGS or tag in PATIENT_RELATED
        },
        nested=tuple(one for one in identifier.nested if one[0][0] in _PATIENT_TAGS),
    )


def _text(dataset: Dataset, tag: int, codecs: tuple[str, ...]) -> str:
    vr = dataset.elements[tag][0]
    if vr in {b"US", b"UL", b"SS", b"SL"}:
        number = dataset.integer(tag)
        return "" if number is None else str(number)
    return charsets.decode(dataset.raw(tag), codecs, delimiters=b"\\^=").strip("\x00 ")


def _asked(dataset: Dataset, tag: int) -> Asked:
    """Return what is wanted of a sequence: its one item tells (PS3.4 C.2.2.2.6)."""
    return {
        inner: _asked(item, inner)
        for item in dataset.items(tag)[:1]
        for inner in item.elements
        if inner & 0xFFFF and inner != SPECIFIC_CHARACTER_SET
    }


def _nested(
    dataset: Dataset, codecs: tuple[str, ...], above: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], str]]:
    for tag, element in sorted(dataset.elements.items()):
        if tag in _NO_KEYS or not tag & 0xFFFF or is_private(tag):
            continue
        for item in (element[3] or ())[:1]:
            yield from _nested(item, codecs, (*above, tag))
        if above and element[3] is None:
            text = _text(dataset, tag, codecs)
            if text:
                yield (*above, tag), text
