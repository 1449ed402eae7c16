"""The rows that a batch of instances makes, kept until they are written with few statements.

Design A4, A5: DICOM JSON is made here, once. Called by `projection.py`.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

from projections.study_index.attributes import INSTANCE_RETURNED, MARK, Level
from projections.study_index.rows import (
    InstanceSeen,
    new_series,
    new_study,
    series_json,
    study_json,
    with_series,
)
from projections.study_index.tables import Tables
from repository.instances.dicom_json import member, to_json

_CHUNK_OCTETS: Final = 256 << 10
"""Metadata of one series are compressed together up to about this many octets."""
_COMPRESSION: Final = 1
Row = dict[str, Any]


class Work:
    """The rows of one transaction, kept until `flush`."""

    def __init__(self, connection: Connection, tables: Tables) -> None:
        self.connection = connection
        self.tables = tables
        self._studies: dict[str, Row] = {}
        self._series: dict[tuple[str, str], Row] = {}
        self._new: set[str | tuple[str, str]] = set()
        self._changed: dict[str, None] = {}
        self._changed_series: dict[tuple[str, str], None] = {}
        self._instances: list[Row] = []
        self._chunks: list[Row] = []
        self._open: dict[tuple[str, str], tuple[int, list[bytes], int]] = {}
        self.unsettled: set[str] = set()
        """Studies that are new, or whose instances turned out not to agree on their patient."""

    def expect(self, study_uid: str) -> None:
        """Read a study that is about to change, unless what is kept of it is newer."""
        if study_uid not in self._studies:
            self.load({study_uid})

    def load(self, study_uids: set[str]) -> None:
        """Read the rows of studies that are about to change."""
        wanted = sorted(study_uids)
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            for table, held in (
                (self.tables.studies, self._studies),
                (self.tables.series, self._series),
            ):
                rows = self.connection.execute(
                    sa.select(table).where(table.c.study_uid.in_(part))
                ).mappings()
                for row in rows:
                    key = (
                        row["study_uid"]
                        if table is self.tables.studies
                        else (row["study_uid"], row["series_uid"])
                    )
                    held[key] = dict(row)  # type: ignore[index]

    def add(self, seen: InstanceSeen) -> None:
        """Count an instance into its series and study, and keep its metadata."""
        key = (seen.study_uid, seen.series_uid)
        study = self._studies.get(seen.study_uid)
        if study is None:
            study = self._studies[seen.study_uid] = new_study(seen)
            self._new.add(seen.study_uid)
            self.unsettled.add(seen.study_uid)
        elif not study["mixed"] and seen.header is not None and seen.named != study["named"]:
            study["mixed"] = True
            self.unsettled.add(seen.study_uid)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = new_series(seen)
            self._new.add(key)
            study["series_count"] += 1
            with_series(study, series)
        elif not series["instance_count"]:
            # All of it was moved away or rejected until now.
            study["series_count"] += 1
            with_series(study, series)
        series["instance_count"] += 1
        study["instance_count"] += 1
        study["held_count"] += 1
        study["size_bytes"] += seen.size
        study["last_at"] = max(study["last_at"], seen.at)
        study["pending"] = True
        # Everything may have been moved out of it, or be rejected: `rejected.py` looks again.
        study["hidden"] = series["hidden"] = False
        sop_classes = f"\\{seen.sop_class}\\"
        if sop_classes not in study["sop_classes"]:
            study["sop_classes"] = (study["sop_classes"] or "\\") + seen.sop_class + "\\"
        study["revision"] = series["revision"] = seen.ordinal
        self._changed[seen.study_uid] = None
        self._changed_series[key] = None
        self._instance(seen, key)

    def _instance(self, seen: InstanceSeen, key: tuple[str, str]) -> None:
        # Metadata are kept as of the place that the header tells: `overlay.py` relies on it.
        metadata = _metadata(seen, MARK + _path(*seen.home, seen.sop_uid))
        path = _path(seen.study_uid, seen.series_uid, seen.sop_uid)
        chunk, parts, start = self._open.get(key, (seen.ordinal, [], 0))
        parts.append(metadata)
        self._instances.append(
            {
                "sop_uid": seen.sop_uid,
                "study_uid": seen.study_uid,
                "series_uid": seen.series_uid,
                "patient_key": seen.patient_key,
                "sop_class": seen.sop_class,
                "number": seen.integer(0x00200013),
                "frame_count": seen.frames,
                "size": seen.size,
                "ordinal": seen.ordinal,
                "chunk": chunk,
                "chunk_start": start,
                "chunk_length": len(metadata),
                "json": _instance_json(seen, MARK + path),
            }
        )
        start += len(metadata) + 1
        self._open[key] = (chunk, parts, start)
        if start > _CHUNK_OCTETS:
            self._close_chunk(key)

    def _close_chunk(self, key: tuple[str, str]) -> None:
        chunk, parts, _length = self._open.pop(key)
        self._chunks.append(
            {
                "study_uid": key[0],
                "series_uid": key[1],
                "chunk": chunk,
                "body": zlib.compress(b",".join(parts), _COMPRESSION),
            }
        )

    def flush(self) -> None:
        """Write everything that was kept."""
        for key in list(self._open):
            self._close_chunk(key)
        for uid in self._changed:
            study = self._studies[uid]
            study["json"] = study_json(study)
        for pair in self._changed_series:
            series = self._series[pair]
            series["json"] = series_json(series)
        self._write(
            self.tables.studies,
            [self._studies[k] for k in self._changed],
            [k in self._new for k in self._changed],
            ("study_uid",),
        )
        self._write(
            self.tables.series,
            [self._series[k] for k in self._changed_series],
            [k in self._new for k in self._changed_series],
            ("study_uid", "series_uid"),
        )
        if self._chunks:
            self.connection.execute(self.tables.chunks.insert(), self._chunks)
        if self._instances:
            self.connection.execute(self.tables.instances.insert(), self._instances)
        self._chunks, self._instances = [], []
        self._new.clear()
        self._changed.clear()
        self._changed_series.clear()

    def forget(self, study_uid: str) -> None:
        """Drop what is remembered of a study that was changed in the database."""
        self._studies.pop(study_uid, None)
        for key in [k for k in self._series if k[0] == study_uid]:
            del self._series[key]

    def reload(self, study_uids: set[str]) -> None:
        """Read studies again that were changed in the database."""
        for uid in study_uids:
            self.forget(uid)
        self.load(study_uids)

    def move(self, subsumed: str, survivor: str) -> None:
        """Give a merged patient's studies to the survivor, also those that are remembered."""
        tables = self.tables
        for table in (tables.instances, tables.series, tables.studies, tables.corrected):
            self.connection.execute(
                table.update().where(table.c.patient_key == subsumed).values(patient_key=survivor)
            )
        for row in (*self._studies.values(), *self._series.values()):
            if row["patient_key"] == subsumed:
                row["patient_key"] = survivor

    def _write(
        self, table: sa.Table, rows: list[Row], new: list[bool], keys: tuple[str, ...]
    ) -> None:
        inserts = [row for row, is_new in zip(rows, new, strict=True) if is_new]
        updates = [row for row, is_new in zip(rows, new, strict=True) if not is_new]
        if inserts:
            self.connection.execute(table.insert(), inserts)
        if updates:
            changing = [c.name for c in table.columns if c.name in _CHANGING]
            statement = (
                table.update()
                .where(*(table.c[key] == sa.bindparam(f"key_{key}") for key in keys))
                .values({name: sa.bindparam(f"new_{name}") for name in changing})
            )
            self.connection.execute(
                statement,
                [
                    {f"key_{key}": row[key] for key in keys}
                    | {f"new_{name}": row[name] for name in changing}
                    for row in updates
                ],
            )


_CHANGING: Final = frozenset(
    (
        "series_count",
        "instance_count",
        "held_count",
        "hidden",
        "mixed",
        "size_bytes",
        "last_at",
        "pending",
        "revision",
        "json",
        "modalities",
        "sop_classes",
        "body_parts",
    )
)


def _path(study_uid: str, series_uid: str, sop_uid: str) -> bytes:
    return f"/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}".encode()


def _metadata(seen: InstanceSeen, path: bytes) -> bytes:
    if seen.header is not None:
        return to_json(seen.header, path + b"/bulkdata")
    return b"{" + b",".join(seen.members(Level.INSTANCE, INSTANCE_RETURNED).values()) + b"}"


def _instance_json(seen: InstanceSeen, path: bytes) -> bytes:
    members = seen.members(Level.INSTANCE, INSTANCE_RETURNED)
    members[0x00080056] = member(0x00080056, "CS", "ONLINE")
    members[0x00081190] = b'"00081190":{"vr":"UR","Value":["%s"]}' % path
    return b"{" + b",".join(members[tag] for tag in sorted(members)) + b"}"
