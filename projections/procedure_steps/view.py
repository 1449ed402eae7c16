"""Reads the performed procedure steps: by instance, study, accession number and status.

PS3.4 F. Called by the portal, by `workflows.account_for_steps` and `workflows.notify_availability`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kernel.times import from_micros
from projections.database import ViewsDatabase
from projections.procedure_steps.projection import ACCESSION, NAME, STUDY
from registry.procedure_steps.values import Attributes, PerformedSeries, Status

_attributes: Final = msgspec.json.Decoder(dict[str, Any]).decode
_performed: Final = msgspec.msgpack.Decoder(tuple[PerformedSeries, ...]).decode


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """A performed procedure step as it stands."""

    sop_uid: str
    patient_key: UUID
    status: Status
    modality: str
    station_ae: str
    reason: str
    """Of a discontinued one, `value^scheme`."""
    started: datetime
    """When we were told that it began."""
    changed: datetime
    listed: int
    """Instances it says it made."""
    is_owing: bool
    """It ended, and not all it lists is known to be held."""
    study_uids: tuple[str, ...]
    accessions: tuple[str, ...]
    attributes: Attributes
    """Without the instances, which are `performed`."""
    performed: tuple[PerformedSeries, ...]

    def sop_uids(self) -> tuple[str, ...]:
        """Return the instances it lists, each once."""
        return tuple(dict.fromkeys(uid for one in self.performed for uid in one.sop_uids()))


@dataclass(frozen=True, slots=True)
class StepFilter:
    """What is looked for; empty members do not restrict."""

    study_uid: str = ""
    accession: str = ""
    status: Status | None = None


class ProcedureSteps:
    """The query side of the performed procedure steps; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def by_uid(self, sop_uid: str) -> PerformedStep | None:
        """Return one step."""
        with self._database.reading(NAME) as (connection, tables):
            query = sa.select(tables.steps).where(tables.steps.c.sop_uid == sop_uid)
            return next(iter(_steps(connection, tables, query)), None)

    def find(
        self,
        wanted: StepFilter,
        *,
        policy: sa.ColumnElement[bool] | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> tuple[int, Sequence[PerformedStep]]:
        """Return how many steps there are, and a page of them, the last begun first."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.steps
            query = sa.select(table)
            if policy is not None:
                query = query.where(policy)
            for kind, value in ((STUDY, wanted.study_uid), (ACCESSION, wanted.accession)):
                if value:
                    query = query.where(table.c.sop_uid.in_(_with(tables, kind, value)))
            if wanted.status is not None:
                query = query.where(table.c.status == str(wanted.status))
            total = connection.execute(
                sa.select(sa.func.count()).select_from(query.subquery())
            ).scalar_one()
            newest = query.order_by(table.c.started_at.desc(), table.c.sop_uid)
            page = newest.offset(offset).limit(limit)
            return total, _steps(connection, tables, page)

    def of_study(self, study_uid: str) -> Sequence[PerformedStep]:
        """Return the steps of a study, the last begun first."""
        return self.find(StepFilter(study_uid=study_uid))[1]

    def owing(self, *, limit: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Return ended steps of which not all is known to be held, and since when; the last first.

        A cheap look, without waiting.
        """
        with self._database.reading(NAME, fresh=False) as (connection, tables):
            c = tables.steps.c
            query = sa.select(c.sop_uid, c.changed_at).where(c.is_owing.is_(True))
            rows = connection.execute(query.order_by(c.changed_at.desc()).limit(limit))
            return [(row.sop_uid, from_micros(row.changed_at)) for row in rows]


def _with(tables: Any, kind: str, value: str) -> sa.Select[tuple[str]]:
    c = tables.keys.c
    return sa.select(c.sop_uid).where(c.kind == kind, c.value == value)


def _steps(connection: Connection, tables: Any, query: sa.Select[Any]) -> list[PerformedStep]:
    rows = connection.execute(query).all()
    keys: dict[tuple[str, str], list[str]] = {}
    found = sa.select(tables.keys).where(tables.keys.c.sop_uid.in_([r.sop_uid for r in rows]))
    for key in connection.execute(found.order_by(tables.keys.c.value)):
        keys.setdefault((key.sop_uid, key.kind), []).append(key.value)
    return [
        _step(
            row,
            tuple(keys.get((row.sop_uid, STUDY), ())),
            tuple(keys.get((row.sop_uid, ACCESSION), ())),
        )
        for row in rows
    ]


def _step(row: Row[Any], study_uids: tuple[str, ...], accessions: tuple[str, ...]) -> PerformedStep:
    return PerformedStep(
        row.sop_uid,
        row.patient_key,
        Status(row.status),
        row.modality,
        row.station_ae,
        row.reason,
        from_micros(row.started_at),
        from_micros(row.changed_at),
        row.listed,
        row.is_owing,
        study_uids,
        accessions,
        _attributes(row.body),
        _performed(row.performed),
    )
