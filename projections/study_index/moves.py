"""Puts series and instances of one study into another: rows, metadata, counts (split, merge).

Requirements R-6.3.4. Metadata stay as stored; what is told otherwise is laid over them when they
are read (`overlay.py`). A study that lost everything stays, hidden. Called by `projection.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.moved_instances import pairs
from projections.study_index.attributes import MARK, RETRIEVE_URL
from projections.study_index.rows import fixed_members, joined, packed_members
from projections.study_index.tables import Tables
from registry.studies.events import InstancesMoved
from repository.instances.dicom_json import member

_COMPRESSION: Final = 1
_AT_ONCE: Final = 500
_PATIENT: Final = "0010"
"""Begins the tags of the patient's attributes."""
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_raw_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
Place = tuple[str, str]
"""Study and series."""


class Moves:
    """Moves rows of one view."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def move(self, connection: Connection, fact: InstancesMoved, event: Recorded) -> None:
        """Move what the fact names; counts and corrections are for the caller to settle."""
        self._open_study(connection, fact)
        for series_uid, to, named in pairs(fact):
            source, target = (fact.study_uid, series_uid), (fact.to_study_uid, to)
            rows = self._rows(connection, source, named)
            if not rows:
                continue
            self._open_series(connection, source, target)
            self._move_chunks(connection, source, target, rows)
            self._remember(connection, rows, (source, target), micros(event.at))

    def arrived(
        self,
        connection: Connection,
        sop_uids: Sequence[str],
        homes: Sequence[Place],
        at: int,
        *,
        carried: Mapping[Place, bytes],
    ) -> None:
        """Remember where the headers of late instances say they are, and what they bring along."""
        rows = [
            {
                "sop_uid": uid,
                "home_study": home[0],
                "home_series": home[1],
                "at": at,
                "carried": carried[home],
            }
            for uid, home in zip(sop_uids, homes, strict=True)
        ]
        connection.execute(self._tables.moved.insert(), rows)

    def carried(
        self, connection: Connection, study_uids: Sequence[str], before: bytes = b""
    ) -> bytes:
        """Return what is told of the patient in studies that an instance came through, in order."""
        corrected = self._tables.corrected
        found: dict[str, Any] = _decode(before) if before else {}
        for uid in study_uids:
            changes = connection.execute(
                sa.select(corrected.c.changes).where(corrected.c.study_uid == uid)
            ).scalar_one_or_none()
            told = _decode(changes) if changes else {}
            found |= {tag: told[tag] for tag in told if tag.startswith(_PATIENT)}
        return _encode(found) if found else b""

    def _open_study(self, connection: Connection, fact: InstancesMoved) -> None:
        """Have the target's row; a new study begins as a copy of the one it is split from."""
        tables, studies = self._tables, self._tables.studies
        source, target = fact.study_uid, fact.to_study_uid
        known = connection.execute(
            studies.update().where(studies.c.study_uid == target).values(mixed=True)
        )
        if known.rowcount:
            return
        row = _one(connection, studies, studies.c.study_uid == source)
        row |= {
            "study_uid": target,
            "fixed": _renamed(row["fixed"], (target,)),
            "series_count": 0,
            "instance_count": 0,
            "held_count": 0,
            "size_bytes": 0,
            "complete_count": 0,
            "published_count": 0,
            "manifest_uid": "",
            "manifest_entry": "",
            "pending": True,
            "outdated": False,
        }
        connection.execute(studies.insert().values(**row))
        for table in (tables.corrections, tables.corrected):
            rows = connection.execute(sa.select(table).where(table.c.study_uid == source))
            copies = [dict(found) | {"study_uid": target} for found in rows.mappings()]
            for copy in copies:
                if "original" in copy:
                    copy["original"] = _renamed(copy["original"], (target,))
            if copies:
                connection.execute(table.insert(), copies)

    def _open_series(self, connection: Connection, source: Place, target: Place) -> None:
        series = self._tables.series
        there = _at(series, target)
        if connection.execute(sa.select(series.c.series_uid).where(there)).first() is not None:
            return
        row = _one(connection, series, _at(series, source))
        row |= {
            "study_uid": target[0],
            "series_uid": target[1],
            "fixed": _renamed(row["fixed"], target),
            "instance_count": 0,
            "hidden": False,
        }
        connection.execute(series.insert().values(**row))

    def _rows(self, connection: Connection, place: Place, named: Sequence[str]) -> Sequence[Any]:
        """Return the instances that go; none named: all of the series."""
        table = self._tables.instances
        query = sa.select(
            table.c.sop_uid,
            table.c.ordinal,
            table.c.chunk,
            table.c.chunk_start,
            table.c.chunk_length,
            table.c.json,
        ).where(_at(table, place))
        query = query.order_by(table.c.chunk, table.c.chunk_start)
        if not named:
            return connection.execute(query).all()
        found: list[Any] = []
        for start in range(0, len(named), _AT_ONCE):
            part = named[start : start + _AT_ONCE]
            found += connection.execute(query.where(table.c.sop_uid.in_(part))).all()
        return found

    def _move_chunks(
        self, connection: Connection, source: Place, target: Place, rows: Iterable[Any]
    ) -> None:
        going: dict[int, list[Any]] = {}
        for row in rows:
            going.setdefault(row.chunk, []).append(row)
        for chunk, some in going.items():
            self._move_chunk(connection, (source, target), chunk, some)

    def _move_chunk(
        self, connection: Connection, way: tuple[Place, Place], chunk: int, going: list[Any]
    ) -> None:
        chunks, instances = self._tables.chunks, self._tables.instances
        source, target = way
        body = zlib.decompress(
            connection.execute(
                sa.select(chunks.c.body).where(_at(chunks, source), chunks.c.chunk == chunk)
            ).scalar_one()
        )
        names = {row.sop_uid for row in going}
        all_there = connection.execute(
            sa.select(
                instances.c.sop_uid,
                instances.c.ordinal,
                instances.c.chunk_start,
                instances.c.chunk_length,
            )
            .where(_at(instances, source), instances.c.chunk == chunk)
            .order_by(instances.c.chunk_start)
        ).all()
        connection.execute(chunks.delete().where(_at(chunks, source), chunks.c.chunk == chunk))
        json = {row.sop_uid: row.json for row in going}
        for place, some in (
            (source, [row for row in all_there if row.sop_uid not in names]),
            (target, [row for row in all_there if row.sop_uid in names]),
        ):
            if some:
                self._write_chunk(connection, place, body, some, hidden=chunk < 0, json=json)

    def _write_chunk(
        self,
        connection: Connection,
        place: Place,
        body: bytes,
        rows: list[Any],
        *,
        hidden: bool,
        json: dict[str, bytes],
    ) -> None:
        """Write a chunk, named by its first instance's ordinal: no other has that name."""
        chunks, instances = self._tables.chunks, self._tables.instances
        chunk = -rows[0].ordinal if hidden else rows[0].ordinal
        parts: list[bytes] = []
        changes: list[dict[str, Any]] = []
        start = 0
        for row in rows:
            parts.append(body[row.chunk_start : row.chunk_start + row.chunk_length])
            change: dict[str, Any] = {"of": row.sop_uid, "new_chunk": chunk, "new_start": start}
            if row.sop_uid in json:
                change["new_json"] = _placed(json[row.sop_uid], row.sop_uid, place)
            changes.append(change)
            start += row.chunk_length + 1
        connection.execute(
            chunks.insert().values(
                study_uid=place[0],
                series_uid=place[1],
                chunk=chunk,
                body=zlib.compress(b",".join(parts), _COMPRESSION),
            )
        )
        values: dict[str, Any] = {
            "study_uid": place[0],
            "series_uid": place[1],
            "chunk": sa.bindparam("new_chunk"),
            "chunk_start": sa.bindparam("new_start"),
        }
        if "new_json" in changes[0]:
            values["json"] = sa.bindparam("new_json")
        connection.execute(
            instances.update().where(instances.c.sop_uid == sa.bindparam("of")).values(values),
            changes,
        )

    def _remember(
        self, connection: Connection, rows: Sequence[Any], way: tuple[Place, Place], at: int
    ) -> None:
        """Remember where the stored headers say the instances are; forget who came home."""
        moved, (source, target) = self._tables.moved, way
        names = [row.sop_uid for row in rows]
        known: set[str] = set()
        for start in range(0, len(names), _AT_ONCE):
            part = moved.c.sop_uid.in_(names[start : start + _AT_ONCE])
            known |= set(connection.execute(sa.select(moved.c.sop_uid).where(part)).scalars())
            home = sa.and_(moved.c.home_study == target[0], moved.c.home_series == target[1])
            connection.execute(moved.delete().where(part, home))
            for before in connection.execute(sa.select(moved.c.carried).where(part).distinct()):
                now = self.carried(connection, [source[0]], before.carried)
                same = moved.c.carried == before.carried
                connection.execute(moved.update().where(part, same).values(at=at, carried=now))
        new = [uid for uid in names if uid not in known]
        if new:
            carried = {source: self.carried(connection, [source[0]])}
            self.arrived(connection, new, [source] * len(new), at, carried=carried)


def _at(table: sa.Table, place: Place) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.study_uid == place[0], table.c.series_uid == place[1])


def _one(connection: Connection, table: sa.Table, where: Any) -> dict[str, Any]:
    return dict(connection.execute(sa.select(table).where(where)).mappings().one())


def _uids(place: Sequence[str]) -> dict[int, bytes]:
    tags = (0x0020000D, 0x0020000E)
    return {tag: member(tag, "UI", uid) for tag, uid in zip(tags, place, strict=False)}


def _renamed(fixed: bytes, place: Sequence[str]) -> bytes:
    """Return a row's members with the UIDs of another study or series."""
    return packed_members(dict(sorted((fixed_members(fixed) | _uids(place)).items())))


def _placed(json: bytes, sop_uid: str, place: Place) -> bytes:
    """Return an instance's ready answer as of another series."""
    raw = _raw_members(json.replace(MARK, b"\x7f\x7f"))
    members = {int(n, 16): b'"%s":%s' % (n.encode(), bytes(text)) for n, text in raw.items()}
    members |= _uids(place)
    path = f"/studies/{place[0]}/series/{place[1]}/instances/{sop_uid}".encode()
    members[RETRIEVE_URL] = b'"00081190":{"vr":"UR","Value":["%s%s"]}' % (MARK, path)
    return joined(members)
