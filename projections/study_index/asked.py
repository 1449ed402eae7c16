"""What is looked for in the study index, and what was found.

The queries of PS3.18 10.6 (QIDO-RS) and PS3.4 C.4.1 (C-FIND) as values. Made by the DICOMweb and
DIMSE adapters, answered by `search.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from projections.study_index.attributes import INDEXED_PATHS, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for."""

    level: Level
    filters: tuple[tuple[int, str], ...] = ()
    """Matching keys by tag, values as they came."""
    paths: tuple[tuple[tuple[int, ...], str], ...] = ()
    """Matching keys that have no column, or lie in sequences; answered by what is kept of rows."""
    study_uid: str = ""
    """Only within this study (PS3.18: a path below it)."""
    series_uid: str = ""
    include: frozenset[int] = field(default_factory=frozenset)
    include_all: bool = False
    fuzzy: bool = False
    combined: bool = False
    """Ranges of a date and its time are one range (PS3.4 C.2.2.2.5)."""
    empty: bool = False
    """`""` matches absent values; else it is universal matching (PS3.18 8.3.4.1.1)."""
    counted: bool = False
    """Count all that match, up to `COUNTED`."""
    offset: int = 0
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What was found."""

    items: list[bytes]
    """A JSON object each."""
    more: bool
    """True when there are more than `limit`."""
    ignored: tuple[int, ...]
    """Matching keys that nothing answers."""
    patient_keys: tuple[str, ...]
    """Whose rows these are, each once."""
    study_uids: tuple[str, ...]
    owners: tuple[str, ...] = ()
    """Of each item, the patient."""
    total: int | None = None
    """How many match, if that was asked for and they are not more than `COUNTED`."""


def divided(
    level: Level, keys: Iterable[tuple[tuple[int, ...], str]]
) -> tuple[tuple[tuple[int, str], ...], tuple[tuple[tuple[int, ...], str], ...]]:
    """Return the keys that columns answer, and those that are matched by what is kept.

    Keys inside a sequence are both: a column narrows, and what is kept tells whether they match
    in one item. A key that comes more than once asks for any of its values.
    """
    merged: dict[tuple[int, ...], str] = {}
    for path, value in keys:
        merged[path] = f"{merged[path]}\\{value}" if merged.get(path) else value
    filters = tuple((path[-1], value) for path, value in merged.items() if path in INDEXED_PATHS)
    paths = tuple(
        (path, value)
        for path, value in merged.items()
        if path not in INDEXED_PATHS or (len(path) > 1 and level is not Level.STUDY)
    )
    return filters, paths
