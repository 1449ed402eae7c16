"""Reads the worklist: steps that are scheduled or under way, others when asked for.

PS3.4 K.6.1.2. Called by `adapters/dimse` for C-FIND and by the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from projections.database import ViewsDatabase
from projections.worklist.projection import NAME, SCHEDULED, STARTED
from registry.orders.values import Order

_decode: Final = msgspec.json.Decoder(Order).decode


@dataclass(frozen=True, slots=True)
class Step:
    """A scheduled procedure step with its order."""

    study_uid: str
    patient_key: UUID
    state: str
    """scheduled | started | done | discontinued | cancelled."""
    order: Order


class Worklist:
    """The query side of the worklist; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def open(
        self,
        *,
        first: str = "",
        last: str = "",
        policy: sa.ColumnElement[bool] | None = None,
        states: Sequence[str] = (SCHEDULED, STARTED),
    ) -> Sequence[Step]:
        """Return what is in these states from a day to a day (YYYYMMDD), earliest first."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.steps
            query = sa.select(table).where(table.c.state.in_(states))
            if policy is not None:
                query = query.where(policy)
            if first:
                query = query.where(table.c.starts_on >= first)
            if last:
                query = query.where(table.c.starts_on <= last)
            rows = connection.execute(query.order_by(table.c.starts, table.c.study_uid))
            return [
                Step(row.study_uid, row.patient_key, row.state, _decode(row.body)) for row in rows
            ]
