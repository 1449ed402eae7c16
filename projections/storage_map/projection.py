"""Turns stored instances into the rows that say where each frame lies.

Design A5: the frame table is made here, once. Run by `projections/runner.py`; octets are seen
only through the `FrameSource` port.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.refusals import Invalid, NotFound, TooMuch
from projections.contract import ViewSpec
from projections.merged_patients import MergedPatients
from projections.moved_instances import AT_ONCE, MovedInstances, pairs
from projections.storage_map.tables import Tables
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.studies.events import (
    InstancesMoved,
    InstancesRejected,
    InstancesStored,
    StudyReassigned,
)
from repository.instances.frames import FrameTable

NAME: Final = "storage_map"
_RETENTION_EXPIRED: Final = "113039"
_ORDINALS: Final = 1 << 16
"""Instances of one event keep their order: ordinal = position * _ORDINALS + index."""


class FrameSource(Protocol):
    """Gives the frame table of a stored object; `repository.instances.stored` is one."""

    def frames(self, sha256: str) -> FrameTable:
        """Return the frame table; raises ObjectMissing and refusals of repository.instances."""
        ...


class StorageMapProjection:
    """Writes the storage map."""

    def __init__(self, tables: Tables, source: FrameSource) -> None:
        self._table = tables.instances
        self._rejected = tables.rejected
        self._merged = MergedPatients(tables.merges)
        self._moved = MovedInstances(tables.moves)
        self._source = source
        self._any = False
        """Something was ever rejected: else a batch costs no look."""

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        rows: list[dict[str, object]] = []
        self._moved.begin()
        for recorded, told in self._merged.following(connection, events):
            if isinstance(told, InstancesStored):
                for part in self._moved.placed(connection, told):
                    rows.extend(self._rows(part, recorded.position, told.sop_uids))
                continue
            self._insert(connection, rows)
            rows = []
            match told:
                case InstancesRejected() as fact:
                    self._reject(connection, self._moved.rejected(connection, fact))
                case InstancesMoved() as fact:
                    self._move_instances(connection, fact)
                case StudyReassigned() as fact:
                    self._reassign(connection, fact)
                case PatientShredded() as fact:
                    for table in (self._table, self._rejected):
                        connection.execute(
                            table.delete().where(table.c.patient_key == str(fact.patient_key))
                        )
                case PatientAbsorbed() as fact:
                    self._move(connection, str(fact.subsumed), str(fact.patient_key))
                    self._moved.absorb(connection, fact)
                case _:
                    pass
        self._insert(connection, rows)

    def _move_instances(self, connection: Connection, fact: InstancesMoved) -> None:
        """Put series or instances into another study."""
        self._moved.move(connection, fact)
        self._moved.copy(connection, fact.study_uid, fact.to_study_uid)
        table = self._table
        for series_uid, to, named in pairs(fact):
            there = table.update().values(study_uid=fact.to_study_uid, series_uid=to)
            there = there.where(
                table.c.study_uid == fact.study_uid, table.c.series_uid == series_uid
            )
            if not named:
                connection.execute(there)
            for start in range(0, len(named), AT_ONCE):
                part = named[start : start + AT_ONCE]
                connection.execute(there.where(table.c.sop_uid.in_(part)))

    def _reassign(self, connection: Connection, fact: StudyReassigned) -> None:
        self._moved.reassign(connection, fact)
        table = self._table
        connection.execute(
            table.update()
            .where(
                table.c.study_uid == fact.study_uid,
                table.c.patient_key == str(fact.from_patient_key),
            )
            .values(patient_key=str(fact.patient_key))
        )

    def _insert(self, connection: Connection, rows: list[dict[str, object]]) -> None:
        if not rows:
            return
        gone = self._rejected_among(connection, [str(row["sop_uid"]) for row in rows])
        for row in rows:
            told = gone.get(str(row["sop_uid"]), ())
            place = (str(row["study_uid"]), str(row["patient_key"]))
            row["hidden"] = self._concerns(connection, *place, told)
        connection.execute(self._table.insert(), rows)

    def _concerns(
        self, connection: Connection, study_uid: str, patient_key: str, told: Iterable[str]
    ) -> bool:
        """Tell whether what is told of patients concerns an instance that is theirs, or was."""
        return any(
            patient_key in {key, str(self._moved.owner(connection, study_uid, UUID(key)))}
            for key in told
        )

    def _move(self, connection: Connection, subsumed: str, survivor: str) -> None:
        c = self._rejected.c
        told = sa.select(c.sop_uid).where(c.patient_key == survivor)
        connection.execute(
            self._rejected.delete().where(c.patient_key == subsumed, c.sop_uid.in_(told))
        )
        for table in (self._table, self._rejected):
            connection.execute(
                table.update().where(table.c.patient_key == subsumed).values(patient_key=survivor)
            )

    def _reject(self, connection: Connection, fact: InstancesRejected) -> None:
        """Hide what a note rejects of its patient, itself included, also what is yet to come."""
        key, named = str(fact.patient_key), list(dict.fromkeys((*fact.sop_uids, fact.note_uid)))
        gone = self._rejected_among(connection, named)
        for start in range(0, len(named), AT_ONCE):
            part = named[start : start + AT_ONCE]
            c = self._table.c
            held = connection.execute(
                sa.select(c.sop_uid, c.study_uid, c.patient_key).where(c.sop_uid.in_(part))
            ).all()
            his = [one.sop_uid for one in held if self._concerns(connection, *one[1:], (key,))]
            connection.execute(self._table.update().where(c.sop_uid.in_(his)).values(hidden=True))
            new = [{"sop_uid": u, "patient_key": key} for u in part if key not in gone.get(u, ())]
            # What is imported again after its retention time is new (RAD TF-3 4.66).
            if new and fact.reason != _RETENTION_EXPIRED:
                connection.execute(self._rejected.insert(), new)
                self._any = True

    def _rejected_among(self, connection: Connection, sop_uids: list[str]) -> dict[str, set[str]]:
        """Return of which patients notes reject these instances, if any do."""
        c = self._rejected.c
        if not self._any:
            self._any = connection.execute(sa.select(c.sop_uid).limit(1)).first() is not None
        if not self._any:
            return {}
        found: dict[str, set[str]] = {}
        for start in range(0, len(sop_uids), AT_ONCE):
            part = sop_uids[start : start + AT_ONCE]
            rows = connection.execute(
                sa.select(c.sop_uid, c.patient_key).where(c.sop_uid.in_(part))
            )
            for row in rows:
                found.setdefault(row.sop_uid, set()).add(row.patient_key)
        return found

    def _rows(
        self, fact: InstancesStored, position: int, order: Sequence[str]
    ) -> list[dict[str, object]]:
        """Return the rows of a fact; `order` is that of the fact as it was recorded."""
        place = {uid: index for index, uid in enumerate(order)}
        return [
            {
                "sop_uid": sop_uid,
                "study_uid": fact.study_uid,
                "series_uid": fact.series_uids[fact.series[index]],
                "sop_class": fact.sop_classes[fact.sop_class[index]],
                "transfer_syntax": fact.transfer_syntaxes[fact.transfer_syntax[index]],
                "object_key": fact.sha256[index],
                "size": fact.sizes[index],
                "patient_key": str(fact.patient_key),
                "ordinal": position * _ORDINALS + place[sop_uid],
                "frames": self._frames(fact.sha256[index]),
            }
            for index, sop_uid in enumerate(fact.sop_uids)
        ]

    def _frames(self, sha256: str) -> bytes:
        try:
            table = self._source.frames(sha256)
        except (Invalid, NotFound, TooMuch):
            # Odd pixel data, or octets that are gone: the instance is still listed and retrieved
            # whole. A store that is away (Unavailable) stops the view until it is back.
            return b""
        return table.pack() if table.count else b""


def spec(source: FrameSource) -> ViewSpec:
    """Return the view, reading frames through `source`."""
    return ViewSpec(
        name=NAME,
        version=6,
        topics=(
            InstancesStored.TOPIC,
            InstancesRejected.TOPIC,
            InstancesMoved.TOPIC,
            StudyReassigned.TOPIC,
            PatientAbsorbed.TOPIC,
            PatientShredded.TOPIC,
        ),
        make_tables=Tables,
        make_projection=lambda tables: StorageMapProjection(tables, source),
    )
