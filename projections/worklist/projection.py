"""Turns orders into scheduled steps, and what is stored of their studies into their state.

Design A4, PS3.4 K. Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Recorded
from projections.contract import ViewSpec
from projections.merged_patients import MergedPatients
from projections.worklist.tables import Tables
from registry.orders.events import OrderCancelled, OrderPlaced
from registry.orders.values import Order
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.studies.events import InstancesStored, StudyCompleted

NAME: Final = "worklist"
SCHEDULED: Final = "scheduled"
STARTED: Final = "started"
DONE: Final = "done"
CANCELLED: Final = "cancelled"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Order).decode


class WorklistProjection:
    """Writes the worklist."""

    def __init__(self, tables: Tables) -> None:
        self._table = tables.steps
        self._merged = MergedPatients(tables.merges)

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded, told in self._merged.following(connection, events):
            match told:
                case OrderPlaced() as fact if not recorded.shredded:
                    self._placed(connection, fact)
                case OrderCancelled() as fact:
                    self._become(connection, fact.study_uid, CANCELLED, (SCHEDULED, STARTED))
                case InstancesStored() as fact:
                    self._become(connection, fact.study_uid, STARTED, (SCHEDULED,))
                case StudyCompleted() as fact:
                    self._become(connection, fact.study_uid, DONE, (SCHEDULED, STARTED))
                case PatientAbsorbed() as fact:
                    self._absorb(connection, fact)
                case PatientShredded() as fact:
                    mine = self._table.c.patient_key == fact.patient_key
                    connection.execute(self._table.delete().where(mine))
                case _:
                    pass

    def _placed(self, connection: Connection, fact: OrderPlaced) -> None:
        connection.execute(
            self._table.insert().values(
                study_uid=fact.study_uid,
                patient_key=fact.patient_key,
                state=SCHEDULED,
                starts_on=fact.order.starts[:8],
                starts=fact.order.starts,
                body=_encode(fact.order),
            )
        )

    def _become(
        self, connection: Connection, study_uid: str, state: str, before: tuple[str, ...]
    ) -> None:
        c = self._table.c
        connection.execute(
            self._table.update()
            .where(c.study_uid == study_uid, c.state.in_(before))
            .values(state=state)
        )

    def _absorb(self, connection: Connection, fact: PatientAbsorbed) -> None:
        """Show what was ordered for the subsumed identifier under the surviving one."""
        survivor: UUID = fact.patient_key
        local_id = fact.patient_id.split("^")[0]
        mine = self._table.c.patient_key == fact.subsumed
        for row in connection.execute(sa.select(self._table).where(mine)).all():
            order = _decode(row.body)
            if local_id:
                order = msgspec.structs.replace(order, local_id=local_id)
            connection.execute(
                self._table.update()
                .where(self._table.c.study_uid == row.study_uid)
                .values(patient_key=survivor, body=_encode(order))
            )


SPEC: Final = ViewSpec(
    name=NAME,
    version=1,
    topics=(
        OrderPlaced.TOPIC,
        OrderCancelled.TOPIC,
        InstancesStored.TOPIC,
        StudyCompleted.TOPIC,
        PatientAbsorbed.TOPIC,
        PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=WorklistProjection,
)
