"""Which attributes belong to which level, and which column answers a matching key.

Implements PS3.18 tables 10.6.1-5 (matching) and 10.6.3-3 to -5 (returned), PS3.4 C.6.2.1.
Used by `projection.py` to fill rows, `matching.py` and `search.py` to ask them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MARK: Final = b"\x01"
"""Stands for the base URL in stored JSON; no JSON text holds this octet unescaped."""


class Level(StrEnum):
    """The level of a search (PS3.18 10.6.1)."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Kind(StrEnum):
    """How a key is matched (PS3.4 C.2.2.2)."""

    UID = "uid"
    KEY = "key"
    """An identifier: case counts."""
    TEXT = "text"
    """Words: case does not count."""
    CODE = "code"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    SET = "set"
    """A column that holds many values, each between backslashes."""
    PATIENT = "patient"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Column:
    """The column that answers a matching key."""

    table: Level
    name: str
    kind: Kind


def _columns(table: Level, *entries: tuple[int, str, Kind]) -> dict[int, Column]:
    return {tag: Column(table, name, kind) for tag, name, kind in entries}


MATCHING: Final[dict[int, Column]] = {
    **_columns(
        Level.STUDY,
        (0x00080020, "study_date", Kind.DATE),
        (0x00080030, "study_time", Kind.TIME),
        (0x00080050, "accession", Kind.KEY),
        (0x00080061, "modalities", Kind.SET),
        (0x00080062, "sop_classes", Kind.SET),
        (0x00080090, "referring_keys", Kind.PERSON),
        (0x00081030, "description", Kind.TEXT),
        (0x00100010, "latin", Kind.PATIENT),
        (0x00100020, "patient_id", Kind.KEY),
        (0x00100021, "issuer", Kind.TEXT),
        (0x00100030, "birth_date", Kind.DATE),
        (0x00100040, "sex", Kind.CODE),
        (0x0020000D, "study_uid", Kind.UID),
        (0x00200010, "study_id", Kind.KEY),
    ),
    **_columns(
        Level.SERIES,
        (0x00080021, "series_date", Kind.DATE),
        (0x00080031, "series_time", Kind.TIME),
        (0x00080060, "modality", Kind.CODE),
        (0x00080080, "institution", Kind.TEXT),
        (0x00081010, "station", Kind.TEXT),
        (0x0008103E, "description", Kind.TEXT),
        (0x00081040, "department", Kind.TEXT),
        (0x00081050, "performing_keys", Kind.PERSON),
        (0x00180015, "body_part", Kind.CODE),
        (0x0020000E, "series_uid", Kind.UID),
        (0x00200011, "number", Kind.NUMBER),
        (0x00400244, "step_date", Kind.DATE),
        (0x00400245, "step_time", Kind.TIME),
        (0x00400009, "scheduled_step_id", Kind.SET),
        (0x00401001, "procedure_id", Kind.SET),
    ),
    **_columns(
        Level.INSTANCE,
        (0x00080016, "sop_class", Kind.UID),
        (0x00080018, "sop_uid", Kind.UID),
        (0x00200013, "number", Kind.NUMBER),
    ),
}

REQUEST_ATTRIBUTES: Final = 0x00400275
INDEXED_PATHS: Final = frozenset(
    (
        *((tag,) for tag in MATCHING if tag not in {0x00400009, 0x00401001}),
        (REQUEST_ATTRIBUTES, 0x00400009),
        (REQUEST_ATTRIBUTES, 0x00401001),
    )
)
"""The attributes, by their path, that a column answers."""

STUDY_RETURNED: Final = (
    0x00080005,
    0x00080020,
    0x00080030,
    0x00080050,
    0x00080051,
    0x00080090,
    0x00080201,
    0x00081030,
    0x00100010,
    0x00100020,
    0x00100021,
    0x00100024,
    0x00100030,
    0x00100040,
    0x0020000D,
    0x00200010,
)
STUDY_MORE: Final = (
    0x00081032,
    0x00081048,
    0x00081060,
    0x00081080,
    0x00081110,
    0x00081120,
    0x00100032,
    0x00100033,
    0x00101000,
    0x00101001,
    0x00101002,
    0x00101010,
    0x00101020,
    0x00101030,
    0x00102160,
    0x00102180,
    0x001021B0,
    0x00104000,
    0x00321032,
    0x00321060,
    0x00380010,
    0x00380060,
    0x00380300,
    0x00380500,
)
SERIES_RETURNED: Final = (
    0x00080005,
    0x00080021,
    0x00080031,
    0x00080060,
    0x00080201,
    0x0008103E,
    0x00180015,
    0x0020000D,
    0x0020000E,
    0x00200011,
    0x00200060,
    0x00400244,
    0x00400245,
    0x00400275,
)
SERIES_MORE: Final = (
    0x00080064,
    0x00080070,
    0x00080080,
    0x00080081,
    0x00081010,
    0x0008103F,
    0x00081040,
    0x00081050,
    0x00081070,
    0x00081090,
    0x00081111,
    0x00081140,
    0x00081250,
    0x00180010,
    0x00181000,
    0x00181020,
    0x00181030,
    0x00185100,
    0x00200052,
    0x00201040,
    0x00400250,
    0x00400251,
    0x00400253,
    0x00400254,
    0x0040A124,
)
INSTANCE_RETURNED: Final = (
    0x00080005,
    0x00080008,
    0x00080016,
    0x00080018,
    0x00080201,
    0x0020000D,
    0x0020000E,
    0x00200013,
    0x00280008,
    0x00280010,
    0x00280011,
    0x00280100,
)

REQUIRED: Final = {
    Level.STUDY: (
        0x00080020,
        0x00080030,
        0x00080050,
        0x00080090,
        0x00100010,
        0x00100020,
        0x00100030,
        0x00100040,
        0x00200010,
    ),
    Level.SERIES: (0x00080060, 0x00200011),
    Level.INSTANCE: (0x00200013,),
}
"""Told of each level, without a value where none is known (PS3.18 10.6.3.3, type R)."""

INSTANCE_AVAILABILITY: Final = 0x00080056
MODALITIES_IN_STUDY: Final = 0x00080061
SOP_CLASSES_IN_STUDY: Final = 0x00080062
RETRIEVE_URL: Final = 0x00081190
PATIENT_RELATED: Final = (0x00201200, 0x00201202, 0x00201204)
"""Number of Patient Related Studies, Series, Instances (PS3.4 C.3.4); told when asked for."""
STUDY_SERIES_COUNT: Final = 0x00201206
STUDY_INSTANCE_COUNT: Final = 0x00201208
SERIES_INSTANCE_COUNT: Final = 0x00201209
