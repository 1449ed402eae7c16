"""Reads what is owed to whom, and what other archives said is available.

PS3.4 R. Called by `workflows.notify_availability` and the portal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Row

from kernel.times import from_micros, micros
from projections.availability.projection import NAME, WAITING
from projections.database import ViewsDatabase
from registry.availability.values import Available, Notice

_instances: Final = msgspec.msgpack.Decoder(tuple[Available, ...]).decode
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Owed:
    """A notification that is owed, was told or was given up."""

    ae_title: str
    study_uid: str
    state: str
    """waiting | told | abandoned."""
    through: int
    owed: datetime
    attempts: int


class Availability:
    """The query side of the notifications; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def due_titles(self, moment: datetime) -> Sequence[str]:
        """Return the AE titles that are owed something now; a cheap look, without waiting."""
        with self._database.reading(NAME, fresh=False) as (connection, tables):
            c = tables.owed.c
            query = sa.select(c.ae_title).where(c.state == WAITING, c.again <= micros(moment))
            return list(connection.execute(query.distinct().order_by(c.ae_title)).scalars())

    def due(self, ae_title: str, moment: datetime, *, limit: int = _PAGE) -> Sequence[Owed]:
        """Return what an AE is owed now, longest waiting first."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.owed
            query = sa.select(table).where(
                table.c.state == WAITING,
                table.c.ae_title == ae_title,
                table.c.again <= micros(moment),
            )
            rows = connection.execute(query.order_by(table.c.through).limit(limit))
            return [_owed(row) for row in rows]

    def of_study(self, study_uid: str) -> Sequence[Owed]:
        """Return how far each AE was told of a study."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.owed
            query = sa.select(table).where(table.c.study_uid == study_uid)
            return [_owed(row) for row in connection.execute(query.order_by(table.c.ae_title))]

    def notices(self, study_uid: str) -> Sequence[tuple[str, datetime, Notice]]:
        """Return what other archives said of a study: who, when and what, the newest first."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.notices
            query = sa.select(table).where(table.c.study_uid == study_uid)
            rows = connection.execute(query.order_by(table.c.at.desc(), table.c.sop_uid))
            return [
                (
                    row.source,
                    from_micros(row.at),
                    Notice(row.sop_uid, row.study_uid, row.step_uid, _instances(row.body)),
                )
                for row in rows
            ]


def _owed(row: Row[Any]) -> Owed:
    return Owed(
        row.ae_title, row.study_uid, row.state, row.through, from_micros(row.owed_at), row.attempts
    )
