"""Reads the commitments: to whom a report is owed, and for what.

PS3.4 J. Called by `workflows.commit_to_storage` and `workflows.report_commitments`.
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
from projections.commitments.projection import NAME, WAITING
from projections.database import ViewsDatabase
from registry.commitments.values import Reference

_references: Final = msgspec.msgpack.Decoder(tuple[Reference, ...]).decode
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Commitment:
    """A commitment as it stands."""

    ae_title: str
    transaction_uid: str
    references: tuple[Reference, ...]
    state: str
    """waiting | reported | abandoned."""
    asked: datetime
    attempts: int
    again: datetime
    committed: int
    failed: int


class Commitments:
    """The query side of the commitments; thread safe."""

    def __init__(self, database: ViewsDatabase) -> None:
        self._database = database

    def due_titles(self, moment: datetime) -> Sequence[str]:
        """Return the AE titles that are owed a report now; a cheap look, without waiting."""
        with self._database.reading(NAME, fresh=False) as (connection, tables):
            c = tables.commitments.c
            query = sa.select(c.ae_title).where(c.state == WAITING, c.again <= micros(moment))
            return list(connection.execute(query.distinct().order_by(c.ae_title)).scalars())

    def due(self, ae_title: str, moment: datetime, *, limit: int = _PAGE) -> Sequence[Commitment]:
        """Return what an AE is owed now, longest waiting first."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.commitments
            rows = connection.execute(
                sa.select(table)
                .where(
                    table.c.state == WAITING,
                    table.c.ae_title == ae_title,
                    table.c.again <= micros(moment),
                )
                .order_by(table.c.asked_at, table.c.transaction_uid)
                .limit(limit)
            )
            return [_commitment(row) for row in rows]

    def of(self, ae_title: str, transaction_uid: str) -> Commitment | None:
        """Return one commitment."""
        with self._database.reading(NAME) as (connection, tables):
            table = tables.commitments
            row = connection.execute(
                sa.select(table).where(
                    table.c.ae_title == ae_title, table.c.transaction_uid == transaction_uid
                )
            ).first()
            return None if row is None else _commitment(row)


def _commitment(row: Row[Any]) -> Commitment:
    return Commitment(
        row.ae_title,
        row.transaction_uid,
        _references(row.body),
        row.state,
        from_micros(row.asked_at),
        row.attempts,
        from_micros(row.again),
        row.committed,
        row.failed,
    )
