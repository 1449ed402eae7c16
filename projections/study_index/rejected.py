"""Takes rejected instances out of what is shown, whichever comes first: the note or the image.

RAD TF-3 4.66 (IOCM). Rows stay, marked `hidden`, because a manifest and a commitment still count
what is held; their metadata move into chunks with negative numbers. Called by `projection.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kernel.events import Fact
from projections.study_index.rows import series_json, study_json, with_series
from projections.study_index.tables import Tables
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.studies.events import InstancesRejected

RETENTION_EXPIRED: Final = "113039"
"""Rejects what is held then, not what is imported again later."""
_COMPRESSION: Final = 1
_AT_ONCE: Final = 500


class Rejections:
    """The rejections of one view."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._table = tables.rejected
        self._any = False

    def note(self, connection: Connection, fact: InstancesRejected, ordinal: int) -> set[str]:
        """Remember what a note rejects, itself included; returns the studies that have it."""
        table, named = self._table, (*fact.sop_uids, fact.note_uid)
        instances = self._tables.instances.c
        studies = {fact.study_uid}
        for start in range(0, len(named), _AT_ONCE):
            part = named[start : start + _AT_ONCE]
            known = set(
                connection.execute(
                    sa.select(table.c.sop_uid).where(
                        table.c.sop_uid.in_(part), table.c.patient_key == str(fact.patient_key)
                    )
                ).scalars()
            )
            rows = [
                {
                    "sop_uid": uid,
                    "patient_key": str(fact.patient_key),
                    "reason": fact.reason,
                    "ordinal": ordinal,
                }
                for uid in dict.fromkeys(part)
                if uid not in known
            ]
            if rows:
                connection.execute(table.insert(), rows)
            studies |= set(
                connection.execute(
                    sa.select(instances.study_uid).where(instances.sop_uid.in_(part)).distinct()
                ).scalars()
            )
        self._any = True
        return studies

    def follow(self, connection: Connection, fact: Fact) -> None:
        """Follow a patient who is merged, or is no more."""
        if isinstance(fact, PatientAbsorbed):
            self._move(connection, fact.subsumed, fact.patient_key)
        elif isinstance(fact, PatientShredded):
            mine = self._table.c.patient_key == str(fact.patient_key)
            connection.execute(self._table.delete().where(mine))

    def _move(self, connection: Connection, subsumed: UUID, survivor: UUID) -> None:
        c = self._table.c
        told = sa.select(c.sop_uid).where(c.patient_key == str(survivor))
        mine = c.patient_key == str(subsumed)
        connection.execute(self._table.delete().where(mine, c.sop_uid.in_(told)))
        connection.execute(self._table.update().where(mine).values(patient_key=str(survivor)))

    def settle(self, connection: Connection, study_uids: Iterable[str], revision: int) -> None:
        """Hide what is rejected in these studies, and count again what is left."""
        if not self._is_needed(connection):
            return
        for study_uid in dict.fromkeys(study_uids):
            hidden = self._hide(connection, study_uid)
            if hidden or self._was_touched(connection, study_uid):
                self.count(connection, study_uid, revision)

    def count(self, connection: Connection, study_uid: str, revision: int) -> None:
        """Count the series and the study again by what is shown of them, and what is held."""
        instances, series = self._tables.instances, self._tables.series
        studies, c = self._tables.studies, self._tables.instances.c
        counted = connection.execute(
            sa.select(c.series_uid, c.sop_class, sa.func.count().label("number"))
            .where(c.study_uid == study_uid, c.hidden.is_(False))
            .group_by(c.series_uid, c.sop_class)
            .select_from(instances)
        ).all()
        found = connection.execute(sa.select(studies).where(studies.c.study_uid == study_uid))
        held = connection.execute(
            sa.select(sa.func.count().label("number"), sa.func.sum(c.size).label("octets"))
            .where(c.study_uid == study_uid)
            .select_from(instances)
        ).one()
        study = dict(found.mappings().one())
        study |= {"modalities": "", "body_parts": "", "series_count": 0, "instance_count": 0}
        study |= {"held_count": held.number, "size_bytes": int(held.octets or 0)}
        rows = connection.execute(
            sa.select(series).where(series.c.study_uid == study_uid).order_by(series.c.first_at)
        ).mappings()
        for row in [dict(row) for row in rows]:
            count = _total(counted, row["series_uid"])
            row |= {"instance_count": count, "hidden": not count, "revision": revision}
            if count:
                study["series_count"] += 1
                study["instance_count"] += count
                with_series(study, row)
            connection.execute(
                series.update()
                .where(series.c.study_uid == study_uid, series.c.series_uid == row["series_uid"])
                .values(
                    instance_count=count, hidden=not count, revision=revision, json=series_json(row)
                )
            )
        classes = dict.fromkeys(row.sop_class for row in counted)
        study["sop_classes"] = "".join(f"\\{uid}" for uid in classes) + "\\" if classes else ""
        study |= {"hidden": not study["instance_count"], "revision": revision}
        changed = (
            "modalities", "body_parts", "sop_classes", "series_count", "instance_count",
            "held_count", "size_bytes", "hidden", "revision",
        )  # fmt: skip
        connection.execute(
            studies.update()
            .where(studies.c.study_uid == study_uid)
            .values({name: study[name] for name in changed} | {"json": study_json(study)})
        )

    def _is_needed(self, connection: Connection) -> bool:
        if not self._any:
            found = connection.execute(sa.select(self._table.c.sop_uid).limit(1)).first()
            self._any = found is not None
        return self._any

    def _was_touched(self, connection: Connection, study_uid: str) -> bool:
        c = self._tables.instances.c
        query = sa.select(c.sop_uid).where(c.study_uid == study_uid, c.hidden.is_(True)).limit(1)
        return connection.execute(query).first() is not None

    def _hide(self, connection: Connection, study_uid: str) -> bool:
        i, r, was = self._tables.instances.c, self._table.c, self._tables.moves.reassigned.c
        # A note of the patient whose the study was when it came still holds.
        before = sa.exists().where(
            was.study_uid == i.study_uid, was.from_key == r.patient_key, was.to_key == i.patient_key
        )
        rows = connection.execute(
            sa.select(i.sop_uid, i.series_uid, i.chunk)
            .join_from(
                self._tables.instances,
                self._table,
                sa.and_(r.sop_uid == i.sop_uid, sa.or_(r.patient_key == i.patient_key, before)),
            )
            .where(
                i.study_uid == study_uid,
                i.hidden.is_(False),
                sa.or_(r.reason != RETENTION_EXPIRED, i.ordinal < r.ordinal),
            )
        ).all()
        chunks: dict[tuple[str, int], set[str]] = {}
        for row in rows:
            chunks.setdefault((row.series_uid, row.chunk), set()).add(row.sop_uid)
        for (series_uid, chunk), uids in chunks.items():
            self._split(connection, (study_uid, series_uid, chunk), uids)
        return bool(rows)

    def _split(self, connection: Connection, key: tuple[str, str, int], gone: set[str]) -> None:
        """Take instances out of a chunk of metadata; each gets one of its own."""
        study_uid, series_uid, chunk = key
        chunks, instances = self._tables.chunks, self._tables.instances
        here = sa.and_(
            chunks.c.study_uid == study_uid,
            chunks.c.series_uid == series_uid,
            chunks.c.chunk == chunk,
        )
        body = zlib.decompress(
            connection.execute(sa.select(chunks.c.body).where(here)).scalar_one()
        )
        rows = connection.execute(
            sa.select(instances)
            .where(
                instances.c.study_uid == study_uid,
                instances.c.series_uid == series_uid,
                instances.c.chunk == chunk,
            )
            .order_by(instances.c.chunk_start)
        ).all()
        left: list[bytes] = []
        start = 0
        for row in rows:
            part = body[row.chunk_start : row.chunk_start + row.chunk_length]
            place: dict[str, Any] = {"chunk_start": start}
            if row.sop_uid in gone:
                place = {"chunk": -row.ordinal, "chunk_start": 0, "hidden": True}
                connection.execute(
                    chunks.insert().values(
                        study_uid=study_uid,
                        series_uid=series_uid,
                        chunk=-row.ordinal,
                        body=zlib.compress(part, _COMPRESSION),
                    )
                )
            else:
                left.append(part)
                start += len(part) + 1
            connection.execute(
                instances.update().where(instances.c.sop_uid == row.sop_uid).values(**place)
            )
        if left:
            packed = zlib.compress(b",".join(left), _COMPRESSION)
            connection.execute(chunks.update().where(here).values(body=packed))
        else:
            connection.execute(chunks.delete().where(here))


def _total(counted: Iterable[Row[Any]], series_uid: str) -> int:
    return sum(int(row.number) for row in counted if row.series_uid == series_uid)
