"""Turns orders into scheduled steps; what is performed and stored of them into their state.

Design A4, PS3.4 K, IHE RAD TF-2 4.6 and 4.7. Run by `projections/runner.py`.
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
from registry.procedure_steps.events import (
    ProcedureStepCompleted,
    ProcedureStepDiscontinued,
    ProcedureStepStarted,
)
from registry.studies.events import InstancesStored, StudyCompleted

NAME: Final = "worklist"
SCHEDULED: Final = "scheduled"
STARTED: Final = "started"
DONE: Final = "done"
CANCELLED: Final = "cancelled"
DISCONTINUED: Final = "discontinued"
_OPEN: Final = (SCHEDULED, STARTED)
_WRONG_ENTRY: Final = "110514^DCM"
"""PS3.16 CID 9300: Incorrect worklist entry selected. The order is still to be done."""
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Order).decode


class WorklistProjection:
    """Writes the worklist."""

    def __init__(self, tables: Tables) -> None:
        self._table = tables.steps
        self._performing = tables.performing
        self._merged = MergedPatients(tables.merges)

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded, told in self._merged.following(connection, events):
            match told:
                case OrderPlaced() as fact if not recorded.shredded:
                    self._placed(connection, fact)
                case OrderCancelled() as fact:
                    self._become(connection, fact.study_uid, CANCELLED, _OPEN)
                case InstancesStored() as fact:
                    self._become(connection, fact.study_uid, STARTED, (SCHEDULED,))
                case StudyCompleted() as fact:
                    self._complete(connection, fact)
                case (
                    ProcedureStepStarted() | ProcedureStepCompleted() | ProcedureStepDiscontinued()
                ) as fact:
                    self._perform(connection, fact)
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

    def _complete(self, connection: Connection, fact: StudyCompleted) -> None:
        # What is performed still goes on, even if no image came for a while.
        if not self._is_performed(connection, fact.study_uid):
            self._become(connection, fact.study_uid, DONE, _OPEN)

    def _perform(
        self,
        connection: Connection,
        fact: ProcedureStepStarted | ProcedureStepCompleted | ProcedureStepDiscontinued,
    ) -> None:
        if not isinstance(fact, ProcedureStepStarted):
            self._end(connection, fact)
            return
        for study_uid in fact.study_uids:
            connection.execute(
                self._performing.insert().values(
                    study_uid=study_uid, sop_uid=fact.sop_uid, completed=False
                )
            )
            self._become(connection, study_uid, STARTED, (SCHEDULED, DISCONTINUED))

    def _end(
        self, connection: Connection, fact: ProcedureStepCompleted | ProcedureStepDiscontinued
    ) -> None:
        table = self._performing
        mine = table.c.sop_uid == fact.sop_uid
        if isinstance(fact, ProcedureStepCompleted):
            connection.execute(table.update().where(mine).values(completed=True))
        else:
            connection.execute(table.delete().where(mine))
        for study_uid in fact.study_uids:
            if self._is_performed(connection, study_uid):
                continue  # another modality is at work on the same order
            ended = connection.execute(table.delete().where(table.c.study_uid == study_uid))
            if ended.rowcount:
                self._become(connection, study_uid, DONE, (*_OPEN, DISCONTINUED))
            elif isinstance(fact, ProcedureStepDiscontinued):
                state = SCHEDULED if fact.reason == _WRONG_ENTRY else DISCONTINUED
                self._become(connection, study_uid, state, _OPEN)

    def _is_performed(self, connection: Connection, study_uid: str) -> bool:
        c = self._performing.c
        going_on = (c.study_uid == study_uid) & c.completed.is_(False)
        return connection.execute(sa.select(c.sop_uid).where(going_on).limit(1)).first() is not None

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
    version=3,
    topics=(
        OrderPlaced.TOPIC,
        OrderCancelled.TOPIC,
        InstancesStored.TOPIC,
        StudyCompleted.TOPIC,
        ProcedureStepStarted.TOPIC,
        ProcedureStepCompleted.TOPIC,
        ProcedureStepDiscontinued.TOPIC,
        PatientAbsorbed.TOPIC,
        PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=WorklistProjection,
)
