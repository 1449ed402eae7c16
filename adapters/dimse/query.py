"""Identifiers of C-FIND, C-MOVE and C-GET: read from the wire, turned into a search.

PS3.4 C.2.2.1 (identifier), C.4.1.1.3, C.4.2.1.4, C.6.1 and C.6.2 (information models). Pure;
called by `c_find.py` and `retrieval.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adapters.dimse.contexts import PATIENT_ROOT, Context
from kernel.refusals import Invalid
from projections.study_index.attributes import Level as IndexLevel
from repository.instances import charsets
from repository.instances.elements import Dataset, Short, Walker
from repository.instances.part10 import encoding_of

QUERY_RETRIEVE_LEVEL: Final = 0x00080052
SPECIFIC_CHARACTER_SET: Final = 0x00080005
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E
SOP_UID: Final = 0x00080018
PATIENT_ID: Final = 0x00100020
_PATIENT_TAGS: Final = range(0x00100000, 0x00110000)
_NO_KEYS: Final = frozenset({QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET, 0x00080201})
"""Timezone Offset From UTC is said of the identifier, not asked for (PS3.4 C.4.1.1.3.1)."""


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


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a query or retrieval asks for."""

    level: Level
    keys: dict[int, str]
    """Tag -> value as text; empty values ask for the attribute only. In ascending order."""
    sequences: frozenset[int]
    """Tags among `keys` that are sequences."""
    character_set: str
    """Specific Character Set of the request, empty when it names none."""

    def filters(self) -> tuple[tuple[int, str], ...]:
        """Return the matching keys that narrow the search."""
        return tuple((tag, value) for tag, value in self.keys.items() if value)

    def uids(self, tag: int) -> list[str]:
        """Return a list of UIDs (PS3.4 C.2.2.2.2)."""
        return [uid.strip() for uid in self.keys.get(tag, "").split("\\") if uid.strip()]


def read_identifier(octets: bytes, context: Context) -> Identifier:
    """Read an identifier; raises BadIdentifierDataset and refusals of repository.instances."""
    try:
        dataset = Walker(octets).top_level(0, encoding_of(context.transfer_syntax))
    except Short:
        raise BadIdentifierDataset("the identifier ends in the middle of an element") from None
    try:
        level = Level(dataset.ascii(QUERY_RETRIEVE_LEVEL))
    except ValueError:
        raise BadIdentifierDataset("Query/Retrieve Level is absent or unknown") from None
    if level is Level.PATIENT and not context.abstract_syntax.startswith(PATIENT_ROOT):
        raise BadIdentifierDataset("the Study Root has no PATIENT level")
    character_set = dataset.ascii(SPECIFIC_CHARACTER_SET)
    codecs = charsets.codecs_of(character_set)
    keys: dict[int, str] = {}
    sequences = set()
    for tag in sorted(dataset.elements):
        if tag in _NO_KEYS or not tag & 0xFFFF:
            continue
        keys[tag] = _text(dataset, tag, codecs)
        if dataset.elements[tag][0] == b"SQ":
            sequences.add(tag)
    return Identifier(level, keys, frozenset(sequences), character_set)


def of_patients(identifier: Identifier) -> Identifier:
    """Return the identifier with the keys of the PATIENT level only (PS3.4 C.4.1.3.1.1)."""
    keys = {tag: value for tag, value in identifier.keys.items() if tag in _PATIENT_TAGS}
    return Identifier(identifier.level, keys, identifier.sequences, identifier.character_set)


def _text(dataset: Dataset, tag: int, codecs: tuple[str, ...]) -> str:
    vr = dataset.elements[tag][0]
    if vr in {b"US", b"UL", b"SS", b"SL"}:
        number = dataset.integer(tag)
        return "" if number is None else str(number)
    return charsets.decode(dataset.raw(tag), codecs, delimiters=b"\\^=").strip("\x00 ")
