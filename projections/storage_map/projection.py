"""Turns stored instances into the rows that say where each frame lies.

Design A5: the frame table is made here, once. Run by `projections/runner.py`; octets are seen
only through the `FrameSource` port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.refusals import Invalid, NotFound, TooMuch
from projections.contract import ViewSpec
from projections.merged_patients import MergedPatients
from projections.storage_map.tables import Tables
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.studies.events import InstancesStored
from repository.instances.frames import FrameTable

NAME: Final = "storage_map"
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
        self._merged = MergedPatients(tables.merges)
        self._source = source

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        rows: list[dict[str, object]] = []
        for recorded, told in self._merged.following(connection, events):
            match told:
                case InstancesStored() as fact:
                    rows.extend(self._rows(fact, recorded.position))
                case PatientShredded() as fact:
                    self._insert(connection, rows)
                    rows = []
                    connection.execute(
                        self._table.delete().where(
                            self._table.c.patient_key == str(fact.patient_key)
                        )
                    )
                case PatientAbsorbed() as fact:
                    self._insert(connection, rows)
                    rows = []
                    connection.execute(
                        self._table.update()
                        .where(self._table.c.patient_key == str(fact.subsumed))
                        .values(patient_key=str(fact.patient_key))
                    )
                case _:
                    pass
        self._insert(connection, rows)

    def _insert(self, connection: Connection, rows: list[dict[str, object]]) -> None:
        if rows:
            connection.execute(self._table.insert(), rows)

    def _rows(self, fact: InstancesStored, position: int) -> list[dict[str, object]]:
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
                "ordinal": position * _ORDINALS + index,
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
        version=2,
        topics=(InstancesStored.TOPIC, PatientAbsorbed.TOPIC, PatientShredded.TOPIC),
        make_tables=Tables,
        make_projection=lambda tables: StorageMapProjection(tables, source),
    )
