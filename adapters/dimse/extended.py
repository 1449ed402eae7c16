"""What a peer and we agree on beyond the SOP class: extended negotiation of query and retrieval.

PS3.7 D.3.3.5 (SOP Class Extended Negotiation), PS3.4 C.5.1 to C.5.3 (its sub-fields for C-FIND,
C-MOVE and C-GET). Pure; called by `association.py`, obeyed by `c_find.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.dimse.contexts import Context, Operation


@dataclass(frozen=True, slots=True)
class Options:
    """What was agreed on for a query."""

    relational: bool = False
    """Keys of any level, without the unique keys above (PS3.4 C.4.1.2.2.2)."""
    combined: bool = False
    """Ranges of a date and its time are one range (C.2.2.2.5.4)."""
    fuzzy: bool = False
    """Person names are matched by their meaning (C.2.2.2.1.1)."""
    empty: bool = False
    """`""` matches what has no value."""


NOTHING_AGREED: Final = Options()
_SUPPORTED: Final = {
    # relational, combined, fuzzy, timezone, multi-frame conversion, empty values, many values
    Operation.FIND: b"\x01\x01\x01\x00\x00\x01\x01",
    # relational, multi-frame conversion
    Operation.MOVE: b"\x01\x00",
    Operation.GET: b"\x01\x00",
}


def agree(
    proposed: Iterable[tuple[str, bytes]], contexts: Iterable[Context]
) -> tuple[tuple[str, bytes], ...]:
    """Answer what was proposed for the SOP classes that were accepted: no sub-field more."""
    services = {context.abstract_syntax: context.service for context in contexts}
    found: dict[str, bytes] = {}
    for uid, wanted in proposed:
        supported = _SUPPORTED.get(services[uid]) if uid in services else None
        if supported is not None:
            pairs = zip(wanted, supported, strict=False)
            found[uid] = bytes(int(one == 1 and other) for one, other in pairs)
    return tuple(found.items())


def options_of(agreed: Iterable[tuple[str, bytes]]) -> Mapping[str, Options]:
    """Return what holds for each SOP class."""
    return {uid: _options(fields.ljust(7, b"\x00")) for uid, fields in agreed}


def _options(fields: bytes) -> Options:
    return Options(
        relational=bool(fields[0]),
        combined=bool(fields[1]),
        fuzzy=bool(fields[2]),
        empty=bool(fields[5]),
    )
