"""Reads the storage map: where an instance lies, and which instances a study has.

Design A5: a frame is one lookup (mostly in memory) and one read. Called by the DICOMweb, DIMSE
and XDS adapters; `locate` is the hot path and reads without the barrier unless it misses.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Row

from projections.database import ViewsDatabase
from projections.storage_map.projection import NAME
from repository.instances.frames import FrameTable

_REMEMBERED: Final = 20_000
_REMEMBERED_SECONDS: Final = 5.0
"""How long a row is taken from memory: so long a shredded patient's frames may still be read."""
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Location:
    """Where one instance lies."""

    sop_uid: str
    study_uid: str
    series_uid: str
    sop_class: str
    transfer_syntax: str
    key: str
    """Object key in the BlobStore."""
    size: int
    patient_key: UUID
    frames: FrameTable
    """Without frames when there are none, or none that can be addressed."""


class StorageMap:
    """The query side of the storage map; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, Location]] = OrderedDict()
        self._placed: OrderedDict[str, tuple[int, Location]] = OrderedDict()
        """By instance: the end of the ledger when it was looked up, and where it lay."""

    def remembered(self, sop_uid: str) -> Location | None:
        """Return the location if it is in memory (no I/O: safe on an event loop)."""
        held = self._held.get(sop_uid)
        if held is None or time.monotonic() - held[0] > _REMEMBERED_SECONDS:
            return None
        return held[1]

    def locate(self, sop_uid: str) -> Location | None:
        """Return where an instance lies, or None when there is no such instance."""
        held = self.remembered(sop_uid)
        if held is not None:
            return held
        for fresh in (False, True):
            found = self._select(sop_uid, fresh=fresh)
            if found is not None:
                self._remember(found)
                return found
        return None

    def place(self, sop_uid: str) -> Location | None:
        """Return where an instance lies by now, or None when there is no such instance.

        From memory while nothing at all was recorded since it was looked up.
        """
        head = self._database.head(NAME)
        held = self._placed.get(sop_uid)
        if held is not None and held[0] == head:
            return held[1]
        found = self.locate_many((sop_uid,)).get(sop_uid)
        if found is not None:
            with self._lock:
                self._placed[sop_uid] = (head, found)
                self._placed.move_to_end(sop_uid)
                if len(self._placed) > _REMEMBERED:
                    self._placed.popitem(last=False)
        return found

    def locate_many(self, sop_uids: Iterable[str], *, held: bool = False) -> dict[str, Location]:
        """Return those of the instances that are known, by SOP Instance UID.

        Rejected ones are told only to who asks for whatever is `held`.
        """
        wanted = list(dict.fromkeys(sop_uids))
        found: dict[str, Location] = {}
        with self._database.reading(NAME) as (connection, tables):
            table = tables.instances
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                rows = connection.execute(
                    sa.select(table).where(
                        table.c.sop_uid.in_(part), sa.true() if held else table.c.hidden.is_(False)
                    )
                )
                found.update((row.sop_uid, _location(row)) for row in rows)
        return found

    def instances(self, study_uid: str, series_uid: str = "") -> Sequence[Location]:
        """Return the instances of a study or series, in the order they came."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.instances
            query = sa.select(table).where(
                table.c.study_uid == study_uid, table.c.hidden.is_(False)
            )
            if series_uid:
                query = query.where(table.c.series_uid == series_uid)
            rows = connection.execute(query.order_by(table.c.series_uid, table.c.ordinal))
            return [_location(row) for row in rows]

    def uses(self, key: str) -> bool:
        """Tell whether any instance lies under an object key."""
        with self._database.reading(NAME) as (connection, tables):
            column = tables.instances.c.object_key
            return connection.execute(sa.select(column).where(column == key)).first() is not None

    def _select(self, sop_uid: str, *, fresh: bool) -> Location | None:
        with self._database.reading(NAME, fresh=fresh) as (connection, tables):
            table = tables.instances
            row = connection.execute(
                sa.select(table).where(table.c.sop_uid == sop_uid, table.c.hidden.is_(False))
            ).first()
            return None if row is None else _location(row)

    def _remember(self, location: Location) -> None:
        with self._lock:
            self._held[location.sop_uid] = (time.monotonic(), location)
            self._held.move_to_end(location.sop_uid)
            if len(self._held) > _REMEMBERED:
                self._held.popitem(last=False)


def _location(row: Row[Any]) -> Location:
    return Location(
        sop_uid=row.sop_uid,
        study_uid=row.study_uid,
        series_uid=row.series_uid,
        sop_class=row.sop_class,
        transfer_syntax=row.transfer_syntax,
        key=row.object_key,
        size=row.size,
        patient_key=UUID(row.patient_key),
        frames=FrameTable.unpack(row.frames),
    )
