"""Turns what modalities tell of their steps into one row a step.

Design A4, PS3.4 F. Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.contract import ViewSpec
from projections.merged_patients import MergedPatients
from projections.procedure_steps.tables import Tables
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.procedure_steps import attributes as rules
from registry.procedure_steps.events import (
    ProcedureStepAccounted,
    ProcedureStepChanged,
    ProcedureStepCompleted,
    ProcedureStepDiscontinued,
    ProcedureStepStarted,
)
from registry.procedure_steps.values import PerformedSeries, Status

NAME: Final = "procedure_steps"
STUDY: Final = "study"
ACCESSION: Final = "accession"
_LONGEST: Final = 64
_json: Final = msgspec.json.Encoder().encode
_from_json: Final = msgspec.json.Decoder(dict[str, Any]).decode
_pack: Final = msgspec.msgpack.Encoder().encode
_Told = ProcedureStepChanged | ProcedureStepCompleted | ProcedureStepDiscontinued


class ProcedureStepsProjection:
    """Writes the performed procedure steps."""

    def __init__(self, tables: Tables) -> None:
        self._steps = tables.steps
        self._keys = tables.keys
        self._merged = MergedPatients(tables.merges)

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded, told in self._merged.following(connection, events):
            at = micros(recorded.at)
            match told:
                case ProcedureStepStarted() as fact if not recorded.shredded:
                    self._started(connection, fact, at)
                case ProcedureStepChanged() as fact:
                    self._told(connection, fact, {"changed_at": at})
                case ProcedureStepCompleted() as fact:
                    self._told(connection, fact, {"changed_at": at, "status": Status.COMPLETED})
                case ProcedureStepDiscontinued() as fact:
                    changed = {"status": Status.DISCONTINUED, "reason": fact.reason}
                    self._told(connection, fact, {"changed_at": at, **changed})
                case ProcedureStepAccounted() as fact:
                    self._change(connection, fact.sop_uid, {"is_owing": False})
                case PatientAbsorbed() as fact:
                    mine = self._steps.c.patient_key == fact.subsumed
                    moved = self._steps.update().where(mine).values(patient_key=fact.patient_key)
                    connection.execute(moved)
                case PatientShredded() as fact:
                    self._shred(connection, fact)
                case _:
                    pass

    def _started(self, connection: Connection, fact: ProcedureStepStarted, at: int) -> None:
        connection.execute(
            self._steps.insert().values(
                sop_uid=fact.sop_uid,
                patient_key=fact.patient_key,
                status=str(Status.IN_PROGRESS),
                modality=fact.modality[:16],
                station_ae=fact.station_ae[:16],
                reason="",
                started_at=at,
                changed_at=at,
                listed=_count(fact.performed),
                is_owing=False,
                body=_json(fact.attributes),
                performed=_pack(fact.performed),
            )
        )
        accessions = (
            rules.text(item, rules.ACCESSION).replace("\x00", "")[:_LONGEST]
            for item in rules.items(fact.attributes, rules.SCHEDULED_STEPS)
        )
        keys = [(STUDY, uid) for uid in fact.study_uids]
        keys += [(ACCESSION, number) for number in dict.fromkeys(accessions) if number]
        connection.execute(
            self._keys.insert(),
            [{"sop_uid": fact.sop_uid, "kind": kind, "value": value} for kind, value in keys],
        )

    def _told(self, connection: Connection, fact: _Told, changed: dict[str, Any]) -> None:
        c = self._steps.c
        if fact.attributes:
            row = connection.execute(sa.select(c.body).where(c.sop_uid == fact.sop_uid)).first()
            if row is None:
                return
            changed["body"] = _json({**_from_json(row.body), **fact.attributes})
        if fact.performed is not None:
            changed["performed"] = _pack(fact.performed)
            changed["listed"] = _count(fact.performed)
        if not isinstance(fact, ProcedureStepChanged):
            changed["is_owing"] = True
            changed["status"] = str(changed["status"])
        self._change(connection, fact.sop_uid, changed)

    def _change(self, connection: Connection, sop_uid: str, changed: dict[str, Any]) -> None:
        mine = self._steps.c.sop_uid == sop_uid
        connection.execute(self._steps.update().where(mine).values(**changed))

    def _shred(self, connection: Connection, fact: PatientShredded) -> None:
        steps, keys = self._steps, self._keys
        mine = steps.c.patient_key == fact.patient_key
        connection.execute(
            keys.delete().where(keys.c.sop_uid.in_(sa.select(steps.c.sop_uid).where(mine)))
        )
        connection.execute(steps.delete().where(mine))


def _count(performed: tuple[PerformedSeries, ...]) -> int:
    return sum(len(series.sop_uids()) for series in performed)


SPEC: Final = ViewSpec(
    name=NAME,
    version=1,
    topics=(
        ProcedureStepStarted.TOPIC,
        ProcedureStepChanged.TOPIC,
        ProcedureStepCompleted.TOPIC,
        ProcedureStepDiscontinued.TOPIC,
        ProcedureStepAccounted.TOPIC,
        PatientAbsorbed.TOPIC,
        PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=ProcedureStepsProjection,
)
