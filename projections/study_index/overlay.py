"""What is told otherwise than the stored headers say, per instance: corrections, feeds, moves.

Requirements R-6.3.4; PS3.3 C.12.1.1.9 (Original Attributes Sequence) is written by who composes
the header. Called by `view.py` and `search.py`, with rows that `corrections.py` wrote.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.times import dtm, from_micros
from projections.study_index.attributes import MARK
from projections.study_index.rows import fixed_members
from repository.instances.correcting import Changes
from repository.instances.correcting_json import corrected_object

ORIGINAL_ATTRIBUTES: Final = "04000561"
STUDY_MODULE: Final = (
    (0x00080020, "DA"), (0x00080030, "TM"), (0x00080050, "SH"), (0x00080090, "PN"),
    (0x00081030, "LO"), (0x00100010, "PN"), (0x00100020, "LO"), (0x00100021, "LO"),
    (0x00100030, "DA"), (0x00100040, "CS"), (0x00200010, "SH"),
)  # fmt: skip
"""What an instance takes over from the study it was moved to."""
_AT_ONCE: Final = 500
Place = tuple[str, str]
"""Study and series."""
_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is told otherwise of one instance, and where its stored header says it is."""

    changes: Changes
    home: Place | None = None


def any_overlay(connection: Connection, tables: Any) -> bool:
    """Tell whether anything at all is told otherwise than stored."""
    asked = sa.or_(
        *(
            sa.exists(sa.select(column))
            for column in (tables.corrected.c.study_uid, tables.moved.c.sop_uid)
        )
    )
    return bool(connection.execute(sa.select(sa.literal(1)).where(asked)).first())


def overlays(connection: Connection, tables: Any, sop_uids: Sequence[str]) -> dict[str, Overlay]:
    """Return what is told otherwise of those instances of which something is."""
    instances, corrected, moved = tables.instances, tables.corrected, tables.moved
    studies = tables.studies
    wanted, found = list(dict.fromkeys(sop_uids)), dict[str, Overlay]()
    known: dict[str, Changes] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = connection.execute(
            sa.select(
                instances.c.sop_uid,
                instances.c.study_uid,
                instances.c.series_uid,
                instances.c.patient_key,
                corrected.c.patient_key.label("owner"),
                moved.c.home_study,
                moved.c.home_series,
                moved.c.at,
                moved.c.carried,
            )
            .select_from(
                instances.outerjoin(
                    corrected, corrected.c.study_uid == instances.c.study_uid
                ).outerjoin(moved, moved.c.sop_uid == instances.c.sop_uid)
            )
            .where(
                instances.c.sop_uid.in_(wanted[start : start + _AT_ONCE]),
                sa.or_(corrected.c.study_uid.is_not(None), moved.c.sop_uid.is_not(None)),
            )
        ).all()
        _load(connection, corrected, studies, {row.study_uid for row in rows}, known)
        for row in rows:
            found[row.sop_uid] = _overlay(row, known)
    return {uid: one for uid, one in found.items() if one.changes}


def _as_stored(found: Mapping[str, Overlay]) -> dict[str, Overlay]:
    """Return what is told otherwise of original headers: only where they lie by now."""
    return {uid: Overlay({}, one.home) for uid, one in found.items() if one.home is not None}


def is_overlaid(connection: Connection, tables: Any, study_uid: str) -> bool:
    """Tell whether anything of a study is told otherwise than stored."""
    corrected, moved, instances = tables.corrected, tables.moved, tables.instances
    found = connection.execute(
        sa.select(corrected.c.study_uid).where(corrected.c.study_uid == study_uid)
    ).first()
    if found is None and any_overlay(connection, tables):
        found = connection.execute(
            sa.select(moved.c.sop_uid)
            .join(instances, instances.c.sop_uid == moved.c.sop_uid)
            .where(instances.c.study_uid == study_uid)
            .limit(1)
        ).first()
    return found is not None


def read_through(
    connection: Connection, tables: Any, place: Place, sop_uid: str, *, original: bool = False
) -> Callable[[bytes], bytes]:
    """Return what turns an instance's stored metadata into what is told of it.

    Of the `original` header only the addresses of bulk data are told otherwise.
    """
    if not any_overlay(connection, tables):
        return lambda json: json
    every = overlays(connection, tables, (sop_uid,))
    found = (_as_stored(every) if original else every).get(sop_uid)
    return (lambda json: json) if found is None else lambda json: overlaid(json, found, place)


def overlaid_chunks(
    connection: Connection,
    tables: Any,
    place: Place,
    chunks: Sequence[Any],
    *,
    original: bool = False,
) -> list[bytes]:
    """Return the metadata of a study or series (no series: all) as they are told now."""
    c = tables.instances.c
    query = sa.select(c.sop_uid, c.series_uid, c.chunk, c.chunk_start, c.chunk_length).where(
        c.study_uid == place[0], c.chunk >= 0
    )
    if place[1]:
        query = query.where(c.series_uid == place[1])
    lying: dict[tuple[str, int], list[Any]] = {}
    for row in connection.execute(query.order_by(c.chunk_start)):
        lying.setdefault((row.series_uid, row.chunk), []).append(row)
    found = overlays(connection, tables, [one.sop_uid for part in lying.values() for one in part])
    if original:
        found = _as_stored(found)
    told = []
    for chunk in chunks:
        body, parts = zlib.decompress(chunk.body), []
        for one in lying.get((chunk.series_uid, chunk.chunk), ()):
            json = body[one.chunk_start : one.chunk_start + one.chunk_length]
            if one.sop_uid in found:
                json = overlaid(json, found[one.sop_uid], (place[0], chunk.series_uid))
            parts.append(json)
        told.append(b",".join(parts))
    return told


def _load(
    connection: Connection,
    corrected: sa.Table,
    studies: sa.Table,
    study_uids: set[str],
    known: dict[str, Changes],
) -> None:
    new = sorted(study_uids - known.keys())
    for row in connection.execute(
        sa.select(studies.c.study_uid, studies.c.fixed, corrected.c.changes)
        .select_from(studies.outerjoin(corrected, corrected.c.study_uid == studies.c.study_uid))
        .where(studies.c.study_uid.in_(new))
    ):
        known[row.study_uid] = _decode(row.changes) if row.changes else {}
        known[f"={row.study_uid}"] = _module(row.fixed)


def _overlay(row: Any, known: Mapping[str, Changes]) -> Overlay:
    # Another patient's instance under the same Study Instance UID is not touched.
    own = row.owner is None or row.owner == row.patient_key
    changes = dict(known.get(row.study_uid, {})) if own else {}
    if row.home_study is None:
        return Overlay(changes)
    told = changes.get(ORIGINAL_ATTRIBUTES)
    # What identified a patient whose it is no more is not told again by a move.
    carried = _decode(row.carried) if row.carried else {}
    changes = {**carried, **known.get(f"={row.study_uid}", {}), **changes}
    changes["0020000D"] = {"vr": "UI", "Value": [row.study_uid]}
    if row.series_uid != row.home_series:
        changes["0020000E"] = {"vr": "UI", "Value": [row.series_uid]}
    changes[ORIGINAL_ATTRIBUTES] = told or provenance(row.at, "COERCE")
    return Overlay(changes, (row.home_study, row.home_series))


def _module(fixed: bytes) -> Changes:
    """Return the study's own study and patient attributes, empty where it has none."""
    members = fixed_members(fixed)
    found: dict[str, Mapping[str, Any]] = {}
    for tag, vr in STUDY_MODULE:
        name, text = f"{tag:08X}", members.get(tag)
        found[name] = {"vr": vr} if text is None else _decode(b"{" + text + b"}")[name]
    return found


def provenance(at: int, why: str) -> Mapping[str, Any]:
    """Return the item that tells of a change (PS3.3 C.12.1.1.9)."""
    item = {
        "04000562": {"vr": "DT", "Value": [dtm(from_micros(at))]},
        "04000563": {"vr": "LO", "Value": ["Pianku"]},
        "04000564": {"vr": "LO"},
        "04000565": {"vr": "CS", "Value": [why]},
    }
    return {"vr": "SQ", "Value": [item]}


def overlaid(json: bytes, overlay: Overlay, place: Place) -> bytes:
    """Return an instance's stored metadata with what is told otherwise (PS3.18 F)."""
    text = json
    if overlay.changes:
        # The mark that stands for the base URL is no JSON.
        told = corrected_object(json.replace(MARK, b"\x7f\x7f"), overlay.changes)
        text = told.replace(b"\x7f\x7f", MARK)
    if overlay.home is not None:
        text = text.replace(_path(overlay.home), _path(place))
    return text


def _path(place: Place) -> bytes:
    return MARK + f"/studies/{place[0]}/series/{place[1]}/instances/".encode()
